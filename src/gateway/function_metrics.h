// What is counted of calls to functions: per core, without atomics shared between cores.
//
// Names, labels and buckets are OpenFaaS's (spec gateway 3.1 and 3.2), so that its dashboards and alert rules
// work. A function that was never called has no series of calls, one that was deleted none at all.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "contract/provider.h"
#include "gateway/exposition.h"

namespace faas::gateway {

/// The finished calls of one function that ended with one status.
struct Finished {
  int code = 0;
  Tally tally;
};

/// One function on one core. Written by that core only.
struct Meter {
  std::uint64_t started = 0;
  std::int64_t in_flight = 0;
  std::vector<Finished> finished;

  void finish(int code, Duration duration);
  void add(const Meter& other);
  /// All finished calls.
  [[nodiscard]] std::uint64_t invocations() const;
};

/// By "name.namespace".
using Meters = std::map<std::string, Meter, std::less<>>;

[[nodiscard]] std::span<const MetricRow> function_rows();
void print_functions(Exposition& out, const Meters& meters, const Snapshot& snapshot);

}  // namespace faas::gateway
