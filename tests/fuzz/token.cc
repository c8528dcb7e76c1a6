// Any bytes as a JSON Web Token, and any two texts as the header and the claims of one: what is taken apart
// is what was put together.
#include "jwt/token.h"

#include "jwt/claims.h"
#include "jwt/sign_in_test.h"
#include "target.h"

namespace {

void expect_named_refusal(const faas::Error& error) {
  HOLDS(error.origin == faas::Origin::client && error.text.starts_with("token "));
  HOLDS(error.code == faas::Code::invalid || error.code == faas::Code::too_large);
}

void take_apart(std::string_view text) {
  const auto token = faas::jwt::parse_token(text);
  if (!token) {
    expect_named_refusal(token.error());
    return;
  }
  HOLDS(text.size() <= faas::jwt::kTokenBytesMax);
  HOLDS(!token->key_id.empty() && token->key_id.size() <= faas::jwt::kKeyIdBytesMax);
  HOLDS(!token->signature.empty());
  // There is one spelling only.
  HOLDS(std::string(token->signed_part) + "." + faas::jwt::base64url(token->signature) == text);
  HOLDS(token->signed_part.ends_with("." + faas::jwt::base64url(token->payload)));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto rest = faas::fuzz::text_of(data, size);
  take_apart(rest);
  const auto header = faas::fuzz::take_line(rest);
  const auto whole = faas::jwt::base64url(header) + "." + faas::jwt::base64url(rest) + ".AAAA";
  take_apart(whole);
  if (const auto token = faas::jwt::parse_token(whole)) HOLDS(token->payload == rest);
  return 0;
}
