#include "process/orphans.h"

#include <sys/wait.h>

#include <algorithm>
#include <optional>
#include <vector>

namespace faas::process {
namespace {

std::optional<std::vector<pid_t>>& own_children() {
  thread_local std::optional<std::vector<pid_t>> pids;
  return pids;
}

}  // namespace

void adopt_orphans() {
  own_children().emplace();
}

void reap_orphans() {
  const auto& own = own_children();
  if (!own) return;
  while (true) {
    siginfo_t info{};
    if (::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid == 0) return;
    // One of our own is reaped by its Child, and what waits behind it the next time.
    if (std::find(own->begin(), own->end(), info.si_pid) != own->end()) return;
    ::waitid(P_PID, static_cast<id_t>(info.si_pid), &info, WEXITED | WNOHANG);
  }
}

namespace detail {

void own_child_begins(pid_t pid) {
  if (auto& own = own_children()) own->push_back(pid);
}

void own_child_ends(pid_t pid) {
  auto& own = own_children();
  if (!own) return;
  const auto at = std::find(own->begin(), own->end(), pid);
  if (at == own->end()) return;
  *at = own->back();
  own->pop_back();
}

}  // namespace detail

}  // namespace faas::process
