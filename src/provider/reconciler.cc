#include "provider/reconciler.h"

#include <fmt/format.h>

#include "base/log.h"
#include "model/names.h"

namespace faas::provider {
namespace {

// A machine that cannot be asked is asked again after this.
constexpr auto kObserveRetry = std::chrono::seconds(1);
// Each round acts on what the round before has changed; a plan that needs more than this is broken.
constexpr int kRoundsMax = 1000;
// After SIGKILL only the kernel is between us and the end; a process stuck in it does not keep us for long.
constexpr auto kKillLimit = std::chrono::seconds(2);

Task<> wait_for(net::Event& event) {
  co_await event.wait();
}

bool knows(const FunctionRecord& record, Revision revision) {
  return revision == record.revision || (record.good && revision == record.good->revision);
}

// What a revision that the record knows runs.
const FunctionSpec& spec_of(const FunctionRecord& record, Revision revision) {
  return revision == record.revision ? record.spec : record.good->spec;
}

bool same_entry(const FunctionEntry& a, const FunctionEntry& b) {
  return a.replicas == b.replicas && a.ready == b.ready && a.why_not_ready == b.why_not_ready &&
         a.ready_wanted == b.ready_wanted && a.setback == b.setback && a.setbacks == b.setbacks &&
         a.scale == b.scale;
}

}  // namespace

Reconciler::Reconciler(Runtime& runtime, SnapshotListener& listener, net::Event& changed, ReplicaId first_id,
                       const Patience& patience)
    : runtime_(runtime), listener_(listener), changed_(changed), patience_(patience), next_id_(first_id) {}

void Reconciler::keep(FunctionRecord record) {
  auto function = print_function_name(record.spec.name);
  stale_.insert(function);
  note_wanted(function, record.replicas);
  functions_.insert_or_assign(std::move(function), std::move(record));
}

void Reconciler::note_wanted(const std::string& function, std::uint32_t replicas) {
  if (replicas > 0) {
    awake_.insert(function);
  } else {
    awake_.erase(function);
  }
}

// A version that is on its way out has nobody left to learn from its failures.
void Reconciler::forget_setbacks(const FunctionRecord& before, const FunctionRecord* now) {
  const auto forget = [this, now](Revision revision) {
    if (now == nullptr || !knows(*now, revision)) setbacks_.erase(revision);
  };
  forget(before.revision);
  if (before.good) forget(before.good->revision);
}

void Reconciler::load(std::vector<FunctionRecord> records) {
  for (auto& record : records) keep(std::move(record));
}

void Reconciler::put(FunctionRecord record) {
  if (const auto* before = find(record.spec.name)) forget_setbacks(*before, &record);
  keep(std::move(record));
  publish();
  changed_.set();
}

void Reconciler::set_replicas(const FunctionName& name, std::uint32_t replicas) {
  const auto found = functions_.find(print_function_name(name));
  if (found == functions_.end()) return;
  found->second.replicas = replicas;
  note_wanted(found->first, replicas);
  stale_.insert(found->first);
  publish();
  changed_.set();
}

void Reconciler::erase(const FunctionName& name) {
  const auto found = functions_.find(print_function_name(name));
  if (found == functions_.end()) return;
  forget_setbacks(found->second, nullptr);
  note_wanted(found->first, 0);
  stale_.insert(found->first);
  functions_.erase(found);
  publish();
  changed_.set();
}

const FunctionRecord* Reconciler::find(const FunctionName& name) const {
  const auto found = functions_.find(print_function_name(name));
  return found == functions_.end() ? nullptr : &found->second;
}

std::vector<const FunctionRecord*> Reconciler::in_namespace(std::string_view name_space) const {
  std::vector<const FunctionRecord*> found;
  for (const auto& [function, record] : functions_) {
    if (record.spec.name.name_space == name_space) found.push_back(&record);
  }
  return found;
}

FunctionStatus Reconciler::status(const FunctionRecord& record) const {
  const auto function = print_function_name(record.spec.name);
  std::vector<const Known*> replicas;
  for (const auto& [id, known] : replicas_) {
    if (known.observed.function == function) replicas.push_back(&known);
  }
  return status(record, replicas);
}

std::vector<FunctionStatus> Reconciler::statuses(std::string_view name_space) const {
  std::map<std::string_view, std::vector<const Known*>> by_function;
  for (const auto& [id, known] : replicas_) by_function[known.observed.function].push_back(&known);
  const std::vector<const Known*> none;
  std::vector<FunctionStatus> found;
  found.reserve(functions_.size());
  for (const auto& [function, record] : functions_) {
    if (record.spec.name.name_space != name_space) continue;
    const auto replicas = by_function.find(function);
    found.push_back(status(record, replicas == by_function.end() ? none : replicas->second));
  }
  return found;
}

FunctionStatus Reconciler::status(const FunctionRecord& record,
                                  const std::vector<const Known*>& replicas) const {
  const auto stands = standing(record, replicas);
  FunctionStatus status{.spec = record.spec,
                        .replicas = record.replicas,
                        .available_replicas = stands.ready,
                        .created_at = record.created_at};
  status.conditions.push_back(describe(stands));
  if (stands.setback != nullptr) {
    status.conditions.push_back({.type = "LastFailure",
                                 .holds = true,
                                 .reason = stands.setback->reason,
                                 .message = describe(*stands.setback)});
  }
  return status;
}

Standing Reconciler::standing(const FunctionRecord& record, const std::vector<const Known*>& replicas) const {
  Standing stands{.wanted = record.replicas};
  for (const auto* known : replicas) {
    if (known->phase != Phase::ready) continue;
    ++stands.ready;
    if (known->observed.revision == record.revision) ++stands.ready_current;
  }
  const auto setback = setbacks_.find(record.revision);
  if (setback != setbacks_.end()) stands.setback = &setback->second;
  return stands;
}

std::shared_ptr<const FunctionEntry> Reconciler::entry_of(const FunctionRecord& record,
                                                          const std::vector<const Known*>& replicas) const {
  const auto stands = standing(record, replicas);
  auto entry = std::make_shared<FunctionEntry>();
  entry->name = record.spec.name;
  entry->replicas = record.replicas;
  entry->scale = read_scale_wish(record.spec);
  for (const auto* replica : replicas) {
    if (replica->phase == Phase::ready) entry->ready.push_back(replica->endpoint);
  }
  entry->available = stands.ready;
  entry->ready_wanted = stands.ready_current;
  if (stands.setback != nullptr) {
    entry->setback = describe(*stands.setback);
    entry->setbacks = stands.setback->total;
    entry->startable = stands.setback->reason == kCrashLoop;
    if (entry->ready.empty() && entry->replicas > 0) entry->why_not_ready = entry->setback;
  }
  return entry;
}

std::shared_ptr<const FunctionEntry> Reconciler::published_entry(const std::string& function) const {
  if (published_ == nullptr) return nullptr;
  const auto found = published_->functions.find(function);
  return found == published_->functions.end() ? nullptr : found->second;
}

// The entries of `stale_` that are not as published; null: it is gone.
std::map<std::string, std::shared_ptr<const FunctionEntry>> Reconciler::fresh_entries() const {
  std::map<std::string_view, std::vector<const Known*>> by_function;
  for (const auto& [id, known] : replicas_) {
    if (stale_.contains(known.observed.function)) by_function[known.observed.function].push_back(&known);
  }
  std::map<std::string, std::shared_ptr<const FunctionEntry>> fresh;
  for (const auto& function : stale_) {
    const auto found = functions_.find(function);
    auto entry = found == functions_.end() ? nullptr : entry_of(found->second, by_function[function]);
    const auto before = published_entry(function);
    const bool same = entry != nullptr && before != nullptr ? same_entry(*before, *entry) : entry == before;
    if (!same) fresh.emplace(function, std::move(entry));
  }
  return fresh;
}

// Only what may have changed is looked at: among ten thousand functions a change of one must stay cheap.
void Reconciler::publish() {
  const bool first = published_ == nullptr;
  if (!first && stale_.empty()) return;
  auto fresh = fresh_entries();
  stale_.clear();
  if (!first && fresh.empty()) return;
  auto snapshot = first ? std::make_shared<Snapshot>() : std::make_shared<Snapshot>(*published_);
  ++snapshot->version;
  snapshot->changed.clear();
  for (auto& [function, entry] : fresh) {
    snapshot->changed.push_back(function);
    if (entry == nullptr) {
      snapshot->functions.erase(function);
    } else {
      snapshot->functions.insert_or_assign(function, std::move(entry));
    }
  }
  published_ = std::move(snapshot);
  listener_.publish(published_);
}

void Reconciler::note_failure(const std::string& function, const Failure& failure, TimePoint now) {
  const auto wanted = functions_.find(function);
  if (wanted == functions_.end() || !knows(wanted->second, failure.revision)) return;
  stale_.insert(function);
  auto& setback = setbacks_[failure.revision];
  setback = after_failure(std::move(setback), failure, now, patience_);
  log::print("{}: {}; next try in {}", function, failure.message,
             print_duration(std::max(Duration::zero(), retry_at(setback, patience_) - now)));
}

void Reconciler::take_ready(Known& known) {
  stale_.insert(known.observed.function);
  known.phase = Phase::ready;
  known.since = known.observed.ready_since;
  known.endpoint = std::make_shared<Endpoint>();
  known.endpoint->address = known.observed.address;
  const auto found = functions_.find(known.observed.function);
  if (found == functions_.end()) return;
  auto& record = found->second;
  if (record.proven || record.revision != known.observed.revision) return;
  record.proven = true;
  if (record.good) setbacks_.erase(record.good->revision);
  record.good.reset();
  if (proven_) proven_(record.spec.name, record.revision);
}

void Reconciler::take_end(const Known& known, TimePoint now) {
  if (known.phase != Phase::starting && known.phase != Phase::ready) return;  // it was asked to
  const auto& observed = known.observed;
  note_failure(observed.function,
               {.revision = observed.revision,
                .started = observed.started,
                .ready_since = observed.ready_since,
                .reason = std::string(kCrashLoop),
                .message = observed.end},
               now);
}

void Reconciler::take_in(std::vector<Replica> observed, TimePoint now) {
  std::set<ReplicaId> present;
  for (auto& one : observed) {
    const auto id = one.id;
    auto [at, fresh] = replicas_.try_emplace(id);
    auto& known = at->second;
    if (fresh) known.since = one.started;
    known.observed = std::move(one);
    if (known.observed.state == Replica::State::ended) {
      take_end(known, now);
      runtime_.forget(id);
      continue;
    }
    present.insert(id);
    if (known.phase == Phase::starting && known.observed.state == Replica::State::ready) {
      take_ready(known);
    }
  }
  std::erase_if(replicas_, [&](const auto& item) {
    const bool gone = !present.contains(item.first);
    if (gone) stale_.insert(item.second.observed.function);
    return gone;
  });
}

Plan Reconciler::decide(TimePoint now) const {
  std::vector<Wanted> wanted;
  // What still runs of those that want nothing any more is planned for all the same.
  for (const auto& function : awake_) {
    const auto& record = functions_.find(function)->second;
    wanted.push_back({.function = function,
                      .replicas = record.replicas,
                      .revision = record.revision,
                      .fallback = record.good ? record.good->revision : 0});
  }
  std::vector<Seen> seen;
  for (const auto& [id, known] : replicas_) {
    const auto calls = known.endpoint ? known.endpoint->in_flight.load(std::memory_order_relaxed) : 0;
    seen.push_back({.function = known.observed.function,
                    .revision = known.observed.revision,
                    .id = id,
                    .phase = known.phase,
                    .started = known.observed.started,
                    .since = known.since,
                    .in_flight = calls});
  }
  return plan(std::move(wanted), std::move(seen), setbacks_, now, patience_);
}

void Reconciler::mark(const std::vector<Action>& actions, TimePoint now) {
  for (const auto& action : actions) {
    const auto found = replicas_.find(action.id);
    if (found == replicas_.end()) continue;
    stale_.insert(found->second.observed.function);
    found->second.since = now;
    switch (action.kind) {
      case Action::Kind::start:
        break;
      case Action::Kind::drain:
        found->second.phase = Phase::draining;
        break;
      case Action::Kind::terminate:
        found->second.phase = Phase::stopping;
        break;
      case Action::Kind::kill:
        found->second.phase = Phase::killed;
        break;
    }
  }
}

Task<> Reconciler::act(std::vector<Action> actions, TimePoint now) {
  std::set<Revision> failed;
  for (const auto& action : actions) {
    if (action.kind == Action::Kind::terminate) runtime_.stop(action.id, Stop::politely);
    if (action.kind == Action::Kind::kill) runtime_.stop(action.id, Stop::at_once);
    if (action.kind != Action::Kind::start || failed.contains(action.revision)) continue;
    // While an earlier start was awaited, somebody may have changed his mind: the next plan will know.
    const auto wanted = functions_.find(action.function);
    if (wanted == functions_.end() || !knows(wanted->second, action.revision)) continue;
    const ReplicaPlan replica{
        .id = next_id_++,
        .revision = action.revision,
        .spec = std::make_shared<const FunctionSpec>(spec_of(wanted->second, action.revision))};
    const auto started = co_await runtime_.start(replica);
    if (started) continue;
    failed.insert(action.revision);
    const bool missing = started.error().code == Code::not_found;
    note_failure(action.function,
                 {.revision = action.revision,
                  .started = now,
                  .reason = missing ? "CommandNotFound" : "StartFailed",
                  .message = started.error().text},
                 now);
  }
}

Task<TimePoint> Reconciler::step(TimePoint now) {
  for (int round = 0; round < kRoundsMax; ++round) {
    auto observed = co_await runtime_.observe();
    if (!observed) {
      if (observe_error_ != observed.error().text) log::line("replicas: " + observed.error().text);
      observe_error_ = observed.error().text;
      co_return now + kObserveRetry;
    }
    observe_error_.clear();
    take_in(std::move(*observed), now);
    auto decided = decide(now);
    mark(decided.actions, now);
    publish();  // who is about to be stopped leaves the snapshot first
    if (decided.actions.empty()) co_return decided.next;
    co_await act(std::move(decided.actions), now);
  }
  log::line("replicas: the plan does not come to rest");
  co_return now + kObserveRetry;
}

Task<> Reconciler::run() {
  for (;;) {
    changed_.reset();
    const auto next = co_await step(Clock::now());
    auto woken = wait_for(changed_);
    co_await net::within(std::move(woken), next);
  }
}

void Reconciler::start() {
  running_.emplace(run());
}

Task<> Reconciler::end_all(Stop how, TimePoint deadline) {
  for (const auto& [id, known] : replicas_) runtime_.stop(id, how);
  while (!replicas_.empty() && Clock::now() < deadline) {
    changed_.reset();
    auto observed = co_await runtime_.observe();
    if (!observed) co_return;
    take_in(std::move(*observed), Clock::now());
    if (replicas_.empty()) co_return;
    auto woken = wait_for(changed_);
    co_await net::within(std::move(woken), deadline);
  }
}

Task<> Reconciler::shutdown(Duration limit) {
  running_.reset();
  const auto observed = co_await runtime_.observe();
  if (observed) take_in(*observed, Clock::now());
  for (auto& [id, known] : replicas_) {
    known.phase = Phase::stopping;
    stale_.insert(known.observed.function);
  }
  publish();
  co_await end_all(Stop::politely, Clock::now() + limit);
  co_await end_all(Stop::at_once, Clock::now() + kKillLimit);
}

}  // namespace faas::provider
