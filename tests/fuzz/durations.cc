// Any text as a duration: what is understood is printed so that it is understood again, as the same.
#include <cstring>
#include <limits>

#include "base/units.h"
#include "target.h"

namespace {

using namespace faas;

void expect_read_back(Duration duration) {
  const auto text = print_duration(duration);
  const auto again = parse_duration(text);
  HOLDS(again && *again == duration);
  HOLDS(print_duration(*again) == text);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto input = fuzz::text_of(data, size);
  if (const auto duration = parse_duration(input)) {
    expect_read_back(*duration);
    const bool plain = input.find_first_not_of("0123456789") == input.npos;
    if (plain) HOLDS(*duration >= Duration::zero() && duration->count() % 1'000'000'000 == 0);
    const bool signed_text = input.starts_with('-') || input.starts_with('+');
    // A sign turns a duration round and does nothing else; alone, digits are seconds and have none.
    if (!signed_text && !plain) {
      const auto turned = parse_duration("-" + std::string(input));
      HOLDS(turned && *turned == -*duration);
    }
    HOLDS(!signed_text || *duration == Duration::zero() || input.starts_with('+') ||
          *duration < Duration::zero());
  }
  if (const auto number = parse_integer(input)) {
    HOLDS(parse_integer(std::to_string(*number)) == *number);
    HOLDS(input.find_first_not_of("+-0123456789") == input.npos);
  }
  if (size >= sizeof(std::int64_t)) {
    std::int64_t count = 0;
    std::memcpy(&count, data, sizeof count);
    expect_read_back(Duration(count));
    HOLDS(!print_size(static_cast<std::uint64_t>(count)).empty());
    HOLDS(deadline_after(TimePoint(Duration(count)), Duration(1)) > TimePoint(Duration(count)) ||
          count == std::numeric_limits<std::int64_t>::max());
  }
  return 0;
}
