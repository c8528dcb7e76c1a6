// Any head of a request as the environment of a function: every variable has a name and occurs once, ours
// cannot be forged, and what the watchdog was given stays.
#include <algorithm>
#include <set>

#include "http/parser.h"
#include "target.h"
#include "watchdog/environment.h"

namespace {

using namespace faas;

constexpr const char* kOwn[] = {"PATH=/bin", "EMPTY=",      "Http_X_Foo=own", "PATH=/usr/bin",
                                "=odd",      "no_equals_x", "Http_Path=own",  nullptr};

std::string_view value_of(const char* const* variables, std::string_view name) {
  for (; *variables != nullptr; ++variables) {
    const std::string_view text(*variables);
    if (text.starts_with(name) && text.substr(name.size()).starts_with('=')) {
      return text.substr(name.size() + 1);
    }
  }
  return {};
}

void check(const watchdog::CallFacts& facts, bool classic) {
  watchdog::Environment environment(kOwn, classic);
  const auto built = environment.build(facts);
  if (!built) {
    HOLDS(facts.path.find('\0') != facts.path.npos ||
          facts.fields.size() > watchdog::Environment::kFieldsMax);
    return;
  }
  std::set<std::string_view> names;
  for (const auto* at = *built; *at != nullptr; ++at) {
    const std::string_view text(*at);
    const auto name = text.substr(0, text.find('='));
    HOLDS(names.insert(name).second);
    const bool own =
        std::ranges::any_of(kOwn, [text](const char* ours) { return ours != nullptr && text == ours; });
    HOLDS(own || (name.starts_with("Http_") && name.size() < text.size()));
  }
  HOLDS(value_of(*built, "PATH") == "/usr/bin" && names.contains("EMPTY"));
  HOLDS(value_of(*built, "Http_Method") == facts.method);
  HOLDS(value_of(*built, "Http_Query") == facts.query);
  HOLDS(value_of(*built, "Http_Path") == (facts.path.empty() ? "own" : facts.path));
  const bool chunked = facts.body.kind == http::Framing::Kind::chunked;
  HOLDS(value_of(*built, "Http_Transfer_Encoding") == (chunked ? "chunked" : ""));
  HOLDS(value_of(*built, "Http_Host") == (classic ? facts.host : std::string_view()));
  if (classic) {
    const auto length = chunked ? "-1" : std::to_string(facts.body.length);
    HOLDS(value_of(*built, "Http_ContentLength") == length);
    HOLDS(value_of(*built, "Http_Content_Length") == length);
  }
  for (const auto& field : facts.fields) {
    std::string name;
    watchdog::append_variable_name(field.name, name);
    HOLDS(name.starts_with("Http_") && name.find('=') == name.npos);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string bytes(fuzz::text_of(data, size));
  std::size_t from = 0;
  const auto end = bytes.empty() ? 0 : http::find_head_end(bytes, from);
  http::Parser parser;
  http::RequestHead head;
  if (end == 0 || parser.request(bytes.data(), end, head)) return 0;
  const auto path = http::percent_decode(head.path());
  const watchdog::CallFacts facts{.method = head.method_text,
                                  .path = path,
                                  .query = head.query(),
                                  .host = head.host,
                                  .fields = head.fields,
                                  .body = head.body};
  check(facts, /*classic=*/true);
  check(facts, /*classic=*/false);
  return 0;
}
