// A key in the first line, behind it a raw query: what was written under the key is found, decoded.
#include "http/message.h"
#include "target.h"

namespace {

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    constexpr std::string_view digits = "0123456789abcdef";
    const auto byte = static_cast<unsigned char>(c);
    out.push_back('%');
    out.push_back(digits[byte >> 4U]);
    out.push_back(digits[byte & 15U]);
  }
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace faas::http;
  auto query = faas::fuzz::text_of(data, size);
  const auto key = faas::fuzz::take_line(query);
  const auto found = query_value(query, key);
  HOLDS(found.size() <= query.size());
  HOLDS(percent_decode(escaped(query)) == query);
  if (key.find_first_of("&=") != key.npos) return 0;
  // The last one counts, and what follows it under other keys does not.
  const auto last = std::string(query) + "&" + std::string(key) + "=" + escaped(query);
  HOLDS(query_value(last, key) == query);
  HOLDS(query_value(last + "&" + std::string(key) + "x=1&" + std::string(key), key) == query);
  return 0;
}
