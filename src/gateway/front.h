// The front of one core: every request of the public port comes here and goes to a function or to the API.
//
// Threads: one core.
#pragma once

#include <optional>

#include "gateway/admin_login.h"
#include "gateway/api.h"
#include "gateway/function_table.h"
#include "gateway/invoke.h"
#include "gateway/login_guard.h"
#include "gateway/route_metrics.h"
#include "http/router.h"
#include "http/server.h"

namespace faas::gateway {

/// What a front needs of the gateway. What is pointed to outlives it and is shared by every core.
struct FrontOptions {
  std::optional<Credentials> login;  ///< empty: nobody is asked for one
  LoginGuard* guard = nullptr;       ///< never null where there is a login
  CallOptions calls;                 ///< `proxies` is never null
  Duration body_timeout{};           ///< for a body that is read whole before it goes anywhere; <= 0: none
  http::ServerLimits limits;
};

class Front final : http::Handler {
 public:
  Front(net::Core& core, ApiSource& source, const FrontOptions& options);

  [[nodiscard]] http::Server& server() { return server_; }
  [[nodiscard]] FunctionTable& table() { return table_; }
  [[nodiscard]] const RouteMeters& routes() const { return routes_; }

 private:
  enum class Entry { open, closed, too_many };

  Task<> serve(http::Exchange& exchange) override;
  Task<> serve_api(http::Exchange& exchange);
  Task<> serve_logged_in(http::Exchange& exchange, const http::Match& match, bool guarded,
                         RouteRecord& record);
  Task<> serve_unnamed(http::Exchange& exchange, RouteRecord& record);
  Task<> serve_alexa(http::Exchange& exchange, RouteRecord& record);
  [[nodiscard]] Task<Entry> check_login(const http::Exchange& exchange);
  [[nodiscard]] std::string_view client_of(const http::Exchange& exchange) const;

  const FrontOptions options_;
  std::optional<AdminLogin> login_;
  FunctionTable table_;
  RouteMeters routes_;
  Invoke invoke_;
  Api api_;
  http::Router router_;
  http::Server server_;
};

}  // namespace faas::gateway
