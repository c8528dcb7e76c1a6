#include "gateway/front.h"

#include <utility>

#include "base/log.h"
#include "gateway/alexa.h"
#include "gateway/origin.h"
#include "net/event.h"

namespace faas::gateway {
namespace {

bool changes_something(http::Method method) {
  return method != http::Method::get && method != http::Method::head && method != http::Method::options;
}

Task<> answer_unauthorized(http::Exchange& exchange) {
  exchange.head(401).field("Content-Type", "text/plain; charset=utf-8");
  exchange.field("WWW-Authenticate", "Basic realm=\"Restricted\"");
  auto sent = co_await exchange.send("invalid credentials");
  (void)sent;
}

Task<> answer_too_many(http::Exchange& exchange) {
  exchange.head(429).field("Content-Type", "text/plain; charset=utf-8").field("Retry-After", "2");
  auto sent = co_await exchange.send("too many wrong logins from this address wait for their answer\n");
  (void)sent;
}

// A body that had to be read to know whom it is for.
class ReadBody final : public http::StoredBody {
 public:
  explicit ReadBody(std::string text) : text_(std::move(text)) {}
  [[nodiscard]] std::uint64_t size() const override { return text_.size(); }
  [[nodiscard]] std::string_view text() const override { return text_; }
  [[nodiscard]] Result<std::size_t> read(std::uint64_t offset, std::span<char> room) const override {
    return text_.copy(room.data(), room.size(), static_cast<std::size_t>(offset));
  }

 private:
  std::string text_;
};

// The line of a request to the API, whichever way it ends.
class ApiLine final {
 public:
  ApiLine(const http::Exchange& exchange, const CallOptions& options)
      : exchange_(exchange), options_(options) {}
  ApiLine(const ApiLine&) = delete;
  ApiLine& operator=(const ApiLine&) = delete;
  ~ApiLine() {
    if (!wanted_) return;
    const auto& request = exchange_.request();
    log_access(exchange_,
               {.status = exchange_.finished() ? exchange_.status() : kClientGone,
                .took = Clock::now() - exchange_.began(),
                .client = options_.proxies->client_of(request, exchange_.peer())},
               options_.access);
  }
  void drop() { wanted_ = false; }

 private:
  const http::Exchange& exchange_;
  const CallOptions& options_;
  bool wanted_ = true;
};

}  // namespace

Front::Front(net::Core& core, ApiSource& source, const FrontOptions& options)
    : options_(options),
      login_(options_.login ? std::optional<AdminLogin>(std::in_place, *options_.login) : std::nullopt),
      table_(core),
      invoke_(core, table_, source, login_ ? &*login_ : nullptr, options_.calls),
      api_(source, table_),
      router_(api_routes()),
      server_(core, *this, options_.limits) {}

Task<> Front::serve(http::Exchange& exchange) {
  if (exchange.request().path().starts_with("/function/")) return invoke_.serve_path(exchange);
  return serve_api(exchange);
}

std::string_view Front::client_of(const http::Exchange& exchange) const {
  return options_.calls.proxies->client_of(exchange.request(), exchange.peer());
}

// A request without a login is not a wrong one: browsers and some clients ask first whether one is needed.
Task<Front::Entry> Front::check_login(const http::Exchange& exchange) {
  if (!login_) co_return Entry::open;
  const auto authorization = exchange.request().value(http::FieldId::authorization);
  if (!http::is_basic(authorization)) co_return Entry::closed;
  const auto client = client_of(exchange);
  const auto attempt = options_.guard->begin(client, Clock::now());
  if (!attempt) co_return Entry::too_many;
  if (attempt->wait() > Duration::zero()) co_await net::sleep_for(attempt->wait());
  if (login_->accepts(authorization)) co_return Entry::open;
  const auto wrong = options_.guard->wrong(client, Clock::now());
  if (wrong == LoginGuard::kFreeTries) {
    log::print("basic auth: {} wrong logins from {}: further ones are answered late", wrong, client);
  }
  co_return Entry::closed;
}

Task<> Front::serve_api(http::Exchange& exchange) {
  ApiLine line(exchange, options_.calls);
  const auto& request = exchange.request();
  const auto match = router_.match(request.method, request.method_text, request.path());
  RouteRecord record(routes_, exchange);
  if (match.route != nullptr) record.route(api_rows()[static_cast<std::size_t>(match.route->id)].path);
  // Default deny: a stranger below /system learns nothing, not even what exists.
  const bool guarded = is_guarded_path(request.path()) || (match.route != nullptr && match.route->login);
  if (!guarded) {
    line.drop();
    co_await serve_logged_in(exchange, match, false, record);
    co_return;
  }
  const auto entry = co_await check_login(exchange);
  if (entry == Entry::open) {
    co_await serve_logged_in(exchange, match, true, record);
  } else if (entry == Entry::closed) {
    co_await answer_unauthorized(exchange);
  } else {
    co_await answer_too_many(exchange);
  }
}

Task<> Front::serve_logged_in(http::Exchange& exchange, const http::Match& match, bool guarded,
                              RouteRecord& record) {
  const auto& request = exchange.request();
  if (match.route == nullptr) {
    auto sent = co_await http::answer_not_found(exchange);
    (void)sent;
    co_return;
  }
  if (!match.method_allowed) {
    const bool asks = request.method == http::Method::options;
    exchange.head(asks ? 204 : 405).field("Allow", match.allow);
    auto sent = co_await exchange.send({});
    (void)sent;
    co_return;
  }
  const bool believed = options_.calls.proxies->trusts(exchange.peer());
  if (guarded && changes_something(request.method) && comes_from_elsewhere(request, believed)) {
    auto sent = co_await http::answer_text(exchange, 403, "the request comes from a page of another origin");
    (void)sent;
    co_return;
  }
  if (request.method == http::Method::post && request.path() == "/") {
    co_await serve_unnamed(exchange, record);
    co_return;
  }
  co_await api_.serve(exchange, match);
}

// POST /: a header names the function, or the body does.
Task<> Front::serve_unnamed(http::Exchange& exchange, RouteRecord& record) {
  std::string name(exchange.request().value(http::FieldId::x_function));
  if (name.empty()) {
    co_await serve_alexa(exchange, record);
  } else {
    record.forget();
    co_await invoke_.serve_named(exchange, std::move(name));
  }
}

Task<> Front::serve_alexa(http::Exchange& exchange, RouteRecord& record) {
  const auto read = [](http::Exchange& from) -> Task<Result<std::string>> {
    auto body = co_await from.whole_body(kAlexaBytesMax);
    co_return body;
  };
  auto in_time =
      co_await net::within(read(exchange), deadline_after(exchange.began(), options_.body_timeout));
  if (!in_time || (!*in_time && in_time->error().code == Code::timeout)) {
    auto sent = co_await http::answer_text(
        exchange, 408,
        "the request's body did not come within read_timeout, " + print_duration(options_.body_timeout));
    (void)sent;
    co_return;
  }
  if (!*in_time) {
    co_await answer_error(exchange, in_time->error());
    co_return;
  }
  const ReadBody body(std::move(**in_time));
  auto intent = alexa_intent(body.text());
  if (!intent) {
    auto sent = co_await http::answer_text(
        exchange, 400,
        "nobody is called: provide an x-function header, use /function/NAME, or send a request of Alexa's");
    (void)sent;
    co_return;
  }
  record.forget();
  co_await invoke_.serve_named(exchange, function_of_intent(std::move(*intent)), &body);
}

}  // namespace faas::gateway
