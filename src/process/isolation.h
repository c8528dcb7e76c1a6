// What a process is shut in: namespaces of its own, a read-only view of the host, no capabilities.
//
// This is the light sandbox that needs nothing but the kernel (5.12 or later). It is entered between clone
// and exec. Everything lives in the namespaces: when the last process inside has ended, the kernel removes
// every mount and device of it, and nothing remains on the host.
//
// What it does not hide by itself: files that the process's own user may read, and Unix sockets it may
// connect to. Root without capabilities still owns the host's files, so give `hidden` ("/run", "/root", ...)
// or another user in `run_as`.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

namespace faas::process {

/// A folder of the host that shows up inside.
struct Bind {
  std::string host;
  std::string inside;  ///< made when it is missing, which works below `tmpfs` and `hidden` folders
  bool read_only = true;
};

/// Who the process is, without supplementary groups. In a user namespace: who it believes to be.
struct RunAs {
  uid_t uid = 65534;
  gid_t gid = 65534;
};

/// Namespaces for one process tree. With `pid`, the process is PID 1 of its namespace: when it dies, the
/// kernel kills everything it started; signals it has no handler for do not reach it, except SIGKILL.
struct Isolation {
  bool user = false;    ///< a user namespace, our own uid as its root: what an unprivileged caller needs
  bool pid = true;      ///< with a fresh /proc
  bool network = true;  ///< its own loopback, up, and nothing else
  bool ipc = true;
  bool uts = true;
  std::string root;       ///< "" or "/": the host's tree; else this folder becomes the root
  bool read_only = true;  ///< the whole tree read-only, except what is below
  bool devices = true;    ///< /dev is null, zero, full, random, urandom, shm and nothing else
  std::vector<std::string> tmpfs{"/tmp"};  ///< private, empty, writable; one the root lacks is left out
  /// Folders that are there in any case, empty, for binds. Where the tree lacks one, the nearest folder above
  /// is made anew in memory: what it holds shows up in it again, read-only. Not with `root`; never "/"
  /// itself.
  std::vector<std::string> mount_points;
  std::vector<std::string> hidden;    ///< made empty and unreadable (the gateway's data_dir)
  std::vector<std::string> writable;  ///< folders of the host that stay visible and writable (a socket's)
  std::vector<Bind> binds;            ///< the same with another name inside; after `hidden`
  std::optional<RunAs> run_as;
  bool drop_capabilities = true;  ///< none left, and no new privileges
  bool die_with_parent = true;    ///< SIGKILL when the thread that spawned it ends
};

/// What this machine lets us do, tried once with a real process (about 5 ms).
struct IsolationSupport {
  bool possible = false;  ///< whether all of Isolation works (with `user` set as returned)
  bool user = false;      ///< it needs a user namespace, because we are not root
  std::string reason;     ///< why not, for people
};
[[nodiscard]] IsolationSupport probe_isolation();

}  // namespace faas::process
