#include "provider/external/base_url.h"

#include "http/fetch.h"

namespace faas::provider {
namespace {

Error wrong(std::string_view why) {
  return {.code = Code::invalid, .origin = Origin::platform, .text = std::string(why)};
}

}  // namespace

Result<BaseUrl> parse_base_url(std::string_view text) {
  const auto scheme = text.find("://");
  const auto rest = scheme == text.npos ? text : text.substr(scheme + 3);
  const auto host = rest.substr(0, rest.find_first_of("/?#"));
  if (text.find('@') != text.npos) {
    return wrong(
        "it holds a login, which others could read there: put it into files, see "
        "functions_provider_secrets");
  }
  if (text.starts_with("https://")) {
    return wrong("https is not spoken: put a proxy that speaks it beside the gateway");
  }
  if (text.find_first_of("?#") != text.npos) return wrong("it must not hold a query or a fragment");
  TRY_ASSIGN(const auto parts, http::parse_plain_url(text));
  BaseUrl url{.authority = parts.authority, .host = std::string(host), .prefix = parts.target, .shown = {}};
  while (url.prefix.ends_with('/')) url.prefix.pop_back();
  url.shown = "http://" + url.host + url.prefix;
  return url;
}

}  // namespace faas::provider
