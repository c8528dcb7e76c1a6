// A whole watchdog: what both programs are.
#pragma once

#include "watchdog/authentication.h"
#include "watchdog/settings.h"

namespace faas::watchdog {

/// Does what the command line says; serving ends with SIGTERM, SIGINT or the function. Returns the exit code.
/// `make_authentication` is null in the small programs: they refuse to start where jwt_auth is set.
int run(Program program, int argc, const char* const* argv, Variables variables,
        MakeAuthentication make_authentication = nullptr);

}  // namespace faas::watchdog
