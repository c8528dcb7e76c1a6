#include "jwt/claims.h"

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <cmath>

#include "json/strict_json.h"
#include "jwt/token.h"

namespace faas::jwt {
namespace {

namespace json = boost::json;

Error malformed(std::string text) {
  return {.code = Code::invalid, .origin = Origin::client, .text = "token is malformed: " + std::move(text)};
}
Error not_valid(std::string_view text) {
  return {.code = Code::invalid,
          .origin = Origin::client,
          .text = "token has invalid claims: " + std::string(text)};
}

std::string text_of(const json::string& text) {
  return {text.data(), text.size()};
}

// null is what issuers written in Go say for a list without items: as good as absent.
const json::value* present(const json::object& object, std::string_view name) {
  const auto* value = object.if_contains(name);
  return value == nullptr || value->is_null() ? nullptr : value;
}

Result<void> read_time(const json::object& object, std::string_view name, std::optional<UnixSeconds>& out) {
  const auto* value = present(object, name);
  if (value == nullptr) return {};
  if (!value->is_number()) return malformed(std::string(name) + " is not a number");
  const auto seconds = value->to_number<double>();
  if (!std::isfinite(seconds)) return malformed(std::string(name) + " is not a time");
  out = seconds;
  return {};
}

// A string, or an array of strings.
Result<void> read_texts(const json::object& object, std::string_view name, bool one_is_enough,
                        std::vector<std::string>& out) {
  const auto* value = present(object, name);
  if (value == nullptr) return {};
  if (one_is_enough && value->is_string()) {
    out.push_back(text_of(value->get_string()));
    return {};
  }
  if (!value->is_array()) return malformed(std::string(name) + " is not an array of strings");
  for (const auto& item : value->get_array()) {
    if (!item.is_string()) return malformed(std::string(name) + " is not an array of strings");
    out.push_back(text_of(item.get_string()));
  }
  return {};
}

bool any_matches(const std::vector<std::string>& patterns, std::string_view text) {
  return std::any_of(patterns.begin(), patterns.end(),
                     [text](const std::string& pattern) { return matches_pattern(pattern, text); });
}

}  // namespace

Result<Claims> parse_claims(std::string_view payload) {
  auto parsed =
      parse_strict_json("claims", payload, {.bytes_max = kTokenBytesMax, .depth_max = kTokenDepthMax});
  if (!parsed) return malformed(parsed.error().text);
  const auto* object = parsed->if_object();
  if (object == nullptr) return malformed("its claims are not a JSON object");
  Claims claims;
  if (const auto* issuer = present(*object, "iss")) {
    if (!issuer->is_string()) return malformed("iss is not a string");
    claims.issuer = text_of(issuer->get_string());
  }
  TRY(read_texts(*object, "aud", true, claims.audience));
  TRY(read_time(*object, "exp", claims.expires_at));
  TRY(read_time(*object, "nbf", claims.not_before));
  if (const auto* function = present(*object, "function")) {
    if (!function->is_object()) return malformed("function is not an object");
    TRY(read_texts(function->get_object(), "audience", false, claims.function_audience));
    TRY(read_texts(function->get_object(), "permissions", false, claims.permissions));
  }
  return claims;
}

Result<void> check_time(std::optional<UnixSeconds> not_before, std::optional<UnixSeconds> expires_at,
                        UnixSeconds now) {
  if (expires_at && now >= *expires_at + kLeeway) return not_valid("token is expired");
  if (not_before && now < *not_before - kLeeway) return not_valid("token is not valid yet");
  return {};
}

Result<void> check_issuer(const Claims& claims, std::string_view issuer) {
  if (issuer.empty() || claims.issuer != issuer) return not_valid("token has invalid issuer");
  if (std::find(claims.audience.begin(), claims.audience.end(), issuer) == claims.audience.end()) {
    return not_valid("token has invalid audience");
  }
  return {};
}

bool permits(const Claims& claims, std::string_view function) {
  const bool audience = claims.function_audience.empty() || any_matches(claims.function_audience, function);
  return audience && any_matches(claims.permissions, function);
}

bool matches_pattern(std::string_view pattern, std::string_view text) {
  if (pattern.empty()) return false;
  // Upon a mismatch only the last "*" can have been too short: the earlier ones need never be tried again.
  std::size_t in_pattern = 0;
  std::size_t in_text = 0;
  std::size_t star = pattern.npos;
  std::size_t star_ends = 0;
  while (in_text < text.size()) {
    if (in_pattern < pattern.size() && pattern[in_pattern] == '*') {
      star = in_pattern++;
      star_ends = in_text;
    } else if (in_pattern < pattern.size() && pattern[in_pattern] == text[in_text]) {
      ++in_pattern;
      ++in_text;
    } else if (star != pattern.npos) {
      in_pattern = star + 1;
      in_text = ++star_ends;
    } else {
      return false;
    }
  }
  while (in_pattern < pattern.size() && pattern[in_pattern] == '*') ++in_pattern;
  return in_pattern == pattern.size();
}

}  // namespace faas::jwt
