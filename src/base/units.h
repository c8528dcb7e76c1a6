// Durations and sizes as people write them.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace faas {

using Duration = std::chrono::nanoseconds;
using Clock = std::chrono::steady_clock;
using TimePoint = Clock::time_point;

/// Parses a duration: a plain non-negative integer is seconds ("90"); otherwise a sign and one or more
/// number-unit groups ("1m30s", ".5s", "-5s"; units ns us µs μs ms s m h). nullopt when it is neither or
/// does not fit 64-bit nanoseconds. The grammar is OpenFaaS's.
[[nodiscard]] std::optional<Duration> parse_duration(std::string_view text);

/// Canonical form: "0s", "500ms", "2µs", "1m30s", "1h30m0s", "-5s". parse_duration reads it back.
[[nodiscard]] std::string print_duration(Duration duration);

/// Parses an integer of plain decimal digits with an optional sign; nullopt otherwise or on overflow.
[[nodiscard]] std::optional<std::int64_t> parse_integer(std::string_view text);

/// `limit` after `from`; TimePoint::max() when there is no limit (<= 0) or it lies beyond the clock's end.
[[nodiscard]] constexpr TimePoint deadline_after(TimePoint from, Duration limit) {
  if (limit <= Duration::zero() || from > TimePoint::max() - limit) return TimePoint::max();
  return from + limit;
}

/// A size for people: divides by 1000 while >= 1000, 4 significant digits ("5B", "24.01kB", "100kB").
[[nodiscard]] std::string print_size(std::uint64_t bytes);

}  // namespace faas
