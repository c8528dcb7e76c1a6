// What is sent to a provider elsewhere and what it answers, as JSON. Pure.
//
// Source: OpenFaaS provider API (spec gateway 6.1 to 6.4).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "contract/provider.h"
#include "provider/external/base_url.h"

namespace faas::provider {

/// An answer that cannot be read: 502, and which provider it is of.
[[nodiscard]] Error unreadable(const BaseUrl& url, Error error);

// Errors of all: invalid: not the JSON it should be; the text names the field.

/// Names of namespaces; `null` is none. Those that no URL of ours could carry are left out.
[[nodiscard]] Result<std::vector<std::string>> parse_names(std::string_view json);
/// Ordered. `fallback`: the namespace of those that name none.
[[nodiscard]] Result<std::vector<SecretName>> parse_secret_names(std::string_view json,
                                                                 std::string_view fallback);
/// A provider's answer, or a gateway's, which tells its provider's inside its own.
[[nodiscard]] Result<ProviderInfo> parse_info(std::string_view json);

[[nodiscard]] std::string print_delete_request(const FunctionName& name);
[[nodiscard]] std::string print_scale_request(const FunctionName& name, std::uint32_t replicas);
/// Text goes as `value`, which every provider knows, other bytes as `rawValue`.
[[nodiscard]] std::string print_secret(const SecretSpec& secret);
[[nodiscard]] std::string print_secret_name(const SecretName& name);

}  // namespace faas::provider
