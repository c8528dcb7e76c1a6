#include "http/static_files.h"

#include <fmt/format.h>
#include <sys/random.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <memory>

#include "base/log.h"
#include "http/conditions.h"
#include "http/content_type.h"
#include "http/dates.h"
#include "http/listing.h"
#include "http/ranges.h"
#include "http/sniff.h"

namespace faas::http {
namespace {

constexpr std::size_t kPieceBytes = 64 * 1024;
constexpr std::size_t kSniffBytes = 512;
constexpr std::string_view kIndex = "index.html";
constexpr std::string_view kPlainText = "text/plain; charset=utf-8";

// ---- short answers

Task<> answer_plain(Exchange& exchange, int status, std::string_view line) {
  auto text = std::string(line);
  text.push_back('\n');
  exchange.head(status).field("Content-Type", kPlainText).field("X-Content-Type-Options", "nosniff");
  (void)co_await exchange.send(text);
}

Task<> answer_redirect(Exchange& exchange, std::string_view to, std::string_view query) {
  auto location = std::string(to);
  if (!query.empty()) location.append("?").append(query);
  exchange.head(301).field("Location", location);
  (void)co_await exchange.send({});
}

// 304 and 412.
Task<> answer_condition(Exchange& exchange, int status, std::int64_t modified) {
  exchange.head(status);
  if (modified != 0) exchange.field("Last-Modified", print_http_date(modified));
  (void)co_await exchange.send({});
}

Task<> answer_unfound(Exchange& exchange, const Found& found) {
  if (found.kind == Found::Kind::missing) return answer_plain(exchange, 404, "404 page not found");
  if (found.kind == Found::Kind::forbidden) return answer_plain(exchange, 403, "403 Forbidden");
  log::print("cannot open what {} asks for: {}", exchange.request().target, std::strerror(found.error));
  return answer_plain(exchange, 500, "500 Internal Server Error");
}

// ---- where things are

// A path's last step as a reference to itself, as the client wrote it. Browsers take "a:b" for a scheme and
// "\\b" for another site, unless something stands before them.
std::string reference_to(std::string_view step) {
  const bool plain = std::all_of(step.begin(), step.end(), [](char c) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    return letter || std::string_view("-._~%$&+,=@!*()'").find(c) != std::string_view::npos;
  });
  return (plain ? "" : "./") + std::string(step);
}

std::string_view last_step(std::string_view path) {
  return path.substr(path.rfind('/') + 1);
}

// From "/a.txt/" to "../a.txt".
std::string out_of_file(std::string_view path) {
  std::string to;
  while (path.ends_with('/')) {
    to += "../";
    path.remove_suffix(1);
  }
  return to.append(last_step(path));
}

// ---- contents

// A stretch of the file, and what stands before it in the answer.
struct Section {
  std::string before;
  ByteRange bytes;
};

struct Content {
  net::Fd fd;
  std::vector<Section> sections;
  std::string end;
  [[nodiscard]] std::uint64_t length() const {
    std::uint64_t sum = end.size();
    for (const auto& section : sections) sum += section.before.size() + section.bytes.length;
    return sum;
  }
};

// Less than asked for only where the file ends or cannot be read.
std::size_t read_at(int fd, std::span<char> into, std::uint64_t offset) {
  std::size_t done = 0;
  while (done < into.size()) {
    const auto n = ::pread(fd, into.data() + done, into.size() - done, static_cast<off_t>(offset + done));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    done += static_cast<std::size_t>(n);
  }
  return done;
}

Task<Result<void>> send_bytes(Exchange& exchange, int fd, ByteRange bytes, std::span<char> buffer) {
  while (bytes.length > 0) {
    const auto piece = buffer.first(std::min<std::uint64_t>(buffer.size(), bytes.length));
    if (read_at(fd, piece, bytes.first) < piece.size()) {
      co_return Error{Code::failed, Origin::machine, "the file became shorter or cannot be read"};
    }
    auto wrote = co_await exchange.write({piece.data(), piece.size()});
    if (!wrote) co_return wrote.error();
    bytes.first += piece.size();
    bytes.length -= piece.size();
  }
  co_return Result<void>();
}

// Behind the head. The length is announced: a file that shrinks meanwhile leaves the answer without its end,
// and the connection is cut.
Task<> send_content(Exchange& exchange, Content content) {
  const auto length = content.length();
  exchange.length(length);
  if (length == 0 || exchange.request().method == Method::head) {
    (void)co_await exchange.send({});
    co_return;
  }
  const auto size = std::min<std::uint64_t>(length, kPieceBytes);
  const auto buffer = std::make_unique_for_overwrite<char[]>(size);
  for (const auto& [before, bytes] : content.sections) {
    if (!before.empty()) {
      auto wrote = co_await exchange.write(before);
      if (!wrote) co_return;
    }
    const std::span<char> whole_buffer(buffer.get(), size);
    auto sent = co_await send_bytes(exchange, content.fd.get(), bytes, whole_buffer);
    if (sent) continue;
    if (sent.error().origin == Origin::client) co_return;
    log::print("{}: {}", exchange.request().target, sent.error().text);
    if (!exchange.head_sent()) co_await answer_plain(exchange, 500, "500 Internal Server Error");
    co_return;
  }
  if (!content.end.empty()) {
    auto wrote = co_await exchange.write(content.end);
    if (!wrote) co_return;
  }
  (void)co_await exchange.finish();
}

std::string_view type_of(const Found& file, std::string_view name) {
  const auto known = content_type_of(name);
  if (!known.empty()) return known;
  char beginning[kSniffBytes];
  return sniff_content_type({beginning, read_at(file.fd.get(), beginning, 0)});
}

// Nobody who writes a file may know what will separate its parts.
std::string random_boundary() {
  unsigned char bytes[16] = {};
  (void)::getrandom(bytes, sizeof bytes, 0);
  std::string boundary;
  for (const auto byte : bytes) boundary += fmt::format("{:02x}", byte);
  return boundary;
}

// One part is sent bare, several as multipart/byteranges (RFC 9110 section 14.6).
Content begin_parts(Exchange& exchange, Found file, const std::vector<ByteRange>& parts,
                    std::string_view type) {
  Content content;
  content.fd = std::move(file.fd);
  if (parts.size() == 1) {
    exchange.field("Content-Type", type).field("Content-Range", content_range(parts.front(), file.size));
    content.sections.push_back({.bytes = parts.front()});
    return content;
  }
  const auto boundary = random_boundary();
  exchange.field("Content-Type", "multipart/byteranges; boundary=" + boundary);
  for (const auto& part : parts) {
    auto before =
        fmt::format("{}--{}\r\nContent-Range: {}\r\nContent-Type: {}\r\n\r\n",
                    content.sections.empty() ? "" : "\r\n", boundary, content_range(part, file.size), type);
    content.sections.push_back({.before = std::move(before), .bytes = part});
  }
  content.end = fmt::format("\r\n--{}--\r\n", boundary);
  return content;
}

Task<> answer_range_refused(Exchange& exchange, Wanted::Kind why, std::uint64_t size) {
  std::string text = "invalid range\n";
  if (why == Wanted::Kind::none_inside) text = "invalid range: failed to overlap\n";
  if (why == Wanted::Kind::too_many) text = fmt::format("invalid range: more than {} ranges\n", kRangesMax);
  exchange.head(416).field("Content-Type", kPlainText).field("X-Content-Type-Options", "nosniff");
  if (why == Wanted::Kind::none_inside) exchange.field("Content-Range", fmt::format("bytes */{}", size));
  (void)co_await exchange.send(text);
}

Task<> answer_file(Exchange& exchange, std::string_view name, Found file) {
  const auto& request = exchange.request();
  const std::int64_t now = std::time(nullptr);
  const auto verdict = judge_conditions(request, file.modified, now);
  if (verdict != Verdict::proceed) {
    const int status = verdict == Verdict::failed ? 412 : 304;
    co_await answer_condition(exchange, status, file.modified);
    co_return;
  }
  Wanted wanted;
  if (range_counts(request, file.modified, now)) wanted = read_range(request.value("Range"), file.size);
  const bool whole = wanted.kind == Wanted::Kind::whole;
  if (!whole && wanted.kind != Wanted::Kind::parts) {
    co_await answer_range_refused(exchange, wanted.kind, file.size);
    co_return;
  }
  const auto type = type_of(file, name);
  exchange.head(whole ? 200 : 206).field("Accept-Ranges", "bytes");
  if (file.modified != 0) exchange.field("Last-Modified", print_http_date(file.modified));
  Content content;
  if (whole) {
    exchange.field("Content-Type", type);
    content.fd = std::move(file.fd);
    content.sections.push_back({.bytes = {.first = 0, .length = file.size}});
  } else {
    content = begin_parts(exchange, std::move(file), wanted.parts, type);
  }
  co_await send_content(exchange, std::move(content));
}

Task<> answer_listing(Exchange& exchange, Found folder) {
  if (not_modified_since(exchange.request(), folder.modified, std::time(nullptr))) {
    co_await answer_condition(exchange, 304, folder.modified);
    co_return;
  }
  const auto names = list_folder(std::move(folder.fd));
  if (!names) {
    const bool too_large = names.error().code == Code::too_large;
    if (!too_large) log::print("{}: {}", exchange.request().target, names.error().text);
    const auto text = too_large ? "403 Forbidden: " + names.error().text : "500 Internal Server Error";
    co_await answer_plain(exchange, too_large ? 403 : 500, text);
    co_return;
  }
  exchange.head(200).field("Content-Type", "text/html; charset=utf-8");
  if (folder.modified != 0) exchange.field("Last-Modified", print_http_date(folder.modified));
  std::string page = "<pre>\n";
  for (const auto& name : *names) {
    page += listing_line(name);
    if (page.size() < kPieceBytes) continue;
    auto wrote = co_await exchange.write(page);
    if (!wrote) co_return;
    page.clear();
  }
  page += "</pre>\n";
  (void)co_await exchange.send(page);
}

}  // namespace

