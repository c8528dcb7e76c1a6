// How often each function was called, over restarts: what was counted before this process began, in a file.
//
// The metrics begin at 0 with each process, as Prometheus expects of counters; only `invocationCount` of the
// API adds what was before. The file is replaced every few seconds and at the end, so that kill -9 loses the
// calls since the last time and nothing else.
//
// Threads: one, the control core. Writing waits for the disk.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/units.h"

namespace faas::gateway {

/// Finished calls by "name.namespace".
using Invocations = std::map<std::string, std::uint64_t, std::less<>>;

/// How many calls kill -9 may lose: those of this time.
inline constexpr Duration kInvocationsSaved = std::chrono::seconds(5);

class InvocationCounts final {
 public:
  /// `path`: the file. Nothing is read yet.
  explicit InvocationCounts(std::string path) : path_(std::move(path)) {}

  /// Reads the file; where there is none, nobody was called. Errors: malformed: it is damaged, and is left
  /// aside; failed. The text names it.
  [[nodiscard]] Result<void> load();
  /// Of before this process.
  [[nodiscard]] std::uint64_t before(std::string_view function) const;
  /// Adds them to those of this process.
  void add_to(Invocations& counted) const;
  /// Forgets those for whom `gone` says so: functions that were deleted.
  void forget_if(const std::function<bool(const std::string&)>& gone);
  /// Writes `counted`, of this process, and what was before; nothing where the file says so already.
  [[nodiscard]] Result<void> save(const Invocations& counted);

 private:
  std::string path_;
  Invocations before_;
  std::string written_;
};

}  // namespace faas::gateway
