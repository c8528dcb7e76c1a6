// A whole watchdog: what both programs are.
#pragma once

#include "watchdog/settings.h"

namespace faas::watchdog {

/// Does what the command line says; serving ends with SIGTERM, SIGINT or the function. Returns the exit code.
int run(Program program, int argc, const char* const* argv, Variables variables);

}  // namespace faas::watchdog
