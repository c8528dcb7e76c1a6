// Makes what runs equal to what is stored: observes, plans, acts, and publishes who takes calls. It wakes
// when something happened or when the plan asked to be woken, and sleeps otherwise.
//
// Threads:  the control core.
// Lifetime: the runtime, the listener and the event outlive it. Destroyed, it leaves everything running:
//           shutdown() first.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "contract/provider.h"
#include "net/event.h"
#include "provider/condition.h"
#include "provider/plan.h"
#include "provider/runtime.h"
#include "provider/store.h"

namespace faas::provider {

class Reconciler final {
 public:
  /// `first_id`: replicas are numbered from here on, so that those of an earlier run are not taken for ours.
  Reconciler(Runtime& runtime, SnapshotListener& listener, net::Event& changed, ReplicaId first_id,
             const Patience& patience = {});
  Reconciler(const Reconciler&) = delete;
  Reconciler& operator=(const Reconciler&) = delete;

  /// What to tell when a revision is ready for the first time ever. Before start().
  void on_proven(std::function<void(const FunctionName&, Revision)> tell) { proven_ = std::move(tell); }

  /// What the store holds, before start().
  void load(std::vector<FunctionRecord> records);
  /// What the store holds now; takes effect afterwards, and shows in the snapshot at once.
  void put(FunctionRecord record);
  void set_replicas(const FunctionName& name, std::uint32_t replicas);
  void erase(const FunctionName& name);

  /// nullptr when there is none.
  [[nodiscard]] const FunctionRecord* find(const FunctionName& name) const;
  /// Ordered by name.
  [[nodiscard]] std::vector<const FunctionRecord*> in_namespace(std::string_view name_space) const;
  [[nodiscard]] FunctionStatus status(const FunctionRecord& record) const;
  /// Of all functions of a namespace, ordered by name.
  [[nodiscard]] std::vector<FunctionStatus> statuses(std::string_view name_space) const;

  /// Begins to work on its own.
  void start();
  /// Everything there is to do at `now`; returns when to come back if nothing happens before. What start()
  /// repeats.
  Task<TimePoint> step(TimePoint now);
  /// Stops working and every replica: politely, after `limit` the hard way. Calls under way are cut.
  Task<> shutdown(Duration limit);

 private:
  struct Known {
    Replica observed;
    Phase phase = Phase::starting;
    TimePoint since{};
    std::shared_ptr<Endpoint> endpoint;  ///< once ready
  };
  using Functions = std::map<std::string, FunctionRecord, std::less<>>;  // by "name.namespace"

  void keep(FunctionRecord record);
  Task<> run();
  Task<> end_all(Stop how, TimePoint deadline);
  void take_in(std::vector<Replica> observed, TimePoint now);
  void take_ready(Known& known);
  void take_end(const Known& known, TimePoint now);
  void note_failure(const std::string& function, const Failure& failure, TimePoint now);
  [[nodiscard]] Plan decide(TimePoint now) const;
  void mark(const std::vector<Action>& actions, TimePoint now);
  Task<> act(std::vector<Action> actions, TimePoint now);
  [[nodiscard]] FunctionStatus status(const FunctionRecord& record,
                                      const std::vector<const Known*>& replicas) const;
  [[nodiscard]] Standing standing(const FunctionRecord& record,
                                  const std::vector<const Known*>& replicas) const;
  [[nodiscard]] std::shared_ptr<const FunctionEntry> entry_of(
      const FunctionRecord& record, const std::vector<const Known*>& replicas) const;
  [[nodiscard]] std::shared_ptr<const FunctionEntry> published_entry(const std::string& function) const;
  [[nodiscard]] std::map<std::string, std::shared_ptr<const FunctionEntry>> fresh_entries() const;
  void publish();
  void note_wanted(const std::string& function, std::uint32_t replicas);
  void forget_setbacks(const FunctionRecord& before, const FunctionRecord* now);

  Runtime& runtime_;
  SnapshotListener& listener_;
  net::Event& changed_;
  const Patience patience_;
  ReplicaId next_id_;
  Functions functions_;
  std::set<std::string, std::less<>> awake_;  // those that want replicas; the others need no planning
  std::map<ReplicaId, Known> replicas_;
  Setbacks setbacks_;
  std::shared_ptr<const Snapshot> published_;
  std::set<std::string, std::less<>> stale_;  // functions whose published entry may not be right any more
  std::string observe_error_;
  std::function<void(const FunctionName&, Revision)> proven_;
  std::optional<net::Running<void>> running_;  // last: it uses all of the above
};

}  // namespace faas::provider
