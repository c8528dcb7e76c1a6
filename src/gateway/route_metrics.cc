#include "gateway/route_metrics.h"

#include <algorithm>
#include <tuple>

namespace faas::gateway {
namespace {

constexpr MetricRow kRows[] = {
    {"http_requests_total", "counter", "method, path, status",
     "Answers of the system API; path is the route's"},
    {"http_request_duration_seconds", "histogram", "method, path, status",
     "Time an answer of the system API took"},
};
constexpr int kClientGone = 499;

std::string_view word_of(http::Method method) {
  using http::Method;
  switch (method) {
    case Method::get:
      return "GET";
    case Method::head:
      return "HEAD";
    case Method::post:
      return "POST";
    case Method::put:
      return "PUT";
    case Method::del:
      return "DELETE";
    case Method::options:
      return "OPTIONS";
    case Method::patch:
      return "PATCH";
    case Method::connect:
      return "CONNECT";
    case Method::trace:
      return "TRACE";
    case Method::other:
      break;
  }
  return "other";
}

}  // namespace

Tally& RouteMeters::tally_of(std::string_view path, std::string_view method, int status) {
  const auto found = std::ranges::find_if(answered_, [&](const Answered& one) {
    return one.status == status && one.path == path && one.method == method;
  });
  if (found != answered_.end()) return found->tally;
  return answered_.emplace_back(Answered{.path = path, .method = method, .status = status, .tally = {}})
      .tally;
}

void RouteMeters::count(std::string_view path, http::Method method, int status, Duration took) {
  tally_of(path, word_of(method), status).add(took);
}

void RouteMeters::add(const RouteMeters& other) {
  for (const auto& one : other.answered_) tally_of(one.path, one.method, one.status).add(one.tally);
}

RouteRecord::~RouteRecord() {
  if (forgotten_) return;
  const bool answered = exchange_.head_sent() && exchange_.status() != 0;
  meters_.count(path_, exchange_.request().method, answered ? exchange_.status() : kClientGone,
                Clock::now() - exchange_.began());
}

std::span<const MetricRow> route_rows() {
  return kRows;
}

void print_routes(Exposition& out, const RouteMeters& meters) {
  if (meters.answered().empty()) return;
  auto ordered = meters.answered();
  std::ranges::sort(ordered, [](const Answered& a, const Answered& b) {
    return std::tie(a.path, a.method, a.status) < std::tie(b.path, b.method, b.status);
  });
  out.begin(kRows[0]);
  for (const auto& one : ordered) {
    const fmt::format_int status(one.status);
    out.sample(kRows[0], {{"method", one.method}, {"path", one.path}, {"status", status.c_str()}},
               one.tally.count);
  }
  out.begin(kRows[1]);
  for (const auto& one : ordered) {
    const fmt::format_int status(one.status);
    out.histogram(kRows[1], {{"method", one.method}, {"path", one.path}, {"status", status.c_str()}},
                  one.tally);
  }
}

}  // namespace faas::gateway
