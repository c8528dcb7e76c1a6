// The classic watchdog: one process a call, its whole output is the answer.
#include <algorithm>
#include <array>

#include "base/log.h"
#include "http/sniff.h"
#include "watchdog/call_log.h"
#include "watchdog/forked_call.h"
#include "watchdog/marshal.h"
#include "watchdog/mode.h"

namespace faas::watchdog {
namespace {

constexpr std::array<std::string_view, 5> kMethods{"GET", "POST", "PUT", "PATCH", "DELETE"};

struct Answer {
  int status = 200;
  std::string body;
  bool ran = false;  ///< the process was started: it took some time
};

class Classic final : public FunctionMode {
 public:
  explicit Classic(Forker& forker) : forker_(forker), settings_(forker.settings()) {}
  Task<> serve(Call call) override;

 private:
  Task<Answer> run(const Call& call);
  Task<Answer> run_with(const Call& call, std::string_view input);
  [[nodiscard]] std::string_view content_type(const Call& call, const Answer& answer) const;
  void log_end(const Call& call, const Answer& answer, Duration took) const;

  Forker& forker_;
  const Settings& settings_;
};

Task<Answer> Classic::run(const Call& call) {
  auto& exchange = call.exchange;
  std::string whole;
  auto input = exchange.body_at_hand();
  if (!exchange.body_complete()) {
    const std::string begun(input);
    auto rest = co_await exchange.whole_body(kWholeBodyBytesMax);
    if (!rest) {
      const auto& error = rest.error();
      co_return Answer{.status = error.code == Code::too_large ? 413 : 400, .body = error.text + "\n"};
    }
    whole = begun + *rest;
    input = whole;
  }
  if (settings_.marshal_request) {
    whole = marshal_request(call.facts.fields, input);
    input = whole;
  }
  auto answer = co_await run_with(call, input);
  co_return answer;
}

Task<Answer> Classic::run_with(const Call& call, std::string_view input) {
  auto& environment = forker_.environment();
  const auto built = settings_.cgi_headers ? environment.build(call.facts) : environment.own();
  if (!built) co_return Answer{.status = 500, .body = built.error().text + "\n"};
  using Errors = ForkedCall::Errors;
  ForkedCall forked(forker_);
  const auto started = forked.start({.environment = *built,
                                     .input = input,
                                     .errors = settings_.combine_output ? Errors::combined : Errors::apart,
                                     .deadline = deadline_of(settings_, Clock::now())});
  if (!started) co_return Answer{.status = 500, .body = started.error().text + "\n"};
  auto output = co_await forked.whole_output(kWholeOutputBytesMax);
  const auto status = co_await forked.finish();
  if (!forked.errors().empty()) {
    log::raw(2, log::timestamp());
    log::raw(2, "stderr: " + forked.errors() + (forked.errors().ends_with('\n') ? "" : "\n"));
  }
  if (forked.timed_out()) {
    log::print("Killing process: {}", settings_.process);
    co_return Answer{.status = 408, .body = "Killed process.\n", .ran = true};
  }
  if (!output) co_return Answer{.status = 500, .body = output.error().text + "\n", .ran = true};
  if (!status.success()) co_return Answer{.status = 500, .body = status.text() + "\n" + *output, .ran = true};
  co_return Answer{.status = 200, .body = std::move(*output), .ran = true};
}

std::string_view Classic::content_type(const Call& call, const Answer& answer) const {
  if (answer.status == 200) {
    if (answer.body.empty()) return {};
    if (!settings_.content_type.empty()) return settings_.content_type;
    const auto asked = call.exchange.request().value(http::FieldId::content_type);
    if (!asked.empty()) return asked;
  }
  return http::sniff_content_type(answer.body);
}

Task<> Classic::serve(Call call) {
  auto& exchange = call.exchange;
  if (std::find(kMethods.begin(), kMethods.end(), call.facts.method) == kMethods.end()) {
    exchange.head(405);
    (void)co_await exchange.send({});
    co_return;
  }
  log::line("Forking fprocess.");
  const auto answer = co_await run(call);
  const auto took = call.took();
  exchange.head(answer.status);
  const auto type = content_type(call, answer);
  if (!type.empty()) exchange.field("Content-Type", type);
  if (answer.ran) exchange.field("X-Duration-Seconds", seconds_text(took));
  (void)co_await exchange.send(answer.body);
  log_end(call, answer, took);
}

void Classic::log_end(const Call& call, const Answer& answer, Duration took) const {
  if (settings_.write_debug) {
    if (!call.facts.query.empty()) log::print("Query  {}", call.facts.query);
    if (!call.facts.path.empty()) log::print("Path  {}", call.facts.path);
    if (answer.status != 200) log::print("Success=false, Error={}", answer.body);
    log::raw(1, answer.body);
    log::print("Duration: {}s", seconds_text(took));
  } else if (answer.status == 200) {
    log::print("Wrote {} Bytes - Duration: {}s", answer.body.size(), seconds_text(took));
  }
}

}  // namespace

std::unique_ptr<FunctionMode> make_classic(Forker& forker) {
  return std::make_unique<Classic>(forker);
}

}  // namespace faas::watchdog
