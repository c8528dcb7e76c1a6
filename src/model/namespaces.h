// A namespace: names and secrets of one are apart from those of others.
//
// Source: OpenFaaS provider API, FunctionNamespace (/system/namespace/NAME).
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace faas {

struct NamespaceSpec {
  std::string name;
  std::optional<std::map<std::string, std::string>> labels;       ///< present but empty prints {}
  std::optional<std::map<std::string, std::string>> annotations;  ///< present but empty prints {}

  friend bool operator==(const NamespaceSpec&, const NamespaceSpec&) = default;
};

/// Parses the body of POST and PUT. `path_name` is the name that the URL gives; empty: it gives none, and the
/// body must. Unknown fields are ignored.
/// Errors: invalid, client: names `name` (also when body and URL disagree), `labels` or `annotations`.
[[nodiscard]] Result<NamespaceSpec> parse_namespace(std::string_view json, std::string_view path_name = {});

/// As JSON; parse_namespace reads it back equal.
[[nodiscard]] std::string print_namespace(const NamespaceSpec& spec);

/// The names as a JSON array of strings.
[[nodiscard]] std::string print_namespace_names(const std::vector<NamespaceSpec>& specs);

}  // namespace faas
