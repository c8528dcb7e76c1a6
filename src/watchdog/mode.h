// A Mode is one way of having a function answer calls.
#pragma once

#include <memory>
#include <string_view>

#include "http/exchange.h"
#include "net/task.h"
#include "watchdog/environment.h"
#include "watchdog/settings.h"

namespace faas::watchdog {

/// One call of the function. A readiness probe is a call with another method, path and body than the
/// exchange's request.
struct Call {
  http::Exchange& exchange;
  CallFacts facts;
  std::string_view target;  ///< raw
  bool logged = true;
  [[nodiscard]] Duration took() const { return Clock::now() - exchange.began(); }
  /// What a probe sends is not for the function.
  bool has_body = true;
};

/// Threads: one core. Lifetime: outlives its calls. Cancel: destroying a call's task ends its process or its
/// connection to the function.
class FunctionMode {
 public:
  virtual ~FunctionMode() = default;
  /// Answers the exchange.
  virtual Task<> serve(Call call) = 0;
  /// Ends when the function can be called.
  virtual Task<> ready() { co_return; }
  /// Ends what outlives calls, within `limit`; after the last call.
  virtual Task<> stop(Duration) { co_return; }
};

/// When a call that began now has to end.
[[nodiscard]] inline TimePoint deadline_of(const Settings& settings, TimePoint now) {
  return deadline_after(now, settings.exec_timeout);
}

class Forker;
[[nodiscard]] std::unique_ptr<FunctionMode> make_streaming(Forker& forker);
[[nodiscard]] std::unique_ptr<FunctionMode> make_serializing(Forker& forker);
[[nodiscard]] std::unique_ptr<FunctionMode> make_classic(Forker& forker);
[[nodiscard]] std::unique_ptr<FunctionMode> make_static(const Settings& settings);

}  // namespace faas::watchdog
