// Secrets: create, update, delete, list (spec gateway 6.4). Values come in and never go out.
#pragma once

#include "gateway/api_call.h"

namespace faas::gateway {

[[nodiscard]] Task<Result<Answer>> list_secrets(ApiCall& call);
[[nodiscard]] Task<Result<Answer>> create_secret(ApiCall& call);
[[nodiscard]] Task<Result<Answer>> update_secret(ApiCall& call);
[[nodiscard]] Task<Result<Answer>> delete_secret(ApiCall& call);

}  // namespace faas::gateway
