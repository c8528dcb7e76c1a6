// What is counted of the system API: per core, by the row of the route, never by the path that was asked for.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/units.h"
#include "gateway/exposition.h"
#include "http/exchange.h"
#include "http/message.h"

namespace faas::gateway {

/// Answers of one kind. Static texts.
struct Answered {
  std::string_view path;    ///< a row's, "/system/function/{name}"; "other" where there is none
  std::string_view method;  ///< "other" where HTTP has no such word
  int status = 0;
  Tally tally;
};

/// Written by one core only. As long as there are rows, methods and statuses, and no longer.
class RouteMeters final {
 public:
  void count(std::string_view path, http::Method method, int status, Duration took);
  void add(const RouteMeters& other);
  [[nodiscard]] const std::vector<Answered>& answered() const { return answered_; }

 private:
  [[nodiscard]] Tally& tally_of(std::string_view path, std::string_view method, int status);
  std::vector<Answered> answered_;
};

/// Counts an exchange when it is destroyed, whichever way it ended.
class RouteRecord final {
 public:
  RouteRecord(RouteMeters& meters, const http::Exchange& exchange) : meters_(meters), exchange_(exchange) {}
  RouteRecord(const RouteRecord&) = delete;
  RouteRecord& operator=(const RouteRecord&) = delete;
  ~RouteRecord();

  /// A path of static storage. Until then it is "other".
  void route(std::string_view path) { path_ = path; }
  /// It became the call of a function, which is counted as such.
  void forget() { forgotten_ = true; }

 private:
  RouteMeters& meters_;
  const http::Exchange& exchange_;
  std::string_view path_ = "other";
  bool forgotten_ = false;
};

[[nodiscard]] std::span<const MetricRow> route_rows();
void print_routes(Exposition& out, const RouteMeters& meters);

}  // namespace faas::gateway
