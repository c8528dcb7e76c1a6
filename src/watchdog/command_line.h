// The watchdogs' command line: a few flags, in Go's notation. Everything else is said by the environment.
#pragma once

#include <span>
#include <string>

#include "watchdog/settings.h"

namespace faas::watchdog {

struct Command {
  enum class What { serve, version, healthcheck, leave };
  What what = What::serve;
  std::string text;   ///< leave: what to print
  int exit_code = 0;  ///< leave
};

/// `arguments` without the program's own name.
[[nodiscard]] Command parse_command_line(Program program, std::span<const char* const> arguments);

/// "Version: 0.1.0\tSHA: unknown".
[[nodiscard]] std::string version_line();

}  // namespace faas::watchdog
