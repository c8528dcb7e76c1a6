// The steps into a sandbox, taken by the new process itself (see entry.h for what is allowed there).
//
// Everything the inside needs from the host is cloned as a detached mount first; then the root is switched
// and made read-only, and only then are those mounts attached. So every path is resolved inside the new
// root, and a symlink planted there leads nowhere else.
#pragma once

#include <string>
#include <vector>

#include "process/entry.h"
#include "process/isolation.h"

namespace faas::process {

/// An Isolation, prepared in the parent so that the child need not allocate.
struct Confinement {
  explicit Confinement(const Isolation& isolation);

  /// A mount made before the root is switched and attached to `inside` after it.
  struct Tree {
    std::string host;
    std::string inside;
    bool read_only = false;
    bool file = false;
    int fd = -1;
  };

  /// A folder that is made anew in memory, so that it can have one more in it.
  struct Remade {
    struct Link {
      std::string target;
      std::string path;
    };
    std::string folder;
    std::string mount_point;  ///< below it
    std::vector<Tree> trees;  ///< what it holds
    std::vector<Link> links;
  };

  const Isolation& isolation;
  unsigned long namespaces = 0;  ///< CLONE_NEW...
  std::string uid_map;           ///< for a user namespace
  std::string gid_map;
  int proc_fd = -1;
  std::vector<Tree> devices;
  std::vector<Tree> binds;
  std::vector<Remade> remade;
};

/// Takes all steps, in the child. False: `failure` names the step.
bool confine(Confinement& confinement, StepFailure& failure);

}  // namespace faas::process
