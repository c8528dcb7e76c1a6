#include "watchdog/upstream_url.h"

#include "http/auth.h"
#include "http/message.h"
#include "watchdog/settings.h"

namespace faas::watchdog {
namespace {

constexpr std::string_view kHttp = "http://";
constexpr std::string_view kUnix = "unix://";

Error unusable(std::string_view why) {
  std::string text = R"(For "mode=http" you must specify a valid URL for "http_upstream_url")";
  if (!why.empty()) text.append(", error: ").append(why);
  return {Code::invalid, Origin::function, text};
}

Error wrong(std::string_view why) {
  return {Code::invalid, Origin::function, std::string(why)};
}

// What stands before the '@' of the authority is a secret.
std::string without_secret(std::string_view text) {
  const auto scheme = text.find("://");
  const auto begin = scheme == text.npos ? 0 : scheme + 3;
  const auto at = text.substr(0, text.find_first_of("/?#", begin)).rfind('@');
  if (at == text.npos || at < begin) return std::string(text);
  return std::string(text.substr(0, begin)).append(text.substr(at + 1));
}

std::string_view without_slashes(std::string_view path) {
  while (path.ends_with('/')) path.remove_suffix(1);
  return path;
}

bool names_port(std::string_view authority) {
  const auto bracket = authority.rfind(']');
  const auto colon = authority.rfind(':');
  return colon != authority.npos && (bracket == authority.npos || colon > bracket);
}

// "unix:///run/f.sock:/prefix", as nginx writes it.
Result<UpstreamUrl> parse_unix(std::string_view rest) {
  const auto colon = rest.find(":/");
  const auto path = rest.substr(0, colon);
  if (!path.starts_with('/')) return wrong("the path of the socket must begin with /");
  UpstreamUrl url{.host = "localhost"};
  if (colon != rest.npos) url.prefix = without_slashes(rest.substr(colon + 1));
  TRY_ASSIGN(url.address, net::Address::parse("unix:" + std::string(path)));
  url.shown = std::string(kUnix).append(path);
  if (!url.prefix.empty()) url.shown.append(":").append(url.prefix);
  return url;
}

Result<UpstreamUrl> parse_http(std::string_view rest) {
  auto authority = rest.substr(0, rest.find('/'));
  UpstreamUrl url{.prefix = std::string(without_slashes(rest.substr(authority.size())))};
  const auto at = authority.rfind('@');
  if (at != authority.npos) {
    const auto user = authority.substr(0, at);
    std::string pair = http::percent_decode(user.substr(0, user.find(':'))) + ":";
    if (const auto colon = user.find(':'); colon != user.npos) {
      pair += http::percent_decode(user.substr(colon + 1));
    }
    url.authorization = "Basic " + http::base64(pair);
    authority.remove_prefix(at + 1);
  }
  if (authority.empty()) return wrong("it names no host");
  url.host = authority;
  if (!names_port(authority)) url.host += ":80";
  TRY_ASSIGN(url.address, net::Address::parse(url.host));
  url.shown = std::string(kHttp).append(url.host).append(url.prefix);
  return url;
}

Result<UpstreamUrl> parse(std::string_view text) {
  const auto rest = text.substr(0, text.find('#'));
  if (rest.find('?') != rest.npos) return wrong("it must not hold a query");
  for (const char c : rest) {
    if (static_cast<unsigned char>(c) <= ' ' || c == 0x7f) return wrong("it holds a space or control byte");
  }
  const auto begins = [rest](std::string_view scheme) {
    return http::same_text(rest.substr(0, scheme.size()), scheme);
  };
  if (begins(kUnix)) return parse_unix(rest.substr(kUnix.size()));
  if (begins(kHttp)) return parse_http(rest.substr(kHttp.size()));
  if (begins("https://")) return wrong("https is not spoken: let the function serve http");
  return wrong("it must begin with http:// or unix://");
}

}  // namespace

Result<UpstreamUrl> parse_upstream_url(std::string_view text) {
  if (text.empty()) return unusable("");
  auto url = parse(text);
  if (url) return url;
  return unusable("parse " + quoted(without_secret(text)) + ": " + url.error().text);
}

}  // namespace faas::watchdog
