#include "gateway/metrics.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>
#include <filesystem>
#include <fstream>

namespace faas::gateway {
namespace {

// One row a metric: its name, type and meaning stand here and nowhere else.
struct MetricRow {
  std::string_view name;
  std::string_view type;
  std::string_view labels;
  std::string_view help;
};
constexpr MetricRow kSeconds{"gateway_functions_seconds", "histogram", "code, function_name",
                             "Time a call took, answer's body included"};
constexpr MetricRow kTotal{"gateway_function_invocation_total", "counter", "code, function_name",
                           "Calls that ended"};
constexpr MetricRow kStarted{"gateway_function_invocation_started", "counter", "function_name",
                             "Calls that began"};
constexpr MetricRow kInFlight{"gateway_function_invocation_inflight", "gauge", "function_name",
                              "Calls under way"};
constexpr MetricRow kReplicas{"gateway_service_count", "gauge", "function_name", "Replicas wanted"};
constexpr MetricRow kReady{"gateway_service_ready_count", "gauge", "function_name", "Replicas ready"};
constexpr MetricRow kCpu{"process_cpu_seconds_total", "counter", "",
                         "User and system CPU time spent, in seconds"};
constexpr MetricRow kMemory{"process_resident_memory_bytes", "gauge", "", "Resident memory, in bytes"};
constexpr MetricRow kFds{"process_open_fds", "gauge", "", "Open file descriptors"};
constexpr MetricRow kMaxFds{"process_max_fds", "gauge", "", "Limit of open file descriptors"};

constexpr const MetricRow* kRows[] = {&kSeconds, &kTotal, &kStarted, &kInFlight, &kReplicas,
                                      &kReady,   &kCpu,   &kMemory,  &kFds,      &kMaxFds};

class Printer final {
 public:
  void begin(const MetricRow& row) {
    put("# HELP {} {}\n# TYPE {} {}\n", row.name, row.help, row.name, row.type);
  }
  template <class... Args>
  void put(fmt::format_string<Args...> format, Args&&... args) {
    fmt::format_to(std::back_inserter(out_), format, std::forward<Args>(args)...);
  }
  std::string take() { return std::move(out_); }

 private:
  std::string out_;
};

void print_seconds(Printer& out, const std::string& name, const Finished& finished) {
  std::uint64_t cumulative = 0;
  const auto labels = fmt::format("code=\"{}\",function_name=\"{}\"", finished.code, name);
  for (std::size_t i = 0; i < kBuckets.size(); ++i) {
    cumulative += finished.buckets[i];
    out.put("{}_bucket{{{},le=\"{}\"}} {}\n", kSeconds.name, labels, kBuckets[i], cumulative);
  }
  out.put("{}_bucket{{{},le=\"+Inf\"}} {}\n", kSeconds.name, labels, finished.count);
  out.put("{}_sum{{{}}} {}\n{}_count{{{}}} {}\n", kSeconds.name, labels, finished.seconds, kSeconds.name,
          labels, finished.count);
}

void print_calls(Printer& out, const Meters& meters) {
  const auto any_finished = std::any_of(meters.begin(), meters.end(),
                                        [](const auto& entry) { return !entry.second.finished.empty(); });
  if (any_finished) {
    out.begin(kSeconds);
    for (const auto& [name, meter] : meters) {
      for (const auto& finished : meter.finished) print_seconds(out, name, finished);
    }
    out.begin(kTotal);
    for (const auto& [name, meter] : meters) {
      for (const auto& finished : meter.finished) {
        out.put("{}{{code=\"{}\",function_name=\"{}\"}} {}\n", kTotal.name, finished.code, name,
                finished.count);
      }
    }
  }
  if (meters.empty()) return;
  out.begin(kStarted);
  for (const auto& [name, meter] : meters)
    out.put("{}{{function_name=\"{}\"}} {}\n", kStarted.name, name, meter.started);
  out.begin(kInFlight);
  for (const auto& [name, meter] : meters)
    out.put("{}{{function_name=\"{}\"}} {}\n", kInFlight.name, name, meter.in_flight);
}

void print_replicas(Printer& out, const Snapshot& snapshot) {
  if (snapshot.functions.empty()) return;
  std::map<std::string_view, const FunctionEntry*> ordered;
  for (const auto& [name, entry] : snapshot.functions) ordered.emplace(name, entry.get());
  out.begin(kReplicas);
  for (const auto& [name, entry] : ordered)
    out.put("{}{{function_name=\"{}\"}} {}\n", kReplicas.name, name, entry->replicas);
  out.begin(kReady);
  for (const auto& [name, entry] : ordered)
    out.put("{}{{function_name=\"{}\"}} {}\n", kReady.name, name, entry->available);
}

void print_process(Printer& out) {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  out.begin(kCpu);
  out.put("{} {}\n", kCpu.name, seconds(usage.ru_utime) + seconds(usage.ru_stime));
  std::ifstream statm("/proc/self/statm");
  std::uint64_t size = 0;
  std::uint64_t resident = 0;
  if (statm >> size >> resident) {
    out.begin(kMemory);
    out.put("{} {}\n", kMemory.name, resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE)));
  }
  std::error_code none;
  const auto fds = std::distance(std::filesystem::directory_iterator("/proc/self/fd", none), {});
  out.begin(kFds);
  out.put("{} {}\n", kFds.name, fds);
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  out.begin(kMaxFds);
  out.put("{} {}\n", kMaxFds.name, limit.rlim_cur);
}

}  // namespace

void Meter::finish(int code, Duration duration) {
  auto found =
      std::find_if(finished.begin(), finished.end(), [code](const Finished& f) { return f.code == code; });
  if (found == finished.end()) {
    finished.push_back({.code = code});
    found = std::prev(finished.end());
  }
  const double seconds = std::chrono::duration<double>(duration).count();
  ++found->count;
  found->seconds += seconds;
  const auto bucket = std::lower_bound(kBuckets.begin(), kBuckets.end(), seconds);
  if (bucket != kBuckets.end()) ++found->buckets[static_cast<std::size_t>(bucket - kBuckets.begin())];
}

void Meter::add(const Meter& other) {
  started += other.started;
  in_flight += other.in_flight;
  for (const auto& theirs : other.finished) {
    auto found = std::find_if(finished.begin(), finished.end(),
                              [&theirs](const Finished& f) { return f.code == theirs.code; });
    if (found == finished.end()) {
      finished.push_back(theirs);
      continue;
    }
    found->count += theirs.count;
    found->seconds += theirs.seconds;
    for (std::size_t i = 0; i < found->buckets.size(); ++i) found->buckets[i] += theirs.buckets[i];
  }
}

std::string print_metrics(const Meters& meters, const Snapshot& snapshot) {
  Printer out;
  print_calls(out, meters);
  print_replicas(out, snapshot);
  print_process(out);
  return out.take();
}

std::string document_metrics() {
  std::string out = "| metric | type | labels | what it counts |\n| --- | --- | --- | --- |\n";
  for (const auto* row : kRows) {
    fmt::format_to(std::back_inserter(out), "| `{}` | {} | {} | {} |\n", row->name, row->type, row->labels,
                   row->help);
  }
  return out;
}

std::uint64_t invocations(const Meters& meters, std::string_view function) {
  const auto meter = meters.find(function);
  if (meter == meters.end()) return 0;
  std::uint64_t count = 0;
  for (const auto& finished : meter->second.finished) count += finished.count;
  return count;
}

}  // namespace faas::gateway
