// A secret: bytes under a name, which functions find as the file /var/openfaas/secrets/NAME. They are never
// printed: there is no function here that would.
//
// Source: OpenFaaS provider API, Secret (/system/secrets).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace faas {

/// What Docker allows. A body of kJsonBytesMax has room for it once, also in base64.
inline constexpr std::size_t kSecretBytesMax = 500 * 1024;
inline constexpr std::string_view kSecretsFolder = "/var/openfaas/secrets";

struct SecretName {
  std::string name;
  std::string name_space;  ///< never empty once parsed

  friend auto operator<=>(const SecretName&, const SecretName&) = default;
};

struct SecretSpec {
  SecretName name;
  std::string bytes;  ///< what `rawValue` (base64) says, else `value`
};

/// Body of POST and PUT. `fallback` is the namespace when the body names none; empty: the default one.
/// Errors: invalid, client: names `name`, `namespace`, `value` or `rawValue`, and never shows a value.
[[nodiscard]] Result<SecretSpec> parse_secret(std::string_view json, std::string_view fallback = {});

/// Body of DELETE. Errors: invalid, client: names `name` or `namespace`.
[[nodiscard]] Result<SecretName> parse_secret_name(std::string_view json, std::string_view fallback = {});

/// [{"name":"a","namespace":"ns"}]
[[nodiscard]] std::string print_secret_names(const std::vector<SecretName>& names);

}  // namespace faas
