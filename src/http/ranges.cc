#include "http/ranges.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <optional>

#include "http/message.h"

namespace faas::http {
namespace {

constexpr std::string_view kUnit = "bytes=";
constexpr auto kMost = std::numeric_limits<std::uint64_t>::max();

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == text.npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

// Digits alone; a number beyond all files is as good as the largest.
std::optional<std::uint64_t> number(std::string_view text) {
  if (text.empty()) return std::nullopt;
  std::uint64_t value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    const auto digit = static_cast<std::uint64_t>(c - '0');
    value = value > (kMost - digit) / 10 ? kMost : value * 10 + digit;
  }
  return value;
}

struct Part {
  bool malformed = false;
  std::optional<ByteRange> bytes;  ///< none: outside
};

// "0-4", "6-" or "-5".
Part read_part(std::string_view text, std::uint64_t size) {
  const auto dash = text.find('-');
  if (dash == text.npos) return {.malformed = true};
  const auto before = trimmed(text.substr(0, dash));
  const auto after = trimmed(text.substr(dash + 1));
  const auto end = number(after);
  if (before.empty()) {
    if (!end) return {.malformed = true};
    const auto length = std::min(*end, size);
    if (length == 0) return {};
    return {.bytes = ByteRange{.first = size - length, .length = length}};
  }
  const auto first = number(before);
  if (!first || (!end && !after.empty()) || (end && *end < *first)) return {.malformed = true};
  if (*first >= size) return {};
  const auto last = end ? std::min(*end, size - 1) : size - 1;
  return {.bytes = ByteRange{.first = *first, .length = last - *first + 1}};
}

}  // namespace

Wanted read_range(std::string_view value, std::uint64_t size) {
  using Kind = Wanted::Kind;
  if (value.empty()) return {};
  if (!same_text(value.substr(0, kUnit.size()), kUnit)) return {.kind = Kind::malformed};
  value.remove_prefix(kUnit.size());
  Wanted wanted{.kind = Kind::parts};
  std::size_t asked = 0;
  std::uint64_t sum = 0;
  bool longer = false;
  while (true) {
    const auto comma = value.find(',');
    const auto text = trimmed(value.substr(0, comma));
    if (!text.empty()) {
      if (++asked > kRangesMax) return {.kind = Kind::too_many};
      const auto part = read_part(text, size);
      if (part.malformed) return {.kind = Kind::malformed};
      if (part.bytes) {
        wanted.parts.push_back(*part.bytes);
        longer = longer || part.bytes->length > size - sum;
        if (!longer) sum += part.bytes->length;
      }
    }
    if (comma == value.npos) break;
    value.remove_prefix(comma + 1);
  }
  // Nothing of an empty content can be asked for: it is sent whole.
  if (asked == 0 || size == 0 || longer) return {};
  if (wanted.parts.empty()) return {.kind = Kind::none_inside};
  return wanted;
}

std::string content_range(const ByteRange& part, std::uint64_t size) {
  return fmt::format("bytes {}-{}/{}", part.first, part.first + part.length - 1, size);
}

}  // namespace faas::http
