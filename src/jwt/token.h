// A JSON Web Token as it comes: one compact JWS (RFC 7515 section 7.1), taken apart and not yet believed.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "jwt/signature.h"

namespace faas::jwt {

/// Real ones have 500 to 2000 bytes.
inline constexpr std::size_t kTokenBytesMax = 16 * 1024;
inline constexpr std::size_t kKeyIdBytesMax = 256;
/// Of the JSON in a token.
inline constexpr std::size_t kTokenDepthMax = 16;

struct Token {
  Algorithm algorithm = Algorithm::rs256;
  std::string key_id;
  std::string_view signed_part;  ///< header.payload: what the signature is for
  std::string payload;           ///< decoded; JSON only once the signature is known to be good
  std::string signature;         ///< decoded
};

/// Takes `text` apart; the token's views point into it. Only `alg`, `kid` and `crit` of the header are looked
/// at: a key that a token brings along or points to (jwk, jku, x5u, x5c) is nobody's. Errors (origin client):
/// too_large; invalid when it is no compact JWS, its header is not a JSON object, `alg` is not allowed, `kid`
/// is missing or longer than kKeyIdBytesMax, or `crit` asks for what we do not know.
[[nodiscard]] Result<Token> parse_token(std::string_view text);

}  // namespace faas::jwt
