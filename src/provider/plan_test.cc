#include "provider/plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace faas::provider {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;

TimePoint at(Duration since_start) {
  return TimePoint(std::chrono::hours(1)) + since_start;
}

Action Start(std::string function, Revision revision) {
  return {.kind = Action::Kind::start, .function = std::move(function), .revision = revision, .id = 0};
}
Action Go(Action::Kind kind, ReplicaId id) {
  return {.kind = kind, .function = "echo", .revision = 0, .id = id};
}
Action Drain(ReplicaId id) {
  return Go(Action::Kind::drain, id);
}
Action Terminate(ReplicaId id) {
  return Go(Action::Kind::terminate, id);
}
Action Kill(ReplicaId id) {
  return Go(Action::Kind::kill, id);
}

Wanted echo(std::uint32_t replicas, Revision revision) {
  return {.function = "echo", .replicas = replicas, .revision = revision};
}
Seen seen(ReplicaId id, Revision revision, Phase phase, TimePoint since = at(0s),
          std::uint32_t in_flight = 0) {
  return {.function = "echo",
          .revision = revision,
          .id = id,
          .phase = phase,
          .started = since,
          .since = since,
          .in_flight = in_flight};
}

TEST(Plan, ANewFunctionIsStartedAsOftenAsWanted) {
  EXPECT_THAT(plan({echo(2, 1)}, {}, {}, at(0s)).actions, ElementsAre(Start("echo", 1), Start("echo", 1)));
}

TEST(Plan, WhatIsAsWantedRests) {
  const auto done = plan({echo(1, 1)}, {seen(7, 1, Phase::ready)}, {}, at(1s));
  EXPECT_THAT(done.actions, IsEmpty());
  EXPECT_EQ(done.next, TimePoint::max());
}

TEST(Plan, AnUpdateStartsTheNewRevisionBeforeItStopsTheOldOne) {
  const auto old = seen(7, 1, Phase::ready);
  EXPECT_THAT(plan({echo(1, 2)}, {old}, {}, at(0s)).actions, ElementsAre(Start("echo", 2)));
  EXPECT_THAT(plan({echo(1, 2)}, {old, seen(8, 2, Phase::starting)}, {}, at(1h)).actions, IsEmpty());
  EXPECT_THAT(plan({echo(1, 2)}, {old, seen(8, 2, Phase::ready)}, {}, at(0s)).actions, ElementsAre(Drain(7)));
}

TEST(Plan, AnUpdateReplacesReplicasOneByOneAsNewOnesGetReady) {
  const auto actions = plan({echo(2, 2)},
                            {seen(1, 1, Phase::ready), seen(2, 1, Phase::ready), seen(3, 2, Phase::ready),
                             seen(4, 2, Phase::starting)},
                            {}, at(0s))
                           .actions;
  EXPECT_THAT(actions, ElementsAre(Drain(2)));
}

TEST(Plan, ASecondUpdateKeepsWhatServesAndDropsWhatNeverWasReady) {
  const auto actions =
      plan({echo(1, 3)}, {seen(1, 1, Phase::ready), seen(2, 2, Phase::starting)}, {}, at(0s)).actions;
  EXPECT_THAT(actions, ElementsAre(Terminate(2), Start("echo", 3)));
}

TEST(Plan, ScalingDownTakesTheYoungestAndThoseNotReadyFirst) {
  const auto actions =
      plan({echo(1, 1)}, {seen(1, 1, Phase::ready), seen(2, 1, Phase::ready), seen(3, 1, Phase::starting)},
           {}, at(0s))
          .actions;
  EXPECT_THAT(actions, ElementsAre(Drain(2), Terminate(3)));
}

TEST(Plan, ARemovedFunctionIsDrained) {
  EXPECT_THAT(plan({}, {seen(7, 1, Phase::ready)}, {}, at(0s)).actions, ElementsAre(Drain(7)));
}

