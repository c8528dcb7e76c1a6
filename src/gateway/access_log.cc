#include "gateway/access_log.h"

#include <fmt/format.h>

#include <ctime>
#include <iterator>

#include "base/log.h"

namespace faas::gateway {
namespace {

using Buffer = fmt::memory_buffer;

void append(Buffer& out, std::string_view text) {
  out.append(text.data(), text.data() + text.size());
}

// Bytes above ASCII need not be UTF-8: they are told one by one.
void append_json(Buffer& out, std::string_view text) {
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out.push_back('\\');
      out.push_back(c);
    } else if (byte < 0x20 || byte >= 0x7f) {
      fmt::format_to(std::back_inserter(out), "\\u{:04x}", byte);
    } else {
      out.push_back(c);
    }
  }
}

void append_member(Buffer& out, std::string_view name, std::string_view text) {
  if (text.empty()) return;
  fmt::format_to(std::back_inserter(out), ",\"{}\":\"", name);
  append_json(out, text);
  out.push_back('"');
}

void append_json_line(Buffer& out, const http::RequestHead& request, std::uint64_t bytes,
                      const AccessNote& note, const AccessOptions& options) {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const auto second = std::chrono::floor<std::chrono::seconds>(now);
  const auto micro = std::chrono::duration_cast<std::chrono::microseconds>(now - second).count();
  const std::time_t time = second.count();
  std::tm utc{};
  ::gmtime_r(&time, &utc);
  char stamp[24];
  append(out, "{\"time\":\"");
  append(out, {stamp, std::strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%S", &utc)});
  fmt::format_to(std::back_inserter(out), ".{:06}Z\",\"status\":{},\"seconds\":{:.6f},\"bytes\":{}", micro,
                 note.status, std::chrono::duration<double>(note.took).count(), bytes);
  append_member(out, "method", request.method_text);
  append_member(out, "path", request.path());
  if (options.queries) append_member(out, "query", request.query());
  append_member(out, "function", note.function);
  append_member(out, "call_id", note.call_id);
  append_member(out, "client", note.client);
  out.push_back('}');
}

void append_text_line(Buffer& out, const http::RequestHead& request, const AccessNote& note,
                      const AccessOptions& options) {
  const auto query = options.queries ? request.query() : std::string_view();
  fmt::format_to(std::back_inserter(out), "Forwarded [{}] to {}{}{} - [{}] - {:.4f}s", request.method_text,
                 request.path(), query.empty() ? "" : "?", query, note.status,
                 std::chrono::duration<double>(note.took).count());
}

}  // namespace

std::string print_access(const http::RequestHead& request, std::uint64_t bytes, const AccessNote& note,
                         const AccessOptions& options) {
  Buffer out;
  if (options.format == AccessFormat::json) append_json_line(out, request, bytes, note, options);
  if (options.format == AccessFormat::text) append_text_line(out, request, note, options);
  return fmt::to_string(out);
}

void log_access(const http::Exchange& exchange, const AccessNote& note, const AccessOptions& options) {
  if (options.format == AccessFormat::off) return;
  Buffer out;
  if (options.format == AccessFormat::text) {
    append_text_line(out, exchange.request(), note, options);
    log::line({out.data(), out.size()});
    return;
  }
  append_json_line(out, exchange.request(), exchange.bytes_sent(), note, options);
  out.push_back('\n');
  log::raw(2, {out.data(), out.size()});
}

}  // namespace faas::gateway
