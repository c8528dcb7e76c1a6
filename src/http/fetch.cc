#include "http/fetch.h"

#include "http/client_pool.h"
#include "http/upstream.h"
#include "net/event.h"
#include "net/resolve.h"

namespace faas::http {
namespace {

Error about(std::string_view url, Error error) {
  return std::move(error).within("GET " + std::string(url));
}

Task<Result<ClientPool::Lease>> connect_any(ClientPool& pool, std::string_view authority) {
  auto addresses = co_await net::resolve(authority);
  if (!addresses) co_return addresses.error();
  Result<ClientPool::Lease> taken = Error{Code::unavailable, Origin::machine, "no address"};
  for (const auto& address : *addresses) {
    taken = co_await pool.take(address, /*fresh=*/true);
    if (taken) break;
  }
  co_return taken;
}

Task<Result<std::string>> get(ClientPool& pool, const PlainUrl& url, std::string_view user_agent,
                              std::size_t body_bytes_max) {
  auto taken = co_await connect_any(pool, url.authority);
  if (!taken) co_return taken.error();
  auto& upstream = **taken;
  upstream.out.clear();
  HeadWriter writer(upstream.out);
  writer.request_line("GET", url.target);
  writer.field("Host", url.authority);
  writer.field("User-Agent", user_agent);
  writer.field("Accept", "application/json");
  writer.field("Connection", "close");
  writer.end();
  auto sent = co_await upstream.channel.stream().write(upstream.out);
  if (!sent) co_return sent.error();
  auto head = co_await upstream.read_head(/*to_head=*/false, TimePoint::max());
  if (!head) co_return head.error();
  if (upstream.head.status != 200) {
    co_return Error{Code::unavailable, Origin::platform,
                    "it was answered with " + std::to_string(upstream.head.status)};
  }
  std::string body;
  while (true) {
    auto piece = co_await upstream.read_body(TimePoint::max());
    if (!piece) co_return piece.error();
    if (piece->empty()) co_return body;
    body.append(*piece);
    if (body.size() > body_bytes_max) {
      co_return Error{Code::too_large, Origin::platform,
                      "the answer has more than " + std::to_string(body_bytes_max) + " bytes"};
    }
  }
}

}  // namespace

Result<PlainUrl> parse_plain_url(std::string_view text) {
  const auto wrong = [text](std::string_view why) {
    return Error{Code::invalid, Origin::platform,
                 "the URL \"" + std::string(text) + "\" " + std::string(why)};
  };
  if (text.size() > kUrlBytesMax) {
    return Error{Code::invalid, Origin::platform,
                 "a URL has more than " + std::to_string(kUrlBytesMax) + " bytes"};
  }
  constexpr std::string_view scheme = "http://";
  if (!text.starts_with(scheme)) return wrong("does not begin with http://");
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte <= 0x20 || byte >= 0x7f) return wrong("holds a character that no URL has");
  }
  auto rest = text.substr(scheme.size());
  const auto authority = rest.substr(0, rest.find_first_of("/?#"));
  rest.remove_prefix(authority.size());
  if (authority.empty() || authority.front() == ':') return wrong("names no host");
  if (authority.find('@') != authority.npos) return wrong("holds a password");
  PlainUrl url{.authority = std::string(authority), .target = std::string(rest.substr(0, rest.find('#')))};
  const auto colon = authority.rfind(':');
  const auto bracket = authority.rfind(']');
  if (colon == authority.npos || (bracket != authority.npos && colon < bracket)) url.authority += ":80";
  if (url.target.empty() || url.target.front() != '/') url.target.insert(0, "/");
  return url;
}

Task<Result<std::string>> fetch(net::Core& core, std::string_view url, std::string_view user_agent,
                                const FetchLimits& limits) {
  const auto parts = parse_plain_url(url);
  if (!parts) co_return parts.error();
  ClientPool pool(core, {.connect_timeout = limits.time});
  auto body =
      co_await net::within(get(pool, *parts, user_agent, limits.body_bytes_max), Clock::now() + limits.time);
  if (!body) {
    co_return about(url,
                    {Code::timeout, Origin::platform, "no answer within " + print_duration(limits.time)});
  }
  if (!*body) co_return about(url, std::move(*body).error());
  co_return std::move(**body);
}

}  // namespace faas::http
