// A user, a password and an Authorization value, a line each: nobody comes in but with both.
#include <cctype>
#include <optional>

#include "http/auth.h"
#include "http/message.h"
#include "target.h"

namespace {

std::optional<unsigned> digit_of(char c) {
  constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const auto at = alphabet.find(c);
  if (at == alphabet.npos) return std::nullopt;
  return static_cast<unsigned>(at);
}

// Of what is padded and has no other bits behind its end.
std::optional<std::string> decoded(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  std::string out;
  unsigned bits = 0;
  unsigned held = 0;
  while (text.ends_with('=')) text.remove_suffix(1);
  for (const char c : text) {
    const auto digit = digit_of(c);
    if (!digit) return std::nullopt;
    bits = (bits << 6U | *digit) & 0xffffU;
    held += 6;
    if (held < 8) continue;
    held -= 8;
    out.push_back(static_cast<char>(bits >> held & 0xffU));
  }
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace faas::http;
  auto rest = faas::fuzz::text_of(data, size);
  const auto user = faas::fuzz::take_line(rest);
  const auto password = faas::fuzz::take_line(rest);
  const auto both = std::string(user) + ":" + std::string(password);
  const BasicLogin login(user, password);
  const auto right = base64(both);
  HOLDS(right.size() % 4 == 0 && decoded(right) == both);
  HOLDS(login.accepts("Basic " + right) && login.accepts("bASIC  " + right));
  HOLDS(!login.accepts(right) && !login.accepts("Basic " + right + "=") && !login.accepts("Basic "));
  if (login.accepts(rest)) {
    HOLDS(same_text(rest.substr(0, 6), "Basic "));
    HOLDS(decoded(rest.substr(rest.find_last_of(' ') + 1)) == both);
  }
  return 0;
}
