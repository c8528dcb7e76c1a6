#include "watchdog/metrics.h"

#include <dirent.h>
#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

namespace faas::watchdog {
namespace {

struct Label {
  std::string_view upper;
  std::string_view lower;
};
constexpr std::array kMethods{Label{"GET", "get"},         Label{"POST", "post"},
                              Label{"PUT", "put"},         Label{"DELETE", "delete"},
                              Label{"PATCH", "patch"},     Label{"HEAD", "head"},
                              Label{"OPTIONS", "options"}, Label{"CONNECT", "connect"},
                              Label{"TRACE", "trace"},     Label{"NOTIFY", "notify"}};

void add_head(std::string& text, std::string_view name, std::string_view type, std::string_view help) {
  text += fmt::format("# HELP {0} {2}\n# TYPE {0} {1}\n", name, type, help);
}

double seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

std::size_t open_descriptors() {
  auto* folder = ::opendir("/proc/self/fd");
  if (folder == nullptr) return 0;
  std::size_t count = 0;
  while (::readdir(folder) != nullptr) ++count;
  ::closedir(folder);
  return count - std::min<std::size_t>(count, 3);  // ".", ".." and the folder itself
}

void add_process(std::string& text) {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  add_head(text, "process_cpu_seconds_total", "counter", "Total user and system CPU time spent in seconds.");
  text +=
      fmt::format("process_cpu_seconds_total {:.6f}\n", seconds(usage.ru_utime) + seconds(usage.ru_stime));
  std::uint64_t pages = 0;
  std::uint64_t resident = 0;
  std::ifstream("/proc/self/statm") >> pages >> resident;
  const auto page_bytes = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  add_head(text, "process_resident_memory_bytes", "gauge", "Resident memory size in bytes.");
  text += fmt::format("process_resident_memory_bytes {}\n", resident * page_bytes);
  add_head(text, "process_virtual_memory_bytes", "gauge", "Virtual memory size in bytes.");
  text += fmt::format("process_virtual_memory_bytes {}\n", pages * page_bytes);
  add_head(text, "process_open_fds", "gauge", "Number of open file descriptors.");
  text += fmt::format("process_open_fds {}\n", open_descriptors());
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  add_head(text, "process_max_fds", "gauge", "Maximum number of open file descriptors.");
  text += fmt::format("process_max_fds {}\n", limit.rlim_cur);
}

}  // namespace

std::string_view method_label(std::string_view method) {
  for (const auto& [upper, lower] : kMethods) {
    if (method == upper || method == lower) return lower;
  }
  return "unknown";
}

Metrics::Series& Metrics::series_of(std::string_view method, int status) {
  const auto label = method_label(method);
  const auto found = std::find_if(series_.begin(), series_.end(), [label, status](const Series& series) {
    return series.status == status && series.method == label;
  });
  if (found != series_.end()) return *found;
  return series_.emplace_back(Series{.method = label, .status = status});
}

void Metrics::end(std::string_view method, int status, Duration duration) {
  --in_flight_;
  auto& series = series_of(method, status);
  const auto took = std::chrono::duration<double>(duration).count();
  ++series.count;
  series.seconds += took;
  const auto bucket = std::lower_bound(kBuckets.begin(), kBuckets.end(), took);
  if (bucket != kBuckets.end()) ++series.buckets[static_cast<std::size_t>(bucket - kBuckets.begin())];
}

void Metrics::add_scrapes(std::string& text, std::uint64_t answered) {
  add_head(text, "promhttp_metric_handler_requests_in_flight", "gauge",
           "Current number of scrapes being served.");
  text += "promhttp_metric_handler_requests_in_flight 1\n";
  constexpr std::string_view total = "promhttp_metric_handler_requests_total";
  add_head(text, total, "counter", "Total number of scrapes by HTTP status code.");
  text +=
      fmt::format("{0}{{code=\"200\"}} {1}\n{0}{{code=\"500\"}} 0\n{0}{{code=\"503\"}} 0\n", total, answered);
}

std::string Metrics::text() const {
  std::string text;
  if (!series_.empty()) {
    add_head(text, "http_request_duration_seconds", "histogram", "Seconds spent serving HTTP requests.");
    for (const auto& series : series_) {
      const auto labels = fmt::format("code=\"{}\",method=\"{}\"", series.status, series.method);
      std::uint64_t sum = 0;
      for (std::size_t i = 0; i < kBuckets.size(); ++i) {
        sum += series.buckets[i];
        text += fmt::format("http_request_duration_seconds_bucket{{{},le=\"{}\"}} {}\n", labels, kBuckets[i],
                            sum);
      }
      text +=
          fmt::format("http_request_duration_seconds_bucket{{{},le=\"+Inf\"}} {}\n", labels, series.count);
      text += fmt::format("http_request_duration_seconds_sum{{{}}} {:.6f}\n", labels, series.seconds);
      text += fmt::format("http_request_duration_seconds_count{{{}}} {}\n", labels, series.count);
    }
  }
  add_head(text, "http_requests_in_flight", "gauge", "total HTTP requests in-flight");
  text += fmt::format("http_requests_in_flight {}\n", in_flight_);
  if (!series_.empty()) {
    add_head(text, "http_requests_total", "counter", "total HTTP requests processed");
    for (const auto& series : series_) {
      text += fmt::format("http_requests_total{{code=\"{}\",method=\"{}\"}} {}\n", series.status,
                          series.method, series.count);
    }
  }
  add_process(text);
  return text;
}

}  // namespace faas::watchdog
