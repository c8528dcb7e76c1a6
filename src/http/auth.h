// Basic authentication (RFC 7617): one user, constant-time comparison.
#pragma once

#include <string>
#include <string_view>

namespace faas::http {

class BasicLogin final {
 public:
  BasicLogin(std::string_view user, std::string_view password);
  /// Whether an Authorization value carries this login. The scheme's case does not matter. How long it takes
  /// does not tell how much of a guess was right.
  [[nodiscard]] bool accepts(std::string_view authorization) const;

 private:
  std::string encoded_;  // base64 of "user:password"
};

/// Whether an Authorization value is of this scheme, right or wrong.
[[nodiscard]] bool is_basic(std::string_view authorization);

/// base64, standard alphabet, padded.
[[nodiscard]] std::string base64(std::string_view bytes);

}  // namespace faas::http
