#include "jwt/signature.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>

#include <array>
#include <string>

namespace faas::jwt {
namespace {

template <auto release>
struct Release {
  template <class T>
  void operator()(T* resource) const {
    release(resource);
  }
};
template <class T, auto release>
using Owned = std::unique_ptr<T, Release<release>>;

using Key = Owned<EVP_PKEY, EVP_PKEY_free>;
using KeyContext = Owned<EVP_PKEY_CTX, EVP_PKEY_CTX_free>;
using Digest = Owned<EVP_MD_CTX, EVP_MD_CTX_free>;
using Number = Owned<BIGNUM, BN_free>;
using Builder = Owned<OSSL_PARAM_BLD, OSSL_PARAM_BLD_free>;
using Parameters = Owned<OSSL_PARAM, OSSL_PARAM_free>;
using EcSignature = Owned<ECDSA_SIG, ECDSA_SIG_free>;

enum class Kind { rsa, p256, p384, p521, ed25519 };

struct AlgorithmRow {
  std::string_view name;
  Algorithm algorithm;
  Kind kind;
  const EVP_MD* (*digest)();
  bool pss;
};
constexpr std::array kAlgorithms{
    AlgorithmRow{"RS256", Algorithm::rs256, Kind::rsa, EVP_sha256, false},
    AlgorithmRow{"RS384", Algorithm::rs384, Kind::rsa, EVP_sha384, false},
    AlgorithmRow{"RS512", Algorithm::rs512, Kind::rsa, EVP_sha512, false},
    AlgorithmRow{"PS256", Algorithm::ps256, Kind::rsa, EVP_sha256, true},
    AlgorithmRow{"PS384", Algorithm::ps384, Kind::rsa, EVP_sha384, true},
    AlgorithmRow{"PS512", Algorithm::ps512, Kind::rsa, EVP_sha512, true},
    AlgorithmRow{"ES256", Algorithm::es256, Kind::p256, EVP_sha256, false},
    AlgorithmRow{"ES384", Algorithm::es384, Kind::p384, EVP_sha384, false},
    AlgorithmRow{"ES512", Algorithm::es512, Kind::p521, EVP_sha512, false},
    AlgorithmRow{"EdDSA", Algorithm::eddsa, Kind::ed25519, nullptr, false},
};

const AlgorithmRow& row_of(Algorithm algorithm) {
  return kAlgorithms[static_cast<std::size_t>(algorithm)];
}

struct CurveRow {
  Kind kind;
  const char* group;
  std::size_t bytes;  ///< of a coordinate
};
constexpr std::array kCurves{CurveRow{Kind::p256, "prime256v1", 32}, CurveRow{Kind::p384, "secp384r1", 48},
                             CurveRow{Kind::p521, "secp521r1", 66}};

// The machine's openssl.cnf may name modules to load, which a static program cannot, and no setting in there
// is for us. Asking more than once costs nothing.
void begin_library() {
  OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, nullptr);
}

const unsigned char* bytes_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

Number number_of(std::string_view bytes) {
  return Number(BN_bin2bn(bytes_of(bytes), static_cast<int>(bytes.size()), nullptr));
}

Error refused(std::string text) {
  ERR_clear_error();
  return {.code = Code::invalid, .origin = Origin::platform, .text = std::move(text)};
}

Key key_from(const char* type, OSSL_PARAM_BLD* builder) {
  const Parameters parameters(OSSL_PARAM_BLD_to_param(builder));
  const KeyContext context(EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr));
  EVP_PKEY* key = nullptr;
  if (!parameters || !context || EVP_PKEY_fromdata_init(context.get()) != 1 ||
      EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, parameters.get()) != 1) {
    return nullptr;
  }
  return Key(key);
}

// r and s side by side, each as long as a coordinate (RFC 7518 section 3.4), as the DER the library reads.
std::string der_of(std::string_view signature, std::size_t bytes) {
  if (signature.size() != 2 * bytes) return {};
  const EcSignature pair(ECDSA_SIG_new());
  auto r = number_of(signature.substr(0, bytes));
  auto s = number_of(signature.substr(bytes));
  if (!pair || !r || !s || ECDSA_SIG_set0(pair.get(), r.get(), s.get()) != 1) return {};
  (void)r.release();
  (void)s.release();
  unsigned char* out = nullptr;
  const int size = i2d_ECDSA_SIG(pair.get(), &out);
  if (size <= 0) return {};
  std::string der(reinterpret_cast<const char*>(out), static_cast<std::size_t>(size));
  OPENSSL_free(out);
  return der;
}

