#include "watchdog/mode_http.h"

#include "base/log.h"
#include "http/proxy.h"
#include "watchdog/call_log.h"

namespace faas::watchdog {
namespace {

// How often a starting function is asked whether it listens: soon at first, since some start in
// milliseconds, and never so often that it costs the function's own start.
constexpr Duration kFirstPause = std::chrono::milliseconds(2);
constexpr Duration kLongestPause = std::chrono::milliseconds(50);

constexpr std::string_view kInternalName = "X-OpenFaaS-Internal";
constexpr std::string_view kInternalValue = "of-watchdog";

// Takes notes of the answer for the log, and says how long it took.
class AnswerNotes final : public http::HopEdits {
 public:
  explicit AnswerNotes(const Call& call) : call_(call) {}
  bool keep_response_field(const http::Field& field) override {
    return field.id != http::FieldId::x_duration_seconds;
  }
  void add_response_fields(http::Exchange& exchange, const http::ResponseHead& head) override {
    if (head.status == 101) return;
    exchange.field("X-Duration-Seconds", seconds_text(call_.took()));
    reason_ = head.reason;
    if (head.body.kind == http::Framing::Kind::length) length_ = head.body.length;
    if (head.body.kind == http::Framing::Kind::none) length_ = 0;
  }
  [[nodiscard]] const std::string& reason() const { return reason_; }
  [[nodiscard]] std::optional<std::uint64_t> length() const { return length_; }

 private:
  const Call& call_;
  std::string reason_;
  std::optional<std::uint64_t> length_;
};

class Http final : public FunctionMode {
 public:
  Http(const Settings& settings, UpstreamUrl url, net::Address address, net::Core& core)
      : settings_(settings), url_(std::move(url)), address_(std::move(address)), pool_(core) {}
  Task<> serve(Call call) override;
  Task<> ready() override;

 private:
  Task<> answer_failure(const Call& call, const http::ForwardOutcome& outcome, Duration limit);
  void log_answer(const Call& call, const http::ForwardOutcome& outcome, const AnswerNotes& notes) const;

  const Settings& settings_;
  UpstreamUrl url_;
  net::Address address_;
  http::ClientPool pool_;
};

// The connection that finds the function listening serves its first call.
Task<> Http::ready() {
  for (auto pause = kFirstPause;; pause = std::min(pause * 2, kLongestPause)) {
    auto connection = co_await pool_.take(address_);
    if (connection) {
      pool_.give_back(std::move(*connection));
      co_return;
    }
    co_await net::sleep_for(pause);
  }
}

Task<> Http::serve(Call call) {
  auto& exchange = call.exchange;
  std::string joined;
  auto target = call.target;
  if (!url_.prefix.empty()) {
    joined = url_.prefix;
    target = joined.append(target);
  }
  const auto limit = call_limit(settings_.exec_timeout, exchange.request().value("X-Timeout"));
  const http::ForwardOptions options{
      .target = target,
      .host = call.facts.host.empty() ? std::string_view(url_.authority) : std::string_view(),
      .deadline = deadline_after(exchange.began(), limit),
      .buffer_body = settings_.buffer_body};
  AnswerNotes notes(call);
  const auto outcome = co_await http::forward(exchange, pool_, address_, options, notes);
  if (exchange.head_sent()) {
    log_answer(call, outcome, notes);
    co_return;
  }
  co_await answer_failure(call, outcome, limit);
}

Task<> Http::answer_failure(const Call& call, const http::ForwardOutcome& outcome, Duration limit) {
  auto& exchange = call.exchange;
  log::print("Upstream HTTP request error: {} \"http://{}{}{}\": {}", call.facts.method, url_.authority,
             url_.prefix, call.target, outcome.error ? outcome.error->text : "no answer");
  if (outcome.deadline) log::print("Upstream HTTP killed due to exec_timeout: {}", print_duration(limit));
  const bool large =
      outcome.error && outcome.error->code == Code::too_large && outcome.error->origin == Origin::client;
  exchange.head(outcome.deadline ? 504
                : large          ? 413
                                 : 500)
      .field("X-Duration-Seconds", seconds_text(call.took()))
      .field(kInternalName, kInternalValue);
  (void)co_await exchange.send({});
}

void Http::log_answer(const Call& call, const http::ForwardOutcome& outcome, const AnswerNotes& notes) const {
  if (outcome.error) log::print("read body err {}", outcome.error->text);
  if (!call.logged) return;
  auto line = call_line({.method = call.facts.method,
                         .target = call.target,
                         .status = outcome.status,
                         .reason = notes.reason(),
                         .bytes = notes.length(),
                         .took = call.took()});
  if (settings_.log_call_id) {
    const auto id = call.exchange.request().value(http::FieldId::x_call_id);
    line.append(" [").append(id.empty() ? "none" : id).append("]");
  }
  log::line(line);
}

}  // namespace

Duration call_limit(Duration exec_timeout, std::string_view asked) {
  // Go's notation only: a bare number has no unit.
  if (asked.empty() || (asked.back() >= '0' && asked.back() <= '9')) return exec_timeout;
  const auto limit = parse_duration(asked);
  const bool shorter = limit && *limit > Duration::zero() && *limit <= exec_timeout;
  return shorter ? *limit : exec_timeout;
}

std::unique_ptr<FunctionMode> make_http(const Settings& settings, UpstreamUrl url, net::Address address,
                                        net::Core& core) {
  return std::make_unique<Http>(settings, std::move(url), std::move(address), core);
}

}  // namespace faas::watchdog
