// What is known of a function: the deployment as sent plus what really runs.
//
// Source: OpenFaaS provider API, FunctionStatus. `conditions` is ours: clients that do not know it skip it.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "model/function_spec.h"

namespace faas {

/// One observed fact, in the words Kubernetes made familiar: {"type":"Ready","status":"False",
/// "reason":"CrashLoop","message":"exit status 3: no such module"}.
struct Condition {
  std::string type;
  bool holds = false;
  std::string reason;   ///< one CamelCase word, stable, for programs
  std::string message;  ///< a sentence, for people

  friend bool operator==(const Condition&, const Condition&) = default;
};

struct FunctionStatus {
  FunctionSpec spec;
  std::uint32_t replicas = 0;            ///< wanted
  std::uint32_t available_replicas = 0;  ///< ready to take calls now
  std::uint64_t invocation_count = 0;
  std::chrono::system_clock::time_point created_at;
  std::vector<Condition> conditions;
};

/// FunctionStatus as JSON: zero numbers, false, empty strings, maps and lists are left out; createdAt
/// (RFC 3339, UTC) is always there.
[[nodiscard]] std::string print_function_status(const FunctionStatus& status);
[[nodiscard]] std::string print_function_statuses(const std::vector<FunctionStatus>& statuses);

}  // namespace faas
