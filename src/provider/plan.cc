#include "provider/plan.h"

#include <algorithm>

namespace faas::provider {
namespace {

bool is_live(const Seen& seen) {
  return seen.phase == Phase::starting || seen.phase == Phase::ready;
}

// One function's share of the plan.
class FunctionPlan final {
 public:
  FunctionPlan(Plan& out, const Setbacks& setbacks, TimePoint now, const Patience& patience)
      : out_(out), setbacks_(setbacks), now_(now), patience_(patience) {}

  /// `seen` is of this function, ordered by id. `slots`: starts that are left for all functions.
  void decide(const Wanted& wanted, std::vector<const Seen*> seen, std::uint32_t& slots) {
    seen_ = std::move(seen);
    for (const auto* one : seen_) {
      if (!is_live(*one)) end(*one);
    }
    drop_surplus(wanted);
    start_missing(wanted, wanted.revision, wanted.replicas - current_, slots);
    if (wanted.fallback != 0) start_missing(wanted, wanted.fallback, fallbacks_missing_, slots);
  }

  /// Whether slots were all that was lacking.
  [[nodiscard]] bool starved() const { return starved_; }

  [[nodiscard]] static bool holds_slot(const Seen& seen, TimePoint now, const Patience& patience) {
    return seen.phase == Phase::starting && now < seen.started + patience.starting_slot;
  }

 private:
  void look_again(TimePoint when) { out_.next = std::min(out_.next, when); }
  void act(Action::Kind kind, const Seen& seen) {
    out_.actions.push_back({.kind = kind, .function = seen.function, .revision = 0, .id = seen.id});
  }

  // The further way of a replica that is going. After each action the phase has changed: asked again then.
  void end(const Seen& seen) {
    const auto age = now_ - seen.since;
    if (seen.phase == Phase::draining) {
      const bool settled = age >= patience_.drain_settle;
      if ((settled && seen.in_flight == 0) || age >= patience_.drain_max) {
        act(Action::Kind::terminate, seen);
      } else {
        // Cores count calls without telling anybody: looked at after 1, 2, 4, 8 ... times the settling time.
        const auto later = settled ? now_ + age : seen.since + patience_.drain_settle;
        look_again(std::min(later, seen.since + patience_.drain_max));
      }
    } else if (seen.phase == Phase::stopping) {
      if (age >= patience_.grace) {
        act(Action::Kind::kill, seen);
      } else {
        look_again(seen.since + patience_.grace);
      }
    }
  }

  void dismiss(const Seen& seen) {
    // One that never was ready has no calls to finish.
    act(seen.phase == Phase::ready ? Action::Kind::drain : Action::Kind::terminate, seen);
  }

  void drop_surplus(const Wanted& wanted) {
    std::vector<const Seen*> current;
    std::vector<const Seen*> older;
    for (const auto* one : seen_) {
      if (is_live(*one)) (one->revision == wanted.revision ? current : older).push_back(one);
    }
    const auto readiest_first = [](const Seen* a, const Seen* b) {
      if (a->phase != b->phase) return a->phase == Phase::ready;
      return a->revision != b->revision ? a->revision > b->revision : a->id < b->id;
    };
    std::ranges::sort(current, readiest_first);
    std::ranges::sort(older, readiest_first);
    current_ = static_cast<std::uint32_t>(std::min<std::size_t>(current.size(), wanted.replicas));
    for (std::size_t i = current_; i < current.size(); ++i) dismiss(*current[i]);

    const auto ready = static_cast<std::uint32_t>(
        std::ranges::count(current.begin(), current.begin() + current_, Phase::ready,
                           [](const Seen* one) { return one->phase; }));
    const std::uint32_t still_needed = wanted.replicas - ready;
    const auto kept = std::min<std::size_t>(still_needed, older.size());
    for (std::size_t i = kept; i < older.size(); ++i) dismiss(*older[i]);
    fallbacks_missing_ = still_needed;
    for (std::size_t i = 0; i < kept; ++i) {
      if (older[i]->phase == Phase::ready || older[i]->revision == wanted.fallback) --fallbacks_missing_;
    }
  }

  void start_missing(const Wanted& wanted, Revision revision, std::uint32_t missing, std::uint32_t& slots) {
    if (missing == 0) return;
    missing = std::min(missing, allowance(wanted, revision));
    starved_ |= missing > slots;
    missing = std::min(missing, slots);
    slots -= missing;
    started_ += missing;
    for (; missing > 0; --missing) {
      out_.actions.push_back(
          {.kind = Action::Kind::start, .function = wanted.function, .revision = revision, .id = 0});
    }
  }

