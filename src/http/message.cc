#include "http/message.h"

#include <charconv>
#include <ctime>

namespace faas::http {
namespace {

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

bool same_text(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (lower(a[i]) != lower(b[i])) return false;
  }
  return true;
}

bool list_holds(std::string_view list, std::string_view token) {
  while (!list.empty()) {
    const auto comma = list.find(',');
    if (same_text(trimmed(list.substr(0, comma)), token)) return true;
    if (comma == std::string_view::npos) break;
    list.remove_prefix(comma + 1);
  }
  return false;
}

std::string_view Head::value(FieldId id) const {
  for (const auto& field : fields) {
    if (field.id == id) return field.value;
  }
  return {};
}

bool Head::has(FieldId id) const {
  for (const auto& field : fields) {
    if (field.id == id) return true;
  }
  return false;
}

std::string_view Head::value(std::string_view name) const {
  for (const auto& field : fields) {
    if (same_text(field.name, name)) return field.value;
  }
  return {};
}

std::string_view RequestHead::path() const {
  auto text = target;
  if (!text.starts_with('/')) {
    const auto scheme = text.find("://");
    if (scheme == std::string_view::npos) return text.substr(0, text.find_first_of("?#"));
    text.remove_prefix(scheme + 3);
    const auto slash = text.find_first_of("/?#");
    if (slash == std::string_view::npos || text[slash] != '/') return "/";
    text.remove_prefix(slash);
  }
  return text.substr(0, text.find_first_of("?#"));
}

std::string_view RequestHead::query() const {
  const auto mark = target.find('?');
  if (mark == std::string_view::npos) return {};
  const auto rest = target.substr(mark + 1);
  return rest.substr(0, rest.find('#'));
}

bool is_hop_by_hop(FieldId id) {
  switch (id) {
    case FieldId::connection:
    case FieldId::keep_alive:
    case FieldId::proxy_connection:
    case FieldId::proxy_authenticate:
    case FieldId::proxy_authorization:
    case FieldId::te:
    case FieldId::trailer:
    case FieldId::transfer_encoding:
    case FieldId::upgrade:
      return true;
    default:
      return false;
  }
}

std::string percent_decode(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size()) {
      const int high = hex_digit(text[i + 1]);
      const int low = hex_digit(text[i + 2]);
      if (high >= 0 && low >= 0) {
        out.push_back(static_cast<char>(high * 16 + low));
        i += 2;
        continue;
      }
    }
    out.push_back(text[i]);
  }
  return out;
}

std::string query_value(std::string_view query, std::string_view key) {
  std::string_view found;
  while (!query.empty()) {
    const auto end = query.find('&');
    const auto pair = query.substr(0, end);
    const auto equals = pair.find('=');
    if (pair.substr(0, equals) == key && equals != std::string_view::npos) found = pair.substr(equals + 1);
    if (end == std::string_view::npos) break;
    query.remove_prefix(end + 1);
  }
  std::string spaced(found);
  for (auto& c : spaced) {
    if (c == '+') c = ' ';
  }
  return percent_decode(spaced);
}

std::string_view reason_of(int status) {
  switch (status) {
    case 100:
      return "Continue";
    case 101:
      return "Switching Protocols";
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 202:
      return "Accepted";
    case 203:
      return "Non-Authoritative Information";
    case 204:
      return "No Content";
    case 205:
      return "Reset Content";
    case 206:
      return "Partial Content";
    case 300:
      return "Multiple Choices";
    case 301:
      return "Moved Permanently";
    case 302:
      return "Found";
    case 303:
      return "See Other";
    case 304:
      return "Not Modified";
    case 307:
      return "Temporary Redirect";
    case 308:
      return "Permanent Redirect";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 402:
      return "Payment Required";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 406:
      return "Not Acceptable";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 410:
      return "Gone";
    case 411:
      return "Length Required";
    case 412:
      return "Precondition Failed";
    case 413:
      return "Request Entity Too Large";
    case 414:
      return "Request URI Too Long";
    case 415:
      return "Unsupported Media Type";
    case 416:
      return "Requested Range Not Satisfiable";
    case 417:
      return "Expectation Failed";
    case 418:
      return "I'm a teapot";
    case 421:
      return "Misdirected Request";
    case 422:
      return "Unprocessable Entity";
    case 425:
      return "Too Early";
    case 426:
      return "Upgrade Required";
    case 428:
      return "Precondition Required";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 451:
      return "Unavailable For Legal Reasons";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 502:
      return "Bad Gateway";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    case 505:
      return "HTTP Version Not Supported";
    case 507:
      return "Insufficient Storage";
    case 511:
      return "Network Authentication Required";
    default:
      return {};
  }
}

std::string_view http_date() {
  thread_local std::time_t second = 0;
  thread_local char text[40] = {};
  thread_local std::size_t size = 0;
  const auto now = std::time(nullptr);
  if (now != second) {
    std::tm utc{};
    ::gmtime_r(&now, &utc);
    size = std::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &utc);
    second = now;
  }
  return {text, size};
}

void HeadWriter::request_line(std::string_view method, std::string_view target) {
  out_.append(method).append(" ").append(target).append(" HTTP/1.1\r\n");
}

void HeadWriter::status_line(int status, std::string_view reason, int minor) {
  char digits[16];
  const auto end = std::to_chars(digits, digits + sizeof digits, status).ptr;
  const std::string_view code(digits, static_cast<std::size_t>(end - digits));
  out_.append(minor == 0 ? "HTTP/1.0 " : "HTTP/1.1 ").append(code).append(" ");
  if (reason.empty()) reason = reason_of(status);
  if (reason.empty()) {
    out_.append("status code ").append(code);
  } else {
    out_.append(reason);
  }
  out_.append("\r\n");
}

void HeadWriter::field(std::string_view name, std::string_view value) {
  out_.append(name).append(": ");
  const auto begin = out_.size();
  out_.append(value);
  for (auto i = begin; i < out_.size(); ++i) {
    const auto byte = static_cast<unsigned char>(out_[i]);
    if ((byte < 0x20 && byte != '\t') || byte == 0x7f) out_[i] = ' ';
  }
  out_.append("\r\n");
}

void HeadWriter::field(std::string_view name, std::uint64_t value) {
  char digits[24];
  const auto end = std::to_chars(digits, digits + sizeof digits, value).ptr;
  out_.append(name).append(": ").append(digits, static_cast<std::size_t>(end - digits)).append("\r\n");
}

}  // namespace faas::http
