// A call of a function: find it, wait for a replica where one is on its way, pass the exchange on, count it.
#pragma once

#include <string>
#include <string_view>

#include "gateway/admin_login.h"
#include "gateway/api_call.h"
#include "gateway/call.h"
#include "gateway/call_id.h"
#include "gateway/function_table.h"
#include "http/client_pool.h"
#include "http/exchange.h"
#include "http/proxy.h"

namespace faas::gateway {

/// Threads: one core.
class Invoke final {
 public:
  /// `admin`: the login that no function gets to see; null where there is none.
  Invoke(net::Core& core, FunctionTable& table, ApiSource& source, AdminLogin* admin,
         const CallOptions& options);

  /// /function/NAME[/path][?query]
  [[nodiscard]] Task<> serve_path(http::Exchange& exchange);
  /// A function named by other means: it sees "/" and the query. `body`: the request's, where it has been
  /// read already.
  [[nodiscard]] Task<> serve_named(http::Exchange& exchange, std::string name,
                                   const http::StoredBody* body = nullptr);

 private:
  struct Request {
    http::Exchange& exchange;
    std::string_view name;
    std::string_view target;
    const http::StoredBody* body = nullptr;
  };
  [[nodiscard]] Task<> serve(Request request);
  [[nodiscard]] Task<std::shared_ptr<LocalFunction>> find_elsewhere(Request request, Call& call);
  [[nodiscard]] Task<> pass_on(Request request, Call& call);
  [[nodiscard]] Task<std::shared_ptr<const Target>> find_replica(Call& call, TimePoint deadline);
  [[nodiscard]] Task<> answer_failure(http::Exchange& exchange, const http::ForwardOutcome& outcome,
                                      Call& call);

  FunctionTable& table_;
  ApiSource& source_;
  http::ClientPool pool_;
  CallIds ids_;
  AdminLogin* admin_;
  CallOptions options_;
};

}  // namespace faas::gateway
