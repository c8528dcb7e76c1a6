#include "model/json.h"

#include <fmt/format.h>

#include <algorithm>

#include "json/strict_json.h"

namespace faas {
namespace {

namespace json = boost::json;

// Of a key that is named in an error: an answer does not grow with what it answers.
constexpr std::size_t kKeyBytesShown = 64;

bool same_ignoring_case(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  return std::ranges::equal(a, b, {}, lower, lower);
}

Error wrong_kind(std::string_view path, std::string_view wanted, const json::value& value) {
  return invalid_request(fmt::format("{} must be {}, not {}", path, wanted, json_kind(value)));
}

Result<std::string> plain_text(std::string_view path, const json::value& value) {
  if (!value.is_string()) return wrong_kind(path, "a string", value);
  const auto& text = value.get_string();
  if (text.find('\0') != json::string::npos) {
    return invalid_request(fmt::format("{} must not contain a NUL byte", path));
  }
  return std::string(text.data(), text.size());
}

}  // namespace

Error invalid_request(std::string text) {
  return {.code = Code::invalid, .origin = Origin::client, .text = std::move(text)};
}

Result<json::object> parse_json_object(std::string_view text) {
  TRY_ASSIGN(auto value,
             parse_strict_json("the body", text, {.bytes_max = kJsonBytesMax, .depth_max = kJsonDepthMax}));
  if (!value.is_object()) return wrong_kind("the body", "a JSON object", value);
  return std::move(value.get_object());
}

Result<const json::value*> JsonFields::find(std::string_view name) const {
  const json::value* found = nullptr;
  for (const auto& member : object_) {
    const auto key = member.key();
    if (!same_ignoring_case({key.data(), key.size()}, name)) continue;
    if (found != nullptr)
      return invalid_request(fmt::format("{} occurs twice, spelt differently", path(name)));
    found = &member.value();
  }
  if (found != nullptr && found->is_null()) found = nullptr;
  return found;
}

Result<std::string> JsonFields::text(std::string_view name, std::size_t bytes_max) const {
  TRY_ASSIGN(const auto* value, find(name));
  if (value == nullptr) return std::string();
  TRY_ASSIGN(auto found, plain_text(path(name), *value));
  if (found.size() > bytes_max) {
    return invalid_request(
        fmt::format("{} has {} bytes, the limit is {}", path(name), found.size(), bytes_max));
  }
  return found;
}

Result<std::string> JsonFields::bytes(std::string_view name) const {
  TRY_ASSIGN(const auto* value, find(name));
  if (value == nullptr) return std::string();
  if (!value->is_string()) return wrong_kind(path(name), "a string", *value);
  const auto& found = value->get_string();
  return std::string(found.data(), found.size());
}

Result<bool> JsonFields::flag(std::string_view name) const {
  TRY_ASSIGN(const auto* value, find(name));
  if (value == nullptr) return false;
  if (!value->is_bool()) return wrong_kind(path(name), "true or false", *value);
  return value->get_bool();
}

Result<std::optional<std::uint32_t>> JsonFields::count(std::string_view name, std::uint32_t max) const {
  TRY_ASSIGN(const auto* value, find(name));
  if (value == nullptr) return std::optional<std::uint32_t>();
  if (value->is_int64() && value->get_int64() >= 0 && value->get_int64() <= std::int64_t{max}) {
    return std::optional(static_cast<std::uint32_t>(value->get_int64()));
  }
  return invalid_request(fmt::format("{} must be a whole number from 0 to {}", path(name), max));
}

Result<std::vector<std::string>> JsonFields::list(std::string_view name) const {
  TRY_ASSIGN(const auto* value, find(name));
  std::vector<std::string> found;
  if (value == nullptr) return found;
  if (!value->is_array()) return wrong_kind(path(name), "an array of strings", *value);
  for (const auto& item : value->get_array()) {
    TRY_ASSIGN(auto text, plain_text(fmt::format("{}[{}]", path(name), found.size()), item));
    found.push_back(std::move(text));
  }
  return found;
}

Result<const json::object*> JsonFields::object(std::string_view name) const {
  TRY_ASSIGN(const auto* value, find(name));
  if (value == nullptr) return static_cast<const json::object*>(nullptr);
  if (!value->is_object()) return wrong_kind(path(name), "an object", *value);
  return &value->get_object();
}

Result<std::optional<JsonFields::Texts>> JsonFields::texts(std::string_view name) const {
  TRY_ASSIGN(const auto* value, find(name));
  if (value == nullptr) return std::optional<Texts>();
  if (!value->is_object()) return wrong_kind(path(name), "an object of strings", *value);
  std::optional<Texts> found(std::in_place);
  for (const auto& member : value->get_object()) {
    const std::string key(member.key().data(), member.key().size());
    TRY_ASSIGN(auto text, plain_text(path(name) + "." + key.substr(0, kKeyBytesShown), member.value()));
    if (key.find('\0') != std::string::npos) {
      return invalid_request(fmt::format("{}: a key must not contain a NUL byte", path(name)));
    }
    found->emplace(key, std::move(text));
  }
  return found;
}

}  // namespace faas
