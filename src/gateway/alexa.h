// Requests of Amazon's Alexa: a skill posts JSON, and the name of its intent says which function is meant.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace faas::gateway {

/// More than any skill's request holds; what is larger is not read.
inline constexpr std::size_t kAlexaBytesMax = 256 * 1024;

/// The intent that a request's body names: request.intent.name, when session.sessionId,
/// session.application.applicationId and the name are all there and not empty (spec gateway 1.5).
/// Errors: invalid, client: what makes it no such request; never any of the body's own text.
[[nodiscard]] Result<std::string> alexa_intent(std::string_view body);

/// The function's name for an intent of Amazon's own: no function's name has a dot, so that
/// AMAZON.StopIntent goes to AMAZON-StopIntent. Others are as they are.
[[nodiscard]] std::string function_of_intent(std::string intent);

}  // namespace faas::gateway