Task<> StaticFiles::serve(Exchange& exchange) {
  return answer(exchange, exchange.request().path(), exchange.request().query());
}

Task<> StaticFiles::answer_folder(Exchange& exchange, std::string name, Found folder) {
  const auto index_name = name.empty() ? std::string(kIndex) : name + "/" + std::string(kIndex);
  auto index = root_.open(index_name);
  switch (index.kind) {
    case Found::Kind::file:
      co_await answer_file(exchange, kIndex, std::move(index));
      break;
    case Found::Kind::missing:
    case Found::Kind::folder:
      co_await answer_listing(exchange, std::move(folder));
      break;
    default:  // who hides the index does not want a list in its place
      co_await answer_unfound(exchange, index);
  }
}

Task<> StaticFiles::answer(Exchange& exchange, std::string_view path, std::string_view query) {
  const auto decoded = percent_decode(path);
  const auto step = last_step(path);
  if (decoded.find('\0') != decoded.npos) {
    // No file has such a name. It is the client's mistake, so not the 500 of the reference, which would wake
    // whoever looks after the function.
    co_await answer_plain(exchange, 400, "400 Bad Request");
    co_return;
  }
  if (percent_decode(step) == kIndex) {  // one content, one address
    co_await answer_redirect(exchange, "./", query);
    co_return;
  }
  const auto name = inside_name(decoded);
  auto found = root_.open(name);
  if (found.kind == Found::Kind::folder) {
    if (path.ends_with('/')) {
      co_await answer_folder(exchange, name, std::move(found));
    } else {
      const auto to = reference_to(step) + "/";
      co_await answer_redirect(exchange, to, query);
    }
  } else if (found.kind != Found::Kind::file) {
    co_await answer_unfound(exchange, found);
  } else if (path.ends_with('/')) {
    const auto to = out_of_file(path);
    co_await answer_redirect(exchange, to, query);
  } else {
    co_await answer_file(exchange, name, std::move(found));
  }
}

}  // namespace faas::http
