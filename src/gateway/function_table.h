// One core's view of the functions: what a call looks up. No lock, no allocation per call.
//
// Threads: one core.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/shared_map.h"
#include "contract/provider.h"
#include "gateway/function_metrics.h"
#include "gateway/invocation_counts.h"
#include "net/event.h"
#include "net/socket.h"

namespace faas::gateway {

/// A ready replica with its address parsed.
struct Target {
  std::shared_ptr<Endpoint> endpoint;
  net::Address address;
};

/// A function on this core. Calls hold it, so that it outlives its deletion.
struct LocalFunction {
  std::string name;  ///< "name.namespace"
  std::shared_ptr<const FunctionEntry> entry;
  std::vector<std::shared_ptr<const Target>> ready;
  Meter meter;
  std::size_t turn = 0;  ///< where the search for the least busy replica begins, so that ties go round

  /// The ready replica with the fewest calls under way; null when there is none.
  [[nodiscard]] std::shared_ptr<const Target> pick();
};

class FunctionTable final {
 public:
  explicit FunctionTable(net::Core& core) : changed_(core) {}

  /// Takes over a new snapshot and wakes those who wait for a replica. Looks at all functions only when it
  /// has not seen the snapshot before.
  void update(const Snapshot& snapshot);
  /// By "name" (of the default namespace) or "name.namespace"; null when there is none.
  [[nodiscard]] std::shared_ptr<LocalFunction> find(std::string_view name) const;
  [[nodiscard]] net::Event& changed() { return changed_; }
  /// Counts a call that begins.
  void begin(const std::shared_ptr<LocalFunction>& function);
  /// What has been counted here, of functions that are still there.
  [[nodiscard]] Meters meters();
  [[nodiscard]] Invocations invocations();
  [[nodiscard]] std::uint64_t invocations(std::string_view function) const;

 private:
  void forget_deleted();
  void take(const std::string& name, const std::shared_ptr<const FunctionEntry>& entry);
  void drop(const std::string& name);

  std::unordered_map<std::string, std::shared_ptr<LocalFunction>, TransparentHash, std::equal_to<>>
      functions_;
  std::vector<std::shared_ptr<LocalFunction>> called_;  // ever; most of ten thousand functions never are
  net::Event changed_;
  std::uint64_t version_ = 0;  // of the snapshot it has
};

}  // namespace faas::gateway
