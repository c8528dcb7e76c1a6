// Fetching one small document.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "base/units.h"
#include "net/core.h"
#include "net/task.h"

namespace faas::http {

/// "http://gateway.openfaas:8080/keys?x=1" in the parts a request needs.
struct PlainUrl {
  std::string authority;  ///< with a port: "gateway.openfaas:8080"
  std::string target;     ///< "/keys?x=1"
};
inline constexpr std::size_t kUrlBytesMax = 2048;
/// Errors: invalid: another scheme, no host, a password, white space or control characters, more than
/// kUrlBytesMax bytes. The fragment is dropped.
[[nodiscard]] Result<PlainUrl> parse_plain_url(std::string_view text);

struct FetchLimits {
  Duration time = std::chrono::seconds(5);  ///< from the name's lookup to the last byte
  std::size_t body_bytes_max = 256 * 1024;
};

/// GETs a document over a connection of its own. Redirects are not followed.
/// Errors, each with the URL in front: those of net::resolve() and connecting; timeout; unavailable: a status
/// other than 200; too_large; malformed. Threads: the core's. Lifetime: the arguments outlive the task.
[[nodiscard]] Task<Result<std::string>> fetch(net::Core& core, std::string_view url,
                                              std::string_view user_agent, const FetchLimits& limits);

}  // namespace faas::http