  // How many of a revision may be started now.
  std::uint32_t allowance(const Wanted& wanted, Revision revision) {
    const auto existing_max = wanted.replicas * patience_.existing_per_replica_max;
    const auto existing = static_cast<std::uint32_t>(seen_.size()) + started_;
    auto allowed = existing < existing_max ? existing_max - existing : 0;

    std::uint32_t starting = 0;
    for (const auto* one : seen_) {
      if (one->revision != revision || !holds_slot(*one, now_, patience_)) continue;
      ++starting;
      look_again(one->started + patience_.starting_slot);
    }
    allowed = std::min(allowed, starting < patience_.starting_max ? patience_.starting_max - starting : 0);

    const auto setback = setbacks_.find(revision);
    if (setback == setbacks_.end() || setback->second.failures == 0) return allowed;
    if (const auto due = retry_at(setback->second, patience_); now_ < due) {
      look_again(due);
      return 0;
    }
    return std::min(allowed, allowance_after(wanted, revision, setback->second.last));
  }

  // After a failure one replica goes first; the longer it lasts, the more may follow.
  std::uint32_t allowance_after(const Wanted& wanted, Revision revision, TimePoint failure) {
    std::uint32_t since_then = 0;
    auto ready_since = TimePoint::max();
    for (const auto* one : seen_) {
      if (one->revision != revision || one->started < failure) continue;
      const bool ready = one->phase == Phase::ready;
      if (ready) ready_since = std::min(ready_since, one->since);
      if (ready || holds_slot(*one, now_, patience_)) ++since_then;
    }
    std::uint32_t trusted = 1;
    if (ready_since != TimePoint::max()) {
      const auto age = now_ - ready_since;
      if (age >= patience_.proven_after) return wanted.replicas;
      const auto doublings = std::max<std::int64_t>(0, age / patience_.ramp);
      trusted <<= std::min<std::int64_t>(doublings, 16);
      look_again(ready_since + std::min<Duration>((doublings + 1) * patience_.ramp, patience_.proven_after));
    }
    return trusted - std::min(trusted, since_then);
  }

  Plan& out_;
  const Setbacks& setbacks_;
  TimePoint now_;
  const Patience& patience_;
  std::vector<const Seen*> seen_;
  bool starved_ = false;
  std::uint32_t current_ = 0;  // live ones of the wanted revision that stay
  std::uint32_t fallbacks_missing_ = 0;
  std::uint32_t started_ = 0;
};

}  // namespace

Plan plan(std::vector<Wanted> wanted, std::vector<Seen> seen, const Setbacks& setbacks, TimePoint now,
          const Patience& patience) {
  std::ranges::sort(wanted, {}, &Wanted::function);
  std::ranges::sort(seen, [](const Seen& a, const Seen& b) {
    return a.function != b.function ? a.function < b.function : a.id < b.id;
  });
  Plan out;
  auto slots = patience.starting_all_max;
  auto slot_free_at = TimePoint::max();
  for (const auto& one : seen) {
    if (!FunctionPlan::holds_slot(one, now, patience)) continue;
    if (slots > 0) --slots;
    slot_free_at = std::min(slot_free_at, one.started + patience.starting_slot);
  }
  auto next = wanted.begin();
  const auto decide_one = [&](const Wanted& one, std::vector<const Seen*> of_it) {
    FunctionPlan its(out, setbacks, now, patience);
    its.decide(one, std::move(of_it), slots);
    if (its.starved()) out.next = std::min(out.next, slot_free_at);
  };
  for (auto at = seen.begin(); at != seen.end();) {
    std::vector<const Seen*> group;
    const auto& function = at->function;
    for (; at != seen.end() && at->function == function; ++at) group.push_back(&*at);
    for (; next != wanted.end() && next->function < function; ++next) decide_one(*next, {});
    const bool known = next != wanted.end() && next->function == function;
    decide_one(known ? *next : Wanted{.function = function}, std::move(group));
    if (known) ++next;
  }
  for (; next != wanted.end(); ++next) decide_one(*next, {});
  return out;
}

Setback after_failure(Setback before, const Failure& failure, TimePoint now, const Patience& patience) {
  if (before.revision != failure.revision) before = {.revision = failure.revision};
  const bool lasted =
      failure.ready_since != TimePoint::max() && now - failure.ready_since >= patience.proven_after;
  const bool same_round = before.failures > 0 && failure.started < before.last;
  if (!same_round) {
    before.failures = lasted ? 1 : before.failures + 1;
    ++before.total;
    before.last = now;
  }
  before.reason = failure.reason;
  before.message = failure.message;
  return before;
}

TimePoint retry_at(const Setback& setback, const Patience& patience) {
  auto delay = patience.backoff_first;
  for (std::uint32_t i = 1; i < setback.failures && delay < patience.backoff_max; ++i) delay *= 2;
  return setback.last + std::min(delay, patience.backoff_max);
}

}  // namespace faas::provider
