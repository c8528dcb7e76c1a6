#include "process/orphans.h"

#include <malloc.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstring>

#include "base/log.h"
#include "net/signals.h"

namespace faas::process {
namespace {

struct Shift {
  const std::function<int()>& work;
  pthread_t reaper{};
  int result = 1;
  std::atomic<bool> over{false};
};

void* do_work(void* argument) {
  auto& shift = *static_cast<Shift*>(argument);
  shift.result = shift.work();
  shift.over = true;
  ::pthread_kill(shift.reaper, SIGCHLD);
  return nullptr;
}

// __WNOTHREAD: not the children of the other thread.
void reap_what_has_ended() {
  siginfo_t info{};
  do {
    info.si_pid = 0;
  } while (::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | __WNOTHREAD) == 0 && info.si_pid != 0);
}

void reap_until_over(const Shift& shift) {
  sigset_t child_ended;
  ::sigemptyset(&child_ended);
  ::sigaddset(&child_ended, SIGCHLD);
  while (!shift.over) {
    reap_what_has_ended();
    siginfo_t info;
    ::sigwaitinfo(&child_ended, &info);
  }
}

}  // namespace

bool adopts_orphans() {
  int subreaper = 0;
  return ::getpid() == 1 || (::prctl(PR_GET_CHILD_SUBREAPER, &subreaper) == 0 && subreaper != 0);
}

int while_reaping_orphans(const std::function<int()>& work) {
  if (!adopts_orphans()) return work();
  ::signal(SIGCHLD, SIG_DFL);
  net::block_signals({SIGCHLD});
  // Only one of the threads allocates: a heap for each would be idle memory.
  ::mallopt(M_ARENA_MAX, 1);
  Shift shift{.work = work};
  shift.reaper = ::pthread_self();
  pthread_t worker{};
  const int error = ::pthread_create(&worker, nullptr, &do_work, &shift);
  if (error != 0) {
    log::print("Warning: orphaned processes are not reaped: no second thread: {}", std::strerror(error));
    return work();
  }
  reap_until_over(shift);
  ::pthread_join(worker, nullptr);
  return shift.result;
}

}  // namespace faas::process
