#include "gateway/front.h"

namespace faas::gateway {
namespace {

bool is_system(std::string_view path) {
  return path == "/system" || path.starts_with("/system/");
}

bool changes_something(http::Method method) {
  return method != http::Method::get && method != http::Method::head && method != http::Method::options;
}

// A browser says which page a request comes from: a page of somebody else's must not act with the admin's
// login.
bool foreign_origin(const http::RequestHead& request) {
  const auto origin = request.value("Origin");
  if (origin.empty()) return false;
  const auto scheme = origin.find("://");
  return scheme == std::string_view::npos || origin.substr(scheme + 3) != request.host;
}

Task<> answer_unauthorized(http::Exchange& exchange) {
  exchange.head(401).field("Content-Type", "text/plain; charset=utf-8");
  exchange.field("WWW-Authenticate", "Basic realm=\"Restricted\"");
  auto sent = co_await exchange.send("invalid credentials");
  (void)sent;
}

}  // namespace

Front::Front(net::Core& core, ApiSource& source, const http::BasicLogin* login, InvokeOptions invoke,
             http::ServerLimits limits)
    : login_(login),
      table_(core),
      invoke_(core, table_, invoke),
      api_(source, table_),
      router_(api_routes()),
      server_(core, *this, limits) {}

Task<> Front::serve(http::Exchange& exchange) {
  if (exchange.request().path().starts_with("/function/")) return invoke_.serve_path(exchange);
  return serve_api(exchange);
}

bool Front::logged_in(const http::RequestHead& request) const {
  return login_ == nullptr || login_->accepts(request.value(http::FieldId::authorization));
}

Task<> Front::serve_api(http::Exchange& exchange) {
  const auto& request = exchange.request();
  const auto match = router_.match(request.method, request.method_text, request.path());
  // Default deny: a stranger below /system learns nothing, not even what exists.
  const bool guarded = is_system(request.path()) || (match.route != nullptr && match.route->login);
  if (guarded && !logged_in(request)) {
    co_await answer_unauthorized(exchange);
    co_return;
  }
  if (match.route == nullptr) {
    auto sent = co_await http::answer_not_found(exchange);
    (void)sent;
    co_return;
  }
  if (!match.method_allowed) {
    const bool asks = request.method == http::Method::options;
    exchange.head(asks ? 204 : 405).field("Allow", match.allow);
    auto sent = co_await exchange.send({});
    (void)sent;
    co_return;
  }
  if (guarded && changes_something(request.method) && foreign_origin(request)) {
    auto sent = co_await http::answer_text(exchange, 403, "the request comes from a page of another origin");
    (void)sent;
    co_return;
  }
  if (request.method == http::Method::post && request.path() == "/") {
    co_await serve_by_header(exchange);
    co_return;
  }
  co_await api_.serve(exchange, match);
}

Task<> Front::serve_by_header(http::Exchange& exchange) {
  std::string name(exchange.request().value(http::FieldId::x_function));
  if (name.empty()) {
    auto sent = co_await http::answer_text(
        exchange, 400, "nobody is called: provide an x-function header or use /function/NAME");
    (void)sent;
    co_return;
  }
  co_await invoke_.serve_named(exchange, std::move(name));
}

}  // namespace faas::gateway
