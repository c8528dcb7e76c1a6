#include "gateway/api.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "gateway/api_functions.h"
#include "gateway/api_info.h"
#include "gateway/api_logs.h"
#include "gateway/api_namespaces.h"
#include "gateway/api_secrets.h"

namespace faas::gateway {
namespace {

constexpr ApiRoute kInvoke{
    .method = "*",
    .path = "/function/{name}",
    .login = false,
    .help = "call a function; what follows its name is the path it sees. {name} is NAME or NAME.NAMESPACE",
    .success = "200",
    .errors = "404 502 503 504"};

constexpr std::string_view kChangeErrors = "400 403 404 409 413 503";
constexpr std::string_view kWaitErrors = "400 403 404 409 413 500 503 504";

constexpr ApiRoute kRows[] = {
    {.method = "GET", .path = "/", .login = false, .handler = home, .help = "what this is", .success = "200"},
    {.method = "POST",
     .path = "/",
     .login = false,
     .handler = home,
     .help = "call the function that the X-Function header, or the intent of a request of Alexa's, names",
     .success = "200",
     .errors = "400 404 408 413 502 503 504"},
    {.method = "GET",
     .path = "/healthz",
     .login = false,
     .handler = health,
     .help = "200 while the gateway serves",
     .success = "200"},
    {.method = "GET",
     .path = "/metrics",
     .handler = scrape,
     .help = "metrics for Prometheus; without a login on metrics_port",
     .success = "200"},
    {.method = "GET",
     .path = "/system/info",
     .handler = info,
     .help = "versions of the gateway and its provider",
     .success = "200 Info"},
    {.method = "GET",
     .path = "/system/openapi.json",
     .handler = openapi,
     .help = "this API as an OpenAPI 3.1 document",
     .success = "200"},
    {.method = "GET",
     .path = "/system/functions",
     .handler = list_functions,
     .help = "the functions of a namespace, ordered by name",
     .query = "namespace",
     .success = "200 FunctionStatus[]",
     .errors = "400 404"},
    {.method = "POST",
     .path = "/system/functions",
     .handler = deploy_function,
     .help = "deploy a function; 409 when there is one of its name",
     .query = "wait",
     .body = "FunctionDeployment",
     .success = "202",
     .errors = kWaitErrors},
    {.method = "PUT",
     .path = "/system/functions",
     .handler = update_function,
     .help =
         "replace a function; its replica count stays, and the version before serves until the new one is "
         "ready",
     .query = "wait",
     .body = "FunctionDeployment",
     .success = "202",
     .errors = kWaitErrors},
    {.method = "DELETE",
     .path = "/system/functions",
     .handler = delete_function,
     .help = "delete a function",
     .query = "namespace",
     .body = "DeleteFunctionRequest",
     .success = "202",
     .errors = kChangeErrors},
    {.method = "GET",
     .path = "/system/function/{name}",
     .handler = function_status,
     .help = "one function: its deployment, replicas and conditions",
     .query = "namespace",
     .success = "200 FunctionStatus",
     .errors = "400 404"},
    {.method = "POST",
     .path = "/system/scale-function/{name}",
     .handler = scale_function,
     .help = "set how many replicas a function has; above its maximum, the maximum",
     .query = "namespace wait",
     .body = "ScaleRequest",
     .success = "202",
     .errors = kWaitErrors},
    {.method = "GET",
     .path = "/system/logs",
     .handler = function_logs,
     .help = "what a function printed, one object of JSON a line (application/x-ndjson), as it comes",
     .query = "name namespace instance tail since follow",
     .success = "200 LogLine*",
     .errors = "400 404 501"},
    {.method = "GET",
     .path = "/system/secrets",
     .handler = list_secrets,
     .help = "the names of a namespace's secrets, ordered; never their values",
     .query = "namespace",
     .success = "200 SecretName[]",
     .errors = "400 404"},
    {.method = "POST",
     .path = "/system/secrets",
     .handler = create_secret,
     .help = "create a secret",
     .query = "namespace",
     .body = "Secret",
     .success = "201",
     .errors = kChangeErrors},
    {.method = "PUT",
     .path = "/system/secrets",
     .handler = update_secret,
     .help = "replace a secret's value, in running functions too",
     .query = "namespace",
     .body = "Secret",
     .success = "200",
     .errors = kChangeErrors},
    {.method = "DELETE",
     .path = "/system/secrets",
     .handler = delete_secret,
     .help = "delete a secret; functions that run keep what they have",
     .query = "namespace",
     .body = "SecretName",
     .success = "200",
     .errors = kChangeErrors},
    {.method = "GET",
     .path = "/system/namespaces",
     .handler = list_namespaces,
     .help = "the names of the namespaces, ordered",
     .success = "200 string[]"},
    {.method = "GET",
     .path = "/system/namespace/",
     .also = "/system/namespaces/",
     .handler = list_namespaces,
     .help = "the same as /system/namespaces",
     .success = "200 string[]"},
    {.method = "POST",
     .path = "/system/namespace/",
     .also = "/system/namespaces/",
     .handler = create_namespace,
     .help = "create the namespace that the body names",
     .body = "Namespace",
     .success = "201",
     .errors = kChangeErrors},
    {.method = "GET",
     .path = "/system/namespace/{name}",
     .also = "/system/namespaces/{name}",
     .handler = get_namespace,
     .help = "one namespace: its labels and annotations",
     .success = "200 Namespace",
     .errors = "400 404"},
    {.method = "POST",
     .path = "/system/namespace/{name}",
     .also = "/system/namespaces/{name}",
     .handler = create_namespace,
     .help = "create a namespace",
     .body = "Namespace",
     .success = "201",
     .errors = kChangeErrors},
    {.method = "PUT",
     .path = "/system/namespace/{name}",
     .also = "/system/namespaces/{name}",
     .handler = update_namespace,
     .help = "replace its labels and annotations",
     .body = "Namespace",
     .success = "202",
     .errors = kChangeErrors},
    {.method = "DELETE",
     .path = "/system/namespace/{name}",
     .also = "/system/namespaces/{name}",
     .handler = delete_namespace,
     .help = "delete a namespace: an empty one, and not the default one",
     .success = "202",
     .errors = kChangeErrors},
};

constexpr std::size_t kRouteCount =
    std::size(kRows) +
    static_cast<std::size_t>(std::ranges::count_if(kRows, [](const auto& row) { return !row.also.empty(); }));

constexpr auto make_routes() {
  std::array<http::Route, kRouteCount> routes{};
  std::size_t count = 0;
  for (std::size_t i = 0; i < std::size(kRows); ++i) {
    const auto& row = kRows[i];
    for (const auto path : {row.path, row.also}) {
      if (path.empty()) continue;
      routes[count++] = {.methods = row.method,
                         .path = path,
                         .login = row.login,
                         .id = static_cast<int>(i),
                         .help = row.help};
    }
  }
  return routes;
}
constexpr auto kRoutes = make_routes();

void append_row(std::string& out, const ApiRoute& row) {
  const auto method = row.method == "*" ? "any" : row.method;
  const auto rest = row.method == "*" ? "[/PATH]" : "";
  const auto also = row.also.empty() ? std::string() : fmt::format(", `{}`", row.also);
  const auto success = row.success.substr(0, row.success.find(' '));
  out += fmt::format("| {} | `{}{}`{} | {} | {} | {} | {} | {} |\n", method, row.path, rest, also,
                     row.login ? "yes" : "no", row.query, success, row.errors, row.help);
}

}  // namespace

std::span<const ApiRoute> api_rows() {
  return kRows;
}

const ApiRoute& invoke_row() {
  return kInvoke;
}

std::span<const http::Route> api_routes() {
  return kRoutes;
}

std::string document_routes() {
  std::string out =
      "| method | path | login | query | success | errors | what it does |\n"
      "| --- | --- | --- | --- | --- | --- | --- |\n";
  append_row(out, kInvoke);
  for (const auto& row : kRows) append_row(out, row);
  return out;
}

Task<> Api::serve(http::Exchange& exchange, const http::Match& match) {
  ApiCall call{.source = source_, .table = table_, .exchange = exchange, .match = match};
  const auto handler = kRows[match.route->id].handler;
  const auto answer = co_await handler(call);
  if (exchange.head_sent()) co_return;
  if (!answer) {
    co_await answer_error(exchange, answer.error());
    co_return;
  }
  exchange.head(answer->status);
  if (!answer->body.empty()) exchange.field("Content-Type", answer->content_type);
  auto sent = co_await exchange.send(answer->body);
  (void)sent;
}

}  // namespace faas::gateway
