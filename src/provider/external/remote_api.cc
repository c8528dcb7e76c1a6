#include "provider/external/remote_api.h"

#include <fmt/format.h>

#include "http/auth.h"
#include "net/event.h"
#include "net/resolve.h"

namespace faas::provider {
namespace {

// What a person can make use of.
constexpr std::size_t kErrorTextBytesMax = 4096;
constexpr int kInterimMax = 8;

Error bad_gateway(std::string text) {
  return {.code = Code::malformed, .origin = Origin::platform, .text = std::move(text), .status = 502};
}

Code code_of(int status) {
  switch (status) {
    case 400:
      return Code::invalid;
    case 404:
      return Code::not_found;
    case 409:
      return Code::already_exists;
    case 413:
      return Code::too_large;
    case 503:
      return Code::unavailable;
    case 504:
      return Code::timeout;
    default:
      return Code::failed;
  }
}

// An error text of a stranger's: one that fits a terminal.
std::string shown(std::string_view body) {
  std::string text;
  for (const char c : body.substr(0, kErrorTextBytesMax)) {
    const bool control = (c >= 0 && c < ' ' && c != '\n' && c != '\t') || c == 0x7f;
    text.push_back(control ? ' ' : c);
  }
  text.erase(text.find_last_not_of(" \n\t") + 1);
  return text;
}

Error refusal(int status, std::string_view body) {
  if (status == 401 || status == 407) {
    auto error = bad_gateway(
        fmt::format("it refuses the gateway's login ({}), see functions_provider_secrets", status));
    error.code = Code::refused;
    return error;
  }
  if (status < 400) return bad_gateway(fmt::format("it answered {}, and redirects are not followed", status));
  return {.code = code_of(status), .origin = Origin::platform, .text = shown(body), .status = status};
}

}  // namespace

Result<std::unique_ptr<RemoteApi>> RemoteApi::open(net::Core& core, BaseUrl url, ReadLogin read_login) {
  TRY_ASSIGN(auto login, read_login());
  return std::unique_ptr<RemoteApi>(
      new RemoteApi(core, std::move(url), std::move(read_login), std::move(login)));
}

Error RemoteApi::about(const RemoteRequest& request, Error error) const {
  const auto path = std::string_view(request.path).substr(0, request.path.find('?'));
  return std::move(error).within(fmt::format("provider {}: {} {}", url_.shown, request.method, path));
}

Task<Result<http::ClientPool::Lease>> RemoteApi::connect() {
  auto addresses = co_await net::resolve(url_.authority);
  if (!addresses) co_return addresses.error();
  Result<http::ClientPool::Lease> taken = Error{Code::unavailable, Origin::machine, "no address"};
  for (const auto& address : *addresses) {
    taken = co_await pool_.take(address, /*fresh=*/true);
    if (!taken) continue;
    address_ = address;
    break;
  }
  co_return taken;
}

// The request has been sent and the head of its answer is here. Only what may be done twice is sent over a
// connection that may turn out closed.
Task<Result<http::ClientPool::Lease>> RemoteApi::begin(const RemoteRequest& request) {
  http::ClientPool::Lease lease;
  if (request.method == "GET") lease = pool_.take_idle(address_);
  if (lease) {
    auto answered = co_await converse(*lease, request);
    if (answered) co_return lease;
    lease.reset();
  }
  auto connected = co_await connect();
  if (!connected) {
    auto error = std::move(connected).error();
    error.code = Code::unavailable;
    error.origin = Origin::platform;
    error.status = 503;
    co_return error;
  }
  lease = std::move(*connected);
  auto answered = co_await converse(*lease, request);
  if (!answered) co_return bad_gateway(answered.error().text);
  co_return lease;
}

Task<Result<void>> RemoteApi::converse(http::Upstream& upstream, const RemoteRequest& request) {
  upstream.out.clear();
  http::HeadWriter writer(upstream.out);
  writer.request_line(request.method, request.path, url_.prefix);
  writer.field("Host", url_.host);
  writer.field("User-Agent", "faas-gateway");
  writer.field("Accept", "application/json");
  if (!login_.empty()) writer.field("Authorization", "Basic " + http::base64(login_));
  if (!request.body.empty()) {
    writer.field("Content-Type", "application/json");
    writer.field("Content-Length", request.body.size());
  }
  writer.end();
  upstream.out += request.body;
  // One that hangs up before it has read everything may have said why.
  auto sent = co_await upstream.channel.stream().write(upstream.out);
  for (int interim = 0; interim <= kInterimMax; ++interim) {
    auto head = co_await upstream.read_head(/*to_head=*/false, TimePoint::max());
    if (!head) co_return sent ? head.error() : sent.error();
    if (upstream.head.status / 100 != 1) co_return Result<void>();
  }
  co_return Error{Code::malformed, Origin::platform, "too many interim answers"};
}

// An answer of 2xx, whose body has not been read.
Task<Result<http::ClientPool::Lease>> RemoteApi::begin_well(const RemoteRequest& request) {
  auto begun = co_await begin(request);
  if (!begun) co_return about(request, std::move(begun).error());
  auto lease = std::move(*begun);
  const int status = lease->head.status;
  if (status / 100 == 2) co_return lease;
  std::string body;
  while (!lease->body_complete() && body.size() < kErrorTextBytesMax) {
    auto piece = co_await lease->read_body(TimePoint::max());
    if (!piece) break;
    body.append(*piece);
  }
  give_back(std::move(lease));
  auto error = refusal(status, body);
  // What the provider said stands for itself; what we say of it needs its name.
  const bool told = error.status == status && !error.text.empty();
  if (error.text.empty()) error.text = fmt::format("it answered {}", status);
  if (told) co_return error;
  co_return about(request, std::move(error));
}

// The same; a login that has changed meanwhile is tried once.
Task<Result<http::ClientPool::Lease>> RemoteApi::begin_logged_in(const RemoteRequest& request) {
  auto begun = co_await begin_well(request);
  const bool refused = !begun && begun.error().code == Code::refused;
  if (!refused) co_return begun;
  auto login = read_login_();
  if (!login || *login == login_) co_return begun;
  login_ = std::move(*login);
  auto again = co_await begin_well(request);
  co_return again;
}

Task<Result<std::string>> RemoteApi::exchange(const RemoteRequest& request) {
  auto begun = co_await begin_logged_in(request);
  if (!begun) co_return begun.error();
  auto lease = std::move(*begun);
  std::string body;
  while (!lease->body_complete()) {
    auto piece = co_await lease->read_body(TimePoint::max());
    if (!piece) co_return about(request, bad_gateway(piece.error().text));
    body.append(*piece);
    if (body.size() <= request.answer_bytes_max) continue;
    co_return about(request,
                    bad_gateway(fmt::format("the answer has more than {} bytes", request.answer_bytes_max)));
  }
  give_back(std::move(lease));
  co_return body;
}

void RemoteApi::give_back(http::ClientPool::Lease lease) {
  if (lease->body_complete() && lease->head.keep_alive) pool_.give_back(std::move(lease));
}

Error RemoteApi::too_late(const RemoteRequest& request) const {
  return about(request, {.code = Code::timeout,
                         .origin = Origin::platform,
                         .text = "no answer within " + print_duration(request.limit),
                         .status = 504});
}

Task<Result<std::string>> RemoteApi::ask(RemoteRequest request) {
  const auto deadline = deadline_after(Clock::now(), request.limit);
  auto answered = co_await net::within(exchange(request), deadline);
  if (!answered) co_return too_late(request);
  co_return std::move(*answered);
}

Task<Result<http::ClientPool::Lease>> RemoteApi::open_stream(RemoteRequest request) {
  const auto deadline = deadline_after(Clock::now(), request.limit);
  auto begun = co_await net::within(begin_logged_in(request), deadline);
  if (!begun) co_return too_late(request);
  co_return std::move(*begun);
}

}  // namespace faas::provider
