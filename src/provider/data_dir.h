// The folder that belongs to one gateway: its state, and what runs.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "net/stream.h"

namespace faas::provider {

/// Holds the folder for this process: the lock goes with the process, however it ends.
///
/// Lifetime: as long as anything below the folder is used.
class DataDir final {
 public:
  /// Makes the folder (mode 0711: replicas reach their own folder through it, nobody lists it) and locks it.
  /// Errors: invalid when the path is not absolute; already_exists when another process holds it; failed. The
  /// text names the path.
  static Result<DataDir> open(const std::string& path);

  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  DataDir(std::string path, net::Fd lock) : path_(std::move(path)), lock_(std::move(lock)) {}
  std::string path_;
  net::Fd lock_;
};

}  // namespace faas::provider
