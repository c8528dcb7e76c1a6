// Mode afterburn: one process, started once, answers one call after the other over its standard input and
// output. Deprecated in OpenFaaS; http mode does the same with calls side by side.
#pragma once

#include <memory>

#include "watchdog/mode.h"

namespace faas::watchdog {

/// Starts the function. `settings` outlives the mode.
/// Errors: those of PipedFunction::start().
[[nodiscard]] Result<std::unique_ptr<FunctionMode>> make_afterburn(const Settings& settings);

/// How long after a function's end the next one is started, when it is the `failures`th end since a call was
/// answered: at once, then later and later.
[[nodiscard]] Duration restart_pause(int failures);

}  // namespace faas::watchdog
