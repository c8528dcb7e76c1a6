#include "model/names.h"

#include <fmt/format.h>

#include <algorithm>

#include "model/json.h"
#include "model/requests.h"

namespace faas {
namespace {

bool is_alphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}
bool is_name_character(char c) {
  return is_alphanumeric(c) || c == '-' || c == '_';
}

// The text of a name inside a message: what strangers send may be long and need not be printable.
std::string shown(std::string_view name) {
  std::string text;
  for (const char c : name.substr(0, kNameBytesMax)) text.push_back(c > 0x1f && c < 0x7f ? c : '?');
  return name.size() > kNameBytesMax ? text + "..." : text;
}

}  // namespace

Result<void> check_name(std::string_view field, std::string_view name) {
  if (name.empty()) return invalid_request(fmt::format("{} is required", field));
  if (name.size() > kNameBytesMax) {
    return invalid_request(
        fmt::format("{} has {} bytes, the limit is {}", field, name.size(), kNameBytesMax));
  }
  if (!std::ranges::all_of(name, is_name_character) || !is_alphanumeric(name.front()) ||
      !is_alphanumeric(name.back())) {
    return invalid_request(
        fmt::format("{} \"{}\" may only have the characters A-Z a-z 0-9 - _ and must begin and end with a "
                    "letter or digit",
                    field, shown(name)));
  }
  return {};
}

Result<void> check_secret_name(std::string_view field, std::string_view name) {
  if (name.empty()) return invalid_request(fmt::format("{} is required", field));
  if (name.size() > kSecretNameBytesMax) {
    return invalid_request(
        fmt::format("{} has {} bytes, the limit is {}", field, name.size(), kSecretNameBytesMax));
  }
  const auto allowed = [](char c) { return is_name_character(c) || c == '.'; };
  if (!std::ranges::all_of(name, allowed) || name == "." || name == "..") {
    return invalid_request(
        fmt::format("{} \"{}\" may only have the characters A-Z a-z 0-9 . - _", field, shown(name)));
  }
  return {};
}

Result<void> check_variable_name(std::string_view field, std::string_view name) {
  if (name.empty()) return invalid_request(fmt::format("{}: a name must not be empty", field));
  const auto allowed = [](char c) { return is_name_character(c) || c == '.'; };
  const bool digit_first = name.front() >= '0' && name.front() <= '9';
  if (digit_first || !std::ranges::all_of(name, allowed)) {
    return invalid_request(fmt::format(
        "{}: the name \"{}\" may only have the characters A-Z a-z 0-9 . - _ and must not begin with a digit",
        field, shown(name)));
  }
  return {};
}

Result<void> check_labels(std::string_view field,
                          const std::optional<std::map<std::string, std::string>>& labels) {
  if (!labels) return {};
  for (const auto& [key, value] : *labels) {
    if (key.empty()) return invalid_request(fmt::format("{}: a key must not be empty", field));
    if (key.size() > kLabelKeyBytesMax) {
      return invalid_request(fmt::format("{}: the key \"{}\" has {} bytes, the limit is {}", field,
                                         shown(key), key.size(), kLabelKeyBytesMax));
    }
    if (std::ranges::any_of(key, [](char c) { return (c >= 0 && c <= ' ') || c == 0x7f; })) {
      return invalid_request(
          fmt::format("{}: the key \"{}\" must not contain spaces or control characters", field, shown(key)));
    }
    if (value.size() > kLabelValueBytesMax) {
      return invalid_request(fmt::format("{}.{} has {} bytes, the limit is {}", field, shown(key),
                                         value.size(), kLabelValueBytesMax));
    }
  }
  return {};
}

std::string print_function_name(const FunctionName& name) {
  return name.name + "." + name.name_space;
}

Result<FunctionName> parse_function_name(std::string_view text, std::string_view fallback) {
  const auto dot = text.rfind('.');
  const auto name = text.substr(0, dot);
  auto name_space = dot == std::string_view::npos ? std::string_view() : text.substr(dot + 1);
  const auto allowed = [](char c) { return is_name_character(c) || c == '.'; };
  if (name.empty() || !std::ranges::all_of(text, allowed)) {
    return invalid_request(
        fmt::format("\"{}\" is not a function's name: A-Z a-z 0-9 - _, then perhaps a dot "
                    "and a namespace",
                    shown(text)));
  }
  if (name_space.empty()) name_space = fallback.empty() ? kDefaultNamespace : fallback;
  return FunctionName{.name = std::string(name), .name_space = std::string(name_space)};
}

}  // namespace faas
