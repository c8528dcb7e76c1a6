// Who sends a request when proxies stand between: which peers are believed about it.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "http/message.h"

namespace faas::gateway {

/// The addresses whose X-Forwarded-* fields are believed. Immutable; any thread.
class TrustedProxies final {
 public:
  /// Networks of IPv4 and IPv6, parted by commas or spaces: "127.0.0.0/8, ::1, 10.1.2.3"; empty: nobody.
  /// Errors: invalid: names the entry.
  [[nodiscard]] static Result<TrustedProxies> parse(std::string_view list);

  /// Whether `address` (without a port) is one of them. A Unix socket's, "", is: who may reach it is for its
  /// file's mode to say.
  [[nodiscard]] bool trusts(std::string_view address) const;

  /// The address of whoever sent the request: the peer, or, where that is a trusted proxy, the last address
  /// of X-Forwarded-For that is not one. A view into the head or of `peer`.
  [[nodiscard]] std::string_view client_of(const http::RequestHead& request, std::string_view peer) const;

 private:
  using Bytes = std::array<unsigned char, 16>;  // IPv4 as ::ffff:a.b.c.d
  struct Network {
    Bytes address{};
    unsigned bits = 128;
  };
  [[nodiscard]] static bool read_address(std::string_view text, Bytes& out);
  [[nodiscard]] static Result<Network> read_network(std::string_view text);

  std::vector<Network> networks_;
};

/// Whether a field says who sent the request or how. From a peer that is not trusted it would be a lie.
[[nodiscard]] bool tells_sender(const http::Field& field);

}  // namespace faas::gateway
