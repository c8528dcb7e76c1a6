#include "gateway/function_metrics.h"

#include <algorithm>

namespace faas::gateway {
namespace {

constexpr MetricRow kRows[] = {
    {"gateway_functions_seconds", "histogram", "code, function_name",
     "Time a call took, answer's body included"},
    {"gateway_function_invocation_total", "counter", "code, function_name", "Calls that ended"},
    {"gateway_function_invocation_started", "counter", "function_name", "Calls that began"},
    {"gateway_function_invocation_inflight", "gauge", "function_name", "Calls under way"},
    {"gateway_service_count", "gauge", "function_name", "Replicas wanted"},
    {"gateway_service_ready_count", "gauge", "function_name", "Replicas ready"},
    {"gateway_service_min", "gauge", "function_name", "Least replicas, as the labels have it"},
    {"gateway_service_target_load", "gauge", "function_name, scaling_type",
     "Load a replica is to have, for functions whose labels name one"},
};
constexpr const auto& kSeconds = kRows[0];
constexpr const auto& kTotal = kRows[1];
constexpr const auto& kStarted = kRows[2];
constexpr const auto& kInFlight = kRows[3];
constexpr const auto& kReplicas = kRows[4];
constexpr const auto& kReady = kRows[5];
constexpr const auto& kMin = kRows[6];
constexpr const auto& kTargetLoad = kRows[7];

Tally& tally_of(std::vector<Finished>& finished, int code) {
  const auto found = std::ranges::find(finished, code, &Finished::code);
  if (found != finished.end()) return found->tally;
  return finished.emplace_back(Finished{.code = code, .tally = {}}).tally;
}

void print_finished(Exposition& out, const Meters& meters) {
  out.begin(kSeconds);
  for (const auto& [name, meter] : meters) {
    for (const auto& [code, tally] : meter.finished) {
      out.histogram(kSeconds, {{"code", fmt::format_int(code).c_str()}, {"function_name", name}}, tally);
    }
  }
  out.begin(kTotal);
  for (const auto& [name, meter] : meters) {
    for (const auto& [code, tally] : meter.finished) {
      out.sample(kTotal, {{"code", fmt::format_int(code).c_str()}, {"function_name", name}}, tally.count);
    }
  }
}

void print_calls(Exposition& out, const Meters& meters) {
  const auto has_finished = [](const auto& entry) { return !entry.second.finished.empty(); };
  if (std::ranges::any_of(meters, has_finished)) print_finished(out, meters);
  if (meters.empty()) return;
  out.begin(kStarted);
  for (const auto& [name, meter] : meters) out.sample(kStarted, {{"function_name", name}}, meter.started);
  out.begin(kInFlight);
  for (const auto& [name, meter] : meters) out.sample(kInFlight, {{"function_name", name}}, meter.in_flight);
}

void print_replicas(Exposition& out, const Snapshot& snapshot) {
  if (snapshot.functions.empty()) return;
  std::vector<std::pair<std::string_view, const FunctionEntry*>> ordered;
  ordered.reserve(snapshot.functions.size());
  for (const auto& [name, entry] : snapshot.functions) ordered.emplace_back(name, entry.get());
  std::ranges::sort(ordered);
  const auto family = [&](const MetricRow& row, auto value_of) {
    out.begin(row);
    for (const auto& [name, entry] : ordered) out.sample(row, {{"function_name", name}}, value_of(*entry));
  };
  family(kReplicas, [](const FunctionEntry& entry) { return entry.replicas; });
  family(kReady, [](const FunctionEntry& entry) { return entry.available; });
  family(kMin, [](const FunctionEntry& entry) { return entry.scale.min; });
  const auto has_target = [](const auto& item) { return item.second->scale.target.has_value(); };
  if (std::ranges::none_of(ordered, has_target)) return;
  out.begin(kTargetLoad);
  for (const auto& [name, entry] : ordered) {
    if (!entry->scale.target) continue;
    out.sample(kTargetLoad, {{"function_name", name}, {"scaling_type", entry->scale.type}},
               *entry->scale.target);
  }
}

}  // namespace

void Meter::finish(int code, Duration duration) {
  tally_of(finished, code).add(duration);
}

void Meter::add(const Meter& other) {
  started += other.started;
  in_flight += other.in_flight;
  for (const auto& [code, tally] : other.finished) tally_of(finished, code).add(tally);
}

std::uint64_t Meter::invocations() const {
  std::uint64_t count = 0;
  for (const auto& [code, tally] : finished) count += tally.count;
  return count;
}

std::span<const MetricRow> function_rows() {
  return kRows;
}

void print_functions(Exposition& out, const Meters& meters, const Snapshot& snapshot) {
  print_calls(out, meters);
  print_replicas(out, snapshot);
}

}  // namespace faas::gateway