TEST(Plan, ADrainingReplicaIsAskedToEndWhenItsCallsAreDone) {
  const auto ask = [](Duration age, std::uint32_t in_flight) {
    return plan({}, {seen(7, 1, Phase::draining, at(0s), in_flight)}, {}, at(age));
  };
  EXPECT_THAT(ask(50ms, 0).actions, IsEmpty()) << "a call may be on its way";
  EXPECT_EQ(ask(50ms, 0).next, at(100ms));
  EXPECT_THAT(ask(100ms, 0).actions, ElementsAre(Terminate(7)));
  EXPECT_THAT(ask(400ms, 1).actions, IsEmpty());
  EXPECT_EQ(ask(400ms, 1).next, at(800ms));
  EXPECT_EQ(ask(19s, 1).next, at(20s));
  EXPECT_THAT(ask(20s, 1).actions, ElementsAre(Terminate(7)));
}

TEST(Plan, AReplicaThatDoesNotEndIsKilled) {
  EXPECT_EQ(plan({}, {seen(7, 1, Phase::stopping)}, {}, at(9s)).next, at(10s));
  EXPECT_THAT(plan({}, {seen(7, 1, Phase::stopping)}, {}, at(10s)).actions, ElementsAre(Kill(7)));
  EXPECT_THAT(plan({}, {seen(7, 1, Phase::killed)}, {}, at(1h)).actions, IsEmpty());
}

Wanted echo_over(Revision fallback, std::uint32_t replicas, Revision revision) {
  auto wanted = echo(replicas, revision);
  wanted.fallback = fallback;
  return wanted;
}

TEST(Plan, ALastGoodVersionThatDiedIsStartedAgainWhileTheNewOneIsNotReady) {
  const Setbacks setbacks{{2, {.revision = 2, .failures = 9, .last = at(0s)}}};
  EXPECT_THAT(plan({echo_over(1, 2, 2)}, {seen(7, 1, Phase::ready)}, setbacks, at(1ms)).actions,
              ElementsAre(Start("echo", 1)))
      << "one is still there";
  EXPECT_THAT(plan({echo_over(1, 1, 2)}, {seen(7, 1, Phase::starting)}, setbacks, at(1ms)).actions, IsEmpty())
      << "one is coming up";
  EXPECT_THAT(plan({echo_over(1, 1, 2)}, {}, {}, at(0s)).actions,
              ElementsAre(Start("echo", 2), Start("echo", 1)))
      << "after a restart there is neither";
  EXPECT_THAT(plan({echo_over(1, 1, 2)}, {seen(8, 2, Phase::ready)}, {}, at(0s)).actions, IsEmpty())
      << "the new one is ready";
}

TEST(Plan, ALastGoodVersionHasABackoffOfItsOwn) {
  const Setbacks setbacks{{2, {.revision = 2, .failures = 9, .last = at(0s)}},
                          {1, {.revision = 1, .failures = 1, .last = at(0s)}}};
  const auto early = plan({echo_over(1, 1, 2)}, {}, setbacks, at(50ms));
  EXPECT_THAT(early.actions, IsEmpty());
  EXPECT_EQ(early.next, at(100ms));
  EXPECT_THAT(plan({echo_over(1, 1, 2)}, {}, setbacks, at(100ms)).actions, ElementsAre(Start("echo", 1)));
}

TEST(Plan, AFunctionAtZeroNeedsNoVersionToFallBackOn) {
  EXPECT_THAT(plan({echo_over(1, 0, 2)}, {}, {}, at(0s)).actions, IsEmpty());
}

TEST(Plan, AFailureDelaysTheNextStart) {
  const Setbacks setbacks{{1, {.revision = 1, .failures = 3, .last = at(0s)}}};
  const auto early = plan({echo(1, 1)}, {}, setbacks, at(399ms));
  EXPECT_THAT(early.actions, IsEmpty());
  EXPECT_EQ(early.next, at(400ms));
  EXPECT_THAT(plan({echo(1, 1)}, {}, setbacks, at(400ms)).actions, ElementsAre(Start("echo", 1)));
  EXPECT_THAT(plan({echo(1, 2)}, {}, setbacks, at(0s)).actions, ElementsAre(Start("echo", 2)))
      << "a new revision is not blamed for the old one";
}

