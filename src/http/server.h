// A Server serves the connections of one core; several cores share a listening socket through a doorman.
#pragma once

#include <cstdint>
#include <memory>

#include "http/exchange.h"
#include "net/doorman.h"

namespace faas::http {

struct ServerLimits {
  /// From the first byte of a request to the end of its head; 408... answered as 400 like the reference.
  Duration header_timeout = std::chrono::seconds(10);
  /// From the head to the end of the request's body; <= 0: none.
  Duration read_timeout = std::chrono::seconds(60);
  /// How long a request's body may stand still; <= 0: as long as read_timeout lets it.
  Duration body_idle_timeout{};
  /// How long a connection may be silent between requests; <= 0: none.
  Duration idle_timeout = std::chrono::seconds(60);
  /// How long one write may wait for a client that does not read; <= 0: none.
  Duration write_timeout = std::chrono::seconds(60);
  /// Request line and fields together; more is 431.
  std::size_t head_bytes_max = 1024 * 1024 + 4096;
  /// What all heads above 4 KiB may hold together, finished or not; one that would need more is 503. So ten
  /// thousand connections that begin large heads cannot take all memory.
  std::size_t large_heads_bytes_max = 32 * 1024 * 1024;
  /// An unread body up to this size is read away to keep the connection; a longer one closes it.
  std::size_t drain_bytes_max = 256 * 1024;
};

class Server final : public net::Guest {
 public:
  /// `handler` outlives the server. A server that is destroyed takes its connections along.
  Server(net::Core& core, Handler& handler, ServerLimits limits);
  ~Server() override;

  net::Core& core() override { return core_; }
  void receive(net::Fd connection) override;

  /// Idle connections are closed, the others after their answer, which says "Connection: close".
  void drain();
  /// Connections with a request under way.
  [[nodiscard]] std::size_t busy() const;
  /// Set whenever busy() becomes 0.
  [[nodiscard]] net::Event& quiet();
  /// Closes everything at once.
  void close_all();

 private:
  friend class Connection;
  struct State;
  net::Core& core_;
  std::unique_ptr<State> state_;
};

}  // namespace faas::http
