#include "jwt/token.h"

#include <fmt/format.h>

#include <boost/json/object.hpp>

#include "json/strict_json.h"
#include "jwt/base64url.h"

namespace faas::jwt {
namespace {

namespace json = boost::json;

Error malformed(std::string text) {
  return {.code = Code::invalid, .origin = Origin::client, .text = "token is malformed: " + std::move(text)};
}
Error unverifiable(std::string text) {
  return {
      .code = Code::invalid, .origin = Origin::client, .text = "token is unverifiable: " + std::move(text)};
}

Result<void> read_header(std::string_view text, Token& token) {
  auto parsed =
      parse_strict_json("its header", text, {.bytes_max = kTokenBytesMax, .depth_max = kTokenDepthMax});
  if (!parsed) return malformed(parsed.error().text);
  const auto* header = parsed->if_object();
  if (header == nullptr) return malformed("its header is not a JSON object");
  // Extensions that must be understood (RFC 7515 section 4.1.11): there are none.
  if (header->contains("crit")) return unverifiable("crit is not supported");

  const auto* alg = header->if_contains("alg");
  if (alg == nullptr || !alg->is_string()) return unverifiable("alg is missing");
  const auto algorithm = algorithm_named({alg->get_string().data(), alg->get_string().size()});
  if (!algorithm) return unverifiable("signing method (alg) is not allowed");
  token.algorithm = *algorithm;

  const auto* kid = header->if_contains("kid");
  if (kid == nullptr || !kid->is_string() || kid->get_string().empty()) {
    return unverifiable("kid is missing or not a string");
  }
  if (kid->get_string().size() > kKeyIdBytesMax) {
    return unverifiable(
        fmt::format("kid has {} bytes, the limit is {}", kid->get_string().size(), kKeyIdBytesMax));
  }
  token.key_id.assign(kid->get_string().data(), kid->get_string().size());
  return {};
}

}  // namespace

Result<Token> parse_token(std::string_view text) {
  if (text.size() > kTokenBytesMax) {
    auto error = malformed(fmt::format("it has {} bytes, the limit is {}", text.size(), kTokenBytesMax));
    error.code = Code::too_large;
    return error;
  }
  const auto first = text.find('.');
  const auto second = first == text.npos ? text.npos : text.find('.', first + 1);
  if (second == text.npos || text.find('.', second + 1) != text.npos) {
    return malformed("token contains an invalid number of segments");
  }
  auto header = decode_base64url(text.substr(0, first));
  if (!header) return malformed("its header is not base64url");
  Token token;
  TRY(read_header(*header, token));
  auto payload = decode_base64url(text.substr(first + 1, second - first - 1));
  if (!payload) return malformed("its claims are not base64url");
  auto signature = decode_base64url(text.substr(second + 1));
  if (!signature) return malformed("its signature is not base64url");
  if (signature->empty()) return malformed("its signature is empty");
  token.signed_part = text.substr(0, second);
  token.payload = std::move(*payload);
  token.signature = std::move(*signature);
  return token;
}

}  // namespace faas::jwt
