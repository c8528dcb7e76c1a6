// What a process is shut in: namespaces of its own, a read-only view of the host, no capabilities.
//
// This is the light sandbox that needs nothing but the kernel. It is entered between clone and exec.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace faas::process {

/// Namespaces for one process tree. With `pid`, the process is PID 1 of its namespace: when it dies, the
/// kernel kills everything it started.
struct Isolation {
  bool user = false;     ///< a user namespace, our own uid as its root: what an unprivileged caller needs
  bool pid = true;       ///< with a fresh /proc
  bool network = true;   ///< its own loopback, up, and nothing else
  bool ipc = true;
  bool uts = true;
  std::string root;                      ///< "" or "/": the host's tree; else this folder becomes the root
  bool read_only = true;                 ///< the whole tree read-only, except what is below
  std::vector<std::string> tmpfs{"/tmp"};    ///< private, empty, writable
  std::vector<std::string> hidden;           ///< made empty and unreadable (the gateway's data_dir)
  std::vector<std::string> writable;         ///< folders of the host that stay visible and writable (a socket's)
  bool drop_capabilities = true;         ///< none left, and no new privileges
  bool die_with_parent = true;           ///< SIGKILL when the thread that spawned it ends
};

/// What this machine lets us do, tried once with a real process (about 5 ms).
struct IsolationSupport {
  bool possible = false;  ///< whether all of Isolation works (with `user` set as returned)
  bool user = false;      ///< it needs a user namespace, because we are not root
  std::string reason;     ///< why not, for people
};
[[nodiscard]] IsolationSupport probe_isolation();

}  // namespace faas::process
