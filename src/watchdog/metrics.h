// What the watchdog counts, and its Prometheus text. Only calls of the function are counted.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/units.h"

namespace faas::watchdog {

/// Threads: one core.
class Metrics final {
 public:
  /// One call: in flight from its beginning to its end.
  void begin() { ++in_flight_; }
  void end(std::string_view method, int status, Duration duration);
  [[nodiscard]] std::int64_t in_flight() const { return in_flight_; }

  /// The text of /metrics, with what the kernel says about this process.
  [[nodiscard]] std::string text() const;
  /// What a scrape is told about scraping: how many were answered before this one.
  static void add_scrapes(std::string& text, std::uint64_t answered);

 private:
  static constexpr std::array<double, 11> kBuckets{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10};
  struct Series {
    std::string_view method;
    int status = 0;
    std::uint64_t count = 0;
    double seconds = 0;
    std::array<std::uint64_t, kBuckets.size()> buckets{};  // each for itself, not yet summed up
  };
  Series& series_of(std::string_view method, int status);

  std::vector<Series> series_;
  std::int64_t in_flight_ = 0;
};

/// The method label: lower case for those everybody knows, "unknown" for others (and "gEt").
[[nodiscard]] std::string_view method_label(std::string_view method);

}  // namespace faas::watchdog