TEST(Plan, AfterAFailureOneReplicaGoesFirstAndOthersFollowWhenItLasts) {
  const Setbacks setbacks{{1, {.revision = 1, .failures = 1, .last = at(0s)}}};
  const auto starts = [&](std::vector<Seen> replicas, Duration now) {
    return plan({echo(9, 1)}, std::move(replicas), setbacks, at(now)).actions.size();
  };
  EXPECT_EQ(starts({}, 1s), 1u);
  EXPECT_EQ(starts({seen(1, 1, Phase::starting, at(1s))}, 2s), 0u);
  const auto first = seen(1, 1, Phase::ready, at(1s));
  EXPECT_EQ(starts({first}, 1500ms), 0u);
  EXPECT_EQ(plan({echo(9, 1)}, {first}, setbacks, at(1500ms)).next, at(2s));
  EXPECT_EQ(starts({first}, 2s), 1u);
  EXPECT_EQ(starts({first, seen(2, 1, Phase::ready, at(2s))}, 3s), 2u);
  EXPECT_EQ(starts({first}, 11s), 8u);
}

TEST(Plan, StartsAreBoundedForOneFunctionAndForAll) {
  EXPECT_EQ(plan({echo(100, 1)}, {}, {}, at(0s)).actions.size(), 16u);
  std::vector<Wanted> many;
  many.reserve(100);
  for (int i = 0; i < 100; ++i)
    many.push_back({.function = "f" + std::to_string(i), .replicas = 1, .revision = 1});
  EXPECT_EQ(plan(many, {}, {}, at(0s)).actions.size(), 48u);
}

TEST(Plan, AFunctionThatNeverGetsReadyGivesItsSlotsBack) {
  std::vector<Seen> hanging;
  hanging.reserve(48);
  for (ReplicaId id = 1; id <= 48; ++id) {
    hanging.push_back(seen(id, 1, Phase::starting));
    hanging.back().function = "hangs";
  }
  const std::vector<Wanted> wanted{echo(1, 1), {.function = "hangs", .replicas = 48, .revision = 1}};
  EXPECT_THAT(plan(wanted, hanging, {}, at(1s)).actions, IsEmpty());
  EXPECT_EQ(plan(wanted, hanging, {}, at(1s)).next, at(10s));
  EXPECT_THAT(plan(wanted, hanging, {}, at(10s)).actions, ElementsAre(Start("echo", 1)));
}

TEST(Setback, FailuresInARowDoubleTheDelayUpToHalfAMinute) {
  Setback setback;
  auto now = at(0s);
  std::vector<Duration> delays;
  for (int i = 0; i < 11; ++i) {
    setback = after_failure(setback, {.revision = 1, .started = now}, now);
    delays.push_back(retry_at(setback) - now);
    now = retry_at(setback);
  }
  EXPECT_THAT(delays,
              ElementsAre(100ms, 200ms, 400ms, 800ms, 1600ms, 3200ms, 6400ms, 12800ms, 25600ms, 30s, 30s));
}

TEST(Setback, ReplicasStartedTogetherFailTogether) {
  auto setback = after_failure({}, {.revision = 1, .started = at(0s)}, at(1s));
  setback = after_failure(setback, {.revision = 1, .started = at(0s)}, at(1001ms));
  EXPECT_EQ(setback.failures, 1u);
  EXPECT_EQ(setback.last, at(1s));
}

TEST(Setback, AReplicaThatWasUpForTenSecondsBeginsTheCountAnew) {
  const Setback five{.revision = 1, .failures = 5, .last = at(0s)};
  EXPECT_EQ(after_failure(five, {.revision = 1, .started = at(1s), .ready_since = at(2s)}, at(12s)).failures,
            1u);
  EXPECT_EQ(after_failure(five, {.revision = 1, .started = at(1s), .ready_since = at(2s)}, at(11s)).failures,
            6u);
  EXPECT_EQ(after_failure(five, {.revision = 1, .started = at(1s)}, at(1h)).failures, 6u)
      << "it never was ready";
  EXPECT_EQ(after_failure(five, {.revision = 2, .started = at(1s)}, at(2s)).failures, 1u);
}

