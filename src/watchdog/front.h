// The front: what every request of a watchdog meets first. Health and readiness are answered here, calls are
// counted, authenticated, limited and passed to the mode.
#pragma once

#include "http/exchange.h"
#include "watchdog/authentication.h"
#include "watchdog/limiter.h"
#include "watchdog/lock_file.h"
#include "watchdog/metrics.h"
#include "watchdog/mode.h"

namespace faas::watchdog {

/// Whether the watchdog wants to be called.
struct Condition {
  bool accepting = false;      ///< from being ready until SIGTERM
  bool suppress_lock = false;  ///< there is no file to look at
  LockFile lock;
  [[nodiscard]] bool healthy() const { return accepting && (suppress_lock || lock.exists()); }
};

/// Threads: one core. Lifetime: all it is given outlives it.
class Front final : public http::Handler {
 public:
  /// `authentication` may be null: everybody may call.
  Front(const Settings& settings, FunctionMode& mode, Condition& condition, Authentication* authentication)
      : settings_(settings),
        mode_(mode),
        condition_(condition),
        authentication_(authentication),
        limiter_(settings.max_inflight) {}

  Task<> serve(http::Exchange& exchange) override;
  [[nodiscard]] const Metrics& metrics() const { return metrics_; }

 private:
  Task<> answer_health(http::Exchange& exchange);
  Task<> answer_ready(http::Exchange& exchange);
  Task<> serve_call(http::Exchange& exchange, std::string_view path);
  Task<> serve_in_time(const Call& call);
  Task<bool> refuse_stranger(http::Exchange& exchange);
  Task<> pass_on(http::Exchange& exchange, std::string_view path);
  Task<> answer_full(http::Exchange& exchange);

  const Settings& settings_;
  FunctionMode& mode_;
  Condition& condition_;
  Authentication* authentication_;
  Limiter limiter_;
  Metrics metrics_;
};

/// Serves /metrics, with any method.
class MetricsFront final : public http::Handler {
 public:
  explicit MetricsFront(const Metrics& metrics) : metrics_(metrics) {}
  Task<> serve(http::Exchange& exchange) override;

 private:
  const Metrics& metrics_;
  std::uint64_t scrapes_ = 0;
};

}  // namespace faas::watchdog
