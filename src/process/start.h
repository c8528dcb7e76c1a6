// The one place that makes processes.
#pragma once

#include "process/entry.h"

namespace faas::process {

/// Makes the process that `launch` describes, in new `namespaces` (CLONE_NEW...), and returns when it has
/// executed its program. Empty on failure, and after a trial: launch.failure tells which.
[[nodiscard]] Child start(Launch& launch, unsigned long namespaces, bool group);

/// "isolation: mount /proc: operation not permitted".
[[nodiscard]] Error step_error(const StepFailure& failure);

}  // namespace faas::process
