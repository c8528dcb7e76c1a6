// Where the admin's login comes from: two files, or one that is generated.
#pragma once

#include <string>

#include "base/result.h"

namespace faas::gateway {

struct Credentials {
  std::string user;
  std::string password;
  std::string user_file;      ///< need not exist
  std::string password_file;  ///< where people find it
};

/// Reads basic-auth-user (default "admin") and basic-auth-password from `secrets`, or, when that is empty,
/// from `data_dir`, where a missing password is generated: 32 characters, mode 0600. Errors: failed: names
/// the file.
[[nodiscard]] Result<Credentials> load_credentials(const std::string& secrets, const std::string& data_dir);

/// What the same files say now. Errors: failed: names the file that is empty or cannot be read.
[[nodiscard]] Result<Credentials> read_credentials(const Credentials& files);

}  // namespace faas::gateway
