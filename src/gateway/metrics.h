// What the gateway counts: per core, without atomics shared between cores; merged when Prometheus asks.
//
// Names, labels and buckets are OpenFaaS's (spec gateway 3.1), so that its dashboards and alert rules work.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/units.h"
#include "contract/provider.h"

namespace faas::gateway {

inline constexpr std::array kBuckets{.005, .01, .025, .05, .1, .25, .5, 1.0, 2.5, 5.0, 10.0};

/// The finished calls of one function that ended with one status.
struct Finished {
  int code = 0;
  std::uint64_t count = 0;
  double seconds = 0;
  std::array<std::uint64_t, kBuckets.size()> buckets{};  ///< not cumulative
};

/// One function on one core. Written by that core only.
struct Meter {
  std::uint64_t started = 0;
  std::int64_t in_flight = 0;
  std::vector<Finished> finished;

  void finish(int code, Duration duration);
  void add(const Meter& other);
};

/// By "name.namespace".
using Meters = std::map<std::string, Meter, std::less<>>;

/// The exposition in Prometheus's text format, version 0.0.4.
[[nodiscard]] std::string print_metrics(const Meters& meters, const Snapshot& snapshot);

/// Every metric as a Markdown table, for docs/.
[[nodiscard]] std::string document_metrics();

/// All finished calls of one function.
[[nodiscard]] std::uint64_t invocations(const Meters& meters, std::string_view function);

}  // namespace faas::gateway
