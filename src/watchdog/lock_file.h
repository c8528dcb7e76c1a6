// The lock file: it exists as long as the watchdog wants to be called. Health checks of containers look at it
// from outside.
#pragma once

#include <string>

#include "base/result.h"

namespace faas::watchdog {

/// Removes its file when it is destroyed.
class LockFile final {
 public:
  LockFile() = default;
  LockFile(LockFile&&) = delete;
  ~LockFile() { (void)remove(); }

  [[nodiscard]] static std::string path_in(const std::string& folder) { return folder + "/.lock"; }
  /// Makes it, empty. `make_folders`: also the folders it is to be in.
  /// Errors (origin machine): not_found: there is no such folder; failed: it cannot be written. A line that
  /// names the way out.
  Result<void> write(const std::string& folder, bool make_folders);
  /// Errors: machine: nobody else should have removed it. Once.
  Result<void> remove();
  [[nodiscard]] bool exists() const;
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace faas::watchdog
