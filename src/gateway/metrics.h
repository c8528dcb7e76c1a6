// Everything the gateway counts, as Prometheus reads it.
#pragma once

#include <cstdint>
#include <string>

#include "contract/provider.h"
#include "gateway/function_metrics.h"
#include "gateway/route_metrics.h"

namespace faas::gateway {

/// Merged from all cores.
struct Counted {
  Meters functions;
  RouteMeters routes;
  std::uint64_t scrapes = 0;  ///< answered before this one
};

/// The exposition in Prometheus's text format, version 0.0.4.
[[nodiscard]] std::string print_metrics(const Counted& counted, const Snapshot& snapshot,
                                        bool long_buckets = false);

/// Every metric as a Markdown table, for docs/.
[[nodiscard]] std::string document_metrics();

}  // namespace faas::gateway
