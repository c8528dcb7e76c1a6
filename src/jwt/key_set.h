// The public keys of an issuer: a JSON Web Key Set (RFC 7517 section 5).
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "jwt/signature.h"
#include "jwt/token.h"

namespace faas::jwt {

class KeySet final {
 public:
  static constexpr std::size_t kBytesMax = 256 * 1024;
  static constexpr std::size_t kKeysMax = 64;
  static constexpr std::size_t kDepthMax = 16;

  struct Key {
    std::string id;
    PublicKey key;
    std::optional<Algorithm> only;  ///< the key's own "alg"
  };

  KeySet() = default;
  /// Keys we have no use for are passed over: of an unknown or symmetric type, for encryption, without an id,
  /// or too short. The reference refuses the whole set for one of them.
  /// Errors (origin platform): too_large; invalid when it is no key set or none of its keys is of use.
  [[nodiscard]] static Result<KeySet> parse(std::string_view text);

  [[nodiscard]] std::span<const Key> keys() const { return keys_; }
  /// Why keys were passed over, a line each.
  [[nodiscard]] std::span<const std::string> passed_over() const { return passed_over_; }

  enum class Answer { good, bad, unknown_key };
  /// Whether a key of the token's id made its signature. unknown_key: no key has that id.
  [[nodiscard]] Answer verify(const Token& token) const;
  /// Whether both hold the same keys.
  [[nodiscard]] bool same_as(const KeySet& other) const { return content_ == other.content_; }

 private:
  std::vector<Key> keys_;
  std::vector<std::string> passed_over_;
  std::vector<std::string> content_;  ///< what keys_ were made from
};

}  // namespace faas::jwt
