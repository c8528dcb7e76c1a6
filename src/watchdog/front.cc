#include "watchdog/front.h"

#include "base/log.h"
#include "net/core.h"
#include "watchdog/call_log.h"

namespace faas::watchdog {
namespace {

// What metrics and log say of a caller that left before its answer.
constexpr int kClientLeft = 499;

// Counts one call, whichever way it ends: a caller that hangs up destroys it.
class Measured final {
 public:
  Measured(Metrics& metrics, const http::Exchange& exchange) : metrics_(metrics), exchange_(exchange) {
    metrics_.begin();
  }
  ~Measured() {
    const auto took = Clock::now() - exchange_.began();
    const auto& request = exchange_.request();
    const bool left = !ended_ && !exchange_.finished();
    const auto status = exchange_.status() == 0 ? kClientLeft : exchange_.status();
    metrics_.end(request.method_text, status, took);
    if (!left) return;
    log::print("{} {} - {} the client left ({:.4f}s)", request.method_text, request.target, kClientLeft,
               std::chrono::duration<double>(took).count());
  }
  Measured(const Measured&) = delete;
  Measured& operator=(const Measured&) = delete;
  void ended() { ended_ = true; }

 private:
  Metrics& metrics_;
  const http::Exchange& exchange_;
  bool ended_ = false;
};

// Runs a call until it ends or has not begun its answer when write_timeout is over; then it is destroyed.
// Use: co_await BegunInTime(task, exchange, deadline) -> whether it ended.
class BegunInTime final : net::Timer {
 public:
  BegunInTime(Task<> call, const http::Exchange& exchange, TimePoint deadline)
      : net::Timer(net::Core::current()), call_(std::move(call)), exchange_(exchange), deadline_(deadline) {}
  bool await_ready() const noexcept { return false; }
  std::coroutine_handle<> await_suspend(std::coroutine_handle<> handle) {
    handle_ = handle;
    start(deadline_);
    return call_.launch(handle);
  }
  bool await_resume() {
    stop();
    const bool ended = call_.done();
    call_.reset();
    return ended;
  }

 private:
  // An answer that flows goes on: each of its writes has its own limit.
  void fire() override {
    if (!exchange_.head_sent()) handle_.resume();
  }
  Task<> call_;
  const http::Exchange& exchange_;
  TimePoint deadline_;
  std::coroutine_handle<> handle_;
};

Task<> answer_empty(http::Exchange& exchange, int status) {
  exchange.head(status);
  (void)co_await exchange.send({});
}

}  // namespace

Task<> Front::serve(http::Exchange& exchange) {
  const auto& request = exchange.request();
  const auto path = request.path();
  if (path.starts_with("/_/") || path.find('%') != path.npos) {
    const auto decoded = http::percent_decode(path);
    if (decoded == "/_/health") return answer_health(exchange);
    if (decoded == "/_/ready" && settings_.program == Program::of_watchdog) return answer_ready(exchange);
  }
  return serve_call(exchange, path);
}

Task<> Front::answer_health(http::Exchange& exchange) {
  const bool get = exchange.request().method_text == "GET";
  const bool healthy = get && condition_.healthy();
  exchange.head(!get ? 405 : healthy ? 200 : 503);
  if (healthy) exchange.field("Content-Type", "text/plain; charset=utf-8");
  (void)co_await exchange.send(healthy ? "OK" : "");
}

Task<> Front::answer_ready(http::Exchange& exchange) {
  const auto& request = exchange.request();
  int status = 200;
  if (request.method_text != "GET") {
    status = 405;
  } else if (!condition_.healthy()) {
    status = 503;
  } else if (limiter_.full()) {
    status = 429;
  }
  if (status != 200 || settings_.ready_path.empty()) {
    co_await answer_empty(exchange, status);
    co_return;
  }
  // The function is asked, with a call of our own: neither counted nor limited.
  const Call call{.exchange = exchange,
                  .facts = {.method = "GET", .path = settings_.ready_path, .fields = request.fields},
                  .target = settings_.ready_path,
                  .logged = !is_probe(request.value(http::FieldId::user_agent)),
                  .has_body = false};
  co_await (answers_may_be_late(settings_) ? serve_in_time(call) : mode_.serve(call));
}

Task<> Front::answer_full(http::Exchange& exchange) {
  const auto text =
      fmt::format("Concurrent request limit exceeded. Max concurrent requests: {}\n", limiter_.most());
  exchange.head(429).field("Content-Type", "text/plain").field("X-OpenFaaS-Internal", "faas-middleware");
  (void)co_await exchange.send(text);
}

// The reference closes the connection without a word when the function has ended.
Task<> Front::serve_in_time(const Call& call) {
  auto& exchange = call.exchange;
  const auto limit = settings_.write_timeout;
  BegunInTime in_time(mode_.serve(call), exchange, deadline_after(exchange.began(), limit));
  const bool ended = co_await in_time;
  if (ended) co_return;
  const auto text = fmt::format("write_timeout: no answer for {}", print_duration(limit));
  log::print("{} {} - 504 - {}", call.facts.method, call.target, text);
  (void)co_await http::answer_text(exchange, 504, text);
}

// Whether the caller was refused. Before the limiter: who may not call takes no place, and learns nothing.
Task<bool> Front::refuse_stranger(http::Exchange& exchange) {
  const auto refusal = co_await authentication_->check(exchange.request());
  if (!refusal) co_return false;
  exchange.head(refusal->status)
      .field("Content-Type", "text/plain; charset=utf-8")
      .field("X-Content-Type-Options", "nosniff")
      .field("X-OpenFaaS-Internal", "faas-middleware");
  if (refusal->status == 401) exchange.field("WWW-Authenticate", "Bearer realm=IAM function invoke");
  (void)co_await exchange.send(refusal->text + "\n");
  co_return true;
}

Task<> Front::serve_call(http::Exchange& exchange, std::string_view path) {
  Measured measured(metrics_, exchange);
  std::string seconds;
  if (authentication_ != nullptr) {
    const auto began = Clock::now();
    const bool refused = co_await refuse_stranger(exchange);
    if (refused) {
      measured.ended();
      co_return;
    }
    seconds = seconds_text(Clock::now() - began);
    exchange.replace_request_field("X-Auth-Seconds", seconds);
  }
  const Limiter::Pass pass(limiter_);
  if (!pass) {
    co_await answer_full(exchange);
  } else {
    co_await pass_on(exchange, path);
  }
  measured.ended();
}

Task<> Front::pass_on(http::Exchange& exchange, std::string_view path) {
  const auto& request = exchange.request();
  std::string decoded;
  if (path.find('%') != path.npos) {
    decoded = http::percent_decode(path);
    path = decoded;
  }
  const Call call{.exchange = exchange,
                  .facts = {.method = request.method_text,
                            .path = path,
                            .query = request.query(),
                            .host = request.host,
                            .fields = request.fields,
                            .body = request.body},
                  .target = request.target,
                  .logged = !is_probe(request.value(http::FieldId::user_agent))};
  co_await (answers_may_be_late(settings_) ? serve_in_time(call) : mode_.serve(call));
}

Task<> MetricsFront::serve(http::Exchange& exchange) {
  if (exchange.request().path() != "/metrics") {
    co_await http::answer_text(exchange, 404, "404 page not found");
    co_return;
  }
  auto text = metrics_.text();
  Metrics::add_scrapes(text, scrapes_++);
  exchange.head(200).field("Content-Type", "text/plain; version=0.0.4; charset=utf-8");
  (void)co_await exchange.send(text);
}

}  // namespace faas::watchdog
