// Mode http: calls are passed on to a function that serves HTTP itself.
#pragma once

#include <memory>

#include "http/client_pool.h"
#include "watchdog/mode.h"
#include "watchdog/upstream_url.h"

namespace faas::watchdog {

/// Calls are held back until ready() has seen the function listen. Lifetime: `settings` outlives it.
[[nodiscard]] std::unique_ptr<FunctionMode> make_http(const Settings& settings, UpstreamUrl url,
                                                      net::Core& core);

/// How long one call may take: exec_timeout, or what the caller asks for with X-Timeout ("100ms"), if that is
/// shorter. <= 0: no limit.
[[nodiscard]] Duration call_limit(Duration exec_timeout, std::string_view asked);

}  // namespace faas::watchdog
