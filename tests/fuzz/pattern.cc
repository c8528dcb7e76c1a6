// Any pattern of a permission against any text: the same answer as the plain definition gives.
#include <string>
#include <vector>

#include "jwt/claims.h"
#include "target.h"

namespace {

// reached[i]: the pattern so far matches the first i bytes.
bool by_definition(std::string_view pattern, std::string_view text) {
  if (pattern.empty()) return false;
  std::vector<bool> reached(text.size() + 1, false);
  reached[0] = true;
  for (const char c : pattern) {
    std::vector<bool> next(text.size() + 1, false);
    for (std::size_t i = 0; i <= text.size(); ++i) {
      if (c == '*') {
        next[i] = reached[i] || (i > 0 && next[i - 1]);
      } else if (i > 0 && text[i - 1] == c) {
        next[i] = reached[i - 1];
      }
    }
    reached = std::move(next);
  }
  return reached[text.size()];
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::size_t kMost = 512;  // the definition takes pattern times text
  auto text = faas::fuzz::text_of(data, size < kMost ? size : kMost);
  const auto pattern = faas::fuzz::take_line(text);
  HOLDS(faas::jwt::matches_pattern(pattern, text) == by_definition(pattern, text));
  return 0;
}
