// Passing one exchange on to an upstream server: streamed both ways as it comes, with back-pressure, the
// framing of each side kept, hop-by-hop fields dropped, upgrades tunnelled (RFC 9110 section 7).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "http/client_pool.h"
#include "http/exchange.h"

namespace faas::http {

/// A body that has been read whole, wherever it is kept.
class StoredBody {
 public:
  virtual ~StoredBody() = default;
  [[nodiscard]] virtual std::uint64_t size() const = 0;
  /// All of it, when it is in memory; else empty.
  [[nodiscard]] virtual std::string_view text() const = 0;
  /// Bytes from `offset` on, as many as there are room and bytes for; 0 at the end. Does not wait.
  /// Errors: machine.
  [[nodiscard]] virtual Result<std::size_t> read(std::uint64_t offset, std::span<char> room) const = 0;
};

/// What one hop changes. The defaults change nothing.
struct ForwardOptions {
  std::string_view target;                ///< the request target sent upstream (raw)
  std::string_view prefix;                ///< what is sent right before it
  std::string_view host;                  ///< Host sent upstream; empty: the client's
  TimePoint deadline = TimePoint::max();  ///< for the answer's head and body, not for upgrades and bodies
                                          ///< without an end (text/event-stream, application/x-ndjson)
  /// The same, counted from the end of the request on; while its body is on its way upstream, from the last
  /// piece of it. <= 0: none.
  Duration answer_limit{};
  const StoredBody* stored_body = nullptr;  ///< sent with its length, instead of what the exchange holds
  bool head_only = false;           ///< neither the request's body nor its wish to upgrade are sent on
  bool sniff_content_type = false;  ///< tell the type of an answer that has none by its first bytes
};

/// Called for each hop's fields: what to drop, what to add. One object per call, on the stack.
class HopEdits {
 public:
  virtual ~HopEdits() = default;
  /// Whether a request field goes upstream (hop-by-hop ones never do). Names are as received.
  virtual bool keep_request_field(const Field&) { return true; }
  virtual void add_request_fields(HeadWriter&) {}
  virtual bool keep_response_field(const Field&) { return true; }
  /// The answer's head is about to go out: `status` is the upstream's.
  virtual void add_response_fields(Exchange&, const ResponseHead&) {}
};

/// How forwarding ended.
struct ForwardOutcome {
  int status = 0;              ///< what the upstream answered; 0: nothing
  bool complete = false;       ///< the whole answer reached the client
  bool deadline = false;       ///< options.deadline or options.answer_limit fired
  std::optional<Error> error;  ///< why it is not complete: origin client, function or machine
};

/// Forwards and answers, unless no byte of an answer came: then the exchange is untouched (head_sent() is
/// false) and the caller answers with what outcome.error says (refused: nothing was sent; closed or
/// malformed: the upstream broke off; timeout: the deadline).
/// A request is sent a second time, over a fresh connection, only when a pooled one turns out closed by the
/// peer: either not one byte could be sent, or nothing came back and the request has no body and is safe or
/// carries an Idempotency-Key.
/// Interim answers are passed on, but 100: nobody asked the upstream for it (RFC 9110 section 15.2). Trailers
/// are passed on both ways, but those that frame, route or authenticate (section 6.5.1). An upgrade to h2c,
/// or of a request with a body, is not passed on: it is answered as an ordinary request (section 7.8).
[[nodiscard]] Task<ForwardOutcome> forward(Exchange& exchange, ClientPool& pool, const net::Address& address,
                                           const ForwardOptions& options, HopEdits& edits);

}  // namespace faas::http
