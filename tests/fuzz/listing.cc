// Any bytes as the name of a file: its line of the list is one link to it, whatever it holds.
#include "http/listing.h"
#include "http/message.h"
#include "target.h"

namespace {

std::string unescaped(std::string_view html) {
  constexpr std::pair<std::string_view, char> entities[] = {
      {"&amp;", '&'}, {"&lt;", '<'}, {"&gt;", '>'}, {"&#34;", '"'}, {"&#39;", '\''}};
  std::string out;
  while (!html.empty()) {
    bool entity = false;
    for (const auto& [text, c] : entities) {
      if (!html.starts_with(text)) continue;
      out.push_back(c);
      html.remove_prefix(text.size());
      entity = true;
      break;
    }
    if (entity) continue;
    HOLDS(html.front() != '&' && html.front() != '<' && html.front() != '>');
    out.push_back(html.front());
    html.remove_prefix(1);
  }
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto name = faas::fuzz::text_of(data, size);
  // What no folder holds.
  if (name.empty() || name.find('/') < size - 1) return 0;
  const auto line = faas::http::listing_line(name);
  constexpr std::string_view before = "<a href=\"";
  constexpr std::string_view after = "</a>\n";
  HOLDS(line.starts_with(before) && line.ends_with(after));
  std::string_view inside(line);
  inside = inside.substr(before.size(), inside.size() - before.size() - after.size());
  const auto quote = inside.find('"');
  HOLDS(quote != inside.npos && inside.substr(quote).starts_with("\">"));
  auto href = inside.substr(0, quote);
  HOLDS(href.find_first_of("<>'& ?#\\") == href.npos);
  // A reference to what is beside it: no scheme, no host, no query.
  if (name.find(':') != name.npos) {
    HOLDS(href.starts_with("./"));
    href.remove_prefix(2);
  }
  HOLDS(faas::http::percent_decode(href) == name);
  HOLDS(unescaped(inside.substr(quote + 2)) == name);
  return 0;
}
