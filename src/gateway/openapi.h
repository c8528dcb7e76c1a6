// The system API as an OpenAPI 3.1 document, made from the route table.
//
// Source: OpenAPI Specification 3.1.0.
#pragma once

#include <span>
#include <string>

#include "gateway/api_call.h"

namespace faas::gateway {

/// `invoke` is the row of calls to functions, whose method "*" stands for each that OpenAPI knows.
[[nodiscard]] std::string print_openapi(std::span<const ApiRoute> rows, const ApiRoute& invoke);

}  // namespace faas::gateway
