// The function of mode http: one process that serves HTTP itself, from the watchdog's start to its end.
#pragma once

#include <memory>
#include <optional>

#include "process/spawn.h"
#include "watchdog/line_log.h"
#include "watchdog/settings.h"

namespace faas::watchdog {

/// Lifetime: destroying it kills the process and its group.
class FunctionServer final {
 public:
  /// Starts the process with our own environment; its output goes to the log.
  /// Errors: those of process::spawn(), machine: no pipe.
  [[nodiscard]] static Result<std::unique_ptr<FunctionServer>> start(const Settings& settings);

  /// Waits for it to end and for its last lines.
  [[nodiscard]] Task<process::ExitStatus> ended();
  /// Asks it to end (SIGTERM); after `limit` it is killed.
  [[nodiscard]] Task<> stop(Duration limit);

 private:
  FunctionServer() = default;
  std::unique_ptr<LogPipe> output_;
  std::unique_ptr<LogPipe> errors_;
  net::Fd stdin_;  // open and never written: a function that reads it just waits
  process::Child child_;
};

}  // namespace faas::watchdog
