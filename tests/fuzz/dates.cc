// The present in the first line, behind it any text as a date: what is understood is printed so that it is
// understood again.
#include <algorithm>

#include "base/units.h"
#include "http/dates.h"
#include "target.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace faas::http;
  constexpr std::int64_t year_9999 = 253'402'300'799;
  auto text = faas::fuzz::text_of(data, size);
  const auto number = faas::parse_integer(faas::fuzz::take_line(text));
  const auto now = std::clamp<std::int64_t>(number.value_or(1'700'000'000), 0, year_9999);
  if (const auto date = parse_http_date(text, now)) {
    const auto printed = print_http_date(*date);
    HOLDS(parse_http_date(printed, now) == date || *date > year_9999);
    // Two digits of a year mean one near the present.
    const bool near = text.find("day, ") != text.npos;
    constexpr std::int64_t century = 101 * std::int64_t{31'622'400};
    if (near) HOLDS(*date > now - century && *date < now + century);
  }
  const auto printed_now = print_http_date(now);
  HOLDS(printed_now.size() == 29 && parse_http_date(printed_now, now) == now);
  return 0;
}
