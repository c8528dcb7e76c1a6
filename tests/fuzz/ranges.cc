// A content's size in the first line, behind it a Range field's value: what is sent is never outside the
// content, never empty, and never more than the whole.
#include "http/ranges.h"
#include "base/units.h"
#include "target.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace faas::http;
  auto value = faas::fuzz::text_of(data, size);
  const auto number = faas::parse_integer(faas::fuzz::take_line(value));
  const auto content = number ? static_cast<std::uint64_t>(*number) : 11;
  const auto wanted = read_range(value, content);
  HOLDS((wanted.kind == Wanted::Kind::parts) == !wanted.parts.empty());
  HOLDS(wanted.parts.size() <= kRangesMax);
  std::uint64_t left = content;
  for (const auto& part : wanted.parts) {
    HOLDS(part.length > 0 && part.length <= left);
    left -= part.length;
    HOLDS(part.first < content && part.length <= content - part.first);
    const auto text = content_range(part, content);
    HOLDS(text.starts_with("bytes " + std::to_string(part.first) + "-"));
    HOLDS(text.ends_with("/" + std::to_string(content)));
  }
  // A single part, asked for in the words that describe it, is that part.
  for (const auto& part : wanted.parts) {
    const auto asked =
        "bytes=" + std::to_string(part.first) + "-" + std::to_string(part.first + part.length - 1);
    const auto again = read_range(asked, content);
    HOLDS(again.kind == Wanted::Kind::parts && again.parts.size() == 1);
    HOLDS(again.parts[0].first == part.first && again.parts[0].length == part.length);
  }
  return 0;
}
