// The front of one core: every request of the public port comes here and goes to a function or to the API.
//
// Threads: one core.
#pragma once

#include "gateway/api.h"
#include "gateway/function_table.h"
#include "gateway/invoke.h"
#include "http/auth.h"
#include "http/router.h"
#include "http/server.h"

namespace faas::gateway {

class Front final : http::Handler {
 public:
  /// `login` null: nobody is asked for one.
  Front(net::Core& core, ApiSource& source, const http::BasicLogin* login, InvokeOptions invoke,
        http::ServerLimits limits);

  [[nodiscard]] http::Server& server() { return server_; }
  [[nodiscard]] FunctionTable& table() { return table_; }

 private:
  Task<> serve(http::Exchange& exchange) override;
  Task<> serve_api(http::Exchange& exchange);
  Task<> serve_by_header(http::Exchange& exchange);
  [[nodiscard]] bool logged_in(const http::RequestHead& request) const;

  const http::BasicLogin* login_;
  FunctionTable table_;
  Invoke invoke_;
  Api api_;
  http::Router router_;
  http::Server server_;
};

}  // namespace faas::gateway
