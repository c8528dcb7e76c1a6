// An Exchange is one request and its answer, as a handler sees them.
//
// Threads:  one core.
// Lifetime: the request's views live as long as the exchange.
// Cancel:   when the client is gone, the handler's task is destroyed; nothing else has to know.
//
// A handler answers in one of two ways:
//   whole:    exchange.head(200).field("Content-Type", "text/plain");  co_await exchange.send("body\n");
//   streamed: exchange.head(200); co_await exchange.write("piece"); ... co_await exchange.finish();
// A handler that returns without an answer is a 500. One that returns in the middle of a streamed answer
// cuts the connection, so that the client cannot take it for a whole one.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "http/message.h"
#include "net/event.h"
#include "net/stream.h"
#include "net/task.h"

namespace faas::http {

class Channel;
class Connection;

class Exchange final {
 public:
  explicit Exchange(Connection& connection);
  ~Exchange();
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  // ---- the request
  [[nodiscard]] const RequestHead& request() const { return request_; }
  /// When its head had been read.
  [[nodiscard]] TimePoint began() const { return began_; }
  /// Gives the request another field of that name (not one with an id), in place of the client's own: what
  /// whoever serves it is to be told by us. The views outlive the handler's use of the request.
  void replace_request_field(std::string_view name, std::string_view value);
  /// The client's address without the port; "" over a Unix socket.
  [[nodiscard]] std::string_view peer() const;

  /// The next piece of the body, as it comes; empty at its end. Sends "100 Continue" when it was asked for
  /// and the body has not been touched. The view is valid until the next call.
  /// Errors (origin client): closed: the client stopped in the middle ("unexpected EOF"); malformed: bad
  /// chunk ("invalid byte in chunk length"); timeout: read_timeout passed since the head.
  [[nodiscard]] Task<Result<std::string_view>> read_body();
  /// Hands the rest of the body on to a pipe, waiting where either side is slow; the pipe stays open. Bytes
  /// of a body of known length are moved there inside the kernel, if it lets them. Errors: as read_body();
  /// closed (origin machine): nobody reads from the pipe any more.
  [[nodiscard]] Task<Result<void>> pass_body(net::Stream& pipe);
  /// Whether the body has been read to its end (true at once when there is none).
  [[nodiscard]] bool body_complete() const;
  /// What is already here of the body, without waiting; consumes it. With body_complete() afterwards, it
  /// was all: the cheap path for small bodies.
  [[nodiscard]] std::string_view body_at_hand();
  /// Errors: as read_body(); too_large above `limit` bytes.
  [[nodiscard]] Task<Result<std::string>> whole_body(std::size_t limit);
  /// What followed a chunked body that is complete, as lines "Name: value\r\n"; empty when nothing did.
  [[nodiscard]] std::string_view trailers() const;

  // ---- the answer
  /// Begins the answer's head. Connection, Content-Length, Transfer-Encoding and Date are added when it is
  /// sent; a Date given with field() wins.
  Exchange& head(int status, std::string_view reason = {});
  Exchange& field(std::string_view name, std::string_view value);
  Exchange& field(std::string_view name, std::uint64_t value);
  /// For a streamed answer whose length is known beforehand.
  Exchange& length(std::uint64_t bytes);
  /// For an answer passed on to HEAD or with 304: no body follows, whatever the length says.
  [[nodiscard]] int status() const { return status_; }  ///< 0 before head()
  /// Whether anything has been sent: from then on the status cannot be changed.
  [[nodiscard]] bool head_sent() const { return head_sent_; }

  /// Sends an interim answer ahead of head() (RFC 9110 section 15.2); `fields` are complete lines. A client
  /// of HTTP/1.0 knows none and is sent none.
  [[nodiscard]] Task<Result<void>> interim(int status, std::string_view fields);
  /// Sends head and body in one system call and ends the answer.
  [[nodiscard]] Task<Result<void>> send(std::string_view body);
  /// Sends a piece (with the head, when it is the first), waiting for a slow client. An empty piece sends the
  /// head alone.
  [[nodiscard]] Task<Result<void>> write(std::string_view piece);
  /// The same with bytes that lie in a pipe or a file, without reading them where the kernel allows it. Not
  /// for answers that have no body, such as those to HEAD. Errors: failed: the source held less.
  [[nodiscard]] Task<Result<void>> pass(net::Source source);
  /// Ends a streamed answer; trailers, if any, as complete lines "Name: value\r\n".
  [[nodiscard]] Task<Result<void>> finish(std::string_view trailers = {});
  /// The head (101) goes out, and the connection is the handler's from now on: raw bytes both ways, those the
  /// client had already sent first. It is closed when the handler returns.
  struct Upgraded {
    Channel& channel;
  };
  [[nodiscard]] Task<Result<Upgraded>> upgrade();

  // ---- what became of it, for logs and metrics
  [[nodiscard]] std::uint64_t bytes_sent() const { return bytes_sent_; }  ///< of the body
  [[nodiscard]] bool finished() const { return finished_; }

 private:
  friend class Connection;
  void append_framing(std::optional<std::uint64_t> whole_length);
  std::string_view take_head();

  Connection& connection_;
  RequestHead request_;
  TimePoint began_;
  std::uint64_t bytes_sent_ = 0;
  std::uint64_t length_left_ = 0;
  std::optional<std::uint64_t> length_;
  int status_ = 0;
  bool has_date_ = false;
  bool head_sent_ = false;
  bool finished_ = false;
  bool chunked_ = false;
  bool bodiless_ = false;
  bool close_after_ = false;
  bool upgraded_ = false;
};

/// What serves requests. One object may serve many exchanges of its core at once.
class Handler {
 public:
  virtual ~Handler() = default;
  virtual Task<> serve(Exchange& exchange) = 0;
};

/// A short answer of ours: status, one line of text/plain (a newline is added), nothing else.
[[nodiscard]] Task<Result<void>> answer_text(Exchange& exchange, int status, std::string_view line);
/// There is no such path, in the words of the reference.
[[nodiscard]] Task<Result<void>> answer_not_found(Exchange& exchange);

}  // namespace faas::http
