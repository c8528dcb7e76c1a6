// An issuer for tests: makes real keys, publishes them as a key set and signs tokens with them.
#pragma once

#include <fmt/format.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace faas::jwt {

inline std::string base64url(std::string_view bytes) {
  constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  std::string out;
  unsigned held = 0;
  int bits = 0;
  for (const char c : bytes) {
    held = held << 8 | static_cast<unsigned char>(c);
    for (bits += 8; bits >= 6; bits -= 6) out.push_back(alphabet[held >> (bits - 6) & 63U]);
  }
  if (bits > 0) out.push_back(alphabet[held << (6 - bits) & 63U]);
  return out;
}

/// One key pair. `kind` is "RSA", "P-256", "P-384", "P-521" or "Ed25519".
class SigningKey final {
 public:
  explicit SigningKey(std::string kind, unsigned rsa_bits = 2048) : kind_(std::move(kind)) {
    key_.reset(kind_ == "RSA"       ? EVP_RSA_gen(rsa_bits)
               : kind_ == "Ed25519" ? EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519")
                                    : EVP_EC_gen(kind_.c_str()));
  }

  /// Its public half as a JWK; `more` are further members, each with a comma behind it.
  [[nodiscard]] std::string jwk(std::string_view id, std::string_view more = {}) const {
    if (kind_ == "RSA") {
      return fmt::format(R"({{{}"kty":"RSA","kid":"{}","n":"{}","e":"{}"}})", more, id,
                         base64url(number(OSSL_PKEY_PARAM_RSA_N, 0)),
                         base64url(number(OSSL_PKEY_PARAM_RSA_E, 0)));
    }
    if (kind_ == "Ed25519") {
      std::string bytes(32, '\0');
      std::size_t size = bytes.size();
      EVP_PKEY_get_raw_public_key(key_.get(), reinterpret_cast<unsigned char*>(bytes.data()), &size);
      return fmt::format(R"({{{}"kty":"OKP","crv":"Ed25519","kid":"{}","x":"{}"}})", more, id,
                         base64url(bytes));
    }
    return fmt::format(R"({{{}"kty":"EC","crv":"{}","kid":"{}","x":"{}","y":"{}"}})", more, kind_, id,
                       base64url(number(OSSL_PKEY_PARAM_EC_PUB_X, coordinate_bytes())),
                       base64url(number(OSSL_PKEY_PARAM_EC_PUB_Y, coordinate_bytes())));
  }

  /// Signs as JOSE wants it. `digest` is null for Ed25519.
  [[nodiscard]] std::string sign(std::string_view message, const EVP_MD* digest, bool pss = false) const {
    const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(), &EVP_MD_CTX_free);
    EVP_PKEY_CTX* padding = nullptr;
    EVP_DigestSignInit(context.get(), &padding, digest, nullptr, key_.get());
    if (pss) {
      EVP_PKEY_CTX_set_rsa_padding(padding, RSA_PKCS1_PSS_PADDING);
      EVP_PKEY_CTX_set_rsa_pss_saltlen(padding, RSA_PSS_SALTLEN_DIGEST);
    }
    const auto* bytes = reinterpret_cast<const unsigned char*>(message.data());
    std::size_t size = 0;
    EVP_DigestSign(context.get(), nullptr, &size, bytes, message.size());
    std::string signature(size, '\0');
    EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()), &size, bytes,
                   message.size());
    signature.resize(size);
    return kind_.starts_with("P-") ? side_by_side(signature) : signature;
  }

  /// A whole token: `header` and `claims` are JSON.
  [[nodiscard]] std::string token(std::string_view header, std::string_view claims, const EVP_MD* digest,
                                  bool pss = false) const {
    const auto message = base64url(header) + "." + base64url(claims);
    return message + "." + base64url(sign(message, digest, pss));
  }

 private:
  [[nodiscard]] std::size_t coordinate_bytes() const {
    return kind_ == "P-256" ? 32 : kind_ == "P-384" ? 48 : 66;
  }

  [[nodiscard]] std::string number(const char* name, std::size_t bytes) const {
    BIGNUM* value = nullptr;
    EVP_PKEY_get_bn_param(key_.get(), name, &value);
    std::string out(bytes == 0 ? static_cast<std::size_t>(BN_num_bytes(value)) : bytes, '\0');
    BN_bn2binpad(value, reinterpret_cast<unsigned char*>(out.data()), static_cast<int>(out.size()));
    BN_free(value);
    return out;
  }

  [[nodiscard]] std::string side_by_side(std::string_view der) const {
    const auto* at = reinterpret_cast<const unsigned char*>(der.data());
    ECDSA_SIG* pair = d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(der.size()));
    const auto half = coordinate_bytes();
    std::string out(2 * half, '\0');
    auto* bytes = reinterpret_cast<unsigned char*>(out.data());
    BN_bn2binpad(ECDSA_SIG_get0_r(pair), bytes, static_cast<int>(half));
    BN_bn2binpad(ECDSA_SIG_get0_s(pair), bytes + half, static_cast<int>(half));
    ECDSA_SIG_free(pair);
    return out;
  }

  std::string kind_;
  std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key_{nullptr, &EVP_PKEY_free};
};

}  // namespace faas::jwt
