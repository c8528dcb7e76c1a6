#include "gateway/api.h"

#include <sys/utsname.h>

#include <boost/json.hpp>

#include "model/requests.h"

namespace faas::gateway {
namespace {

constexpr std::size_t kBodyBytesMax = 1024 * 1024;

enum RouteId { kHome, kHealth, kMetrics, kInfo, kFunctions, kFunction, kScale, kNamespaces };

constexpr http::Route kRoutes[] = {
    {"GET POST", "/", false, kHome,
     "GET: what this is. POST: call the function that the X-Function header names"},
    {"GET", "/healthz", false, kHealth, "200 while the gateway serves"},
    {"GET", "/metrics", true, kMetrics, "metrics for Prometheus; without a login on metrics_port"},
    {"GET", "/system/info", true, kInfo, "versions of the gateway and its provider"},
    {"GET POST PUT DELETE", "/system/functions", true, kFunctions,
     "list, deploy, update or delete functions of a namespace"},
    {"GET", "/system/function/{name}", true, kFunction,
     "one function: its deployment, replicas and conditions"},
    {"POST", "/system/scale-function/{name}", true, kScale, "set how many replicas a function has"},
    {"GET", "/system/namespaces", true, kNamespaces, "the namespaces there are"},
};

int status_of(const Error& error) {
  switch (error.code) {
    case Code::invalid:
      return 400;
    case Code::malformed:
      return 400;
    case Code::not_found:
      return 404;
    case Code::already_exists:
      return 409;
    case Code::too_large:
      return 413;
    case Code::unavailable:
      return 503;
    case Code::timeout:
      return error.origin == Origin::client ? 408 : 504;
    default:
      return 500;
  }
}

Task<> answer_json(http::Exchange& exchange, std::string body) {
  exchange.head(200).field("Content-Type", "application/json");
  auto sent = co_await exchange.send(body);
  (void)sent;
}

Task<> answer_accepted(http::Exchange& exchange) {
  exchange.head(202);
  auto sent = co_await exchange.send({});
  (void)sent;
}

// Calls the provider on its own core. Whatever the call needs is in `call` itself: it goes on when the client
// hangs up.
template <class T, class CallIt>
Task<Result<T>> ask(ApiSource& source, CallIt call) {
  auto* provider = &source.provider();
  auto result = co_await net::on<Result<T>>(source.control(), [provider, call] { return call(*provider); });
  co_return result;
}

std::string query_namespace(const http::Exchange& exchange) {
  return http::query_value(exchange.request().query(), "namespace");
}

}  // namespace

std::span<const http::Route> api_routes() {
  return kRoutes;
}

std::string document_routes() {
  std::string out = "| method | path | login | what it does |\n| --- | --- | --- | --- |\n";
  out += "| any | `/function/NAME[/PATH]` | no | call a function |\n";
  for (const auto& route : kRoutes) {
    out.append("| ").append(route.methods).append(" | `").append(route.path).append("` | ");
    out.append(route.login ? "yes" : "no").append(" | ").append(route.help).append(" |\n");
  }
  return out;
}

Task<> answer_error(http::Exchange& exchange, const Error& error) {
  const int status = status_of(error);
  auto line = error.text + "\n";
  exchange.head(status).field("Content-Type", "text/plain; charset=utf-8");
  if (status == 503) exchange.field("Retry-After", "1");
  auto sent = co_await exchange.send(line);
  (void)sent;
}

Task<> Api::serve(http::Exchange& exchange, const http::Match& match) {
  const auto method = exchange.request().method;
  switch (match.route->id) {
    case kHealth: {
      exchange.head(200).field("Content-Type", "text/plain; charset=utf-8");
      auto sent = co_await exchange.send("OK");
      (void)sent;
      co_return;
    }
    case kHome: {
      auto sent = co_await http::answer_text(exchange, 200,
                                             "faas " FAAS_VERSION ": call functions at /function/NAME");
      (void)sent;
      co_return;
    }
    case kMetrics:
      co_await metrics(exchange);
      co_return;
    case kInfo:
      co_await info(exchange);
      co_return;
    case kFunctions:
      if (method == http::Method::post || method == http::Method::put) {
        co_await put(exchange, method == http::Method::post);
      } else if (method == http::Method::del) {
        co_await remove(exchange);
      } else {
        co_await list(exchange);
      }
      co_return;
    case kFunction:
      co_await status(exchange, match.name);
      co_return;
    case kScale:
      co_await scale(exchange, match.name);
      co_return;
    case kNamespaces:
      co_await answer_json(exchange, "[\"" + std::string(kDefaultNamespace) + "\"]");
      co_return;
    default:
      co_return;
  }
}

Task<> Api::metrics(http::Exchange& exchange) {
  const auto meters = co_await source_.meters();
  const auto snapshot = co_await source_.snapshot();
  const auto text = print_metrics(meters, *snapshot);
  exchange.head(200).field("Content-Type", "text/plain; version=0.0.4; charset=utf-8");
  auto sent = co_await exchange.send(text);
  (void)sent;
}

Task<> Api::info(http::Exchange& exchange) {
  const auto provider = source_.provider().info();
  utsname machine{};
  ::uname(&machine);
  const boost::json::object body{
      {"provider",
       {{"provider", provider.provider},
        {"version", {{"sha", provider.sha}, {"release", provider.release}}},
        {"orchestration", provider.orchestration}}},
      {"version", {{"commit_message", ""}, {"sha", provider.sha}, {"release", FAAS_VERSION}}},
      {"arch", machine.machine}};
  co_await answer_json(exchange, boost::json::serialize(body));
}

Task<> Api::list(http::Exchange& exchange) {
  auto statuses = co_await ask<std::vector<FunctionStatus>>(
      source_,
      [name_space = query_namespace(exchange)](Provider& provider) { return provider.list(name_space); });
  if (!statuses) {
    co_await answer_error(exchange, statuses.error());
    co_return;
  }
  const auto meters = co_await source_.meters();
  for (auto& status : *statuses) {
    status.invocation_count = invocations(meters, status.spec.name.name + "." + status.spec.name.name_space);
  }
  co_await answer_json(exchange, print_function_statuses(*statuses));
}

Task<> Api::status(http::Exchange& exchange, std::string_view text) {
  const auto name = parse_function_name(text, query_namespace(exchange));
  if (!name) {
    co_await answer_error(exchange, name.error());
    co_return;
  }
  auto status = co_await ask<FunctionStatus>(
      source_, [name = *name](Provider& provider) { return provider.status(name); });
  if (!status) {
    co_await answer_error(exchange, status.error());
    co_return;
  }
  const auto meters = co_await source_.meters();
  status->invocation_count = invocations(meters, name->name + "." + name->name_space);
  co_await answer_json(exchange, print_function_status(*status));
}

Task<> Api::put(http::Exchange& exchange, bool create) {
  auto body = co_await exchange.whole_body(kBodyBytesMax);
  if (!body) {
    co_await answer_error(exchange, body.error());
    co_return;
  }
  auto spec = parse_function_spec(*body);
  if (!spec) {
    co_await answer_error(exchange, spec.error());
    co_return;
  }
  auto done = co_await ask<void>(source_, [create, spec = std::move(*spec)](Provider& provider) {
    return create ? provider.deploy(spec) : provider.update(spec);
  });
  if (!done) {
    co_await answer_error(exchange, done.error());
    co_return;
  }
  co_await answer_accepted(exchange);
}

Task<> Api::remove(http::Exchange& exchange) {
  auto body = co_await exchange.whole_body(kBodyBytesMax);
  if (!body) {
    co_await answer_error(exchange, body.error());
    co_return;
  }
  auto request = parse_delete_request(*body);
  if (!request) {
    co_await answer_error(exchange, request.error());
    co_return;
  }
  const auto fallback = request->name_space.empty() ? query_namespace(exchange) : request->name_space;
  auto name = parse_function_name(request->function_name, fallback);
  if (!name) {
    co_await answer_error(exchange, std::move(name).error().within("functionName"));
    co_return;
  }
  auto done =
      co_await ask<void>(source_, [name = *name](Provider& provider) { return provider.remove(name); });
  if (!done) {
    co_await answer_error(exchange, done.error());
    co_return;
  }
  co_await answer_accepted(exchange);
}

Task<> Api::scale(http::Exchange& exchange, std::string_view text) {
  auto body = co_await exchange.whole_body(kBodyBytesMax);
  if (!body) {
    co_await answer_error(exchange, body.error());
    co_return;
  }
  auto request = parse_scale_request(*body);
  if (!request) {
    co_await answer_error(exchange, request.error());
    co_return;
  }
  const auto fallback = request->name_space.empty() ? query_namespace(exchange) : request->name_space;
  auto name = parse_function_name(text, fallback);
  if (!name) {
    co_await answer_error(exchange, name.error());
    co_return;
  }
  auto done = co_await ask<void>(source_, [name = *name, replicas = request->replicas](Provider& provider) {
    return provider.scale(name, replicas);
  });
  if (!done) {
    co_await answer_error(exchange, done.error());
    co_return;
  }
  co_await answer_accepted(exchange);
}

}  // namespace faas::gateway
