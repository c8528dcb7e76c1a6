#include "gateway/metrics.h"

#include "gateway/process_metrics.h"

namespace faas::gateway {

std::string print_metrics(const Counted& counted, const Snapshot& snapshot, bool long_buckets) {
  Exposition out(long_buckets);
  print_functions(out, counted.functions, snapshot);
  print_routes(out, counted.routes);
  print_process(out, counted.scrapes);
  return out.take();
}

std::string document_metrics() {
  std::string out = "| metric | type | labels | what it tells |\n| --- | --- | --- | --- |\n";
  for (const auto rows : {function_rows(), route_rows(), process_rows()}) {
    for (const auto& row : rows) {
      fmt::format_to(std::back_inserter(out), "| `{}` | {} | {} | {} |\n", row.name, row.type, row.labels,
                     row.help);
    }
  }
  return out;
}

}  // namespace faas::gateway
