// The system API: what OpenFaaS's clients ask of a gateway besides calling functions.
#pragma once

#include <span>
#include <string>

#include "gateway/api_answers.h"
#include "gateway/api_call.h"
#include "http/exchange.h"
#include "http/router.h"

namespace faas::gateway {

/// The rows: every path the gateway knows besides /function/.
[[nodiscard]] std::span<const ApiRoute> api_rows();
/// Calls to functions, which no router stands before.
[[nodiscard]] const ApiRoute& invoke_row();
/// The rows for a router; the id is the row's index.
[[nodiscard]] std::span<const http::Route> api_routes();
/// The rows as a Markdown table, for docs/.
[[nodiscard]] std::string document_routes();

/// Threads: one serving core.
class Api final {
 public:
  /// `table` is that of the same core. Both outlive it.
  Api(ApiSource& source, FunctionTable& table) : source_(source), table_(table) {}
  [[nodiscard]] Task<> serve(http::Exchange& exchange, const http::Match& match);

 private:
  ApiSource& source_;
  FunctionTable& table_;
};

}  // namespace faas::gateway
