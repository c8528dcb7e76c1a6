// Any bytes as a content: it has one type, which its first 512 bytes decide.
#include <algorithm>

#include "http/content_type.h"
#include "http/sniff.h"
#include "target.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace faas::http;
  const auto input = faas::fuzz::text_of(data, size);
  const auto type = sniff_content_type(input);
  HOLDS(type.find('/') != type.npos);
  HOLDS(sniff_content_type(input.substr(0, 512)) == type);
  // Whoever is told that something is text may show it: no byte of it may do harm there.
  if (type == "text/plain; charset=utf-8" && !input.starts_with("\xEF\xBB\xBF")) {
    HOLDS(std::ranges::all_of(input.substr(0, 512), [](char c) {
      const auto byte = static_cast<unsigned char>(c);
      return byte >= 0x20 || byte == '\t' || byte == '\n' || byte == '\f' || byte == '\r' || byte == 0x1b;
    }));
  }
  const auto by_name = content_type_of(input);
  HOLDS(by_name.empty() || by_name.find('/') != by_name.npos);
  return 0;
}
