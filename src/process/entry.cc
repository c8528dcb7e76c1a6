#include "process/entry.h"

#include <fcntl.h>
#include <linux/prctl.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "process/confine.h"

namespace faas::process {

const char* const kExecStep = "exec";

namespace {

constexpr int kFailedExitCode = 127;
constexpr std::size_t kKernelSignalSetBytes = 8;

// The kernel's own layout of what sigaction() takes, without libc's wrapper around it.
struct KernelAction {
  void (*handler)(int);
  unsigned long flags;
  void (*restorer)();
  unsigned long mask;
};

FAAS_IN_CHILD bool failed(Launch& launch, const char* step, const char* detail = nullptr) {
  launch.failure.step = step;
  launch.failure.detail = detail;
  launch.failure.number = errno;
  return false;
}

// A descriptor that stands where another is to go is moved out of the way first.
FAAS_IN_CHILD bool lift(Launch& launch, int& fd) {
  if (fd < 0 || fd >= launch.free_fd_min) return true;
  const long lifted = ::syscall(SYS_fcntl, fd, F_DUPFD_CLOEXEC, launch.free_fd_min);
  if (lifted < 0) return failed(launch, "duplicate a descriptor");
  fd = static_cast<int>(lifted);
  return true;
}

FAAS_IN_CHILD bool place_descriptors(Launch& launch) {
  if (launch.overlapping) {
    for (std::size_t i = 0; i < launch.move_count; ++i) {
      if (!lift(launch, launch.moves[i].from)) return false;
    }
    if (!lift(launch, launch.program_fd)) return false;
  }
  for (std::size_t i = 0; i < launch.move_count; ++i) {
    const auto move = launch.moves[i];
    // dup3 refuses equal numbers; such a descriptor only has to survive the exec.
    const long result = move.from == move.to ? ::syscall(SYS_fcntl, move.from, F_SETFD, 0)
                                             : ::syscall(SYS_dup3, move.from, move.to, 0);
    if (result < 0) return failed(launch, "pass a descriptor");
  }
  return true;
}

// Handlers vanish with exec; what is ignored stays ignored, and we ignore these.
FAAS_IN_CHILD void reset_signals() {
  KernelAction action{};
  action.handler = SIG_DFL;
  ::syscall(SYS_rt_sigaction, SIGPIPE, &action, nullptr, kKernelSignalSetBytes);
  ::syscall(SYS_rt_sigaction, SIGXFSZ, &action, nullptr, kKernelSignalSetBytes);
  unsigned long none = 0;
  ::syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, nullptr, kKernelSignalSetBytes);
}

FAAS_IN_CHILD bool die_with_parent(Launch& launch) {
  if (!launch.die_with_parent) return true;
  return ::syscall(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) == 0 ||
         failed(launch, "prctl PR_SET_PDEATHSIG");
}

// A parent that died before it was tied to us has sent no signal, and in a pid namespace of our own it has no
// number to be missed by.
FAAS_IN_CHILD bool parent_lives(const Launch& launch) {
  if (launch.parent_pidfd < 0) return true;
  pollfd parent{.fd = launch.parent_pidfd, .events = POLLIN, .revents = 0};
  timespec now{};
  return ::syscall(SYS_ppoll, &parent, 1, &now, nullptr, kKernelSignalSetBytes) == 0;
}

// Last: it counts for every descriptor opened from then on, and many of the parent's are still there.
FAAS_IN_CHILD bool limit_descriptors(Launch& launch) {
  if (launch.descriptors.rlim_cur == 0) return true;
  return ::syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, &launch.descriptors, nullptr) == 0 ||
         failed(launch, "prlimit RLIMIT_NOFILE");
}

FAAS_IN_CHILD bool prepare(Launch& launch) {
  if (launch.new_group && ::syscall(SYS_setpgid, 0, 0) != 0) return failed(launch, "setpgid");
  if (launch.confinement != nullptr) {
    // Shutting ourselves in takes milliseconds and, by changing credentials, unties us again.
    if (!die_with_parent(launch)) return false;
    if (!confine(*launch.confinement, launch.failure)) return false;
  }
  if (!die_with_parent(launch)) return false;
  if (!parent_lives(launch)) return failed(launch, "find the parent");
  if (launch.directory != nullptr && ::syscall(SYS_chdir, launch.directory) != 0) {
    return failed(launch, "chdir", launch.directory);
  }
  return place_descriptors(launch) && limit_descriptors(launch);
}

}  // namespace

FAAS_IN_CHILD int enter(void* argument) {
  auto& launch = *static_cast<Launch*>(argument);
  if (!prepare(launch)) return kFailedExitCode;
  if (launch.only_confine) return 0;
  reset_signals();
  if (launch.program_fd >= 0) {
    ::syscall(SYS_execveat, launch.program_fd, "", launch.argv, launch.envp, AT_EMPTY_PATH);
  } else {
    ::syscall(SYS_execve, launch.path, launch.argv, launch.envp);
  }
  failed(launch, kExecStep);
  return kFailedExitCode;
}

}  // namespace faas::process
