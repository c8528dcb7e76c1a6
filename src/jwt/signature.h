// Public keys and the signatures they check. The only file that knows a cryptographic library.
#pragma once

#include <memory>
#include <optional>
#include <string_view>

#include "base/result.h"

namespace faas::jwt {

/// The algorithms tokens may be signed with (RFC 7518 section 3.1, RFC 8037): asymmetric ones only. HMAC and
/// "none" are no values of this type, so nothing later can let them in.
enum class Algorithm { rs256, rs384, rs512, ps256, ps384, ps512, es256, es384, es512, eddsa };
/// nullopt for every other name; names are case-sensitive.
[[nodiscard]] std::optional<Algorithm> algorithm_named(std::string_view name);

enum class Curve { p256, p384, p521 };

/// Lifetime: a value that shares its key with its copies; copies may be used on any core.
class PublicKey final {
 public:
  /// Shorter keys can be broken, longer ones are a way to make us work.
  static constexpr std::size_t kRsaBitsMin = 2048;
  static constexpr std::size_t kRsaBitsMax = 8192;
  static constexpr std::size_t kExponentBytesMax = 8;

  // Numbers are big-endian bytes. Errors: invalid, platform: no such key, or one outside the limits.

  [[nodiscard]] static Result<PublicKey> rsa(std::string_view modulus, std::string_view exponent);
  /// The coordinates of a point, each as long as the curve's field (RFC 7518 section 6.2.1.2).
  [[nodiscard]] static Result<PublicKey> ec(Curve curve, std::string_view x, std::string_view y);
  [[nodiscard]] static Result<PublicKey> ed25519(std::string_view bytes);

  /// Whether this kind of key makes signatures of that algorithm: ES256 wants P-256, and so on.
  [[nodiscard]] bool fits(Algorithm algorithm) const;
  /// Whether `signature` (as JOSE writes it: r and s side by side for ECDSA) is this key's for `message`.
  /// False where the key does not fit.
  [[nodiscard]] bool verifies(Algorithm algorithm, std::string_view message,
                              std::string_view signature) const;

 private:
  struct Impl;
  explicit PublicKey(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}
  std::shared_ptr<const Impl> impl_;
};

}  // namespace faas::jwt
