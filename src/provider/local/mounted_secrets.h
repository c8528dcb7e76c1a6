// The secrets of one replica, as files that it finds at /var/openfaas/secrets: a folder of its own, holding
// only those its function names, readable by the user it runs as.
//
// A sandbox sees the folder itself, read-only: a file replaced here is replaced there.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/function_spec.h"
#include "process/isolation.h"
#include "provider/secret_store.h"

namespace faas::provider {

class MountedSecrets final {
 public:
  /// Makes `folder` (0700) and writes the files (0400). `owner`: who reads them; none: our own user.
  /// Errors: invalid: there is no such secret; failed; unavailable: the disk is full.
  static Result<MountedSecrets> make(std::string folder, const FunctionSpec& spec, const SecretStore& store,
                                     std::optional<process::RunAs> owner);
  MountedSecrets(MountedSecrets&& other) noexcept;
  MountedSecrets& operator=(MountedSecrets&& other) = delete;
  ~MountedSecrets();  ///< removes the folder

  [[nodiscard]] const std::string& folder() const { return folder_; }
  /// Writes one secret again, if it is among them.
  [[nodiscard]] Result<void> refresh(const SecretSpec& secret) const;

 private:
  MountedSecrets(std::string folder, std::string name_space, std::optional<process::RunAs> owner)
      : folder_(std::move(folder)), name_space_(std::move(name_space)), owner_(owner) {}
  [[nodiscard]] Result<void> write(const SecretSpec& secret) const;

  std::string folder_;
  std::string name_space_;
  std::optional<process::RunAs> owner_;
  std::vector<std::string> names_;
};

}  // namespace faas::provider
