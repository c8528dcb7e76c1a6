// One call of the system API, as its handler sees it, and the row that declares it.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "contract/provider.h"
#include "gateway/function_table.h"
#include "gateway/invocation_counts.h"
#include "http/exchange.h"
#include "http/router.h"
#include "net/core.h"

namespace faas::gateway {

/// Where the API gets what it tells. One for the whole gateway.
///
/// Threads: any serving core, except `provider`, which is called on `control`.
class ApiSource {
 public:
  virtual ~ApiSource() = default;
  virtual net::Core& control() = 0;
  virtual Provider& provider() = 0;
  /// How often one function was called, earlier runs included; by "name.namespace".
  virtual Task<std::uint64_t> invocations(std::string function) = 0;
  /// The same of all; who was never called is not in it.
  virtual Task<Invocations> invocations() = 0;
  /// A function's log. Use and destroy what it gives on `control`. One that follows is stopped when the
  /// gateway drains. Errors: as Provider::logs.
  virtual Task<Result<std::shared_ptr<LogReader>>> open_logs(LogQuery query) = 0;
  /// Everything that is counted, as Prometheus reads it.
  virtual Task<std::string> metrics() = 0;
  /// For a name in no snapshot: where others than us change functions, returns when every core has what is
  /// true now; elsewhere at once. Any core. Errors: as Provider::refresh().
  virtual Task<Result<void>> look_again() = 0;
};

/// Lives as long as the handler's task.
struct ApiCall {
  ApiSource& source;
  FunctionTable& table;  ///< of this core
  http::Exchange& exchange;
  const http::Match& match;
};

inline constexpr std::string_view kJson = "application/json";
inline constexpr std::string_view kPlain = "text/plain; charset=utf-8";

/// Ignored where the handler itself has sent one.
struct Answer {
  int status = 200;
  std::string body;
  std::string_view content_type = kJson;  ///< not sent with an empty body
};

/// What a row does. An error is answered by its code. Threads: one serving core.
using ApiHandler = Task<Result<Answer>> (*)(ApiCall& call);

/// A route: serving, 405 with Allow, OPTIONS, the reference page, the OpenAPI document and the tests come
/// from it. Lists are words with one space between.
struct ApiRoute {
  std::string_view method;
  std::string_view path;  ///< as http::Route
  std::string_view also;  ///< another spelling of the path; empty: none
  bool login = true;
  ApiHandler handler = nullptr;
  std::string_view help;
  std::string_view query;    ///< its parameters: "namespace wait"
  std::string_view body;     ///< the schema of the request's body; empty: none
  std::string_view success;  ///< "202", "200 FunctionStatus", "200 FunctionStatus[]"; "...*": one a line
  std::string_view errors;   ///< "400 404", besides 401 and 405
};

}  // namespace faas::gateway
