// GET /system/logs: what a function printed (spec gateway 6.5, cli 6.2).
#pragma once

#include <string_view>

#include "gateway/api_call.h"
#include "model/log_line.h"

namespace faas::gateway {

/// The parameters of a query. Errors: invalid: names the one that is wrong and what it may be.
[[nodiscard]] Result<LogQuery> parse_log_query(std::string_view query);

/// One line of JSON for each line that was printed, sent as it comes. One that follows has no deadline; it
/// ends when its client goes, when the function is deleted and when the gateway drains.
[[nodiscard]] Task<Result<Answer>> function_logs(ApiCall& call);

}  // namespace faas::gateway
