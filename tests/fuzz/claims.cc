// Any bytes as the claims of a token: nobody is let in by what is not there.
#include "jwt/claims.h"

#include <cmath>

#include "target.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto input = faas::fuzz::text_of(data, size);
  const auto claims = faas::jwt::parse_claims(input);
  if (!claims) {
    HOLDS(claims.error().origin == faas::Origin::client);
    HOLDS(claims.error().text.starts_with("token is malformed: "));
    return 0;
  }
  HOLDS(!faas::jwt::check_issuer(*claims, ""));
  if (faas::jwt::check_issuer(*claims, "issuer")) {
    HOLDS(claims->issuer == "issuer");
    HOLDS(input.find("issuer") != input.npos || input.find("\\u") != input.npos);
  }
  for (const auto& time : {claims->expires_at, claims->not_before}) HOLDS(!time || std::isfinite(*time));
  const double now = 1'700'000'000;
  if (faas::jwt::check_time(claims->not_before, claims->expires_at, now)) {
    HOLDS(!claims->expires_at || *claims->expires_at + faas::jwt::kLeeway > now);
    HOLDS(!claims->not_before || *claims->not_before - faas::jwt::kLeeway <= now);
  }
  if (claims->permissions.empty()) HOLDS(!faas::jwt::permits(*claims, "openfaas-fn:env"));
  (void)faas::jwt::permits(*claims, "openfaas-fn:env");
  return 0;
}
