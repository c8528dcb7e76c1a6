#include "http/parser.h"

#include <boost/beast/http/basic_parser.hpp>
#include <cctype>
#include <cstring>
#include <functional>
#include <limits>
#include <optional>
#include <vector>

namespace faas::http {
namespace {

namespace beast = boost::beast::http;
using boost::beast::string_view;
using ErrorCode = boost::beast::error_code;

// A chunk's header with its extensions, or the last one with the trailers, must fit this (Beast wants each
// whole).
constexpr std::uint32_t kTrailerBytesMax = 16 * 1024;
// The shortest end of a chunked body. Beast's assertions count on it once it has seen the last chunk's line.
constexpr std::string_view kLastChunk = "0\r\n\r\n";

std::string_view std_view(string_view text) {
  return {text.data(), text.size()};
}

FieldId unlisted_field(std::string_view name) {
  if (name.size() < 9 || (name[0] | 0x20) != 'x') return FieldId::other;
  if (same_text(name, "X-Call-Id")) return FieldId::x_call_id;
  if (same_text(name, "X-Start-Time")) return FieldId::x_start_time;
  if (same_text(name, "X-Function")) return FieldId::x_function;
  if (same_text(name, "X-Forwarded-For")) return FieldId::x_forwarded_for;
  if (same_text(name, "X-Forwarded-Host")) return FieldId::x_forwarded_host;
  if (same_text(name, "X-Forwarded-Proto")) return FieldId::x_forwarded_proto;
  if (same_text(name, "X-Duration-Seconds")) return FieldId::x_duration_seconds;
  return FieldId::other;
}

FieldId field_id(beast::field field, std::string_view name) {
  switch (field) {
    case beast::field::host:
      return FieldId::host;
    case beast::field::connection:
      return FieldId::connection;
    case beast::field::keep_alive:
      return FieldId::keep_alive;
    case beast::field::proxy_connection:
      return FieldId::proxy_connection;
    case beast::field::proxy_authenticate:
      return FieldId::proxy_authenticate;
    case beast::field::proxy_authorization:
      return FieldId::proxy_authorization;
    case beast::field::te:
      return FieldId::te;
    case beast::field::trailer:
      return FieldId::trailer;
    case beast::field::transfer_encoding:
      return FieldId::transfer_encoding;
    case beast::field::upgrade:
      return FieldId::upgrade;
    case beast::field::content_length:
      return FieldId::content_length;
    case beast::field::content_type:
      return FieldId::content_type;
    case beast::field::expect:
      return FieldId::expect;
    case beast::field::date:
      return FieldId::date;
    case beast::field::authorization:
      return FieldId::authorization;
    case beast::field::user_agent:
      return FieldId::user_agent;
    default:
      return unlisted_field(name);
  }
}

Method method_of(beast::verb verb) {
  switch (verb) {
    case beast::verb::get:
      return Method::get;
    case beast::verb::head:
      return Method::head;
    case beast::verb::post:
      return Method::post;
    case beast::verb::put:
      return Method::put;
    case beast::verb::delete_:
      return Method::del;
    case beast::verb::options:
      return Method::options;
    case beast::verb::patch:
      return Method::patch;
    case beast::verb::connect:
      return Method::connect;
    case beast::verb::trace:
      return Method::trace;
    default:
      return Method::other;
  }
}

// Beast tells what it finds; everything is noted in the head it is given.
template <bool is_request>
class Reader final : public beast::basic_parser<is_request> {
 public:
  using HeadType = std::conditional_t<is_request, RequestHead, ResponseHead>;

  /// Views outside `bytes` are Beast's own and are copied.
  Reader(HeadType& head, std::string_view bytes) : head_(&head), bytes_(bytes) {
    this->header_limit(std::numeric_limits<std::uint32_t>::max());
    this->body_limit(boost::none);
    this->eager(false);
  }
  void forget_head() { head_ = nullptr; }

  std::string_view piece;
  std::string trailers;
  std::uint64_t chunk_left = 0;  ///< data of the chunk under way; 0: a chunk's header is next

