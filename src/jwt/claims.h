// What a token says of itself, and whether that is enough (RFC 7519 section 4). Pure: the clock is an
// argument.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace faas::jwt {

/// Seconds since 1970, with fractions: what RFC 7519 calls NumericDate.
using UnixSeconds = double;
/// How far the clocks of issuer and machine may be apart.
inline constexpr UnixSeconds kLeeway = 1;

struct Claims {
  std::string issuer;
  std::vector<std::string> audience;
  std::optional<UnixSeconds> expires_at;
  std::optional<UnixSeconds> not_before;
  /// The claim "function": what the bearer may call. Patterns of permits().
  std::vector<std::string> function_audience;  ///< empty: not limited
  std::vector<std::string> permissions;
};

/// `payload` is the decoded middle of a token whose signature is good. Claims we do not know are passed over.
/// Errors (origin client): invalid: not a JSON object, or a claim of the wrong kind; the text names it.
[[nodiscard]] Result<Claims> parse_claims(std::string_view payload);

/// Whether the time is between not_before and expires_at.
/// Errors (origin client): invalid, in the words of the reference.
[[nodiscard]] Result<void> check_time(std::optional<UnixSeconds> not_before,
                                      std::optional<UnixSeconds> expires_at, UnixSeconds now);
/// Whether it was issued by `issuer`, who speaks to itself: it is the audience too.
/// Errors (origin client): invalid.
[[nodiscard]] Result<void> check_issuer(const Claims& claims, std::string_view issuer);

/// Whether the bearer may call `function` ("namespace:name"): one of the permissions matches and, when there
/// is a function_audience, one of that as well.
[[nodiscard]] bool permits(const Claims& claims, std::string_view function);
/// "*" stands for any characters, everything else for itself, and the pattern for the whole text: "fn:env" is
/// no match for "openfaas-fn:env". The empty pattern matches nothing.
[[nodiscard]] bool matches_pattern(std::string_view pattern, std::string_view text);

}  // namespace faas::jwt
