#include "http/connection.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "net/socket.h"

namespace faas::http {
namespace {

constexpr std::size_t kSmallBytes = 4096;
// A refused client may still be sending: closing at once would reset the answer away. As long as it sends, it
// has not read that it may stop.
constexpr auto kLingerPause = std::chrono::seconds(5);
constexpr auto kLinger = std::chrono::seconds(30);
constexpr HeadError kNoRoomForHead{
    503, "503 Service Unavailable: request heads above 4 KiB hold as much as they may together"};
// What every answer begins with, in either version.
constexpr std::string_view kEveryHead = "HTTP/1.";
// A leading zero of the next chunk's size changes nothing.
constexpr std::string_view kEveryChunk = "0";
// Below this, moving bytes inside the kernel saves nothing.
constexpr std::uint64_t kMoveBytesMin = 16 * 1024;
constexpr std::uint64_t kMoveBytesMax = 1024 * 1024;
// The client has write_timeout for each stretch of this size, as for pieces that are written.
constexpr std::size_t kPassBytesMax = 64 * 1024;
// The socket had nothing, then the pipe had no room: what moves nothing more often than that never will, such
// as an urgent byte, which only a read steps over.
constexpr int kFruitlessMax = 3;

}  // namespace

Connection::Connection(Server& server, net::Stream stream)
    : server_(server),
      state_(*server.state_),
      channel_(server.core_, std::move(stream), kSmallBytes),
      hangup_(server.core_) {
  channel_.listen(this);
}

void Connection::close_if_idle() {
  if (idle_) close_now();
}

void Connection::close_now() {
  closing_ = true;
  hangup_.set();
  channel_.fail();
}

Task<> Connection::run() {
  peer_ = net::peer_of(channel_.stream().fd());
  while (!closing_) {
    idle_ = true;
    const bool got_head = co_await read_head();
    if (!got_head) break;
    const auto after = co_await serve_one();
    if (after == After::close) break;
  }
}

Connection::~Connection() {
  state_.large_heads_bytes -= held_bytes_;
}

// A head that fits what every connection has anyway is not counted. False: there is no room for this one.
bool Connection::hold_head(std::size_t bytes) {
  if (bytes <= kSmallBytes && held_bytes_ == 0) return true;
  const auto held = bytes <= kSmallBytes ? 0 : bytes;
  const auto others = state_.large_heads_bytes - held_bytes_;
  if (held > held_bytes_ && others + held > state_.limits.large_heads_bytes_max) return false;
  state_.large_heads_bytes = others + held;
  held_bytes_ = held;
  return true;
}

// Reads up to the end of a head and parses it. False when the connection is over.
Task<bool> Connection::read_head() {
  const auto& limits = state_.limits;
  auto deadline = deadline_after(Clock::now(), limits.idle_timeout);
  std::size_t searched = 0;
  std::size_t size = 0;
  while (true) {
    const auto bytes = channel_.data();
    if (!bytes.empty() && idle_) {
      idle_ = false;
      deadline = deadline_after(Clock::now(), limits.header_timeout);
    }
    if (!bytes.empty()) size = find_head_end(bytes, searched);
    if (size > limits.head_bytes_max || (size == 0 && bytes.size() > limits.head_bytes_max)) {
      co_await refuse({431, "431 Request Header Fields Too Large"});
      co_return false;
    }
    if (!hold_head(bytes.size())) {
      co_await refuse(kNoRoomForHead);
      co_return false;
    }
    if (size > 0) break;
    const auto wake = co_await channel_.more(deadline);
    if (wake == Wake::data) continue;
    const bool stalled = wake == Wake::deadline && !channel_.data().empty();
    if (stalled) co_await refuse({400, "400 Bad Request"});
    co_return false;
  }
  head_at_ = Clock::now();
  auto* begin = const_cast<char*>(channel_.data().data());
  const auto wrong = parser_.request(begin, size, head_);
  channel_.consume(size);
  if (wrong) {
    co_await refuse(*wrong);
    co_return false;
  }
  co_return true;
}

// Answers a request that cannot be understood, in the words of the reference, and closes.
Task<> Connection::refuse(HeadError error) {
  hold_head(0);
  out_.clear();
  HeadWriter head(out_);
  head.status_line(error.status);
  if (error.status == 417) {
    head.field("Date", http_date());
    head.field("Content-Length", std::uint64_t{0});
  } else {
    head.field("Content-Type", "text/plain; charset=utf-8");
  }
  if (error.status == 503) head.field("Retry-After", std::uint64_t{1});
  head.field("Connection", "close");
  head.end();
  auto wrote = co_await write(out_, error.text, {}, {});
  if (wrote) co_await linger();
}

// What is asked of the server as a whole and not of a handler (RFC 9110 sections 7.1 and 9.3.6).
Task<> Connection::serve_itself(Exchange& exchange) {
  Result<void> sent;
  if (exchange.request().target == "*") {
    exchange.head(200);
    sent = co_await exchange.send({});
  } else {
    sent = co_await answer_not_found(exchange);
  }
  (void)sent;
}

Task<Connection::After> Connection::serve_one() {
  channel_.pin();
  const auto kind = head_.body.kind;
  body_left_ = kind == Framing::Kind::length ? head_.body.length : 0;
  const bool has_body = kind == Framing::Kind::chunked || body_left_ > 0;
  body_state_ = has_body ? BodyState::more : BodyState::complete;
  continue_owed_ = has_body && head_.expect_continue;
  close_ = !head_.keep_alive || state_.draining;
  probed_bytes_ = 0;
  hangup_.reset();
  if (!has_body) channel_.arm_behind();

  Exchange exchange(*this);
  exchange_ = &exchange;
  if (state_.busy++ == 0) state_.quiet.reset();
  // "*" and the authority of a CONNECT name no resource.
  const bool names_none = exchange.request().path().empty() || exchange.request().path().front() != '/';
  auto answer = names_none ? serve_itself(exchange) : state_.handler.serve(exchange);
  const bool served = co_await net::race(std::move(answer), hangup_);
  bool whole = served;
  if (served && !exchange.status() && !exchange.upgraded_) {
    exchange.head(500);
    auto sent = co_await exchange.send({});
    whole = sent.has_value();
  }
  exchange_ = nullptr;
  hangup_watch_.reset();
  if (--state_.busy == 0) state_.quiet.set();
  whole = whole && exchange.finished_ && !exchange.upgraded_ && body_state_ != BodyState::broken;
  head_ = std::move(exchange.request_);
  if (!whole) {
    // A cut answer must not look like a whole one, not even where its end is the connection's.
    const bool cut = exchange.head_sent_ && !exchange.finished_ && !exchange.upgraded_;
    if (cut && !exchange.chunked_) channel_.stream().reset_on_close();
    if (exchange.finished_ && !exchange.upgraded_) co_await linger();
    co_return After::close;
  }
  if (more_body()) {
    const bool drained = co_await drain_body();
    close_ = close_ || !drained;
  }
  channel_.unpin();
  if (!close_ && !state_.draining) co_return After::next_request;
  co_await linger();
  co_return After::close;
}

// Reads away what the handler left of the body. False when that is too much.
Task<bool> Connection::drain_body() {
  if (continue_owed_ || body_left_ > state_.limits.drain_bytes_max) co_return false;
  std::size_t drained = 0;
  while (more_body()) {
    auto piece = co_await read_body();
    if (!piece) co_return false;
    drained += piece->size();
    if (drained > state_.limits.drain_bytes_max) co_return false;
  }
  co_return true;
}

Task<> Connection::linger() {
  channel_.stream().shutdown_write();
  channel_.unpin();
  const auto deadline = Clock::now() + kLinger;
  while (!channel_.ended()) {
    channel_.consume(channel_.data().size());
    const auto wake = co_await channel_.more(std::min(deadline, Clock::now() + kLingerPause));
    if (wake != Wake::data) break;
  }
}

Task<Result<void>> Connection::write(std::string_view a, std::string_view b, std::string_view c,
                                     std::string_view d) {
  const std::array pieces{a, b, c, d};
  net::Stream::Write writing(channel_.stream(), pieces);
  auto wrote = co_await finish_writing(writing);
  co_return wrote;
}

Task<Result<void>> Connection::pass(std::string_view before, net::Source source, std::string_view after) {
  while (true) {
    auto piece = source;
    piece.bytes = std::min(source.bytes, kPassBytesMax);
    const bool last = piece.bytes == source.bytes;
    net::Stream::Pass writing(channel_.stream(), before, piece, last ? after : std::string_view());
    auto wrote = co_await finish_writing(writing);
    if (!wrote || last) co_return wrote;
    before = {};
    source.bytes -= piece.bytes;
    if (source.offset >= 0) source.offset += static_cast<off_t>(piece.bytes);
  }
}

template <class Writing>
Task<Result<void>> Connection::finish_writing(Writing& writing) {
  writing_ = true;
  const auto limit = state_.limits.write_timeout;
  const auto wait = [](Writing& slow) -> Task<Result<void>> {
    auto wrote = co_await slow;
    co_return wrote;
  };
  Result<void> result;
  if (writing.await_ready()) {
    result = co_await writing;
  } else {
    auto in_time = co_await net::within(wait(writing), deadline_after(Clock::now(), limit));
    result = in_time ? std::move(*in_time)
                     : Error{Code::timeout, Origin::client, "write_timeout: the client does not read"};
  }
  writing_ = false;
  if (!result && result.error().origin != Origin::client && result.error().code == Code::closed) {
    co_return Error{Code::closed, Origin::client, "the client is gone: " + result.error().text};
  }
  co_return result;
}

// The next piece of the body out of what has been read; empty when there is nothing at hand.
Result<std::string_view> Connection::take_body() {
  if (head_.body.kind == Framing::Kind::length) {
    const auto piece = channel_.data().substr(
        0, static_cast<std::size_t>(std::min<std::uint64_t>(body_left_, channel_.data().size())));
    channel_.consume(piece.size());
    body_left_ -= piece.size();
    if (body_left_ == 0) body_state_ = BodyState::complete;
    return piece;
  }
  while (true) {
    const auto step = parser_.chunk(channel_.data());
    if (step.bad) {
      body_state_ = BodyState::broken;
      return Error{Code::malformed, Origin::client, "invalid byte in chunk length"};
    }
    channel_.consume(step.consumed);
    if (step.done) body_state_ = BodyState::complete;
    if (step.done || step.need_more || !step.data.empty()) return step.data;
  }
}

TimePoint Connection::body_deadline() const {
  const auto whole = deadline_after(head_at_, state_.limits.read_timeout);
  const auto idle = state_.limits.body_idle_timeout;
  return idle > Duration::zero() ? std::min(whole, deadline_after(Clock::now(), idle)) : whole;
}

Task<Result<std::string_view>> Connection::read_body() {
  if (!more_body()) co_return std::string_view();
  auto piece = take_body();
  while (piece && piece->empty() && more_body()) {
    // Behind an answer that has begun, it would be taken for a part of it.
    const bool answered = exchange_ != nullptr && (exchange_->head_sent_ || writing_);
    if (std::exchange(continue_owed_, false) && !answered) {
      auto sent = co_await write("HTTP/1.1 100 Continue\r\n\r\n", {}, {}, {});
      if (!sent) {
        body_state_ = BodyState::broken;
        co_return sent.error();
      }
    }
    channel_.expect_bulk();
    const auto wake = co_await channel_.more(body_deadline());
    if (wake == Wake::data) {
      piece = take_body();
      continue;
    }
    co_return cut_body(wake);
  }
  if (piece && !more_body()) channel_.arm_behind();
  co_return piece;
}

Error Connection::cut_body(Wake wake) {
  body_state_ = BodyState::broken;
  close_ = true;
  if (wake == Wake::deadline) return {Code::timeout, Origin::client, "read_timeout: i/o timeout"};
  return {Code::closed, Origin::client, "unexpected EOF"};
}

// What has been read goes first. Of the rest of a body whose length is known nothing comes into this process.
Task<Result<void>> Connection::pass_body(net::Stream& pipe) {
  const auto deadline = deadline_after(head_at_, state_.limits.read_timeout);
  const int socket = channel_.stream().fd();
  bool movable = head_.body.kind == Framing::Kind::length;
  int fruitless = 0;
  while (more_body()) {
    const bool moves = movable && body_left_ >= kMoveBytesMin && fruitless < kFruitlessMax && !continue_owed_;
    if (!moves || !channel_.nothing_read()) {
      fruitless = 0;
      const auto piece = co_await read_body();
      if (!piece) co_return piece.error();
      auto wrote = co_await pipe.write(*piece);
      if (!wrote) co_return wrote.error();
      continue;
    }
    const auto n = net::move_now(socket, pipe.fd(), std::min(body_left_, kMoveBytesMax));
    if (n > 0) {
      fruitless = 0;
      body_left_ -= static_cast<std::uint64_t>(n);
      if (body_left_ > 0) continue;
      body_state_ = BodyState::complete;
      channel_.arm_behind();
    } else if (n == 0) {
      co_return cut_body(Wake::end);
    } else if (errno == EPIPE) {
      co_return system_error("write", EPIPE, Code::closed);
    } else if (errno != EAGAIN) {
      movable = false;  // refused, or broken: then reading tells how
    } else if (++fruitless; net::bytes_ready(socket) > 0) {
      if (!hangup_watch_) hangup_watch_.emplace(watch_hangup());
      co_await pipe.writable();
    } else {
      const auto wake = co_await channel_.readable(deadline);
      if (wake != Wake::data) co_return cut_body(wake);
    }
  }
  co_return Result<void>();
}

// Something came while the handler works: the next request, or the client's FIN or reset.
void Connection::on_unasked(Wake wake) {
  if (exchange_ == nullptr || exchange_->upgraded_) return;
  if (wake == Wake::broken) hangup_.set();
  if (wake == Wake::end) probe_peer();
}

// A FIN comes from a client that only finished sending as well as from one that is gone. A byte written to
// the second kind comes back as a reset: so the first bytes of the answer, the same for every answer, go out.
void Connection::probe_peer() {
  if (writing_) return;
  std::string_view probe;
  if (!exchange_->head_sent_) probe = kEveryHead;
  if (exchange_->head_sent_ && exchange_->chunked_) probe = kEveryChunk;
  if (!probe.empty()) {
    const iovec piece{.iov_base = const_cast<char*>(probe.data()), .iov_len = probe.size()};
    const auto n = channel_.stream().write_now({&piece, 1});
    if (n < 0) {
      hangup_.set();
      return;
    }
    if (!exchange_->head_sent_) probed_bytes_ = static_cast<std::size_t>(n);
  }
  if (!hangup_watch_) hangup_watch_.emplace(watch_hangup());
}

Task<> Connection::watch_hangup() {
  co_await channel_.stream().hangup();
  hangup_.set();
}

}  // namespace faas::http