// A machine with a will of its own, in no time at all: replicas become ready, crash, ignore SIGTERM.
class World {
 public:
  explicit World(unsigned seed) : random_(seed) {}

  std::vector<Wanted> wanted;
  std::vector<Seen> replicas;
  Setbacks setbacks;
  TimePoint now = at(0s);
  std::uint32_t starts = 0;
  bool crashing = false;  ///< whatever starts ends soon

  /// Acts on plans until there is nothing to do now; returns when to look again.
  TimePoint settle() {
    for (int rounds = 0; rounds < 100; ++rounds) {
      auto shuffled = replicas;
      std::ranges::shuffle(shuffled, random_);
      auto wish = wanted;
      std::ranges::shuffle(wish, random_);
      const auto decided = plan(wanted, replicas, setbacks, now);
      EXPECT_EQ(plan(wish, shuffled, setbacks, now).actions, decided.actions)
          << "the order seen must not matter";
      if (decided.actions.empty()) return decided.next;
      // Killed in the middle of its work, the gateway asks again: what is done already changes the plan.
      const auto killed_after = random_() % (decided.actions.size() + 1);
      for (std::size_t i = 0; i < decided.actions.size() && i <= killed_after; ++i) act(decided.actions[i]);
    }
    ADD_FAILURE() << "the plan never rests";
    return now;
  }

  void something_happens() {
    if (replicas.empty()) return;
    const auto i = random_() % replicas.size();
    auto& one = replicas[i];
    const bool asked = one.phase != Phase::starting && one.phase != Phase::ready;
    if (one.phase == Phase::starting && !crashing && random_() % 4 != 0) {
      one.phase = Phase::ready;
      one.since = now;
    } else if (asked ? one.phase != Phase::draining : random_() % 3 == 0 || crashing) {
      if (!asked) fail(one);
      replicas.erase(replicas.begin() + static_cast<std::ptrdiff_t>(i));
    } else {
      one.in_flight = static_cast<std::uint32_t>(random_() % 3);
    }
  }

  /// From now on nothing fails: everything gets ready, finishes its calls and ends when told.
  void calm_down() {
    for (int i = 0; i < 1000; ++i) {
      const auto next = settle();
      bool changed = false;
      for (auto& one : replicas) {
        one.in_flight = 0;
        if (one.phase == Phase::starting) one.phase = Phase::ready, one.since = now, changed = true;
      }
      changed |= std::erase_if(replicas, [](const Seen& one) { return one.phase >= Phase::stopping; }) > 0;
      if (!changed && next == TimePoint::max()) return;
      if (!changed) now = std::max(now, next);
    }
    ADD_FAILURE() << "it does not converge";
  }

  /// Every replica is ready at once, and crashes at this age.
  void live_for(Duration life) {
    for (auto& one : replicas) {
      if (one.phase == Phase::starting) one.phase = Phase::ready, one.since = now;
      if (now - one.started >= life) fail(one);
    }
    std::erase_if(replicas, [&](const Seen& one) { return now - one.started >= life; });
  }

  std::uint32_t random(std::uint32_t below) { return static_cast<std::uint32_t>(random_() % below); }

 private:
  void act(const Action& action) {
    if (action.kind == Action::Kind::start) {
      ++starts;
      const auto existing = std::ranges::count(replicas, action.function, &Seen::function);
      const auto wish = std::ranges::find(wanted, action.function, &Wanted::function);
      EXPECT_LT(existing, 3 * wish->replicas) << "more processes than allowed";
      replicas.push_back({.function = action.function,
                          .revision = action.revision,
                          .id = ++last_id_,
                          .phase = Phase::starting,
                          .started = now,
                          .since = now});
      return;
    }
    const auto found = std::ranges::find(replicas, action.id, &Seen::id);
    found->since = now;
    found->phase = action.kind == Action::Kind::drain       ? Phase::draining
                   : action.kind == Action::Kind::terminate ? Phase::stopping
                                                            : Phase::killed;
  }
  void fail(const Seen& one) {
    const auto wish = std::ranges::find(wanted, one.function, &Wanted::function);
    if (wish == wanted.end() || wish->revision != one.revision) return;
    const Failure failure{.revision = one.revision,
                          .started = one.started,
                          .ready_since = one.phase == Phase::ready ? one.since : TimePoint::max()};
    setbacks[one.revision] = after_failure(setbacks[one.revision], failure, now);
  }

