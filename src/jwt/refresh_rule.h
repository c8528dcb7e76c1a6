// When keys are fetched. Pure: the clock is an argument.
#pragma once

#include <algorithm>
#include <chrono>
#include <optional>

#include "base/units.h"

namespace faas::jwt {

/// Between attempts at the start: soon, since the issuer is often only just starting, and ever less often.
inline constexpr Duration kFirstPause = std::chrono::milliseconds(250);
inline constexpr Duration kLongestPause = std::chrono::seconds(5);
/// A refresh that failed is tried again before its interval is over.
inline constexpr Duration kRetryInterval = std::chrono::seconds(30);
/// Anybody can invent a key id: no more often than this does that make us ask the issuer.
inline constexpr Duration kUnknownKeyInterval = std::chrono::seconds(10);

/// How long to wait after an attempt at the start that failed; nullopt: the time is over. `last` is the pause
/// before that attempt, zero for the first.
[[nodiscard]] constexpr std::optional<Duration> pause_at_start(Duration last, TimePoint now, TimePoint end) {
  if (now >= end) return std::nullopt;
  const auto pause = last == Duration::zero() ? kFirstPause : std::min(2 * last, kLongestPause);
  return std::min<Duration>(pause, end - now);
}

/// How long after a fetch the next one is due; <= 0: never.
[[nodiscard]] constexpr Duration pause_until_refresh(Duration interval, bool failed) {
  return failed && interval > kRetryInterval ? kRetryInterval : interval;
}

/// Whether a key that is not known is worth a question.
class UnknownKeyLimit final {
 public:
  /// True at most once an interval.
  [[nodiscard]] constexpr bool allow(TimePoint now) {
    if (last_ && now - *last_ < kUnknownKeyInterval) return false;
    last_ = now;
    return true;
  }

 private:
  std::optional<TimePoint> last_;
};

}  // namespace faas::jwt
