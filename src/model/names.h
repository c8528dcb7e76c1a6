// Names: which ones functions, namespaces and secrets may have, and how an identity is printed.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "model/function_spec.h"

namespace faas {

/// A DNS label's length: names become host names on every platform that runs containers.
inline constexpr std::size_t kNameBytesMax = 63;
/// What Kubernetes and Docker allow a secret's name.
inline constexpr std::size_t kSecretNameBytesMax = 253;
/// Kubernetes's: a domain of 253, a slash and a name of 63.
inline constexpr std::size_t kLabelKeyBytesMax = 317;
/// What Kubernetes allows all annotations of one thing together.
inline constexpr std::size_t kLabelValueBytesMax = 256 * 1024;

/// A function's or namespace's name: A-Z a-z 0-9 - _, begins and ends with a letter or digit, 1 to 63 bytes.
/// No dot: in URLs it parts a name from its namespace. Errors: invalid, client: the text names `field`.
[[nodiscard]] Result<void> check_name(std::string_view field, std::string_view name);

/// A secret's name: A-Z a-z 0-9 . - _, neither "." nor "..", so that it is always one file of one folder.
[[nodiscard]] Result<void> check_secret_name(std::string_view field, std::string_view name);

/// The name of an environment variable: A-Z a-z 0-9 . - _, no digit first, as Kubernetes has it. A shell
/// could not use another. Errors: invalid, client: the text names `field`.
[[nodiscard]] Result<void> check_variable_name(std::string_view field, std::string_view name);

/// Labels or annotations: keys of 1 to 317 bytes without spaces and control characters, values of at most
/// 256 KiB. Errors: invalid, client: the text names `field` and the key.
[[nodiscard]] Result<void> check_labels(std::string_view field,
                                        const std::optional<std::map<std::string, std::string>>& labels);

/// "name.namespace", as metrics, snapshots and logs call it.
[[nodiscard]] std::string print_function_name(const FunctionName& name);

}  // namespace faas
