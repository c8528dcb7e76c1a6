// Any text as upstream_url: what is taken cannot break the line of a request, is shown without its password,
// and what is shown means the same.
#include <algorithm>

#include "target.h"
#include "watchdog/upstream_url.h"

namespace {

bool fits_a_line(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return static_cast<unsigned char>(c) > 0x20 && c != 0x7f; });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto input = faas::fuzz::text_of(data, size);
  const auto url = faas::watchdog::parse_upstream_url(input);
  if (!url) {
    HOLDS(url.error().code == faas::Code::invalid && !url.error().text.empty());
    HOLDS(std::ranges::none_of(url.error().text, [](char c) { return c == '\n' || c == '\r'; }));
    return 0;
  }
  HOLDS(!url->host.empty() && fits_a_line(url->host) && fits_a_line(url->prefix));
  HOLDS(url->host.find_first_of("/?#@") == std::string::npos);
  HOLDS(url->prefix.empty() || (url->prefix.starts_with('/') && !url->prefix.ends_with('/')));
  HOLDS(url->prefix.find_first_of("?#") == std::string::npos);
  HOLDS(url->authorization.empty() || url->authorization.starts_with("Basic "));
  HOLDS(fits_a_line(url->shown) && !url->address.text().empty());

  const auto again = faas::watchdog::parse_upstream_url(url->shown);
  HOLDS(again && again->authorization.empty());
  HOLDS(again->host == url->host && again->prefix == url->prefix);
  HOLDS(again->address.text() == url->address.text() && again->shown == url->shown);
  return 0;
}
