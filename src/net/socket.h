// Addresses, listening and connecting. TCP over IPv4 and IPv6, and Unix sockets.
#pragma once

#include <sys/socket.h>

#include <string>
#include <string_view>

#include "base/result.h"
#include "net/stream.h"

namespace faas::net {

/// Where to connect or listen: "127.0.0.1:80", "[::1]:80", "localhost:80", ":80" (every interface, both
/// families), "unix:/path". Names other than localhost are not resolved here.
class Address final {
 public:
  Address() = default;
  /// Errors: invalid, machine: the text names what is wrong.
  static Result<Address> parse(std::string_view text);
  [[nodiscard]] const sockaddr* data() const { return reinterpret_cast<const sockaddr*>(&storage_); }
  [[nodiscard]] socklen_t size() const { return size_; }
  [[nodiscard]] int family() const { return storage_.ss_family; }
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  sockaddr_storage storage_{};
  socklen_t size_ = 0;
  std::string text_;
};

/// A listening socket, non-blocking, backlog 4096. A stale Unix socket that nobody serves is replaced.
/// Errors: the text reads "listen on 127.0.0.1:8080: Address already in use".
[[nodiscard]] Result<Fd> listen(const Address& address, bool reuse_port = false);

/// The port a TCP socket listens on (for `:0`).
[[nodiscard]] int port_of(int listening_fd);

/// The peer of an accepted connection: its address without the port; "" for a Unix socket.
[[nodiscard]] std::string peer_of(int fd);

/// Connects; while the backlog of a Unix socket is full, it waits, without a limit of its own. TCP_NODELAY is
/// set. Errors: refused, machine (nothing was sent).
[[nodiscard]] Task<Result<Stream>> connect(const Address& address);

}  // namespace faas::net
