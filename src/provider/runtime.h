// A Runtime is one machine's way of running replicas: sandboxed processes, OCI containers, a fake.
//
// Threads:  every call is made on the control core.
// Lifetime: arguments live until the returned task finishes or is destroyed.
// Cancel:   destroying a task stops the waiting, not the work already asked of the machine;
//           observe() tells what became of it.
// Changes:  whoever makes a Runtime gives it an event, which it sets whenever observe() would tell something
//           new.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/function_spec.h"
#include "net/task.h"
#include "provider/plan.h"

namespace faas::provider {

struct ReplicaPlan {
  ReplicaId id = 0;
  Revision revision = 0;
  std::shared_ptr<const FunctionSpec> spec;
};

struct Replica {
  enum class State { starting, ready, ended };

  ReplicaId id = 0;
  std::string function;  ///< "name.namespace"
  Revision revision = 0;
  State state = State::starting;
  std::string address;  ///< as Endpoint::address
  TimePoint started{};
  TimePoint ready_since = TimePoint::max();
  std::string end;  ///< how it ended: "exit status 1: no such module"
};

enum class Stop {
  politely,  ///< SIGTERM
  at_once,   ///< SIGKILL, with everything it started
};

class Runtime {
 public:
  virtual ~Runtime() = default;

  /// What really runs now, ordered by id, and what ended and is not forgotten. Never what we wish would run.
  /// Errors: unavailable when the machine cannot be asked.
  virtual Task<Result<std::vector<Replica>>> observe() = 0;

  /// Starts one replica; returns when the machine accepts it. Readiness shows in observe().
  /// Asking twice for one id starts one replica.
  /// Errors: not_found when its command is; nothing has been started then.
  virtual Task<Result<void>> start(const ReplicaPlan& plan) = 0;

  /// Asks a replica to end; its end shows in observe(). An unknown id is ignored.
  virtual void stop(ReplicaId id, Stop how) = 0;

  /// Lets go of a replica that ended, and of all it left on the machine.
  virtual void forget(ReplicaId id) = 0;
};

}  // namespace faas::provider