 private:
  using Text = string_view;
  void on_request_impl(beast::verb verb, Text method, Text target, int version, ErrorCode& error) override {
    error = {};
    if constexpr (is_request) {
      head_->method = method_of(verb);
      head_->method_text = std_view(method);
      head_->target = std_view(target);
      head_->minor = version % 10;
    }
  }
  void on_response_impl(int status, Text reason, int version, ErrorCode& error) override {
    error = {};
    if constexpr (!is_request) {
      head_->status = status;
      head_->reason = std_view(reason);
      head_->minor = version % 10;
    }
  }
  void on_field_impl(beast::field field, Text name, Text value, ErrorCode& error) override {
    error = {};
    if (head_ == nullptr) {
      trailers.append(std_view(name)).append(": ").append(std_view(value)).append("\r\n");
      return;
    }
    const auto text = std_view(name);
    // A folded value is in a buffer of Beast's own: keep a copy.
    const std::less<const char*> before;
    const bool ours =
        !before(value.data(), bytes_.data()) && before(value.data(), bytes_.data() + bytes_.size());
    if (!ours && !value.empty()) {
      unfolded_.push_back(std::make_unique<std::string>(std_view(value)));
      head_->fields.push_back({field_id(field, text), text, *unfolded_.back()});
      return;
    }
    head_->fields.push_back({field_id(field, text), text, std_view(value)});
  }
  void on_header_impl(ErrorCode& error) override { error = {}; }
  void on_body_init_impl(boost::optional<std::uint64_t> const&, ErrorCode& error) override { error = {}; }
  std::size_t on_body_impl(Text body, ErrorCode& error) override {
    error = {};
    piece = std_view(body);
    return body.size();
  }
  void on_chunk_header_impl(std::uint64_t size, Text, ErrorCode& error) override {
    error = {};
    chunk_left = size;
  }
  std::size_t on_chunk_body_impl(std::uint64_t, Text body, ErrorCode& error) override {
    error = {};
    piece = std_view(body);
    chunk_left -= body.size();
    return body.size();
  }
  void on_finish_impl(ErrorCode& error) override { error = {}; }

