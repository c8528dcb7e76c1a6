// What a user asks for: the deployment of one function, as the OpenFaaS API words it.
//
// Source: OpenFaaS provider API, FunctionDeployment (POST and PUT /system/functions).
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace faas {

/// A function's identity. Printed "name.namespace" in metrics; `name_space` is never empty once parsed.
struct FunctionName {
  std::string name;
  std::string name_space;

  friend auto operator<=>(const FunctionName&, const FunctionName&) = default;
};

inline constexpr std::string_view kDefaultNamespace = "openfaas-fn";

/// limits or requests: the strings exactly as sent ("128Mi", "500m"), so that they round-trip.
struct Resources {
  std::string memory;
  std::string cpu;
  std::map<std::string, std::string> devices;  ///< "nvidia.com/gpu" and the like

  friend bool operator==(const Resources&, const Resources&) = default;
};

struct FunctionSpec {
  FunctionName name;
  std::string image;
  std::string env_process;
  std::map<std::string, std::string> env_vars;
  std::vector<std::string> constraints;
  std::vector<std::string> secrets;
  std::optional<std::map<std::string, std::string>> labels;       ///< present but empty prints {}
  std::optional<std::map<std::string, std::string>> annotations;  ///< present but empty prints {}
  std::optional<Resources> limits;
  std::optional<Resources> requests;
  bool read_only_root_filesystem = false;

  friend bool operator==(const FunctionSpec&, const FunctionSpec&) = default;
};

/// Parses and validates a deployment. Unknown fields are ignored, keys match case-insensitively, `network`
/// and `registryAuth` of old clients are accepted and dropped.
/// Errors: invalid, origin client, text names the field and the limit.
[[nodiscard]] Result<FunctionSpec> parse_function_spec(std::string_view json);

/// The deployment as JSON; parse_function_spec reads it back equal.
[[nodiscard]] std::string print_function_spec(const FunctionSpec& spec);

}  // namespace faas
