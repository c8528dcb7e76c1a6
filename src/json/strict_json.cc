#include "json/strict_json.h"

#include <fmt/format.h>

#include <boost/json/basic_parser_impl.hpp>
#include <boost/json/value_stack.hpp>
#include <cmath>
#include <limits>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace faas {
namespace {

namespace json = boost::json;

// The text's own limit holds for its parts.
constexpr std::size_t kSizeMax = std::numeric_limits<std::uint32_t>::max() / 2;

// Of a key that is named in an error: an answer does not grow with what it answers.
constexpr std::size_t kKeyBytesShown = 64;

// Builds the document as json::parser does, and refuses an object that names a key twice, where json::parser
// would silently let the last one win.
struct Builder {
  static constexpr std::size_t max_object_size = kSizeMax;
  static constexpr std::size_t max_array_size = kSizeMax;
  static constexpr std::size_t max_key_size = kSizeMax;
  static constexpr std::size_t max_string_size = kSizeMax;

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

Error invalid(std::string text) {
  return {.code = Code::invalid, .origin = Origin::client, .text = std::move(text)};
}

}  // namespace

Result<json::value> parse_strict_json(std::string_view what, std::string_view text,
                                      const JsonLimits& limits) {
  if (text.size() > limits.bytes_max) {
    return Error{
        .code = Code::too_large,
        .origin = Origin::client,
        .text = fmt::format("{} has {} bytes, the limit is {}", what, text.size(), limits.bytes_max)};
  }
  json::basic_parser<Builder> parser{json::parse_options{.max_depth = limits.depth_max}};
  auto& builder = parser.handler();
  builder.values.reset();
  json::error_code error;
  const auto used = parser.write_some(false, text.data(), text.size(), error);
  if (builder.duplicate) {
    const auto key = std::string_view(*builder.duplicate).substr(0, kKeyBytesShown);
    return invalid(fmt::format("the key \"{}\" occurs twice in one object", key));
  }
  if (error == json::error::too_deep) {
    return invalid(fmt::format("{} is nested deeper than {} levels", what, limits.depth_max));
  }
  if (error) return invalid(fmt::format("{} is not JSON: {} at byte {}", what, error.message(), used));
  if (used < text.size()) return invalid(fmt::format("{} goes on after the JSON at byte {}", what, used));
  return builder.values.release();
}

std::string_view json_kind(const json::value& value) {
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

}  // namespace faas
