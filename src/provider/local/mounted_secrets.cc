#include "provider/local/mounted_secrets.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <utility>

#include "model/json.h"

namespace faas::provider {

Result<MountedSecrets> MountedSecrets::make(std::string folder, const FunctionSpec& spec,
                                            const SecretStore& store, std::optional<process::RunAs> owner) {
  MountedSecrets made(std::move(folder), spec.name.name_space, owner);
  if (::mkdir(made.folder_.c_str(), 0700) != 0) return system_error("mkdir " + made.folder_, errno);
  for (const auto& name : spec.secrets) {
    if (std::ranges::find(made.names_, name) != made.names_.end()) continue;
    const SecretName wanted{.name = name, .name_space = made.name_space_};
    auto bytes = store.read(wanted);
    if (!bytes && bytes.error().code == Code::not_found) return invalid_request(bytes.error().text);
    if (!bytes) return bytes.error();
    TRY(made.write({.name = wanted, .bytes = std::move(*bytes)}));
    made.names_.push_back(name);
  }
  if (owner && ::chown(made.folder_.c_str(), owner->uid, owner->gid) != 0) {
    return system_error("chown " + made.folder_, errno);
  }
  return made;
}

MountedSecrets::MountedSecrets(MountedSecrets&& other) noexcept
    : folder_(std::exchange(other.folder_, {})),
      name_space_(std::move(other.name_space_)),
      owner_(other.owner_),
      names_(std::move(other.names_)) {}

MountedSecrets::~MountedSecrets() {
  if (folder_.empty()) return;
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

Result<void> MountedSecrets::write(const SecretSpec& secret) const {
  const auto uid = owner_ ? owner_->uid : -1U;
  const auto gid = owner_ ? owner_->gid : -1U;
  return replace_file(folder_, secret.name.name, secret.bytes, 0400, false, uid, gid);
}

Result<void> MountedSecrets::refresh(const SecretSpec& secret) const {
  const bool ours =
      secret.name.name_space == name_space_ && std::ranges::find(names_, secret.name.name) != names_.end();
  return ours ? write(secret) : Result<void>();
}

}  // namespace faas::provider
