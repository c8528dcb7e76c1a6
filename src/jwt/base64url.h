// Base64url without padding, as JOSE writes bytes (RFC 7515 section 2).
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace faas::jwt {

/// nullopt for anything that is not the one spelling of some bytes: another alphabet, padding, white space, a
/// length no bytes have, bits left over that are not zero.
[[nodiscard]] std::optional<std::string> decode_base64url(std::string_view text);

}  // namespace faas::jwt
