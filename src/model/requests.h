// The small request bodies of the system API.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "model/function_spec.h"

namespace faas {

/// A name as a URL gives it: "fn", "fn.ns" (what follows the last dot is the namespace). `fallback` is the
/// namespace of a plain name; empty means the default one.
/// Errors: invalid, origin client: characters outside A-Z a-z 0-9 - _ . or an empty function part.
[[nodiscard]] Result<FunctionName> parse_function_name(std::string_view text, std::string_view fallback = {});

struct ScaleRequest {
  std::string service_name;  ///< what the body says; the path's name is the one that counts
  std::uint32_t replicas = 0;
  std::string name_space;
};
/// Body of POST /system/scale-function/NAME. Errors: invalid, client: names `replicas` and its limit (10000).
[[nodiscard]] Result<ScaleRequest> parse_scale_request(std::string_view json);

struct DeleteRequest {
  std::string function_name;
  std::string name_space;
};
/// Body of DELETE /system/functions. Errors: invalid, client: names `functionName`.
[[nodiscard]] Result<DeleteRequest> parse_delete_request(std::string_view json);

}  // namespace faas
