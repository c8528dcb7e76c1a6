#include "model/secret.h"

#include <fmt/format.h>

#include <boost/json/serialize.hpp>
#include <cstdint>
#include <optional>

#include "model/json.h"
#include "model/names.h"

namespace faas {
namespace {

namespace json = boost::json;

int base64_digit(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  if (c == '+') return 62;
  return c == '/' ? 63 : -1;
}

// Padded, as RFC 4648 section 4 has it; line ends are passed over, as Go does for its clients.
std::optional<std::string> decode_base64(std::string_view text) {
  std::string bytes;
  bytes.reserve(text.size() / 4 * 3);
  std::uint32_t bits = 0;
  int digits = 0;
  int padding = 0;
  for (const char c : text) {
    if (c == '\n' || c == '\r') continue;
    const int digit = c == '=' ? 0 : base64_digit(c);
    if (digit < 0 || (padding > 0 && c != '=')) return std::nullopt;
    if (c == '=') ++padding;
    bits = bits << 6 | static_cast<std::uint32_t>(digit);
    if (++digits < 4) continue;
    if (padding > 2) return std::nullopt;
    for (int i = 0; i < 3 - padding; ++i) bytes.push_back(static_cast<char>(bits >> (16 - 8 * i) & 0xff));
    bits = 0;
    digits = 0;
    if (padding > 0) digits = -4;  // nothing may follow
  }
  const bool whole = digits == 0 || (padding > 0 && digits == -4);
  return whole ? std::optional(std::move(bytes)) : std::nullopt;
}

Result<SecretName> parse_name(const JsonFields& fields, std::string_view fallback) {
  SecretName name;
  TRY_ASSIGN(name.name, fields.text("name"));
  TRY_ASSIGN(name.name_space, fields.text("namespace"));
  if (name.name_space.empty()) name.name_space = fallback.empty() ? kDefaultNamespace : fallback;
  TRY(check_secret_name("name", name.name));
  TRY(check_name("namespace", name.name_space));
  return name;
}

Result<std::string> parse_bytes(const JsonFields& fields) {
  TRY_ASSIGN(auto value, fields.bytes("value"));
  TRY_ASSIGN(const auto raw, fields.bytes("rawValue"));
  const std::string_view field = raw.empty() ? "value" : "rawValue";
  if (!raw.empty()) {
    auto decoded = decode_base64(raw);
    if (!decoded) return invalid_request("rawValue must be base64 with padding");
    value = std::move(*decoded);
  }
  if (value.empty()) return invalid_request("value is required, or rawValue in base64");
  if (value.size() > kSecretBytesMax) {
    return invalid_request(
        fmt::format("{} has {} bytes, the limit is {}", field, value.size(), kSecretBytesMax));
  }
  return value;
}

}  // namespace

Result<SecretSpec> parse_secret(std::string_view text, std::string_view fallback) {
  TRY_ASSIGN(const auto body, parse_json_object(text));
  const JsonFields fields(body);
  SecretSpec spec;
  TRY_ASSIGN(spec.name, parse_name(fields, fallback));
  TRY_ASSIGN(spec.bytes, parse_bytes(fields));
  return spec;
}

Result<SecretName> parse_secret_name(std::string_view text, std::string_view fallback) {
  TRY_ASSIGN(const auto body, parse_json_object(text));
  return parse_name(JsonFields(body), fallback);
}

std::string print_secret_names(const std::vector<SecretName>& names) {
  json::array array;
  for (const auto& name : names) {
    array.push_back(json::object{{"name", name.name}, {"namespace", name.name_space}});
  }
  return json::serialize(array);
}

}  // namespace faas
