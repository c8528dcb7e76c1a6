// Where a function in http mode listens, out of the upstream_url setting.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace faas::watchdog {

struct UpstreamUrl {
  std::string authority;  ///< "127.0.0.1:5000": where to connect, and the Host of requests that have none
  std::string prefix;     ///< what comes before every request target; never ends in '/'
};

/// Errors: invalid, with the reference's line for a missing or unusable URL.
[[nodiscard]] Result<UpstreamUrl> parse_upstream_url(std::string_view text);

}  // namespace faas::watchdog
