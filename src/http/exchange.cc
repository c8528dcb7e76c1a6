#include "http/exchange.h"

#include <utility>

#include "http/connection.h"

namespace faas::http {

Exchange::Exchange(Connection& connection)
    : connection_(connection), request_(std::move(connection.head_)), began_(connection.head_at_) {}

Exchange::~Exchange() = default;

void Exchange::replace_request_field(std::string_view name, std::string_view value) {
  std::erase_if(request_.fields, [name](const Field& field) { return same_text(field.name, name); });
  request_.fields.push_back({.id = FieldId::other, .name = name, .value = value});
}

std::string_view Exchange::peer() const {
  return connection_.peer_;
}

Task<Result<std::string_view>> Exchange::read_body() {
  return connection_.read_body();
}

Task<Result<void>> Exchange::pass_body(net::Stream& pipe) {
  return connection_.pass_body(pipe);
}

bool Exchange::body_complete() const {
  return connection_.body_state_ == Connection::BodyState::complete;
}

std::string_view Exchange::body_at_hand() {
  if (!connection_.more_body() || request_.body.kind != Framing::Kind::length) return {};
  const auto piece = connection_.take_body();
  if (body_complete()) connection_.channel_.arm_behind();
  return piece ? *piece : std::string_view();
}

Task<Result<std::string>> Exchange::whole_body(std::size_t limit) {
  std::string body;
  const auto too_large = [limit] {
    return Error{Code::too_large, Origin::client,
                 "the body is larger than " + std::to_string(limit) + " bytes"};
  };
  if (request_.body.length > limit) co_return too_large();
  body.reserve(static_cast<std::size_t>(request_.body.length));
  while (true) {
    auto piece = co_await read_body();
    if (!piece) co_return piece.error();
    if (piece->empty()) co_return body;
    if (body.size() + piece->size() > limit) co_return too_large();
    body.append(*piece);
  }
}

std::string_view Exchange::trailers() const {
  const bool whole = request_.body.kind == Framing::Kind::chunked && body_complete();
  return whole ? connection_.parser_.trailers() : std::string_view();
}

Task<Result<void>> Exchange::interim(int status, std::string_view fields) {
  if (request_.minor == 0 || head_sent_) co_return Result<void>();
  std::string text;
  HeadWriter writer(text);
  writer.status_line(status);
  text.append(fields);
  writer.end();
  const auto rest = std::string_view(text).substr(std::exchange(connection_.probed_bytes_, 0));
  auto wrote = co_await connection_.write(rest, {}, {}, {});
  co_return wrote;
}

Exchange& Exchange::head(int status, std::string_view reason) {
  status_ = status;
  has_date_ = false;
  length_.reset();
  auto& out = connection_.out_;
  out.clear();
  HeadWriter(out).status_line(status, reason, request_.minor);
  return *this;
}

Exchange& Exchange::field(std::string_view name, std::string_view value) {
  if (!has_date_ && same_text(name, "Date")) has_date_ = true;
  HeadWriter(connection_.out_).field(name, value);
  return *this;
}

Exchange& Exchange::field(std::string_view name, std::uint64_t value) {
  HeadWriter(connection_.out_).field(name, value);
  return *this;
}

Exchange& Exchange::length(std::uint64_t bytes) {
  length_ = bytes;
  return *this;
}

// Decides how the end of the answer is told (RFC 9112 section 6.3) and ends the head.
void Exchange::append_framing(std::optional<std::uint64_t> whole_length) {
  HeadWriter writer(connection_.out_);
  const bool no_length = status_ == 204 || status_ / 100 == 1;
  bodiless_ = no_length || status_ == 304 || request_.method == Method::head;
  auto known = length_ ? length_ : whole_length;
  if (status_ == 304 && !length_) known.reset();
  length_left_ = known.value_or(0);
  bool until_close = false;
  if (known && !no_length) {
    writer.field("Content-Length", *known);
  } else if (!known && !bodiless_) {
    if (request_.minor == 0) {
      until_close = true;
    } else {
      chunked_ = true;
      writer.field("Transfer-Encoding", "chunked");
    }
  }
  // The rest of a body that nobody read ends the connection, unless it is small.
  const bool unread =
      connection_.more_body() &&
      (connection_.continue_owed_ || connection_.body_left_ > connection_.state_.limits.drain_bytes_max);
  if (until_close || unread || connection_.state_.draining) connection_.close_ = true;
  if (connection_.close_) {
    writer.field("Connection", "close");
  } else if (request_.minor == 0) {
    writer.field("Connection", "keep-alive");
  }
  if (!has_date_) writer.field("Date", http_date());
  writer.end();
}

Task<Result<void>> Exchange::send(std::string_view body) {
  if (!head_sent_) {
    append_framing(body.size());
    const bool fits = !length_ || *length_ == body.size();
    const auto head = std::string_view(connection_.out_).substr(connection_.probed_bytes_);
    head_sent_ = true;
    const auto visible = bodiless_ ? std::string_view() : body;
    auto wrote = co_await connection_.write(head, visible, {}, {});
    if (!wrote) co_return wrote.error();
    bytes_sent_ = visible.size();
    finished_ = bodiless_ || fits;
    co_return Result<void>();
  }
  auto wrote = co_await write(body);
  if (!wrote) co_return wrote.error();
  auto end = co_await finish();
  co_return end;
}

// What of the head has not been sent yet.
std::string_view Exchange::take_head() {
  if (head_sent_) return {};
  append_framing(std::nullopt);
  head_sent_ = true;
  return std::string_view(connection_.out_).substr(connection_.probed_bytes_);
}

Task<Result<void>> Exchange::write(std::string_view piece) {
  const auto head = take_head();
  if (bodiless_) piece = {};
  if (!chunked_ && length_) {
    // More than was announced would be taken for the next answer.
    piece = piece.substr(0, static_cast<std::size_t>(std::min<std::uint64_t>(length_left_, piece.size())));
    length_left_ -= piece.size();
  }
  Result<void> wrote;
  if (chunked_ && !piece.empty()) {
    const ChunkSize size(piece.size());
    wrote = co_await connection_.write(head, size.line(), piece, "\r\n");
  } else if (!head.empty() || !piece.empty()) {
    wrote = co_await connection_.write(head, piece, {}, {});
  }
  if (wrote) bytes_sent_ += piece.size();
  co_return wrote;
}

Task<Result<void>> Exchange::pass(net::Source source) {
  std::string before(take_head());
  if (bodiless_) source.bytes = 0;
  if (!chunked_ && length_) {
    source.bytes = static_cast<std::size_t>(std::min<std::uint64_t>(length_left_, source.bytes));
    length_left_ -= source.bytes;
  }
  const bool chunk = chunked_ && source.bytes > 0;
  if (chunk) before.append(ChunkSize(source.bytes).line());
  auto passed = co_await connection_.pass(before, source, chunk ? "\r\n" : "");
  if (passed) bytes_sent_ += source.bytes;
  co_return passed;
}

Task<Result<void>> Exchange::finish(std::string_view trailers) {
  if (!head_sent_) {
    auto sent = co_await send({});
    co_return sent;
  }
  if (chunked_) {
    auto wrote = co_await connection_.write("0\r\n", trailers, "\r\n", {});
    if (!wrote) co_return wrote.error();
  }
  // A body shorter than announced is a cut answer: the connection ends with it.
  finished_ = bodiless_ || length_left_ == 0;
  co_return Result<void>();
}

Task<Result<Exchange::Upgraded>> Exchange::upgrade() {
  auto& out = connection_.out_;
  out.append("\r\n");
  head_sent_ = true;
  upgraded_ = true;
  const auto head = std::string_view(out).substr(connection_.probed_bytes_);
  auto wrote = co_await connection_.write(head, {}, {}, {});
  if (!wrote) co_return wrote.error();
  auto& channel = connection_.channel_;
  Upgraded upgraded{.channel = channel};
  co_return upgraded;
}

Task<Result<void>> answer_not_found(Exchange& exchange) {
  exchange.head(404).field("Content-Type", "text/plain; charset=utf-8");
  exchange.field("X-Content-Type-Options", "nosniff");
  auto sent = co_await exchange.send("404 page not found\n");
  co_return sent;
}

Task<Result<void>> answer_text(Exchange& exchange, int status, std::string_view line) {
  std::string body(line);
  body.push_back('\n');
  exchange.head(status).field("Content-Type", "text/plain; charset=utf-8");
  auto sent = co_await exchange.send(body);
  co_return sent;
}

}  // namespace faas::http
