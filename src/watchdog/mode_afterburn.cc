#include "watchdog/mode_afterburn.h"

#include "base/log.h"
#include "http/sniff.h"
#include "net/event.h"
#include "watchdog/call_log.h"
#include "watchdog/piped_function.h"

namespace faas::watchdog {
namespace {

// Beyond this a call has no prospect: it is told so instead of being kept.
constexpr std::size_t kWaitingMax = 512;
constexpr Duration kFirstPause = std::chrono::milliseconds(100);
constexpr Duration kLongestPause = std::chrono::seconds(5);
constexpr std::size_t kSniffBytes = 512;

Task<> wait_for(net::Event& event) {
  co_await event.wait();
}

class Afterburn final : public FunctionMode {
 public:
  Afterburn(const Settings& settings, std::unique_ptr<PipedFunction> function)
      : settings_(settings), function_(std::move(function)), worker_(std::in_place, work()) {}
  Task<> serve(Call call) override;
  Task<> stop(Duration limit) override;

 private:
  // A call from its place in the queue to its answer. One that goes away leaves the queue; once its turn has
  // come, the function answers it to the end: a client that hangs up costs nobody a warm process.
  struct Waiting final : net::Node {
    Waiting(Afterburn& mode_in, PipedRequest request_in) : mode(mode_in), request(std::move(request_in)) {}
    ~Waiting() {
      if (linked()) --mode.waiting_;
      if (mode.serving_ == this) mode.serving_ = nullptr;
    }
    Afterburn& mode;
    PipedRequest request;
    std::optional<Result<PipedAnswer>> answer;
    net::Event done;
  };

  Task<> work();
  Task<Result<void>> keep_running();
  Task<> retire();
  Task<Result<PipedAnswer>> take_turn(PipedRequest request);
  Waiting* take_next();
  Task<> reply(const Call& call, const PipedAnswer& answer);
  Task<> refuse(const Call& call, int status, std::string text);
  void log_call(const Call& call, int status, std::string_view reason,
                std::optional<std::uint64_t> length) const;
  [[nodiscard]] std::string out_of_time(std::string_view what) const;

