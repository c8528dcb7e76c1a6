#include "watchdog/upstream_url.h"

#include "watchdog/settings.h"

namespace faas::watchdog {
namespace {

Error unusable(std::string_view why) {
  std::string text = R"(For "mode=http" you must specify a valid URL for "http_upstream_url")";
  if (!why.empty()) text.append(", error: ").append(why);
  return {Code::invalid, Origin::function, text};
}

}  // namespace

Result<UpstreamUrl> parse_upstream_url(std::string_view text) {
  if (text.empty()) return unusable("");
  const auto shown = "parse " + quoted(text) + ": ";
  constexpr std::string_view scheme = "http://";
  if (!text.starts_with(scheme)) return unusable(shown + "it must begin with http://");
  text.remove_prefix(scheme.size());
  const auto authority = text.substr(0, text.find_first_of("/?#"));
  text.remove_prefix(authority.size());
  if (authority.empty()) return unusable(shown + "it names no host");
  if (authority.find('@') != authority.npos) return unusable(shown + "it must not hold a password");
  if (text.find('?') != text.npos) return unusable(shown + "it must not hold a query");
  auto path = text.substr(0, text.find('#'));
  while (path.ends_with('/')) path.remove_suffix(1);

  UpstreamUrl url{.authority = std::string(authority), .prefix = std::string(path)};
  const auto bracket = authority.rfind(']');
  const auto colon = authority.rfind(':');
  const bool has_port = colon != authority.npos && (bracket == authority.npos || colon > bracket);
  if (!has_port) url.authority += ":80";
  return url;
}

}  // namespace faas::watchdog
