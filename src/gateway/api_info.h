// What the gateway says of itself: its name, health, versions, metrics and the OpenAPI document.
#pragma once

#include "gateway/api_call.h"

namespace faas::gateway {

[[nodiscard]] Task<Result<Answer>> home(ApiCall& call);
[[nodiscard]] Task<Result<Answer>> health(ApiCall& call);
[[nodiscard]] Task<Result<Answer>> scrape(ApiCall& call);
[[nodiscard]] Task<Result<Answer>> info(ApiCall& call);
[[nodiscard]] Task<Result<Answer>> openapi(ApiCall& call);

}  // namespace faas::gateway
