// Passing one exchange on to an upstream server: streamed both ways as it comes, with back-pressure, the
// framing of each side kept, hop-by-hop fields dropped, upgrades tunnelled (RFC 9110 section 7).
#pragma once

#include <functional>
#include <string_view>

#include "http/client_pool.h"
#include "http/exchange.h"

namespace faas::http {

/// What one hop changes. The defaults change nothing.
struct ForwardOptions {
  std::string_view target;  ///< the request target sent upstream (raw)
  std::string_view host;    ///< Host sent upstream; empty: the client's
  TimePoint deadline =
      TimePoint::max();      ///< for the answer's head and body, not for upgrades and event streams
  bool buffer_body = false;  ///< read the request's body whole (up to buffer_bytes_max) first
  std::size_t buffer_bytes_max = 64 * 1024 * 1024;
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
  bool deadline = false;       ///< options.deadline fired
  std::optional<Error> error;  ///< why it is not complete: origin client, function or machine
};

/// Forwards and answers, unless no byte of an answer came: then the exchange is untouched (head_sent() is
/// false) and the caller answers with what outcome.error says (refused: nothing was sent; closed or
/// malformed: the upstream broke off; timeout: the deadline).
/// A request is sent a second time, over a fresh connection, only when the pooled one had been closed by the
/// peer before it was written.
[[nodiscard]] Task<ForwardOutcome> forward(Exchange& exchange, ClientPool& pool, const net::Address& address,
                                           const ForwardOptions& options, HopEdits& edits);

}  // namespace faas::http
