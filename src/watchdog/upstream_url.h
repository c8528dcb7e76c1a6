// Where a function in http mode listens, out of the upstream_url setting:
//   http://127.0.0.1:5000   http://[::1]:5000/prefix   http://user:password@localhost:5000
//   unix:///run/function.sock   unix:///run/function.sock:/prefix
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "net/socket.h"

namespace faas::watchdog {

struct UpstreamUrl {
  net::Address address;
  std::string host;           ///< the Host of requests that have none: "127.0.0.1:5000"
  std::string prefix;         ///< what comes before every request target; never ends in '/'
  std::string authorization;  ///< of requests that have none: "Basic ...", or empty
  std::string shown;          ///< the whole of it without a password, for the log
};

/// Errors: invalid, with the reference's line for a missing or unusable URL and the reason: no such scheme
/// (https:// too: the watchdog and its function are in one container), no host, a host that would have to be
/// looked up, a query, a path of a socket above 107 bytes. No text shows a password.
[[nodiscard]] Result<UpstreamUrl> parse_upstream_url(std::string_view text);

}  // namespace faas::watchdog
