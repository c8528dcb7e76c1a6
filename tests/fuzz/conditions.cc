// When a content was changed in the first line, the present in the second, then a request's fields: the
// verdict follows RFC 9110 section 13.2.2 whatever they say.
#include <algorithm>

#include "base/units.h"
#include "http/conditions.h"
#include "http/parser.h"
#include "target.h"

namespace {

constexpr std::int64_t kYear9999 = 253'402'300'799;

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace faas::http;
  auto rest = faas::fuzz::text_of(data, size);
  const auto time = [&rest](std::int64_t otherwise) {
    const auto number = faas::parse_integer(faas::fuzz::take_line(rest));
    return std::clamp<std::int64_t>(number.value_or(otherwise), 0, kYear9999);
  };
  const auto modified = time(1'600'000'000);
  const auto now = time(1'700'000'000);
  Parser parser;
  RequestHead head;
  auto bytes = "GET / HTTP/1.1\r\nHost: a\r\n" + std::string(rest) + "\r\n\r\n";
  std::size_t from = 0;
  const auto end = find_head_end(bytes, from);
  if (parser.request(bytes.data(), end, head)) return 0;

  const auto verdict = judge_conditions(head, modified, now);
  const auto told = [&head](std::string_view name) { return !head.value(name).empty(); };
  const bool match = told("If-Match");
  const bool none_match = told("If-None-Match");
  if (!match && !none_match && !told("If-Modified-Since") && !told("If-Unmodified-Since")) {
    HOLDS(verdict == Verdict::proceed);
  }
  if (verdict == Verdict::failed) HOLDS(match || told("If-Unmodified-Since"));
  if (verdict == Verdict::not_modified) HOLDS(none_match || told("If-Modified-Since"));
  if (not_modified_since(head, modified, now)) HOLDS(modified != 0 && told("If-Modified-Since"));
  if (!told("If-Range")) HOLDS(range_counts(head, modified, now));
  if (range_counts(head, modified, now) && told("If-Range")) HOLDS(modified != 0);

  // HEAD is judged as GET is; what changes things is never answered with 304.
  head.method = Method::head;
  HOLDS(judge_conditions(head, modified, now) == verdict);
  head.method = Method::put;
  HOLDS(judge_conditions(head, modified, now) != Verdict::not_modified);
  return 0;
}
