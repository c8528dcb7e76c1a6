// How many files this process may have open at once. A connection is one.
#pragma once

#include <sys/resource.h>

#include "base/result.h"

namespace faas::net {

/// RLIMIT_NOFILE, whose soft limit is 1024 nearly everywhere for the sake of programs that use select().
struct DescriptorLimit {
  rlim_t before = 0;  ///< the soft limit as we were given it: what programs that we start should have
  rlim_t now = 0;
};

/// Raises the soft limit to the hard one, for the whole process. Errors: the limit stays as it was; the text
/// names both numbers and the reason.
[[nodiscard]] Result<DescriptorLimit> raise_descriptor_limit();

}  // namespace faas::net
