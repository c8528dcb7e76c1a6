// Statuses as another provider tells them: read with patience, since they are not ours to refuse.
//
// Source: OpenFaaS provider API, FunctionStatus (spec gateway 6.3).
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/function_status.h"

namespace faas {

/// Ten thousand functions with a kilobyte each, and some room.
inline constexpr std::size_t kStatusListBytesMax = 16 * 1024 * 1024;

/// One status. What is missing is empty or zero, the namespace too; what is not known is passed over.
/// Errors: malformed, platform: not one JSON object of at most kJsonBytesMax and kJsonDepthMax, a field of
/// another type, or a name that no URL of ours could carry. The text names the field.
[[nodiscard]] Result<FunctionStatus> parse_foreign_status(std::string_view json);

struct ForeignStatuses {
  std::vector<FunctionStatus> statuses;
  std::size_t unusable = 0;  ///< those that parse_foreign_status() would refuse
  std::string why;           ///< of the first of them
};

/// A list of them; `null` is an empty one, as Go prints it.
/// Errors: malformed, platform: not one JSON array within kStatusListBytesMax and kJsonDepthMax.
[[nodiscard]] Result<ForeignStatuses> parse_foreign_statuses(std::string_view json);

}  // namespace faas
