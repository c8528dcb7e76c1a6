#include "base/units.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>
#include <limits>

namespace faas {
namespace {

struct Unit {
  std::string_view name;
  std::int64_t nanoseconds;
};
// Longer names first where one is the prefix of another.
constexpr std::array kUnits{
    Unit{"ns", 1},         Unit{"us", 1'000},        Unit{"\u00b5s", 1'000},    Unit{"\u03bcs", 1'000},
    Unit{"ms", 1'000'000}, Unit{"s", 1'000'000'000}, Unit{"m", 60'000'000'000}, Unit{"h", 3'600'000'000'000}};

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// One "number[.fraction]unit" group in nanoseconds; moves `text` past it.
std::optional<std::uint64_t> parse_group(std::string_view& text) {
  std::uint64_t whole = 0;
  std::size_t digits = 0;
  while (!text.empty() && is_digit(text.front())) {
    const auto digit = static_cast<std::uint64_t>(text.front() - '0');
    if (__builtin_mul_overflow(whole, std::uint64_t{10}, &whole)) return std::nullopt;
    if (__builtin_add_overflow(whole, digit, &whole)) return std::nullopt;
    text.remove_prefix(1);
    ++digits;
  }
  double fraction = 0;
  if (!text.empty() && text.front() == '.') {
    text.remove_prefix(1);
    double scale = 0.1;
    for (; !text.empty() && is_digit(text.front()); text.remove_prefix(1), scale /= 10, ++digits) {
      fraction += scale * (text.front() - '0');
    }
  }
  if (digits == 0) return std::nullopt;
  for (const auto& unit : kUnits) {
    if (!text.starts_with(unit.name)) continue;
    text.remove_prefix(unit.name.size());
    std::uint64_t total = 0;
    if (__builtin_mul_overflow(whole, static_cast<std::uint64_t>(unit.nanoseconds), &total))
      return std::nullopt;
    const auto part =
        static_cast<std::uint64_t>(std::llround(fraction * static_cast<double>(unit.nanoseconds)));
    if (__builtin_add_overflow(total, part, &total)) return std::nullopt;
    return total;
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::int64_t> parse_integer(std::string_view text) {
  if (text.starts_with('+')) {
    text.remove_prefix(1);
    if (text.starts_with('-')) return std::nullopt;
  }
  std::int64_t value = 0;
  const auto* end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc{} || at != end) return std::nullopt;
  return value;
}

std::optional<Duration> parse_duration(std::string_view text) {
  if (const auto seconds = parse_integer(text); seconds && *seconds >= 0 && !text.starts_with('-')) {
    std::int64_t nanoseconds = 0;
    if (__builtin_mul_overflow(*seconds, std::int64_t{1'000'000'000}, &nanoseconds)) return std::nullopt;
    return Duration(nanoseconds);
  }
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  if (text == "0") return Duration::zero();
  if (text.empty()) return std::nullopt;
  std::uint64_t total = 0;
  while (!text.empty()) {
    const auto group = parse_group(text);
    if (!group || __builtin_add_overflow(total, *group, &total)) return std::nullopt;
  }
  // The least duration is one nanosecond further from zero than the greatest.
  constexpr std::uint64_t most = std::numeric_limits<std::int64_t>::max();
  if (total > most + (negative ? 1 : 0)) return std::nullopt;
  return Duration(static_cast<std::int64_t>(negative ? 0 - total : total));
}

std::string print_duration(Duration duration) {
  const auto count = duration.count();
  if (count == 0) return "0s";
  const std::string sign = count < 0 ? "-" : "";
  const auto magnitude =
      count < 0 ? 0 - static_cast<std::uint64_t>(count) : static_cast<std::uint64_t>(count);
  const auto decimal = [](std::uint64_t value, std::uint64_t unit) {
    auto text = fmt::format("{}", value / unit);
    if (const auto rest = value % unit; rest != 0) {
      auto digits = fmt::format("{}", rest + unit).substr(1);  // keeps the leading zeros
      digits.erase(digits.find_last_not_of('0') + 1);
      text += "." + digits;
    }
    return text;
  };
  if (magnitude < 1'000) return sign + decimal(magnitude, 1) + "ns";
  if (magnitude < 1'000'000) return sign + decimal(magnitude, 1'000) + "\u00b5s";
  if (magnitude < 1'000'000'000) return sign + decimal(magnitude, 1'000'000) + "ms";
  const auto minutes = magnitude / 60'000'000'000;
  std::string text = sign;
  if (minutes >= 60) text += fmt::format("{}h", minutes / 60);
  if (minutes > 0) text += fmt::format("{}m", minutes % 60);
  return text + decimal(magnitude % 60'000'000'000, 1'000'000'000) + "s";
}

std::string print_size(std::uint64_t bytes) {
  constexpr std::array<std::string_view, 7> names{"B", "kB", "MB", "GB", "TB", "PB", "EB"};
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  for (; value >= 1000 && unit + 1 < names.size(); ++unit) value /= 1000;
  return fmt::format("{:.4g}{}", value, names[unit]);
}

}  // namespace faas
