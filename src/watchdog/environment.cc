#include "watchdog/environment.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

namespace faas::watchdog {
namespace {

constexpr std::string_view kPrefix = "Http_";
// What the watchdog itself tells: never taken from a header of such a name.
constexpr std::array<std::string_view, 6> kReserved{
    "Http_Method", "Http_Path", "Http_Query", "Http_ContentLength", "Http_Host", "Http_Transfer_Encoding"};

char upper(char c) {
  return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
}
char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

void append_canonical(std::string_view name, char dash, std::string& out) {
  bool first = true;
  for (const char c : name) {
    out.push_back(c == '-' ? dash : first ? upper(c) : lower(c));
    first = c == '-';
  }
}

// The part of an assignment up to and with its '='.
std::string_view name_part(const char* assignment) {
  const std::string_view text(assignment);
  return text.substr(0, std::min(text.find('='), text.size() - 1) + 1);
}

bool is_passed(const http::Field& field) {
  return field.id != http::FieldId::host && field.id != http::FieldId::transfer_encoding &&
         field.id != http::FieldId::trailer;
}

}  // namespace

void append_variable_name(std::string_view header, std::string& out) {
  out.append(kPrefix);
  append_canonical(header, '_', out);
}

std::string canonical_name(std::string_view header) {
  std::string name;
  append_canonical(header, '-', name);
  return name;
}

Environment::Environment(Variables own, bool classic) : own_(own), classic_(classic) {
  for (const auto* at = own; *at != nullptr; ++at) {
    if (**at == '\0') continue;
    auto& kept = std::string_view(*at).starts_with(kPrefix) ? http_ : plain_;
    // Of two with one name the last wins, in a program's eyes as in ours.
    const auto same = std::find_if(kept.begin(), kept.end(),
                                   [at](const char* other) { return name_part(other) == name_part(*at); });
    if (same == kept.end()) {
      kept.push_back(*at);
    } else {
      *same = *at;
    }
  }
}

bool Environment::holds(std::string_view name) const {
  return std::any_of(starts_.begin(), starts_.end(), [this, name](std::size_t start) {
    return std::string_view(text_).substr(start, name.size()) == name;
  });
}

void Environment::add(std::string_view name, std::string_view value) {
  starts_.push_back(text_.size());
  text_.append(name).append("=").append(value).push_back('\0');
}

void Environment::add_field(const http::Field& field) {
  const auto start = text_.size();
  append_variable_name(field.name, text_);
  const auto name = std::string_view(text_).substr(start);
  const bool reserved = std::find(kReserved.begin(), kReserved.end(), name) != kReserved.end();
  text_.push_back('=');
  // The first value counts.
  if (reserved || holds(std::string_view(text_).substr(start))) {
    text_.resize(start);
    return;
  }
  starts_.push_back(start);
  text_.append(field.value).push_back('\0');
}

Result<const char* const*> Environment::build(const CallFacts& call) {
  if (call.path.find('\0') != call.path.npos) {
    return Error{Code::invalid, Origin::client, "exec: environment variable contains NUL"};
  }
  if (call.fields.size() > kFieldsMax) {
    return Error{Code::too_large, Origin::client,
                 "exec: more than " + std::to_string(kFieldsMax) + " header fields"};
  }
  text_.clear();
  starts_.clear();
  const bool chunked = call.body.kind == http::Framing::Kind::chunked;
  for (const auto& field : call.fields) {
    const bool length = field.id == http::FieldId::content_length;
    if (is_passed(field) && !(length && (classic_ || chunked))) add_field(field);
  }
  add("Http_Method", call.method);
  if (!call.query.empty()) add("Http_Query", call.query);
  if (!call.path.empty()) add("Http_Path", call.path);
  if (chunked) add("Http_Transfer_Encoding", "chunked");
  if (classic_) {
    char digits[24];
    const auto* end = std::to_chars(digits, digits + sizeof digits, call.body.length).ptr;
    const std::string_view length =
        chunked ? "-1" : std::string_view(digits, static_cast<std::size_t>(end - digits));
    add("Http_ContentLength", length);
    add("Http_Content_Length", length);
    if (!call.host.empty()) add("Http_Host", call.host);
  }

  pointers_.assign(plain_.begin(), plain_.end());
  for (const char* variable : http_) {
    if (!holds(name_part(variable))) pointers_.push_back(variable);
  }
  for (const auto start : starts_) pointers_.push_back(text_.data() + start);
  pointers_.push_back(nullptr);
  return pointers_.data();
}

}  // namespace faas::watchdog
