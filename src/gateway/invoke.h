// A call of a function: find it, wait for a replica where one is on its way, pass the exchange on, count it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "gateway/call_id.h"
#include "gateway/function_table.h"
#include "http/auth.h"
#include "http/client_pool.h"
#include "http/exchange.h"
#include "http/proxy.h"

namespace faas::gateway {

struct InvokeOptions {
  Duration upstream_timeout = std::chrono::seconds(60);
  /// The admin's login, which is never passed on to a function; null where there is none.
  const http::BasicLogin* admin = nullptr;
};

/// Threads: one core.
class Invoke final {
 public:
  Invoke(net::Core& core, FunctionTable& table, InvokeOptions options);

  /// /function/NAME[/path][?query]
  [[nodiscard]] Task<> serve_path(http::Exchange& exchange);
  /// A function named by other means (X-Function): it sees "/" and the query.
  [[nodiscard]] Task<> serve_named(http::Exchange& exchange, std::string name);

 private:
  class Call;
  [[nodiscard]] Task<> serve(http::Exchange& exchange, std::string_view name, std::string_view target);
  [[nodiscard]] Task<> pass_on(http::Exchange& exchange, std::string_view target, Call& call);
  [[nodiscard]] Task<std::shared_ptr<const Target>> find_replica(Call& call, TimePoint deadline);
  [[nodiscard]] Task<> answer_failure(http::Exchange& exchange, const http::ForwardOutcome& outcome,
                                      Call& call);

  FunctionTable& table_;
  http::ClientPool pool_;
  CallIds ids_;
  InvokeOptions options_;
};

}  // namespace faas::gateway
