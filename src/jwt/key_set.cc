#include "jwt/key_set.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "json/strict_json.h"
#include "jwt/base64url.h"

namespace faas::jwt {
namespace {

namespace json = boost::json;

Error refused(std::string text, Code code = Code::invalid) {
  return {.code = code, .origin = Origin::platform, .text = std::move(text)};
}

// "" when it is absent or no string: no member that is read here may be empty.
std::string_view text_of(const json::object& object, std::string_view name) {
  const auto* value = object.if_contains(name);
  if (value == nullptr || !value->is_string()) return {};
  return {value->get_string().data(), value->get_string().size()};
}

Result<std::string> bytes_of(const json::object& object, std::string_view name) {
  const auto text = text_of(object, name);
  auto bytes = decode_base64url(text);
  if (text.empty() || !bytes) return refused(fmt::format("{} is missing or not base64url", name));
  return std::move(*bytes);
}

Result<PublicKey> read_rsa(const json::object& object) {
  TRY_ASSIGN(const auto modulus, bytes_of(object, "n"));
  TRY_ASSIGN(const auto exponent, bytes_of(object, "e"));
  return PublicKey::rsa(modulus, exponent);
}

Result<PublicKey> read_ec(const json::object& object) {
  const auto name = text_of(object, "crv");
  const auto curve = name == "P-256"   ? std::optional(Curve::p256)
                     : name == "P-384" ? std::optional(Curve::p384)
                     : name == "P-521" ? std::optional(Curve::p521)
                                       : std::nullopt;
  if (!curve) return refused("its curve is not known");
  TRY_ASSIGN(const auto x, bytes_of(object, "x"));
  TRY_ASSIGN(const auto y, bytes_of(object, "y"));
  return PublicKey::ec(*curve, x, y);
}

Result<PublicKey> read_okp(const json::object& object) {
  if (text_of(object, "crv") != "Ed25519") return refused("its curve is not known");
  TRY_ASSIGN(const auto x, bytes_of(object, "x"));
  return PublicKey::ed25519(x);
}

Result<void> check_use(const json::object& object) {
  if (object.contains("use") && text_of(object, "use") != "sig") return refused("its use is not sig");
  const auto* operations = object.if_contains("key_ops");
  if (operations == nullptr) return {};
  const auto* list = operations->if_array();
  const bool verifies = list != nullptr && std::any_of(list->begin(), list->end(), [](const auto& item) {
                          return item.is_string() && item.get_string() == "verify";
                        });
  if (!verifies) return refused("its key_ops do not hold verify");
  return {};
}

Result<KeySet::Key> read_key(const json::object& object) {
  const auto id = text_of(object, "kid");
  if (id.empty()) return refused("it has no kid");
  if (id.size() > kKeyIdBytesMax)
    return refused(fmt::format("its kid is longer than {} bytes", kKeyIdBytesMax));
  TRY(check_use(object));
  std::optional<Algorithm> only;
  if (object.contains("alg")) {
    only = algorithm_named(text_of(object, "alg"));
    if (!only) return refused("its alg is not allowed");
  }
  const auto type = text_of(object, "kty");
  auto key = type == "RSA"   ? read_rsa(object)
             : type == "EC"  ? read_ec(object)
             : type == "OKP" ? read_okp(object)
                             : Result<PublicKey>(refused("its type (kty) is not known"));
  if (!key) return key.error();
  if (only && !key->fits(*only)) return refused("its alg does not fit its type");
  return KeySet::Key{.id = std::string(id), .key = std::move(*key), .only = only};
}

}  // namespace

Result<KeySet> KeySet::parse(std::string_view text) {
  auto parsed = parse_strict_json("the key set", text, {.bytes_max = kBytesMax, .depth_max = kDepthMax});
  if (!parsed) return refused(parsed.error().text, parsed.error().code);
  const auto* object = parsed->if_object();
  const auto* keys = object == nullptr ? nullptr : object->if_contains("keys");
  if (keys == nullptr || !keys->is_array()) return refused("the key set has no array keys");
  const auto& list = keys->get_array();
  if (list.size() > kKeysMax) {
    return refused(fmt::format("the key set has {} keys, the limit is {}", list.size(), kKeysMax),
                   Code::too_large);
  }
  KeySet set;
  for (std::size_t i = 0; i < list.size(); ++i) {
    const auto* item = list[i].if_object();
    auto key = item == nullptr ? Result<Key>(refused("it is not an object")) : read_key(*item);
    if (!key) {
      set.passed_over_.push_back(fmt::format("keys[{}]: {}", i, key.error().text));
      continue;
    }
    set.content_.push_back(json::serialize(*item));
    set.keys_.push_back(std::move(*key));
  }
  if (set.keys_.empty()) {
    return refused(set.passed_over_.empty() ? "the key set is empty"
                                            : "no key of the set is of use: " + set.passed_over_.front());
  }
  return set;
}

KeySet::Answer KeySet::verify(const Token& token) const {
  auto answer = Answer::unknown_key;
  for (const auto& key : keys_) {
    if (key.id != token.key_id) continue;
    answer = Answer::bad;
    if (key.only && *key.only != token.algorithm) continue;
    if (key.key.verifies(token.algorithm, token.signed_part, token.signature)) return Answer::good;
  }
  return answer;
}

}  // namespace faas::jwt
