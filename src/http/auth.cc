#include "http/auth.h"

#include "http/message.h"

namespace faas::http {
namespace {

constexpr std::string_view kScheme = "Basic ";

}  // namespace

std::string base64(std::string_view bytes) {
  constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const auto byte = [&bytes, i](std::size_t offset) -> unsigned {
      return i + offset < bytes.size() ? static_cast<unsigned char>(bytes[i + offset]) : 0U;
    };
    const unsigned group = byte(0) << 16 | byte(1) << 8 | byte(2);
    for (unsigned digit = 0; digit < 4; ++digit) {
      const bool padding = i + digit > bytes.size();
      out.push_back(padding ? '=' : alphabet[group >> (18 - 6 * digit) & 63U]);
    }
  }
  return out;
}

BasicLogin::BasicLogin(std::string_view user, std::string_view password)
    : encoded_(base64(std::string(user) + ":" + std::string(password))) {}

bool is_basic(std::string_view authorization) {
  return authorization.size() >= kScheme.size() &&
         same_text(authorization.substr(0, kScheme.size()), kScheme);
}

bool BasicLogin::accepts(std::string_view authorization) const {
  if (!is_basic(authorization)) return false;
  auto given = authorization.substr(kScheme.size());
  while (given.starts_with(' ')) given.remove_prefix(1);
  // The length of what was sent is no secret; its content is compared to the end whatever comes first.
  unsigned difference = given.size() == encoded_.size() ? 0 : 1;
  for (std::size_t i = 0; i < given.size(); ++i) {
    const char wanted = encoded_[i % encoded_.size()];
    difference |= static_cast<unsigned char>(given[i]) ^ static_cast<unsigned char>(wanted);
  }
  return difference == 0;
}

}  // namespace faas::http
