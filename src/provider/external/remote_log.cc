#include "provider/external/remote_log.h"

#include <fmt/format.h>

#include <optional>

#include "http/upstream.h"
#include "model/json.h"

namespace faas::provider {
namespace {

// A provider that sends more without a line's end is no provider.
constexpr std::size_t kLineBytesMax = kJsonBytesMax;

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '_' || c == '.' || c == ':';
    if (plain) {
      out.push_back(c);
    } else {
      fmt::format_to(std::back_inserter(out), "%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return out;
}

Result<LogLine> read_line(std::string_view text) {
  TRY_ASSIGN(const auto object, parse_json_object(text));
  const JsonFields fields(object);
  LogLine line;
  TRY_ASSIGN(line.function.name, fields.text("name"));
  TRY_ASSIGN(line.function.name_space, fields.text("namespace"));
  TRY_ASSIGN(line.instance, fields.text("instance"));
  TRY_ASSIGN(const auto time, fields.text("timestamp"));
  TRY_ASSIGN(line.text, fields.bytes("text"));
  line.time = parse_log_time(time).value_or(LogTime());
  return line;
}

LogLine remark(std::string text) {
  LogLine line;
  line.time = std::chrono::time_point_cast<LogTime::duration>(std::chrono::system_clock::now());
  line.text = std::move(text);
  return line;
}

}  // namespace

std::string log_path(const LogQuery& query, std::string_view name_space) {
  auto path = "/system/logs?name=" + query.function.name;
  if (!name_space.empty()) path.append("&namespace=").append(name_space);
  if (!query.instance.empty()) path += "&instance=" + escaped(query.instance);
  if (query.since) path += "&since=" + escaped(print_log_time(*query.since));
  if (query.tail) path += "&tail=" + std::to_string(*query.tail);
  if (query.follow) path += "&follow=1";
  return path;
}

LogLine parse_log_line(std::string_view text) {
  auto line = read_line(text);
  return line ? std::move(*line) : remark(std::string(text));
}

RemoteLog::RemoteLog(net::Core& core, http::ClientPool::Lease lease, const BaseUrl& url)
    : lease_(std::move(lease)), shown_(url.shown), stopped_(core) {}

// The next bytes; empty: the end.
Task<std::string> RemoteLog::read() {
  if (lease_->body_complete()) co_return std::string();
  auto piece = co_await lease_->read_body(TimePoint::max());
  if (piece) co_return std::string(*piece);
  ended_ = true;
  co_return fmt::format("\nthe log of provider {} breaks off: {}\n", shown_, piece.error().text);
}

void RemoteLog::take_lines(std::vector<LogLine>& lines) {
  std::size_t begin = 0;
  for (auto end = rest_.find('\n'); end != rest_.npos; end = rest_.find('\n', begin)) {
    const auto line = std::string_view(rest_).substr(begin, end - begin);
    if (!line.empty()) lines.push_back(parse_log_line(line));
    begin = end + 1;
  }
  rest_.erase(0, begin);
}

Task<std::vector<LogLine>> RemoteLog::next() {
  std::vector<LogLine> lines;
  while (lines.empty() && !ended_) {
    auto piece = co_await net::race(read(), stopped_);
    const bool end = !piece || piece->empty();
    rest_ += end ? "\n" : *piece;
    ended_ = ended_ || end;
    take_lines(lines);
    if (rest_.size() > kLineBytesMax) {
      lines.push_back(remark(fmt::format(
          "the log of provider {} has a line of more than {} bytes, and ends here", shown_, kLineBytesMax)));
      ended_ = true;
    }
  }
  if (ended_) lease_.reset();
  co_return lines;
}

}  // namespace faas::provider
