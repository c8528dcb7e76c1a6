// ?wait=DURATION: a change is answered when it has come true, or when it is clear that it will not.
//
// Ours: OpenFaaS's clients ask for the status again and again instead.
#pragma once

#include "base/units.h"
#include "gateway/api_call.h"

namespace faas::gateway {

/// A connection that waits longer than this is better asked again.
inline constexpr Duration kWaitMax = std::chrono::minutes(10);

/// One failure may be an accident, such as a port that was not free yet.
inline constexpr std::uint32_t kHopelessSetbacks = 3;

/// Zero when nobody wants to wait. Errors: invalid: names `wait` and the limit.
[[nodiscard]] Result<Duration> wait_limit(const ApiCall& call);

/// Waits until all replicas that are wanted are ready and of the wanted version, and answers 200 with the
/// status. Woken by what the provider publishes; costs a timer and nothing else, and nothing once the client
/// has hung up.
/// `setbacks`: how many it had before the change; of a new version none.
/// Errors: timeout, function: `limit` is over; failed, function: it could not be started, or ended
/// kHopelessSetbacks times, and why; not_found: somebody deleted it meanwhile. The change itself stays made.
[[nodiscard]] Task<Result<Answer>> await_ready(ApiCall& call, FunctionName name, Duration limit,
                                               std::uint32_t setbacks);
/// What to give await_ready() for a change that makes no new version; asked before the change.
[[nodiscard]] std::uint32_t setbacks_of(const ApiCall& call, const FunctionName& name);

/// 200 and the status as JSON. Errors: not_found.
[[nodiscard]] Task<Result<Answer>> tell_status(ApiCall& call, FunctionName name);

}  // namespace faas::gateway
