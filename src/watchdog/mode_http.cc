#include "watchdog/mode_http.h"

#include <optional>

#include "base/log.h"
#include "http/proxy.h"
#include "net/event.h"
#include "watchdog/call_log.h"
#include "watchdog/spool.h"

namespace faas::watchdog {
namespace {

// How often a starting function is asked whether it listens: soon at first, since some start in
// milliseconds, and never so often that it costs the function's own start.
constexpr Duration kFirstPause = std::chrono::milliseconds(2);
constexpr Duration kLongestPause = std::chrono::milliseconds(50);

// A function that is called now and then keeps its connection; one that closed it is noticed at once.
// One whose backlog is full is waited for: that is what exec_timeout is for.
constexpr http::PoolLimits kPoolLimits{.idle_timeout = std::chrono::seconds(120),
                                       .connect_timeout = std::chrono::seconds(120)};

constexpr std::string_view kInternalName = "X-OpenFaaS-Internal";
constexpr std::string_view kInternalValue = "of-watchdog";

class SpooledBody final : public http::StoredBody {
 public:
  explicit SpooledBody(std::string_view folder) : spool_(folder) {}
  [[nodiscard]] Spool& spool() { return spool_; }
  [[nodiscard]] std::uint64_t size() const override { return spool_.size(); }
  [[nodiscard]] std::string_view text() const override { return spool_.text(); }
  [[nodiscard]] Result<std::size_t> read(std::uint64_t offset, std::span<char> room) const override {
    return spool_.read(offset, room);
  }

 private:
  Spool spool_;
};

// The path and query of a target as they go upstream, behind the prefix of upstream_url: one in absolute form
// names its server as well, and a ready_path may lack its slash.
std::string origin_form(std::string_view prefix, std::string_view target) {
  if (!target.starts_with('/')) {
    const auto scheme = target.find("://");
    if (scheme != target.npos && scheme < target.find_first_of("/?#")) {
      target.remove_prefix(std::min(target.find_first_of("/?#", scheme + 3), target.size()));
    }
  }
  std::string joined(prefix);
  if (!target.starts_with('/')) joined += '/';
  return joined.append(target);
}

// "Get" for GET: how the reference's log names what it did.
std::string verb(std::string_view method) {
  std::string text(method);
  for (std::size_t i = 1; i < text.size(); ++i) {
    if (text[i] >= 'A' && text[i] <= 'Z') text[i] = static_cast<char>(text[i] | 0x20);
  }
  return text;
}

// What a call that nobody answered is answered: whose fault it was decides.
int failure_status(const Error& error) {
  if (error.origin != Origin::client) return status_of(error, 500);
  return status_of(error, error.code == Code::timeout ? 408 : 400);
}

Task<> wait_for(net::Event& event) {
  co_await event.wait();
}

// Adds what the URL says of the caller, takes notes of the answer for the log, and says how long it took.
class CallEdits final : public http::HopEdits {
 public:
  CallEdits(const Call& call, const UpstreamUrl& url) : call_(call), url_(url) {}
  void add_request_fields(http::HeadWriter& head) override {
    if (url_.authorization.empty() || call_.exchange.request().has(http::FieldId::authorization)) return;
    head.field("Authorization", url_.authorization);
  }
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
  const UpstreamUrl& url_;
  std::string reason_;
  std::optional<std::uint64_t> length_;
};

class Http final : public FunctionMode {
 public:
  Http(const Settings& settings, UpstreamUrl url, net::Core& core)
      : settings_(settings), url_(std::move(url)), pool_(core, kPoolLimits), listening_(core) {}
  Task<> serve(Call call) override;
  Task<> ready() override;

 private:
  Task<> answer_failure(const Call& call, const http::ForwardOutcome& outcome, Duration limit);
  void log_answer(const Call& call, const http::ForwardOutcome& outcome, const CallEdits& notes) const;

  const Settings& settings_;
  UpstreamUrl url_;
  http::ClientPool pool_;
  net::Event listening_;  // the function has been seen to
  Error why_not_ready_{Code::refused, Origin::function, "the function does not listen yet"};
};

// The connection that finds the function listening serves its first call.
Task<> Http::ready() {
  for (auto pause = kFirstPause;; pause = std::min(pause * 2, kLongestPause)) {
    auto connection = co_await pool_.take(url_.address);
    if (connection) {
      pool_.give_back(std::move(*connection));
      listening_.set();
      co_return;
    }
    why_not_ready_ = std::move(connection).error();
    co_await net::sleep_for(pause);
  }
}

Task<> Http::serve(Call call) {
  auto& exchange = call.exchange;
  std::string joined;
  auto target = call.target;
  if (!url_.prefix.empty() || !target.starts_with('/')) target = joined = origin_form(url_.prefix, target);
  const auto limit = call_limit(settings_.exec_timeout, exchange.request().value("X-Timeout"));
  const auto deadline = deadline_after(exchange.began(), limit);
  std::optional<SpooledBody> body;
  const bool has_body = call.has_body && !exchange.body_complete();
  if (settings_.buffer_body && has_body) {
    body.emplace(settings_.lock_folder);
    auto read = co_await spool_body(exchange, {}, body->spool());
    if (!read) {
      co_await answer_failure(call, {.error = std::move(read).error()}, limit);
      co_return;
    }
  }
  // A caller that comes before the function listens is not refused for that.
  bool listens = listening_.is_set();
  if (!listens) listens = co_await net::within(wait_for(listening_), deadline);
  if (!listens) {
    co_await answer_failure(call, {.error = why_not_ready_}, limit);
    co_return;
  }
  const http::ForwardOptions options{
      .target = target,
      .host = call.facts.host.empty() ? std::string_view(url_.host) : std::string_view(),
      .deadline = deadline,
      .stored_body = body ? &*body : nullptr,
      .head_only = !call.has_body,
      .sniff_content_type = true};
  CallEdits edits(call, url_);
  const auto outcome = co_await http::forward(exchange, pool_, url_.address, options, edits);
  if (exchange.head_sent()) {
    log_answer(call, outcome, edits);
    co_return;
  }
  co_await answer_failure(call, outcome, limit);
}

Task<> Http::answer_failure(const Call& call, const http::ForwardOutcome& outcome, Duration limit) {
  auto& exchange = call.exchange;
  const auto error = outcome.error.value_or(Error{Code::failed, Origin::function, "no answer"});
  const bool of_client = error.origin == Origin::client;
  log::print("{}: {} \"{}{}\": {}", of_client ? "Error reading the request" : "Upstream HTTP request error",
             verb(call.facts.method), url_.shown, call.target, error.text);
  if (outcome.deadline) log::print("Upstream HTTP killed due to exec_timeout: {}", print_duration(limit));
  exchange.head(outcome.deadline ? 504 : failure_status(error))
      .field("X-Duration-Seconds", seconds_text(call.took()))
      .field(kInternalName, kInternalValue);
  (void)co_await exchange.send({});
}

void Http::log_answer(const Call& call, const http::ForwardOutcome& outcome, const CallEdits& notes) const {
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

std::unique_ptr<FunctionMode> make_http(const Settings& settings, UpstreamUrl url, net::Core& core) {
  return std::make_unique<Http>(settings, std::move(url), core);
}

}  // namespace faas::watchdog
