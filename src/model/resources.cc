#include "model/resources.h"

#include <array>
#include <charconv>
#include <cmath>

namespace faas {
namespace {

struct Unit {
  std::string_view name;
  double factor;
};

constexpr double kKi = 1024, kMi = kKi * kKi, kGi = kMi * kKi, kTi = kGi * kKi, kPi = kTi * kKi,
                 kEi = kPi * kKi;

constexpr std::array kMemoryUnits{
    Unit{"", 1},      Unit{"b", 1},     Unit{"B", 1},    Unit{"k", kKi},   Unit{"m", kMi},   Unit{"g", kGi},
    Unit{"t", kTi},   Unit{"kb", kKi},  Unit{"mb", kMi}, Unit{"gb", kGi},  Unit{"tb", kTi},  Unit{"K", 1e3},
    Unit{"M", 1e6},   Unit{"G", 1e9},   Unit{"T", 1e12}, Unit{"P", 1e15},  Unit{"E", 1e18},  Unit{"KB", 1e3},
    Unit{"kB", 1e3},  Unit{"MB", 1e6},  Unit{"GB", 1e9}, Unit{"TB", 1e12}, Unit{"Ki", kKi},  Unit{"Mi", kMi},
    Unit{"Gi", kGi},  Unit{"Ti", kTi},  Unit{"Pi", kPi}, Unit{"Ei", kEi},  Unit{"KiB", kKi}, Unit{"MiB", kMi},
    Unit{"GiB", kGi}, Unit{"TiB", kTi}, Unit{"ki", kKi}, Unit{"kib", kKi}, Unit{"mib", kMi}, Unit{"gib", kGi},
};
constexpr std::array kCpuUnits{Unit{"", 1e3}, Unit{"m", 1}, Unit{"u", 1e-3}, Unit{"n", 1e-6}, Unit{"k", 1e6}};

struct Number {
  double value = 0;
  std::string_view rest;
  bool whole = false;  ///< written without point or exponent
};

// Digits, at most one point, and an exponent only where digits follow it ("1e3"; the E of "1E" is a unit).
std::optional<Number> leading_number(std::string_view text) {
  const auto digits_from = [&](std::size_t at) {
    auto end = at;
    while (end < text.size() && text[end] >= '0' && text[end] <= '9') ++end;
    return end;
  };
  auto end = digits_from(0);
  auto digits = end;
  bool whole = true;
  if (end < text.size() && text[end] == '.') {
    const auto fraction = digits_from(end + 1);
    digits += fraction - end - 1;
    end = fraction;
    whole = false;
  }
  if (digits == 0 || end > 40) return std::nullopt;
  if (end < text.size() && (text[end] == 'e' || text[end] == 'E')) {
    const bool sign = end + 1 < text.size() && (text[end + 1] == '-' || text[end + 1] == '+');
    const auto from = end + (sign ? 2 : 1);
    if (const auto exponent = digits_from(from); exponent > from) {
      end = exponent;
      whole = false;
    }
  }
  Number number{.rest = text.substr(end), .whole = whole};
  const auto result = std::from_chars(text.data(), text.data() + end, number.value);
  if (result.ec != std::errc{} || result.ptr != text.data() + end) return std::nullopt;
  return number;
}

template <std::size_t N>
std::optional<std::uint64_t> scaled(const Number& number, const std::array<Unit, N>& units) {
  for (const auto& unit : units) {
    if (number.rest != unit.name) continue;
    const double amount = std::ceil(number.value * unit.factor);
    if (!(amount >= 0 && amount <= 9223372036854775808.0)) return std::nullopt;
    return static_cast<std::uint64_t>(amount);
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::uint64_t> parse_memory_bytes(std::string_view text) {
  const auto number = leading_number(text);
  return number ? scaled(*number, kMemoryUnits) : std::nullopt;
}

std::optional<std::uint64_t> parse_milli_cpu(std::string_view text) {
  const auto number = leading_number(text);
  if (!number) return std::nullopt;
  if (number->whole && number->rest.empty() && number->value >= 1e6) {
    return scaled({.value = number->value, .rest = "n"}, kCpuUnits);
  }
  return scaled(*number, kCpuUnits);
}

}  // namespace faas