  HeadType* head_;
  std::string_view bytes_;
  std::vector<std::unique_ptr<std::string>> unfolded_;
};

HeadError refusal(const ErrorCode& error) {
  const auto is = [&error](beast::error e) { return error == beast::make_error_code(e); };
  if (is(beast::error::bad_field)) return {400, "400 Bad Request: invalid header name"};
  if (is(beast::error::bad_value)) return {400, "400 Bad Request: invalid header value"};
  return {400, "400 Bad Request"};
}

bool is_host_char(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte > 0x20 && byte != 0x7f && std::strchr("\"#/<>?@\\^`{|}", c) == nullptr;
}

bool has_bad_escape(std::string_view path) {
  for (auto at = path.find('%'); at != std::string_view::npos; at = path.find('%', at + 1)) {
    if (at + 2 >= path.size()) return true;
    if (std::isxdigit(static_cast<unsigned char>(path[at + 1])) == 0) return true;
    if (std::isxdigit(static_cast<unsigned char>(path[at + 2])) == 0) return true;
  }
  return false;
}

// An HTTP/1.x with a larger minor is answered as 1.1; other majors are not ours.
std::optional<HeadError> check_version(char* bytes, std::size_t size) {
  const auto* end = static_cast<char*>(std::memchr(bytes, '\n', size));
  std::string_view line(bytes, end == nullptr ? size : static_cast<std::size_t>(end - bytes));
  if (line.ends_with('\r')) line.remove_suffix(1);
  if (line.size() < 9) return std::nullopt;
  const auto version = line.substr(line.size() - 8);
  const bool digits = std::isdigit(static_cast<unsigned char>(version[5])) != 0 &&
                      std::isdigit(static_cast<unsigned char>(version[7])) != 0 && version[6] == '.';
  if (!version.starts_with("HTTP/") || !digits) return std::nullopt;
  if (version[5] != '1')
    return HeadError{505, "505 HTTP Version Not Supported: unsupported protocol version"};
  if (version[7] > '1') bytes[version.data() + 7 - bytes] = '1';
  return std::nullopt;
}

std::optional<HeadError> check_host(RequestHead& head) {
  int hosts = 0;
  for (const auto& field : head.fields) {
    if (field.id != FieldId::host) continue;
    ++hosts;
    head.host = field.value;
  }
  if (hosts > 1) return HeadError{400, "400 Bad Request"};
  if (hosts == 0 && head.minor >= 1) return HeadError{400, "400 Bad Request: missing required Host header"};
  for (const char c : head.host) {
    if (!is_host_char(c)) return HeadError{400, "400 Bad Request: malformed Host header"};
  }
  return std::nullopt;
}

std::optional<HeadError> check_target(RequestHead& head) {
  const auto target = head.target;
  if (head.method == Method::connect && !target.starts_with('/')) return std::nullopt;
  if (target == "*") {
    if (head.method == Method::options) return std::nullopt;
    return HeadError{400, "400 Bad Request"};
  }
  if (!target.starts_with('/')) {
    const auto scheme = target.find("://");
    if (scheme == std::string_view::npos || scheme == 0) return HeadError{400, "400 Bad Request"};
    const auto authority = target.substr(scheme + 3);
    head.host = authority.substr(0, authority.find_first_of("/?#"));
  }
  if (has_bad_escape(head.path())) return HeadError{400, "400 Bad Request"};
  return std::nullopt;
}

void note_connection(Head& head, bool keep_alive) {
  head.keep_alive = keep_alive;
  head.upgrade = false;
  head.connection_tokens = false;
  bool connection_upgrade = false;
  bool upgrade_field = false;
  for (const auto& field : head.fields) {
    if (field.id == FieldId::upgrade) upgrade_field = true;
    if (field.id != FieldId::connection || same_text(field.value, "keep-alive")) continue;
    if (list_holds(field.value, "upgrade")) connection_upgrade = true;
    if (!same_text(field.value, "close") && !same_text(field.value, "upgrade")) head.connection_tokens = true;
  }
  head.upgrade = connection_upgrade && upgrade_field;
}

// Only one Transfer-Encoding, and only "chunked": anything else could be read differently by someone else.
std::optional<HeadError> check_codings(const Head& head) {
  int codings = 0;
  for (const auto& field : head.fields) {
    if (field.id == FieldId::content_length &&
        field.value.find_first_not_of("0123456789") != std::string_view::npos) {
      return HeadError{400, "400 Bad Request"};  // Beast would take "2, 2"
    }
    if (field.id != FieldId::transfer_encoding) continue;
    if (++codings > 1 || !same_text(field.value, "chunked"))
      return HeadError{501, "Unsupported transfer encoding"};
  }
  return std::nullopt;
}

}  // namespace

std::size_t find_head_end(std::string_view bytes, std::size_t& from) {
  auto at = from;
  while (true) {
    const auto* found = static_cast<const char*>(std::memchr(bytes.data() + at, '\n', bytes.size() - at));
    if (found == nullptr) {
      from = bytes.size();
      return 0;
    }
    const auto next = static_cast<std::size_t>(found - bytes.data()) + 1;
    if (next < bytes.size() && bytes[next] == '\n') return next + 1;
    if (next + 1 < bytes.size() && bytes[next] == '\r' && bytes[next + 1] == '\n') return next + 2;
    if (next + 1 >= bytes.size()) {
      from = next - 1;
      return 0;
    }
    at = next;
  }
}

struct Parser::Impl {
  std::optional<Reader<true>> request;
  std::optional<Reader<false>> response;
  std::string with_crlf;  // a head that came with bare LFs
  bool is_request = true;

