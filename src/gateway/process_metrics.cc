#include "gateway/process_metrics.h"

#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>

namespace faas::gateway {
namespace {

constexpr MetricRow kRows[] = {
    {"process_cpu_seconds_total", "counter", "", "User and system CPU time spent, in seconds"},
    {"process_resident_memory_bytes", "gauge", "", "Resident memory, in bytes"},
    {"process_virtual_memory_bytes", "gauge", "", "Virtual memory, in bytes"},
    {"process_virtual_memory_max_bytes", "gauge", "", "Limit of virtual memory, in bytes; -1: none"},
    {"process_start_time_seconds", "gauge", "", "When the process began, in seconds since 1970"},
    {"process_open_fds", "gauge", "", "Open file descriptors"},
    {"process_max_fds", "gauge", "", "Limit of open file descriptors"},
    {"promhttp_metric_handler_requests_in_flight", "gauge", "", "Scrapes under way"},
    {"promhttp_metric_handler_requests_total", "counter", "code", "Scrapes that were answered"},
};

void print_one(Exposition& out, const MetricRow& row, auto value) {
  out.begin(row);
  out.sample(row, {}, value);
}

double seconds_of(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

std::uint64_t page_bytes() {
  return static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

void print_memory(Exposition& out) {
  std::ifstream statm("/proc/self/statm");
  std::uint64_t size = 0;
  std::uint64_t resident = 0;
  if (statm >> size >> resident) {
    print_one(out, kRows[1], resident * page_bytes());
    print_one(out, kRows[2], size * page_bytes());
  }
  rlimit limit{};
  ::getrlimit(RLIMIT_AS, &limit);
  const bool none = limit.rlim_cur == RLIM_INFINITY;
  print_one(out, kRows[3], none ? std::int64_t{-1} : static_cast<std::int64_t>(limit.rlim_cur));
}

// The 22nd field of stat is in clock ticks since the boot, which /proc/stat tells in seconds (proc(5)).
std::optional<double> start_time() {
  std::ifstream stat("/proc/self/stat");
  std::string text((std::istreambuf_iterator<char>(stat)), {});
  const auto name_end = text.rfind(')');
  if (name_end == std::string::npos) return std::nullopt;
  std::istringstream fields(text.substr(name_end + 1));
  std::string skipped;
  for (int field = 3; field < 22; ++field) fields >> skipped;
  double ticks = 0;
  if (!(fields >> ticks)) return std::nullopt;
  std::ifstream machine("/proc/stat");
  for (std::string word; machine >> word;) {
    double booted = 0;
    if (word == "btime" && machine >> booted) {
      return booted + ticks / static_cast<double>(::sysconf(_SC_CLK_TCK));
    }
  }
  return std::nullopt;
}

void print_descriptors(Exposition& out) {
  std::error_code error;
  std::uint64_t count = 0;
  for (std::filesystem::directory_iterator fd("/proc/self/fd", error), end; !error && fd != end;
       fd.increment(error)) {
    ++count;
  }
  if (!error) print_one(out, kRows[5], count - 1);  // one was opened to count them
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  print_one(out, kRows[6], limit.rlim_cur);
}

}  // namespace

std::span<const MetricRow> process_rows() {
  return kRows;
}

void print_process(Exposition& out, std::uint64_t scrapes) {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  print_one(out, kRows[0], seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime));
  print_memory(out);
  if (const auto start = start_time()) print_one(out, kRows[4], *start);
  print_descriptors(out);
  print_one(out, kRows[7], 1);
  out.begin(kRows[8]);
  out.sample(kRows[8], {{"code", "200"}}, scrapes);
  out.sample(kRows[8], {{"code", "500"}}, 0);
  out.sample(kRows[8], {{"code", "503"}}, 0);
}

}  // namespace faas::gateway
