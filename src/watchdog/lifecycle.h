// From start to end: listen, start the function, become ready, serve, drain, stop.
//
// SIGTERM and SIGQUIT end it with healthcheck_interval as grace period, SIGINT and SIGHUP without: somebody
// at a terminal waits, or has gone. A further SIGINT or SIGHUP cuts the grace period short, a further SIGTERM
// changes nothing (spec watchdogs 5.3, 5.4).
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "http/server.h"
#include "net/doorman.h"
#include "net/event.h"
#include "net/signals.h"
#include "watchdog/forked_call.h"
#include "watchdog/front.h"
#include "watchdog/function_server.h"

namespace faas::watchdog {

/// Threads: one core. Lifetime: `settings` and `own` outlive it.
class Lifecycle final {
 public:
  /// `authentication` may be null: everybody may call.
  Lifecycle(net::Core& core, const Settings& settings, Variables own,
            std::unique_ptr<Authentication> authentication);
  ~Lifecycle();

  /// Returns the program's exit code.
  Task<int> live();

 private:
  Task<Result<void>> prepare_authentication();
  Result<void> listen();
  Result<void> start_function();
  void open_doors();
  void open_metrics();
  Task<> become_ready();
  void tell_ready();
  Task<> watch_signals();
  Task<> watch_function();
  Task<> drain();
  Task<> finish_calls();
  Task<> close_connections();

  net::Core& core_;
  const Settings& settings_;
  Variables own_;
  std::unique_ptr<FunctionServer> function_;
  std::unique_ptr<Forker> forker_;
  std::unique_ptr<FunctionMode> mode_;
  std::unique_ptr<Authentication> authentication_;
  Condition condition_;
  std::optional<Front> front_;
  std::optional<MetricsFront> metrics_front_;
  std::unique_ptr<http::Server> server_;
  std::unique_ptr<http::Server> metrics_server_;
  std::vector<net::Fd> listening_;
  std::vector<std::unique_ptr<net::Running<void>>> doors_;
  std::unique_ptr<net::Running<void>> metrics_door_;
  net::Fd ready_fd_;

  net::Event stop_;   // a signal came, the function ended, or the start failed
  net::Event hurry_;  // no grace period: an impatient person
  int signal_ = 0;
  std::optional<process::ExitStatus> function_status_;
  std::optional<Error> failure_;
};

}  // namespace faas::watchdog