// The salt of a PSS signature is as long as its digest (RFC 7518 section 3.5).
bool use_pss(EVP_PKEY_CTX* context, const EVP_MD* digest) {
  return EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PSS_PADDING) == 1 &&
         EVP_PKEY_CTX_set_rsa_pss_saltlen(context, RSA_PSS_SALTLEN_DIGEST) == 1 &&
         EVP_PKEY_CTX_set_rsa_mgf1_md(context, digest) == 1;
}

}  // namespace

std::optional<Algorithm> algorithm_named(std::string_view name) {
  for (const auto& row : kAlgorithms) {
    if (row.name == name) return row.algorithm;
  }
  return std::nullopt;
}

struct PublicKey::Impl {
  Impl(Kind of_kind, Key owned) : kind(of_kind), key(std::move(owned)) {}
  Kind kind;
  Key key;
};

Result<PublicKey> PublicKey::rsa(std::string_view modulus, std::string_view exponent) {
  begin_library();
  if (modulus.size() > kRsaBitsMax / 8) return refused("the RSA key has more than 8192 bits");
  if (exponent.size() > kExponentBytesMax) return refused("the RSA exponent has more than 8 bytes");
  const auto n = number_of(modulus);
  const auto e = number_of(exponent);
  if (!n || !e) return refused("no memory for the RSA key");
  if (BN_num_bits(n.get()) < static_cast<int>(kRsaBitsMin)) {
    return refused("the RSA key has fewer than 2048 bits");
  }
  if (!BN_is_odd(n.get())) return refused("the RSA modulus is even");
  if (!BN_is_odd(e.get()) || BN_is_one(e.get())) return refused("the RSA exponent is even or 1");
  const Builder builder(OSSL_PARAM_BLD_new());
  if (!builder || OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, n.get()) != 1 ||
      OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, e.get()) != 1) {
    return refused("no memory for the RSA key");
  }
  auto key = key_from("RSA", builder.get());
  if (!key) return refused("the numbers make no RSA key");
  return PublicKey(std::make_shared<Impl>(Kind::rsa, std::move(key)));
}

Result<PublicKey> PublicKey::ec(Curve curve, std::string_view x, std::string_view y) {
  begin_library();
  const auto& row = kCurves[static_cast<std::size_t>(curve)];
  if (x.size() != row.bytes || y.size() != row.bytes) {
    return refused("a coordinate of the EC key does not have the length of its curve");
  }
  std::string point("\x04");  // uncompressed
  point.append(x).append(y);
  const Builder builder(OSSL_PARAM_BLD_new());
  if (!builder ||
      OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, row.group, 0) != 1 ||
      OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(), point.size()) !=
          1) {
    return refused("no memory for the EC key");
  }
  auto key = key_from("EC", builder.get());
  if (!key) return refused("the EC key is no point of its curve");
  return PublicKey(std::make_shared<Impl>(row.kind, std::move(key)));
}

Result<PublicKey> PublicKey::ed25519(std::string_view bytes) {
  begin_library();
  if (bytes.size() != 32) return refused("the Ed25519 key does not have 32 bytes");
  Key key(EVP_PKEY_new_raw_public_key_ex(nullptr, "ED25519", nullptr, bytes_of(bytes), bytes.size()));
  if (!key) return refused("the bytes make no Ed25519 key");
  return PublicKey(std::make_shared<Impl>(Kind::ed25519, std::move(key)));
}

bool PublicKey::fits(Algorithm algorithm) const {
  return row_of(algorithm).kind == impl_->kind;
}

bool PublicKey::verifies(Algorithm algorithm, std::string_view message, std::string_view signature) const {
  if (!fits(algorithm)) return false;
  const auto& row = row_of(algorithm);
  std::string der;
  for (const auto& curve : kCurves) {
    if (curve.kind != row.kind) continue;
    der = der_of(signature, curve.bytes);
    signature = der;
  }
  if (signature.empty()) return false;
  const Digest context(EVP_MD_CTX_new());
  EVP_PKEY_CTX* padding = nullptr;  // belongs to context
  const auto* digest = row.digest == nullptr ? nullptr : row.digest();
  const bool good = context &&
                    EVP_DigestVerifyInit(context.get(), &padding, digest, nullptr, impl_->key.get()) == 1 &&
                    (!row.pss || use_pss(padding, digest)) &&
                    EVP_DigestVerify(context.get(), bytes_of(signature), signature.size(), bytes_of(message),
                                     message.size()) == 1;
  if (!good) ERR_clear_error();
  return good;
}

}  // namespace faas::jwt
