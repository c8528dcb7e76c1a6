// What the gateway's process needs of the machine, and how often it was scraped: the names every client
// library of Prometheus uses.
#pragma once

#include <cstdint>
#include <span>

#include "gateway/exposition.h"

namespace faas::gateway {

[[nodiscard]] std::span<const MetricRow> process_rows();
/// Reads /proc/self; what cannot be read is left out. `scrapes`: those answered before.
void print_process(Exposition& out, std::uint64_t scrapes);

}  // namespace faas::gateway
