// The secrets, one file each: data_dir/secrets/NAMESPACE/NAME, for us alone (0600 in folders of 0700).
//
// What returned without an error survives kill -9 and power loss, and no moment shows half a secret: a file
// is written under a name no secret can have, flushed, and renamed. Values are never kept in memory.
//
// Threads: one, the control core. A write waits for the disk.
// Errors:  the text names the path or the secret, never its value.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/secret.h"

namespace faas::provider {

class SecretStore final {
 public:
  /// Makes the folder and removes what a killed predecessor left half-written.
  static Result<SecretStore> open(std::string folder);

  /// Errors: already_exists, client.
  [[nodiscard]] Result<void> create(const SecretSpec& secret) const;
  /// Errors: not_found, client.
  [[nodiscard]] Result<void> replace(const SecretSpec& secret) const;
  /// Errors: not_found, client.
  [[nodiscard]] Result<void> remove(const SecretName& name) const;
  [[nodiscard]] bool contains(const SecretName& name) const;
  /// Errors: not_found, client.
  [[nodiscard]] Result<std::string> read(const SecretName& name) const;
  /// Ordered by name.
  [[nodiscard]] Result<std::vector<SecretName>> list(std::string_view name_space) const;

 private:
  explicit SecretStore(std::string folder) : folder_(std::move(folder)) {}
  [[nodiscard]] std::string path(const SecretName& name) const;
  [[nodiscard]] Result<void> write(const SecretSpec& secret) const;

  std::string folder_;
};

/// Replaces the file `folder`/`name` by one with these bytes and this mode, in one step. With `durable` it is
/// on disk afterwards. A uid of -1: our own.
[[nodiscard]] Result<void> replace_file(const std::string& folder, const std::string& name,
                                        std::string_view bytes, unsigned mode, bool durable,
                                        unsigned uid = -1U, unsigned gid = -1U);

}  // namespace faas::provider
