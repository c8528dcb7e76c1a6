#include "gateway/invoke.h"

#include <algorithm>

#include "base/log.h"
#include "net/event.h"

namespace faas::gateway {
namespace {

constexpr std::string_view kPrefix = "/function/";
// A replica that refuses is on its way out of the table: others are tried, but not for ever.
constexpr int kRefusalsMax = 3;

bool is_name(std::string_view name) {
  const auto fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
  };
  return !name.empty() && std::all_of(name.begin(), name.end(), fits);
}

struct InFlight {
  Endpoint& endpoint;
  explicit InFlight(Endpoint& e) : endpoint(e) { endpoint.in_flight.fetch_add(1, std::memory_order_relaxed); }
  ~InFlight() { endpoint.in_flight.fetch_sub(1, std::memory_order_relaxed); }
  InFlight(const InFlight&) = delete;
  InFlight& operator=(const InFlight&) = delete;
};

}  // namespace

Invoke::Invoke(net::Core& core, FunctionTable& table, ApiSource& source, AdminLogin* admin,
               const CallOptions& options)
    : table_(table), source_(source), pool_(core), admin_(admin), options_(options) {}

Task<> Invoke::serve_path(http::Exchange& exchange) {
  const auto& request = exchange.request();
  const auto path = request.path();
  const auto begin = static_cast<std::size_t>(path.data() - request.target.data()) + kPrefix.size();
  const auto rest = request.target.substr(begin);
  const auto name = rest.substr(0, rest.find_first_of("/?#"));
  const auto target = rest.substr(name.size());
  if (name.find('%') != std::string_view::npos) {
    const auto decoded = http::percent_decode(name);
    // An escaped slash ends the name like a plain one would; the rest goes on as it was written.
    if (is_name(decoded)) {
      const auto whole = target.starts_with('/') ? std::string(target) : "/" + std::string(target);
      co_await serve({exchange, decoded, whole});
      co_return;
    }
  }
  if (target.starts_with('/')) {
    co_await serve({exchange, name, target});
    co_return;
  }
  const auto whole = "/" + std::string(target);
  co_await serve({exchange, name, whole});
}

Task<> Invoke::serve_named(http::Exchange& exchange, std::string name, const http::StoredBody* body) {
  const auto query = exchange.request().query();
  const auto target = query.empty() ? std::string("/") : "/?" + std::string(query);
  co_await serve({exchange, name, target, body});
}

Task<> Invoke::serve(Request request) {
  if (!is_name(request.name)) {
    auto sent = co_await http::answer_not_found(request.exchange);
    (void)sent;
    co_return;
  }
  Call call(request.exchange, ids_, admin_, options_);
  auto function = table_.find(request.name);
  if (!function) function = co_await find_elsewhere(request, call);
  if (!function) co_return;
  call.begin(table_, std::move(function));
  co_await pass_on(request, call);
}

// A function that nobody has told us of: the provider may know it by now. Null: the call has been refused.
Task<std::shared_ptr<LocalFunction>> Invoke::find_elsewhere(Request request, Call& call) {
  const auto deadline = deadline_after(request.exchange.began(), call.limit());
  const auto looked = co_await net::within(source_.look_again(), deadline);
  auto function = table_.find(request.name);
  if (function) co_return function;
  const auto name = "function " + std::string(request.name);
  if (looked && *looked) {
    co_await call.refuse(404, name + " not found");
    co_return nullptr;
  }
  // Where the provider is and what it says is for the log.
  if (looked) log::print("{}: {}", name, looked->error().text);
  co_await call.refuse(503, name + " is not known here, and who runs functions does not answer");
  co_return nullptr;
}

Task<> Invoke::pass_on(Request request, Call& call) {
  auto& exchange = request.exchange;
  const auto deadline = deadline_after(exchange.began(), call.limit());
  for (int refusals = 0;; ++refusals) {
    const auto replica = co_await find_replica(call, deadline);
    if (!replica) co_return;
    const InFlight counted(*replica->endpoint);
    const auto& endpoint = *replica->endpoint;
    const auto host = endpoint.host.empty() ? std::string_view(call.function().name) : endpoint.host;
    const http::ForwardOptions options{.target = request.target,
                                       .prefix = endpoint.prefix,
                                       .host = host,
                                       .answer_limit = call.limit(),
                                       .stored_body = request.body};
    const auto outcome = co_await http::forward(exchange, pool_, replica->address, options, call);
    if (!outcome.error) {
      call.ended(outcome.status);
      co_return;
    }
    // Nothing was sent to a replica that refused: another one may take the call.
    const bool refused = outcome.error->code == Code::refused && !exchange.head_sent();
    if (refused && refusals < kRefusalsMax && call.function().ready.size() > 1) continue;
    co_await answer_failure(exchange, outcome, call);
    co_return;
  }
}

// A replica for the call, waiting while one is on its way. Null: the call has been refused.
Task<std::shared_ptr<const Target>> Invoke::find_replica(Call& call, TimePoint deadline) {
  auto& function = call.function();
  for (bool looked = false;; looked = true) {
    if (auto replica = function.pick()) co_return replica;
    if (!looked && function.entry->replicas == 0) {
      // Somebody else may have scaled it up since.
      (void)co_await net::within(source_.look_again(), deadline);
      continue;
    }
    const auto& entry = *function.entry;
    if (entry.replicas == 0 || !entry.why_not_ready.empty()) {
      const auto why = entry.replicas == 0 ? std::string("it is scaled to 0 replicas") : entry.why_not_ready;
      co_await call.refuse(503, "function " + function.name + " is not ready: " + why);
      co_return nullptr;
    }
    const auto changed = [](net::Event& event) -> Task<> { co_await event.wait(); };
    const bool in_time = co_await net::within(changed(table_.changed()), deadline);
    if (!in_time) {
      co_await call.refuse(
          503, "function " + function.name + ": no replica became ready within " + call.limit_text());
      co_return nullptr;
    }
    if (table_.find(function.name).get() != &function) {
      co_await call.refuse(404, "function " + function.name + " was deleted");
      co_return nullptr;
    }
  }
}

// What the client is told of a call that failed; nothing where the answer has begun, which is then cut off.
Task<> Invoke::answer_failure(http::Exchange& exchange, const http::ForwardOutcome& outcome, Call& call) {
  const auto& error = *outcome.error;
  const auto& name = call.function().name;
  if (error.origin == Origin::client) {
    if (exchange.head_sent() || error.code == Code::closed) {
      call.ended(kClientGone);
      co_return;
    }
    const bool late = error.code == Code::timeout;
    co_await call.refuse(late ? 408 : 400,
                         late ? "the request's body did not come: " + error.text : error.text);
    co_return;
  }
  if (exchange.head_sent()) {
    call.ended(outcome.deadline ? 504 : 502);
    log::print("function {}: the answer was cut off: {}", name,
               outcome.deadline ? "it took longer than " + call.limit_text() : error.text);
    co_return;
  }
  if (outcome.deadline) {
    co_await call.refuse(504, "function " + name + ": no answer within " + call.limit_text());
    co_return;
  }
  // Where a replica listens is nobody's business outside.
  const bool refused = error.code == Code::refused;
  if (refused) log::print("function {}: {}", name, error.text);
  co_await call.refuse(
      502, "function " + name + ": " + (refused ? "its replica refused the connection" : error.text));
}

}  // namespace faas::gateway