  const Settings& settings_;
  std::unique_ptr<PipedFunction> function_;
  net::List<Waiting> queue_;
  std::size_t waiting_ = 0;
  Waiting* serving_ = nullptr;
  net::Event some_;  // the queue is not empty
  int failures_ = 0;
  TimePoint ended_at_;
  std::optional<net::Running<void>> worker_;  // last: it uses what stands above
};

std::string Afterburn::out_of_time(std::string_view what) const {
  return fmt::format("exec_timeout: {} for {}", what, print_duration(settings_.exec_timeout));
}

// Asks for a function that runs; a function that ended is known only now.
Task<Result<void>> Afterburn::keep_running() {
  if (function_ && function_->usable()) co_return Result<void>();
  if (function_) co_await retire();
  co_await net::sleep_until(ended_at_ + restart_pause(failures_));
  auto started = PipedFunction::start(settings_);
  if (!started) {
    ++failures_;
    ended_at_ = Clock::now();
    co_return started.error();
  }
  function_ = std::move(*started);
  co_return Result<void>();
}

Task<> Afterburn::retire() {
  const auto status = co_await function_->end();
  function_.reset();
  ++failures_;
  ended_at_ = Clock::now();
  log::print("The function has ended: {}; the next call starts it again", status.text());
}

Afterburn::Waiting* Afterburn::take_next() {
  auto* next = queue_.first();
  if (next == nullptr) return nullptr;
  next->unlink();
  --waiting_;
  return next;
}

// Strictly one call after the other, in the order they came.
Task<> Afterburn::work() {
  while (true) {
    if (queue_.empty()) {
      some_.reset();
      co_await some_.wait();
      continue;
    }
    const auto running = co_await keep_running();
    serving_ = take_next();
    if (serving_ == nullptr) continue;  // they all left meanwhile
    Result<PipedAnswer> answer = Error{};
    if (running) {
      const auto request = std::move(serving_->request);
      answer = co_await function_->ask(request, deadline_of(settings_, Clock::now()));
      if (answer) failures_ = 0;
      if (!answer) co_await retire();
    } else {
      answer = running.error();
    }
    if (serving_ == nullptr) continue;
    serving_->answer = std::move(answer);
    serving_->done.set();
    serving_ = nullptr;
  }
}

// The wait for the turn and the turn itself have a limit each: who waited long must not cost the function its
// life.
Task<Result<PipedAnswer>> Afterburn::take_turn(PipedRequest request) {
  Waiting waiting(*this, std::move(request));
  queue_.push_back(waiting);
  ++waiting_;
  some_.set();
  const bool done = co_await net::within(wait_for(waiting.done), deadline_of(settings_, Clock::now()));
  if (!done && waiting.linked()) {
    co_return Error{Code::unavailable, Origin::function, out_of_time("busy with other calls")};
  }
  if (!done) co_await waiting.done.wait();
  co_return std::move(*waiting.answer);
}

Task<> Afterburn::serve(Call call) {
  auto& exchange = call.exchange;
  PipedRequest request{.head = print_piped_head(call.facts, exchange.request(), call.target),
                       .body = Spool(settings_.lock_folder),
                       .chunked = call.facts.body.kind == http::Framing::Kind::chunked,
                       .to_head = call.facts.method == "HEAD"};
  if (call.has_body) {
    const auto read = co_await spool_body(exchange, exchange.body_at_hand(), request.body);
    if (!read) {
      co_await refuse(call, status_of(read.error(), 500), read.error().text);
      co_return;
    }
  }
  if (waiting_ >= kWaitingMax) {
    co_await refuse(call, 503, fmt::format("{} calls are waiting already", waiting_));
    co_return;
  }
  const auto answer = co_await take_turn(std::move(request));
  if (answer) {
    co_await reply(call, *answer);
    co_return;
  }
  const auto& error = answer.error();
  const bool late = error.code == Code::timeout;
  const int status = late ? 504 : error.code == Code::unavailable ? 503 : status_of(error, 500);
  co_await refuse(call, status, late ? out_of_time("no answer") : error.text);
}

Task<> Afterburn::reply(const Call& call, const PipedAnswer& answer) {
  auto& exchange = call.exchange;
  exchange.head(answer.status, answer.reason);
  bool typed = false;
  for (const auto& [name, value] : answer.fields) {
    exchange.field(name, value);
    typed = typed || http::same_text(name, "Content-Type");
  }
  if (!typed && answer.body.size() > 0) {
    exchange.field("Content-Type", http::sniff_content_type(beginning_of(answer.body, kSniffBytes)));
  }
  // Of an answer without its body, as to HEAD, the length is the announced one.
  const bool bodiless = answer.body.size() == 0 && answer.length.value_or(0) > 0;
  if (bodiless) exchange.length(*answer.length);
  (void)co_await send_spooled(exchange, {}, answer.body);
  log_call(call, answer.status, answer.reason, answer.length);
}

Task<> Afterburn::refuse(const Call& call, int status, std::string text) {
  auto& exchange = call.exchange;
  exchange.head(status).field("Content-Type", "text/plain; charset=utf-8");
  if (status == 503) exchange.field("Retry-After", "1");
  (void)co_await exchange.send(text);
  log::line(text);
  log_call(call, status, http::reason_of(status), text.size());
}

void Afterburn::log_call(const Call& call, int status, std::string_view reason,
                         std::optional<std::uint64_t> length) const {
  if (call.logged) {
    log::line(piped_call_line({.method = call.facts.method,
                               .target = call.target,
                               .status = status,
                               .reason = reason,
                               .bytes = length}));
  }
}

Task<> Afterburn::stop(Duration limit) {
  worker_.reset();
  if (function_) (void)co_await function_->end(limit);
  function_.reset();
}

}  // namespace

Duration restart_pause(int failures) {
  if (failures <= 1) return Duration::zero();
  auto pause = kFirstPause;
  for (int i = 2; i < failures && pause < kLongestPause; ++i) pause *= 2;
  return std::min(pause, kLongestPause);
}

Result<std::unique_ptr<FunctionMode>> make_afterburn(const Settings& settings) {
  TRY_ASSIGN(auto function, PipedFunction::start(settings));
  return std::unique_ptr<FunctionMode>(std::make_unique<Afterburn>(settings, std::move(function)));
}

}  // namespace faas::watchdog