  // Beast knows only CRLF. A bare LF is what other servers accept from people who type requests.
  std::string_view strict(char* bytes, std::size_t size) {
    const std::string_view head(bytes, size);
    bool bare = false;
    for (auto at = head.find('\n'); at != std::string_view::npos && !bare; at = head.find('\n', at + 1)) {
      bare = at == 0 || head[at - 1] != '\r';
    }
    if (!bare) return head;
    with_crlf.clear();
    for (std::size_t i = 0; i < head.size(); ++i) {
      if (head[i] == '\n' && (i == 0 || head[i - 1] != '\r')) with_crlf.push_back('\r');
      with_crlf.push_back(head[i]);
    }
    return with_crlf;
  }
};

Parser::Parser() : impl_(std::make_unique<Impl>()) {}
Parser::~Parser() = default;

std::optional<HeadError> Parser::request(char* bytes, std::size_t size, RequestHead& out) {
  out.fields.clear();
  out.host = {};
  out.expect_continue = false;
  if (auto wrong = check_version(bytes, size)) return wrong;
  const auto head = impl_->strict(bytes, size);
  impl_->is_request = true;
  auto& reader = impl_->request.emplace(out, head);
  ErrorCode error;
  const auto used = reader.put({head.data(), head.size()}, error);
  if (error) {
    const bool second_coding = error == beast::make_error_code(beast::error::bad_transfer_encoding) &&
                               out.has(FieldId::transfer_encoding);
    if (second_coding) return HeadError{501, "Unsupported transfer encoding"};
    return refusal(error);
  }
  reader.forget_head();
  if (used != head.size() || !reader.is_header_done()) return HeadError{400, "400 Bad Request"};
  if (auto wrong = check_codings(out)) return wrong;
  if (auto wrong = check_host(out)) return wrong;
  if (auto wrong = check_target(out)) return wrong;
  note_connection(out, reader.keep_alive());
  out.body = {};
  if (reader.chunked()) {
    out.body.kind = Framing::Kind::chunked;
  } else if (const auto length = reader.content_length()) {
    out.body = {Framing::Kind::length, *length};
  }
  if (out.minor == 0 && reader.chunked()) {
    // HTTP/1.0 has no chunks: nobody can tell where this message ends.
    out.body = {};
    out.keep_alive = false;
  }
  if (out.has(FieldId::expect)) {
    out.expect_continue = same_text(out.value(FieldId::expect), "100-continue");
    if (!out.expect_continue) return HeadError{417, ""};
    if (out.minor == 0) out.expect_continue = false;
  }
  return std::nullopt;
}

std::optional<HeadError> Parser::response(char* bytes, std::size_t size, bool to_head, ResponseHead& out) {
  out.fields.clear();
  const auto head = impl_->strict(bytes, size);
  impl_->is_request = false;
  auto& reader = impl_->response.emplace(out, head);
  if (to_head) reader.skip(true);
  ErrorCode error;
  const auto used = reader.put({head.data(), head.size()}, error);
  reader.forget_head();
  if (error || used != head.size() || !reader.is_header_done()) return HeadError{502, "malformed answer"};
  if (check_codings(out)) return HeadError{502, "unsupported transfer coding"};
  if (out.status < 100) return HeadError{502, "status below 100"};
  const bool bodiless = to_head || out.status / 100 == 1 || out.status == 204 || out.status == 304;
  note_connection(out, out.status == 101 ? false : (bodiless || !reader.need_eof()) && reader.keep_alive());
  out.body = {};
  if (reader.chunked()) {
    out.body.kind = Framing::Kind::chunked;
  } else if (const auto length = reader.content_length()) {
    out.body = {Framing::Kind::length, *length};
  } else if (!bodiless) {
    out.body.kind = Framing::Kind::until_close;
  }
  return std::nullopt;
}

ChunkStep Parser::chunk(std::string_view bytes) {
  const auto step = [bytes](auto& reader) {
    ChunkStep out;
    if (reader.is_done()) {
      out.done = true;
      return out;
    }
    const bool at_header = reader.chunk_left == 0;
    if (at_header && bytes.size() < kLastChunk.size() && bytes.starts_with(kLastChunk.substr(0, 3))) {
      out.need_more = true;
      return out;
    }
    reader.piece = {};
    ErrorCode error;
    out.consumed = reader.put({bytes.data(), bytes.size()}, error);
    out.data = reader.piece;
    out.done = reader.is_done();
    out.need_more = error == beast::make_error_code(beast::error::need_more);
    out.bad = error && !out.need_more;
    // The limit holds wherever the bytes were cut.
    if (at_header && (out.need_more ? bytes.size() : out.consumed) > kTrailerBytesMax) out.bad = true;
    return out;
  };
  if (bytes.empty()) return {.need_more = true};
  return impl_->is_request ? step(*impl_->request) : step(*impl_->response);
}

std::string_view Parser::trailers() const {
  if (impl_->is_request)
    return impl_->request ? std::string_view(impl_->request->trailers) : std::string_view();
  return impl_->response ? std::string_view(impl_->response->trailers) : std::string_view();
}

}  // namespace faas::http