  std::mt19937 random_;
  ReplicaId last_id_ = 0;
};

TEST(PlanProperty, WhateverHappenedItConvergesAndThenRests) {
  for (unsigned seed = 1; seed <= 200; ++seed) {
    World world(seed);
    Revision revision = 0;
    for (int step = 0; step < 60; ++step) {
      switch (world.random(10)) {
        case 0:
          world.wanted = {{.function = "a", .replicas = world.random(4), .revision = ++revision},
                          {.function = "b", .replicas = world.random(20), .revision = ++revision}};
          break;
        case 1:
          if (!world.wanted.empty()) world.wanted.pop_back();
          break;
        case 2:  // the gateway is killed: its replicas die with it, its memory of failures is gone
          world.replicas.clear();
          world.setbacks.clear();
          break;
        default:
          world.something_happens();
      }
      world.now += std::chrono::milliseconds(world.random(3000));
      world.settle();
    }
    world.calm_down();

    std::uint32_t replicas = 0;
    for (const auto& wish : world.wanted) {
      replicas += wish.replicas;
      EXPECT_EQ(std::ranges::count_if(world.replicas,
                                      [&](const Seen& one) {
                                        return one.function == wish.function &&
                                               one.revision == wish.revision && one.phase == Phase::ready;
                                      }),
                wish.replicas)
          << "seed " << seed;
    }
    EXPECT_EQ(world.replicas.size(), replicas) << "seed " << seed;
  }
}

TEST(PlanProperty, AnUpdateNeverLeavesFewerReadyThanBefore) {
  for (unsigned seed = 1; seed <= 100; ++seed) {
    World world(seed);
    world.wanted = {{.function = "a", .replicas = 1 + world.random(20), .revision = 1}};
    world.calm_down();
    world.wanted[0].revision = 2;
    for (int step = 0; step < 100; ++step) {
      world.settle();
      EXPECT_GE(std::ranges::count(world.replicas, Phase::ready, &Seen::phase), world.wanted[0].replicas);
      const auto starting = std::ranges::find(world.replicas, Phase::starting, &Seen::phase);
      if (starting != world.replicas.end()) starting->phase = Phase::ready, starting->since = world.now;
      world.now += 50ms;
    }
  }
}

TEST(PlanProperty, AFunctionThatCrashesAfterAWhileStartsSeldomToo) {
  for (const auto life : {20ms, 300ms, 1200ms}) {
    World world(1);
    world.wanted = {{.function = "a", .replicas = 20, .revision = 1}};
    for (auto until = at(4s); world.now < until; world.now += 5ms) {
      world.settle();
      world.live_for(life);
    }
    EXPECT_LE(world.starts, 40u) << life.count();
  }
}

TEST(PlanProperty, ACrashLoopStartsAtMostFortyTimesInFourSecondsAndSoonerRests) {
  for (const std::uint32_t replicas : {1u, 20u, 100u}) {
    World world(replicas);
    world.crashing = true;
    world.wanted = {{.function = "a", .replicas = replicas, .revision = 1}};
    for (auto until = at(4s); world.now < until; world.now += 5ms) {
      world.settle();
      while (!world.replicas.empty()) world.something_happens();
    }
    EXPECT_LE(world.starts, replicas == 1 ? 6u : 21u);
    const auto before = world.starts;
    for (auto until = at(64s); world.now < until; world.now += 50ms) {
      world.settle();
      while (!world.replicas.empty()) world.something_happens();
    }
    EXPECT_LE(world.starts - before, 6u);
  }
}

}  // namespace
}  // namespace faas::provider
