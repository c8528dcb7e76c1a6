// Mode streaming: one process a call; body and output flow while it runs, each piece as it comes.
#include "base/log.h"
#include "watchdog/call_log.h"
#include "watchdog/forked_call.h"
#include "watchdog/mode.h"

namespace faas::watchdog {
namespace {

class Streaming final : public FunctionMode {
 public:
  explicit Streaming(Forker& forker) : forker_(forker) {}
  Task<> serve(Call call) override;

 private:
  Result<void> start(const Call& call, ForkedCall& forked);
  Task<bool> pass_output(http::Exchange& exchange, ForkedCall& forked);
  Task<> answer_error(http::Exchange& exchange, std::string_view text);
  void log_call(const Call& call, std::string_view error) const;

  Forker& forker_;
};

Result<void> Streaming::start(const Call& call, ForkedCall& forked) {
  auto& exchange = call.exchange;
  TRY_ASSIGN(const auto* environment, forker_.environment().build(call.facts));
  const auto input = call.has_body ? exchange.body_at_hand() : std::string_view();
  const bool more = call.has_body && !exchange.body_complete();
  return forked.start({.environment = environment,
                       .input = input,
                       .more = more ? &exchange : nullptr,
                       .pass_output = exchange.request().method != http::Method::head,
                       .deadline = deadline_of(forker_.settings(), Clock::now())});
}

// False when the client is gone.
Task<bool> Streaming::pass_output(http::Exchange& exchange, ForkedCall& forked) {
  while (!forked.output_ended()) {
    const auto piece = co_await forked.output();
    if (const auto in_pipe = forked.output_in_pipe(); in_pipe.bytes > 0) {
      auto passed = co_await exchange.pass(in_pipe);
      if (!passed) co_return false;
      continue;
    }
    if (piece.empty()) continue;
    if (exchange.status() == 0) {
      exchange.head(200).field("Content-Type", forker_.settings().content_type);
      if (forked.output_ended()) {  // all of it came at once: it has a length
        auto sent = co_await exchange.send(piece);
        co_return sent.has_value();
      }
    }
    auto wrote = co_await exchange.write(piece);
    if (!wrote) co_return false;
  }
  co_return true;
}

// As long as nothing has been sent, a failure has a status.
Task<> Streaming::answer_error(http::Exchange& exchange, std::string_view text) {
  exchange.head(500).field("Content-Type", forker_.settings().content_type);
  (void)co_await exchange.send(text);
}

Task<> Streaming::serve(Call call) {
  auto& exchange = call.exchange;
  ForkedCall forked(forker_);
  if (call.logged) log::line("Started logging: stderr from function.");
  const auto started = start(call, forked);
  if (!started) {
    const auto& error = started.error();
    co_await answer_error(exchange, error.text);
    log_call(call, error.text);
    co_return;
  }
  const bool client_there = co_await pass_output(exchange, forked);
  if (!client_there) {
    log_call(call, "the client is gone or does not read");
    co_return;  // which kills the process
  }
  const bool answered = exchange.finished();
  const auto status = co_await forked.finish();
  const auto& body_error = forked.body_error();
  const auto error = !status.success() ? status.text() : body_error ? body_error->text : std::string();
  if (exchange.status() == 0) {
    if (!error.empty()) {
      co_await answer_error(exchange, error);
    } else {
      exchange.head(200).field("Content-Type", forker_.settings().content_type);
      (void)co_await exchange.send({});
    }
  } else if (!answered && (!status.signalled || forked.timed_out())) {
    // A process that crashed in the middle has not said all it wanted: its answer is left without an end.
    (void)co_await exchange.finish();
  }
  log_call(call, error);
}

void Streaming::log_call(const Call& call, std::string_view error) const {
  if (!error.empty()) log::line(error);
  if (!call.logged) return;
  log::line(call_line({.method = call.facts.method,
                       .target = call.target,
                       .status = error.empty() ? call.exchange.status() : 500,
                       .bytes = call.exchange.bytes_sent(),
                       .took = call.took()}));
}

}  // namespace

std::unique_ptr<FunctionMode> make_streaming(Forker& forker) {
  return std::make_unique<Streaming>(forker);
}

}  // namespace faas::watchdog
