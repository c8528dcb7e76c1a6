// A line that a function printed, and which lines somebody asks for: GET /system/logs.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "model/function_spec.h"

namespace faas {

using LogTime = std::chrono::time_point<std::chrono::system_clock, std::chrono::nanoseconds>;

struct LogLine {
  FunctionName function;
  std::string instance;  ///< the replica
  LogTime time;          ///< when it was read
  std::string text;      ///< any bytes but a line's end
};

struct LogQuery {
  FunctionName function;
  std::string instance;               ///< of this replica only; empty: of all
  std::optional<LogTime> since;       ///< not before this
  std::optional<std::uint64_t> tail;  ///< only the last ones of what there is; empty: all
  bool follow = false;                ///< and what comes
};

/// {"name":...,"namespace":...,"instance":...,"timestamp":...,"text":...} and a line's end (spec cli 6.3).
/// Control characters are escaped; bytes that are not UTF-8 become U+FFFD.
[[nodiscard]] std::string print_log_line(const LogLine& line);

/// "2026-11-23T06:45:09.123456789Z": always as long, so that texts are ordered as times are.
[[nodiscard]] std::string print_log_time(LogTime time);
inline constexpr std::size_t kLogTimeBytes = 30;

/// RFC 3339, section 5.6: any offset, any fraction of a second, of which nanoseconds count. A year before
/// 1678 or after 2261 is the least or the latest time. nullopt when it is something else.
[[nodiscard]] std::optional<LogTime> parse_log_time(std::string_view text);

/// The same text as UTF-8: each byte that does not belong to a whole character becomes U+FFFD.
[[nodiscard]] std::string valid_utf8(std::string_view text);

}  // namespace faas
