#include "http/conditions.h"

#include "http/dates.h"

namespace faas::http {
namespace {

bool fetches(const RequestHead& request) {
  return request.method == Method::get || request.method == Method::head;
}

}  // namespace

bool not_modified_since(const RequestHead& request, std::int64_t modified, std::int64_t now) {
  if (modified == 0 || !fetches(request)) return false;
  const auto since = parse_http_date(request.value("If-Modified-Since"), now);
  return since && modified <= *since;
}

Verdict judge_conditions(const RequestHead& request, std::int64_t modified, std::int64_t now) {
  // Without entity tags, only "*" can match one.
  const auto match = request.value("If-Match");
  if (!match.empty()) {
    if (!match.starts_with('*')) return Verdict::failed;
  } else if (modified != 0) {
    const auto since = parse_http_date(request.value("If-Unmodified-Since"), now);
    if (since && modified > *since) return Verdict::failed;
  }
  const auto none_match = request.value("If-None-Match");
  if (none_match.starts_with('*')) return fetches(request) ? Verdict::not_modified : Verdict::failed;
  if (!none_match.empty()) return Verdict::proceed;
  return not_modified_since(request, modified, now) ? Verdict::not_modified : Verdict::proceed;
}

bool range_counts(const RequestHead& request, std::int64_t modified, std::int64_t now) {
  const auto validator = request.value("If-Range");
  if (validator.empty() || !fetches(request)) return true;
  const auto date = parse_http_date(validator, now);
  return date && modified != 0 && *date == modified;
}

}  // namespace faas::http
