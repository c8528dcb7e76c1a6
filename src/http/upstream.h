// One connection to an upstream server, as the pool keeps it and the proxy uses it.
#pragma once

#include <string>

#include "http/channel.h"
#include "http/client_pool.h"
#include "http/parser.h"
#include "net/list.h"

namespace faas::http {

class Upstream final : public net::Node, ChannelListener {
 public:
  Upstream(net::Core& core, net::Stream stream, std::string address, std::size_t head_bytes_max);

  Channel channel;
  Parser parser;
  std::string out;  ///< the head being written
  ResponseHead head;
  const std::string address;
  TimePoint idle_since;
  bool reused = false;

  /// Reads the next head into `head`, whose views live until the next call: that of the answer, or that of an
  /// interim one (1xx but 101), which has no body and is followed by another head.
  /// Errors (origin function): closed, malformed, timeout.
  [[nodiscard]] Task<Result<void>> read_head(bool to_head, TimePoint deadline);

  /// The next piece of the answer's body; empty at its end. Errors as read_head().
  [[nodiscard]] Task<Result<std::string_view>> read_body(TimePoint deadline);
  /// What of it is here already; empty when there is nothing, error when it is broken.
  [[nodiscard]] Result<std::string_view> take_body();
  [[nodiscard]] bool body_complete() const { return complete_; }
  [[nodiscard]] std::string_view trailers() const { return parser.trailers(); }

 private:
  friend class ClientPool;
  void on_unasked(Wake wake) override;
  void begin_body(bool to_head);

  std::size_t head_bytes_max_;
  std::uint64_t body_left_ = 0;
  bool complete_ = true;
  bool idle_ = false;
};

}  // namespace faas::http
