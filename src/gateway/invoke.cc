#include "gateway/invoke.h"

#include <algorithm>
#include <charconv>

#include "base/log.h"
#include "net/event.h"

namespace faas::gateway {
namespace {

constexpr std::string_view kPrefix = "/function/";
// A replica that refuses is on its way out of the table: others are tried, but not for ever.
constexpr int kRefusalsMax = 3;
constexpr int kClientGone = 499;  // what nginx's logs made the usual number for it

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

// One call's part of a hop: its headers, its place in the metrics and its line in the access log, whichever
// way it ends.
class Invoke::Call final : public http::HopEdits {
 public:
  Call(http::Exchange& exchange, CallIds& ids, const http::BasicLogin* admin)
      : exchange_(exchange), admin_(admin), id_(exchange.request().value(http::FieldId::x_call_id)) {
    if (!fit_call_id(id_)) {
      made_id_ = ids.make();
      id_ = {made_id_.data(), made_id_.size()};
    }
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    const auto nanoseconds = std::chrono::duration_cast<std::chrono::nanoseconds>(now).count();
    const auto end = std::to_chars(start_, start_ + sizeof start_, nanoseconds).ptr;
    start_size_ = static_cast<std::size_t>(end - start_);
  }
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;
  ~Call() override {
    const auto took = Clock::now() - exchange_.began();
    if (function_) {
      function_->meter.finish(code_, took);
      --function_->meter.in_flight;
    }
    const auto& request = exchange_.request();
    log::print("Forwarded [{}] to {} - [{}] - {:.4f}s", request.method_text, request.path(), code_,
               std::chrono::duration<double>(took).count());
  }

  void begin(std::shared_ptr<LocalFunction> function) {
    function_ = std::move(function);
    ++function_->meter.started;
    ++function_->meter.in_flight;
  }
  LocalFunction& function() { return *function_; }
  void ended(int code) { code_ = code; }

  bool keep_request_field(const http::Field& field) override {
    using http::FieldId;
    switch (field.id) {
      case FieldId::x_call_id:
      case FieldId::x_start_time:
      case FieldId::x_forwarded_for:
      case FieldId::x_forwarded_host:
      case FieldId::x_forwarded_proto:
        return false;
      case FieldId::authorization:
        return admin_ == nullptr || !admin_->accepts(field.value);
      default:
        return true;
    }
  }

  void add_request_fields(http::HeadWriter& head) override {
    const auto& request = exchange_.request();
    head.field("X-Call-Id", id_);
    head.field("X-Start-Time", start());
    add_forwarded_for(head);
    const auto host = request.value(http::FieldId::x_forwarded_host);
    const auto forwarded_host = host.empty() ? request.host : host;
    if (!forwarded_host.empty()) head.field("X-Forwarded-Host", forwarded_host);
    const auto proto = request.value(http::FieldId::x_forwarded_proto);
    head.field("X-Forwarded-Proto", proto.empty() ? "http" : proto);
  }

  // A function that sends these itself knows better.
  void add_response_fields(http::Exchange& exchange, const http::ResponseHead& head) override {
    if (!head.has(http::FieldId::x_call_id)) exchange.field("X-Call-Id", id_);
    if (!head.has(http::FieldId::x_start_time)) exchange.field("X-Start-Time", start());
  }

  /// An answer of the gateway's own: one line that names the cause.
  Task<> refuse(int status, std::string line) {
    code_ = status;
    line.push_back('\n');
    exchange_.head(status).field("Content-Type", "text/plain; charset=utf-8").field("X-Call-Id", id_);
    exchange_.field("X-Start-Time", start()).field("X-OpenFaaS-Internal", "gateway");
    if (status == 503) exchange_.field("Retry-After", "1");
    auto sent = co_await exchange_.send(line);
    if (!sent) code_ = kClientGone;
  }

 private:
  [[nodiscard]] std::string_view start() const { return {start_, start_size_}; }

  void add_forwarded_for(http::HeadWriter& head) {
    std::string chain;
    for (const auto& field : exchange_.request().fields) {
      if (field.id != http::FieldId::x_forwarded_for || field.value.empty()) continue;
      chain.append(field.value).append(", ");
    }
    chain.append(exchange_.peer().empty() ? "unknown" : exchange_.peer());
    head.field("X-Forwarded-For", chain);
  }

  http::Exchange& exchange_;
  const http::BasicLogin* admin_;
  std::shared_ptr<LocalFunction> function_;
  std::string_view id_;
  CallIds::Id made_id_{};
  char start_[24];
  std::size_t start_size_ = 0;
  int code_ = kClientGone;
};

Invoke::Invoke(net::Core& core, FunctionTable& table, InvokeOptions options)
    : table_(table), pool_(core), options_(options) {}

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
      co_await serve(exchange, decoded, whole);
      co_return;
    }
  }
  if (target.starts_with('/')) {
    co_await serve(exchange, name, target);
    co_return;
  }
  const auto whole = "/" + std::string(target);
  co_await serve(exchange, name, whole);
}

Task<> Invoke::serve_named(http::Exchange& exchange, std::string name) {
  const auto query = exchange.request().query();
  const auto target = query.empty() ? std::string("/") : "/?" + std::string(query);
  co_await serve(exchange, name, target);
}

Task<> Invoke::serve(http::Exchange& exchange, std::string_view name, std::string_view target) {
  if (!is_name(name)) {
    auto sent = co_await http::answer_not_found(exchange);
    (void)sent;
    co_return;
  }
  Call call(exchange, ids_, options_.admin);
  auto function = table_.find(name);
  if (!function) {
    co_await call.refuse(404, "function " + std::string(name) + " not found");
    co_return;
  }
  call.begin(std::move(function));
  co_await pass_on(exchange, target, call);
}

Task<> Invoke::pass_on(http::Exchange& exchange, std::string_view target, Call& call) {
  const auto deadline = deadline_after(exchange.began(), options_.upstream_timeout);
  for (int refusals = 0;; ++refusals) {
    const auto replica = co_await find_replica(call, deadline);
    if (!replica) co_return;
    const InFlight counted(*replica->endpoint);
    const http::ForwardOptions options{.target = target, .host = call.function().name, .deadline = deadline};
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
  while (true) {
    if (auto replica = function.pick()) co_return replica;
    const auto& entry = *function.entry;
    if (entry.replicas == 0 || !entry.why_not_ready.empty()) {
      const auto why = entry.replicas == 0 ? std::string("it is scaled to 0 replicas") : entry.why_not_ready;
      co_await call.refuse(503, "function " + function.name + " is not ready: " + why);
      co_return nullptr;
    }
    const auto changed = [](net::Event& event) -> Task<> { co_await event.wait(); };
    const bool in_time = co_await net::within(changed(table_.changed()), deadline);
    if (in_time) continue;
    co_await call.refuse(503, "function " + function.name +
                                  ": no replica became ready within upstream_timeout, " +
                                  print_duration(options_.upstream_timeout));
    co_return nullptr;
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
    co_await call.refuse(error.code == Code::timeout ? 408 : 400, error.text);
    co_return;
  }
  if (exchange.head_sent()) {
    call.ended(outcome.deadline ? 504 : 502);
    co_return;
  }
  if (outcome.deadline) {
    co_await call.refuse(504, "function " + name + ": no answer within upstream_timeout, " +
                                  print_duration(options_.upstream_timeout));
    co_return;
  }
  co_await call.refuse(502, "function " + name + ": " + error.text);
}

}  // namespace faas::gateway
