// Mode serializing: one process a call, with the whole body before and the whole output after it, so that a
// failure has a status.
#include "base/log.h"
#include "watchdog/call_log.h"
#include "watchdog/forked_call.h"
#include "watchdog/mode.h"

namespace faas::watchdog {
namespace {

struct Answer {
  int status = 200;
  std::string body;
};

class Serializing final : public FunctionMode {
 public:
  explicit Serializing(Forker& forker) : forker_(forker) {}
  Task<> serve(Call call) override;

 private:
  Task<Answer> run(const Call& call);
  Forker& forker_;
};

Answer failure(const Error& error) {
  const bool large = error.code == Code::too_large && error.origin == Origin::client;
  return {.status = large ? 413 : 500, .body = error.text};
}

Task<Answer> Serializing::run(const Call& call) {
  auto& exchange = call.exchange;
  std::string whole;
  auto input = call.has_body ? exchange.body_at_hand() : std::string_view();
  if (call.has_body && !exchange.body_complete()) {
    const std::string begun(input);
    auto rest = co_await exchange.whole_body(kWholeBodyBytesMax);
    if (!rest) co_return failure(rest.error());
    whole = begun + *rest;
    input = whole;
  }
  const auto environment = forker_.environment().build(call.facts);
  if (!environment) co_return Answer{.status = 500, .body = environment.error().text};
  ForkedCall forked(forker_);
  const auto started = forked.start({.environment = *environment,
                                     .input = input,
                                     .deadline = deadline_of(forker_.settings(), Clock::now())});
  if (!started) co_return Answer{.status = 500, .body = started.error().text};
  if (call.logged) log::line("Started logging: stderr from function.");
  auto output = co_await forked.whole_output(kWholeOutputBytesMax);
  const auto status = co_await forked.finish();
  if (!output) co_return failure(output.error());
  if (!status.success()) co_return Answer{.status = 500, .body = status.text()};
  co_return Answer{.status = 200, .body = std::move(*output)};
}

Task<> Serializing::serve(Call call) {
  auto& exchange = call.exchange;
  const auto answer = co_await run(call);
  const auto took = call.took();
  exchange.head(answer.status)
      .field("Content-Type", forker_.settings().content_type)
      .field("X-Duration-Seconds", seconds_text(took));
  (void)co_await exchange.send(answer.body);
  if (call.logged) {
    log::line(call_line({.method = call.facts.method,
                         .target = call.target,
                         .status = answer.status,
                         .bytes = answer.body.size(),
                         .took = took}));
  }
  if (answer.status != 200) log::line(answer.body);
}

}  // namespace

std::unique_ptr<FunctionMode> make_serializing(Forker& forker) {
  return std::make_unique<Serializing>(forker);
}

}  // namespace faas::watchdog
