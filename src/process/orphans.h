// What PID 1 owes everybody in its namespace: processes whose parents have died become its children, and
// stay zombies until it reaps them. A subreaper owes the same to those below it.
//
// The kernel gives orphans to the process's first thread, and can be asked for the children of one thread
// alone. So the first thread does nothing but reap, and the program runs on a second one, whose own children
// it cannot touch: nobody's exit status is stolen, and no bookkeeping has to agree with the kernel's. A loop
// of one thread cannot do this: waitid() shows it only the first zombie, and that may be one of its own that
// is still of use.
#pragma once

#include <functional>

namespace faas::process {

/// Whether orphans come to us: as PID 1 of a container or namespace, or marked with PR_SET_CHILD_SUBREAPER by
/// whoever started us.
[[nodiscard]] bool adopts_orphans();

/// Runs `work` and returns what it returns; meanwhile orphans are reaped as soon as they have ended. Where
/// none come to us, it is only a call of `work`, on this thread.
///
/// Threads: called once, by the first thread, which has no children that somebody waits for; `work` runs on
///          another thread, where signals are blocked as they are here, and SIGCHLD is blocked as well.
/// Limits:  where no thread can be made (a limit of one process), `work` runs without the reaping, and the
/// log
///          says so.
int while_reaping_orphans(const std::function<int()>& work);

}  // namespace faas::process
