// Functions: deploy, update, delete, list, status, scale (spec gateway 6.2 to 6.4).
#pragma once

#include "gateway/api_call.h"

namespace faas::gateway {

[[nodiscard]] Task<Result<Answer>> list_functions(ApiCall& call);
[[nodiscard]] Task<Result<Answer>> deploy_function(ApiCall& call);
[[nodiscard]] Task<Result<Answer>> update_function(ApiCall& call);
[[nodiscard]] Task<Result<Answer>> delete_function(ApiCall& call);
[[nodiscard]] Task<Result<Answer>> function_status(ApiCall& call);
[[nodiscard]] Task<Result<Answer>> scale_function(ApiCall& call);

}  // namespace faas::gateway
