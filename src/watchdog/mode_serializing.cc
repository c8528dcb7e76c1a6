// Mode serializing: one process a call, with the whole body before and the whole output after it, so that a
// failure has a status.
#include "base/log.h"
#include "watchdog/call_log.h"
#include "watchdog/forked_call.h"
#include "watchdog/mode.h"

namespace faas::watchdog {
namespace {

// What failed has a text, what succeeded an output.
struct Answer {
  int status = 200;
  std::string text;
  Spool output;
};

class Serializing final : public FunctionMode {
 public:
  explicit Serializing(Forker& forker) : forker_(forker) {}
  Task<> serve(Call call) override;

 private:
  Task<Answer> run(const Call& call);
  [[nodiscard]] Spool spool() const { return Spool(forker_.settings().lock_folder); }
  [[nodiscard]] Answer failure(int status, std::string text) const {
    return {.status = status, .text = std::move(text), .output = spool()};
  }
  [[nodiscard]] Answer failure(const Error& error) const {
    return failure(status_of(error, 500), error.text);
  }
  Forker& forker_;
};

Task<Answer> Serializing::run(const Call& call) {
  auto& exchange = call.exchange;
  auto body = spool();
  auto input = call.has_body ? exchange.body_at_hand() : std::string_view();
  if (call.has_body && !exchange.body_complete()) {
    const auto read = co_await spool_body(exchange, input, body);
    if (!read) co_return failure(read.error());
    input = body.text();
  }
  const auto environment = forker_.environment().build(call.facts);
  if (!environment) co_return failure(500, environment.error().text);
  ForkedCall forked(forker_);
  const auto started = forked.start({.environment = *environment,
                                     .input = input,
                                     .input_file = body.file(),
                                     .deadline = deadline_of(forker_.settings(), Clock::now())});
  if (!started) co_return failure(500, started.error().text);
  if (call.logged) log::line("Started logging: stderr from function.");
  auto output = spool();
  const auto kept = co_await forked.whole_output(output);
  const auto status = co_await forked.finish();
  if (!kept) co_return failure(kept.error());
  if (!status.success()) co_return failure(500, status.text());
  co_return Answer{.output = std::move(output)};
}

Task<> Serializing::serve(Call call) {
  auto& exchange = call.exchange;
  const auto answer = co_await run(call);
  const auto took = call.took();
  exchange.head(answer.status)
      .field("Content-Type", forker_.settings().content_type)
      .field("X-Duration-Seconds", seconds_text(took));
  (void)co_await send_spooled(exchange, answer.text, answer.output);
  if (call.logged) {
    log::line(call_line({.method = call.facts.method,
                         .target = call.target,
                         .status = answer.status,
                         .bytes = answer.text.size() + answer.output.size(),
                         .took = took}));
  }
  if (answer.status != 200) log::line(answer.text);
}

}  // namespace

std::unique_ptr<FunctionMode> make_serializing(Forker& forker) {
  return std::make_unique<Serializing>(forker);
}

}  // namespace faas::watchdog
