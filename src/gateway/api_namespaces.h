// Namespaces: create, update, delete, get, list (spec gateway 6.4).
#pragma once

#include "gateway/api_call.h"

namespace faas::gateway {

[[nodiscard]] Task<Result<Answer>> list_namespaces(ApiCall& call);
[[nodiscard]] Task<Result<Answer>> get_namespace(ApiCall& call);
[[nodiscard]] Task<Result<Answer>> create_namespace(ApiCall& call);
[[nodiscard]] Task<Result<Answer>> update_namespace(ApiCall& call);
[[nodiscard]] Task<Result<Answer>> delete_namespace(ApiCall& call);

}  // namespace faas::gateway
