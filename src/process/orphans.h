// What PID 1 owes everybody in its namespace: processes whose parents have died become its children, and
// stay zombies until it reaps them.
#pragma once

#include <sys/types.h>

namespace faas::process {

/// From now on this thread keeps count of its own children, so that it can tell them from adopted ones.
/// Before the first spawn().
void adopt_orphans();
/// Reaps adopted children that have ended; does not wait. Nothing without adopt_orphans().
void reap_orphans();

namespace detail {
// Child's own bookkeeping.
void own_child_begins(pid_t pid);
void own_child_ends(pid_t pid);
}  // namespace detail

}  // namespace faas::process
