#include "watchdog/marshal.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <vector>

#include "watchdog/environment.h"

namespace faas::watchdog {
namespace {

constexpr std::string_view kBase64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void append_base64(std::string_view bytes, std::string& out) {
  out.reserve(out.size() + (bytes.size() + 2) / 3 * 4 + 8);
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    const auto byte = [bytes, at](std::size_t i) {
      return at + i < bytes.size() ? static_cast<unsigned>(static_cast<unsigned char>(bytes[at + i])) : 0U;
    };
    const unsigned group = byte(0) << 16 | byte(1) << 8 | byte(2);
    out.push_back(kBase64[group >> 18 & 63]);
    out.push_back(kBase64[group >> 12 & 63]);
    out.push_back(at + 1 < bytes.size() ? kBase64[group >> 6 & 63] : '=');
    out.push_back(at + 2 < bytes.size() ? kBase64[group & 63] : '=');
  }
}

struct CodePoint {
  std::size_t bytes = 1;  ///< how many it takes; of an invalid sequence, one
  unsigned value = 0;
  bool valid = false;
};

CodePoint decode_utf8(std::string_view text) {
  const auto byte = [text](std::size_t i) {
    return static_cast<unsigned>(static_cast<unsigned char>(text[i]));
  };
  const auto lead = byte(0);
  const std::size_t size = lead < 0x80                   ? 1
                           : lead >= 0xC2 && lead < 0xE0 ? 2
                           : lead >= 0xE0 && lead < 0xF0 ? 3
                           : lead >= 0xF0 && lead < 0xF5 ? 4
                                                         : 0;
  if (size == 0 || text.size() < size) return {};
  unsigned value = size == 1 ? lead : lead & (0x7FU >> size);
  for (std::size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xC0U) != 0x80) return {};
    value = value << 6 | (byte(i) & 0x3FU);
  }
  const bool too_long = (size == 3 && value < 0x800) || (size == 4 && value < 0x10000);
  const bool surrogate = value >= 0xD800 && value < 0xE000;
  if (too_long || surrogate || value > 0x10FFFF) return {};
  return {.bytes = size, .value = value, .valid = true};
}

void append_string(std::string_view text, std::string& out) {
  out.push_back('"');
  while (!text.empty()) {
    const auto point = decode_utf8(text);
    const auto c = text.front();
    if (!point.valid) {
      out += "\\ufffd";
    } else if (c == '"' || c == '\\') {
      out.push_back('\\');
      out.push_back(c);
    } else if (c == '\n' || c == '\r' || c == '\t') {
      out += c == '\n' ? "\\n" : c == '\r' ? "\\r" : "\\t";
    } else if (point.value < 0x20 || c == '<' || c == '>' || c == '&' || point.value == 0x2028 ||
               point.value == 0x2029) {
      out += fmt::format("\\u{:04x}", point.value);
    } else {
      out.append(text.substr(0, point.bytes));
    }
    text.remove_prefix(point.bytes);
  }
  out.push_back('"');
}

}  // namespace

void RequestMarshal::begin(std::span<const http::Field> fields, std::string& out) {
  std::map<std::string, std::vector<std::string_view>> header;
  for (const auto& field : fields) {
    if (field.id == http::FieldId::host || field.id == http::FieldId::transfer_encoding) continue;
    header[canonical_name(field.name)].push_back(field.value);
  }
  out += "{\"header\":{";
  bool first = true;
  for (const auto& [name, values] : header) {
    if (!std::exchange(first, false)) out.push_back(',');
    append_string(name, out);
    out += ":[";
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (i > 0) out.push_back(',');
      append_string(values[i], out);
    }
    out.push_back(']');
  }
  out += "},\"body\":{\"raw\":\"";
}

void RequestMarshal::body(std::string_view piece, std::string& out) {
  if (!rest_.empty()) {
    const auto missing = std::min<std::size_t>(3 - rest_.size(), piece.size());
    rest_.append(piece.substr(0, missing));
    piece.remove_prefix(missing);
    if (rest_.size() < 3) return;
    append_base64(rest_, out);
    rest_.clear();
  }
  const auto whole = piece.size() / 3 * 3;
  append_base64(piece.substr(0, whole), out);
  rest_.append(piece.substr(whole));
}

void RequestMarshal::end(std::string& out) {
  append_base64(rest_, out);
  rest_.clear();
  out += "\"}}";
}

std::string marshal_request(std::span<const http::Field> fields, std::string_view body) {
  std::string out;
  RequestMarshal marshal;
  RequestMarshal::begin(fields, out);
  marshal.body(body, out);
  marshal.end(out);
  return out;
}

}  // namespace faas::watchdog
