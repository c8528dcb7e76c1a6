#include "model/json.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json/basic_parser_impl.hpp>
#include <boost/json/value_stack.hpp>
#include <cmath>
#include <set>

namespace faas {
namespace {

namespace json = boost::json;

// Builds the document as json::parser does, and refuses an object that names a key twice, where json::parser
// would silently let the last one win.
struct Builder {
  static constexpr std::size_t max_object_size = kJsonBytesMax;
  static constexpr std::size_t max_array_size = kJsonBytesMax;
  static constexpr std::size_t max_key_size = kJsonBytesMax;
  static constexpr std::size_t max_string_size = kJsonBytesMax;

  json::value_stack values;
  std::vector<std::set<std::string, std::less<>>> keys;
  std::string key;
  std::optional<std::string> duplicate;

  bool on_document_begin(json::error_code&) { return true; }
  bool on_document_end(json::error_code&) { return true; }
  bool on_object_begin(json::error_code&) {
    keys.emplace_back();
    return true;
  }
  bool on_object_end(std::size_t n, json::error_code&) {
    keys.pop_back();
    values.push_object(n);
    return true;
  }
  bool on_array_begin(json::error_code&) { return true; }
  bool on_array_end(std::size_t n, json::error_code&) {
    values.push_array(n);
    return true;
  }
  bool on_key_part(json::string_view s, std::size_t, json::error_code&) {
    key.append(s.data(), s.size());
    values.push_chars(s);
    return true;
  }
  bool on_key(json::string_view s, std::size_t, json::error_code& error) {
    key.append(s.data(), s.size());
    values.push_key(s);
    const auto [at, fresh] = keys.back().insert(std::exchange(key, {}));
    if (fresh) return true;
    duplicate = *at;
    error = json::error::syntax;
    return false;
  }
  bool on_string_part(json::string_view s, std::size_t, json::error_code&) {
    values.push_chars(s);
    return true;
  }
  bool on_string(json::string_view s, std::size_t, json::error_code&) {
    values.push_string(s);
    return true;
  }
  bool on_number_part(json::string_view, json::error_code&) { return true; }
  bool on_int64(std::int64_t i, json::string_view, json::error_code&) {
    values.push_int64(i);
    return true;
  }
  bool on_uint64(std::uint64_t u, json::string_view, json::error_code&) {
    values.push_uint64(u);
    return true;
  }
  bool on_double(double d, json::string_view, json::error_code& error) {
    if (!std::isfinite(d)) {
      error = json::error::exponent_overflow;
      return false;
    }
    values.push_double(d);
    return true;
  }
  bool on_bool(bool b, json::error_code&) {
    values.push_bool(b);
    return true;
  }
  bool on_null(json::error_code&) {
    values.push_null();
    return true;
  }
  bool on_comment_part(json::string_view, json::error_code&) { return true; }
  bool on_comment(json::string_view, json::error_code&) { return true; }
};

bool same_ignoring_case(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  return std::ranges::equal(a, b, {}, lower, lower);
}

std::string_view kind_name(const json::value& value) {
  switch (value.kind()) {
    case json::kind::null:
      return "null";
    case json::kind::bool_:
      return "true or false";
    case json::kind::string:
      return "a string";
    case json::kind::array:
      return "an array";
    case json::kind::object:
      return "an object";
    default:
      return "a number";
  }
}

Error wrong_kind(std::string_view path, std::string_view wanted, const json::value& value) {
  return invalid_request(fmt::format("{} must be {}, not {}", path, wanted, kind_name(value)));
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
  if (text.size() > kJsonBytesMax) {
    return Error{.code = Code::too_large,
                 .origin = Origin::client,
                 .text = fmt::format("the body has {} bytes, the limit is {}", text.size(), kJsonBytesMax)};
  }
  json::basic_parser<Builder> parser{json::parse_options{.max_depth = kJsonDepthMax}};
  auto& builder = parser.handler();
  builder.values.reset();
  json::error_code error;
  const auto used = parser.write_some(false, text.data(), text.size(), error);
  if (builder.duplicate) {
    return invalid_request(fmt::format("the key \"{}\" occurs twice in one object", *builder.duplicate));
  }
  if (error == json::error::too_deep) {
    return invalid_request(fmt::format("the body is nested deeper than {} levels", kJsonDepthMax));
  }
  if (error)
    return invalid_request(fmt::format("the body is not JSON: {} at byte {}", error.message(), used));
  if (used < text.size())
    return invalid_request(fmt::format("the body goes on after the JSON at byte {}", used));
  auto value = builder.values.release();
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
    TRY_ASSIGN(auto text, plain_text(path(name) + "." + key, member.value()));
    if (key.find('\0') != std::string::npos) {
      return invalid_request(fmt::format("{}: a key must not contain a NUL byte", path(name)));
    }
    found->emplace(key, std::move(text));
  }
  return found;
}

}  // namespace faas
