// What to do next, decided from what is wanted and what is seen. Pure: the clock is an argument, the same
// arguments give the same plan, and so it does not matter where the gateway was killed before it asked.
//
// One function at a time:
//   missing replicas of the wanted revision are started, with backoff after failures;
//   replicas of older revisions go as ready ones of the new revision take their place (start first);
//   until then the last revision that was ever ready is kept at as many as are still needed;
//   one that goes leaves the snapshot (drain), is asked to end (terminate) and in the end is killed.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/units.h"

namespace faas::provider {

using ReplicaId = std::uint64_t;
using Revision = std::uint64_t;

/// What the store says of one function.
struct Wanted {
  std::string function;  ///< "name.namespace"
  std::uint32_t replicas = 0;
  Revision revision = 0;
  Revision fallback = 0;  ///< an older one that has been ready, while this one never was; 0: none
};

/// A replica's life, in order. Those that ended are no longer seen: they are in Setbacks, if they failed.
enum class Phase {
  starting,
  ready,     ///< takes calls
  draining,  ///< out of the snapshot, finishes the calls it has
  stopping,  ///< asked to end
  killed,    ///< told to, the hard way
};

struct Seen {
  std::string function;
  Revision revision = 0;
  ReplicaId id = 0;  ///< a later one is younger
  Phase phase = Phase::starting;
  TimePoint started{};
  TimePoint since{};            ///< in this phase
  std::uint32_t in_flight = 0;  ///< calls under way
};

/// What went wrong lately with one revision of a function: the memory behind the backoff.
struct Setback {
  Revision revision = 0;
  std::uint32_t failures = 0;  ///< in a row
  std::uint32_t total = 0;     ///< ever
  TimePoint last{};
  std::string reason;   ///< "CrashLoop", "CommandNotFound"
  std::string message;  ///< "exit status 1: no such module"
};
using Setbacks = std::map<Revision, Setback>;

/// How long each thing may take, and how many at a time.
struct Patience {
  Duration backoff_first = std::chrono::milliseconds(100);
  Duration backoff_max = std::chrono::seconds(30);
  /// A replica that was up this long did not fail at its start: the count begins anew.
  Duration proven_after = std::chrono::seconds(10);
  /// After a failure one replica goes first; each time it has been ready this much longer, twice as many may
  /// be up. So a function that crashes after a while costs little, and one that had an accident is back soon.
  Duration ramp = std::chrono::seconds(1);
  /// A call whose core took its endpoint from the snapshot before is counted by then.
  Duration drain_settle = std::chrono::milliseconds(100);
  Duration drain_max = std::chrono::seconds(20);
  Duration grace = std::chrono::seconds(10);  ///< between SIGTERM and SIGKILL
  /// Replicas starting at the same time, of one function and of all. Two cores start a dozen processes in
  /// the time of one; hundreds at once only make each other late.
  std::uint32_t starting_max = 16;
  std::uint32_t starting_all_max = 48;
  /// A replica that is not ready after this no longer counts as starting, so that functions which never get
  /// ready cannot keep all others waiting.
  Duration starting_slot = std::chrono::seconds(10);
  /// Processes of one function, those that are going included, for each replica wanted: many quick updates
  /// must not pile up processes that are still draining.
  std::uint32_t existing_per_replica_max = 3;
};

struct Action {
  enum class Kind { start, drain, terminate, kill };
  Kind kind = Kind::start;
  std::string function;
  Revision revision = 0;  ///< for start
  ReplicaId id = 0;       ///< for the others

  friend bool operator==(const Action&, const Action&) = default;
};

struct Plan {
  std::vector<Action> actions;  ///< in order
  /// When to ask again although nothing happened; max(): only when something happens.
  TimePoint next = TimePoint::max();
};

/// `wanted` names each function once.
[[nodiscard]] Plan plan(std::vector<Wanted> wanted, std::vector<Seen> seen, const Setbacks& setbacks,
                        TimePoint now, const Patience& patience = {});

/// One replica's failure: it ended without having been asked to, or could not be started (then `started` is
/// `now`).
struct Failure {
  Revision revision = 0;
  TimePoint started{};
  TimePoint ready_since = TimePoint::max();  ///< max(): never was ready
  std::string reason;
  std::string message;
};

/// The setback after one more failure. Replicas that were started together fail together: they count once.
[[nodiscard]] Setback after_failure(Setback before, const Failure& failure, TimePoint now,
                                    const Patience& patience = {});

/// When the next start is due: first, double, double, ... at most backoff_max after the last failure.
[[nodiscard]] TimePoint retry_at(const Setback& setback, const Patience& patience = {});

}  // namespace faas::provider
