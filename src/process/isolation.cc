#include "process/isolation.h"

#include <unistd.h>

#include "process/confine.h"
#include "process/start.h"

namespace faas::process {
namespace {

// Everything but exec, in a process that ends at once. Empty: it works.
std::string try_isolation(bool user) {
  const Isolation isolation{.user = user};
  Confinement confinement(isolation);
  Launch launch;
  launch.confinement = &confinement;
  launch.only_confine = true;
  (void)start(launch, confinement.namespaces, /*group=*/true);
  return launch.failure.step == nullptr ? std::string() : step_error(launch.failure).text;
}

}  // namespace

IsolationSupport probe_isolation() {
  std::string reason;
  if (::geteuid() == 0) {
    reason = try_isolation(false);
    if (reason.empty()) return {.possible = true};
  }
  const auto unprivileged = try_isolation(true);
  if (unprivileged.empty()) return {.possible = true, .user = true};
  if (!reason.empty()) reason += "; with a user namespace: ";
  return {.possible = false, .user = false, .reason = reason + unprivileged};
}

}  // namespace faas::process
