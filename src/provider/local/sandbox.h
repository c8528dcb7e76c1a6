// What a replica is shut in, decided from what it runs and what this machine lets us do.
#pragma once

#include <string>
#include <vector>

#include "process/isolation.h"

namespace faas::provider {

struct SandboxRequest {
  std::string root;        ///< "": the host's tree
  std::string command;     ///< envProcess: the files it names must be reachable inside
  std::string data_dir;    ///< hidden
  std::string run_folder;  ///< the replica's own, below data_dir: writable
  bool user_namespace = false;
  bool as_root = false;  ///< we are root: replicas are not, where that is possible
};

/// Where every replica finds its own folder: host paths need not exist inside, nor be open to its user.
inline constexpr const char* kRunFolderInside = "/tmp/.faas";

[[nodiscard]] process::Isolation make_sandbox(const SandboxRequest& request);

/// Lets the replica find `folder`, read-only, where functions look for their secrets.
void show_secrets(const std::string& folder, process::Isolation& isolation);

/// The files a command names by absolute path and its program, links resolved too.
[[nodiscard]] std::vector<std::string> files_of(const std::string& command);

/// Whether any user of this machine can read `path` and pass through the folders above it.
[[nodiscard]] bool readable_by_all(const std::string& path);

}  // namespace faas::provider
