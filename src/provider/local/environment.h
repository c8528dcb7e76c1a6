// The environment a replica's watchdog is started with. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "model/function_spec.h"

namespace faas::provider {

/// Tells a function where its secrets are: where nothing is isolated, they cannot all be at kSecretsFolder.
inline constexpr const char* kSecretsVariable = "OPENFAAS_SECRETS_PATH";

/// The search path of replicas whose deployment names none.
inline constexpr std::string_view kDefaultPath =
    "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

struct ReplicaSettings {
  std::string socket_path;     ///< as the replica sees it
  std::string path;            ///< PATH, unless envVars has one
  std::string secrets_folder;  ///< where its secrets are; "": at kSecretsFolder, if it has any
  int ready_fd = -1;
  bool listen_tcp = true;  ///< a network of its own: the usual port belongs to it alone
};

/// "NAME=value" lines, ordered by name. The user's variables win over PATH, HOME, healthcheck_interval and
/// the watchdog's time limits, which are lifted where the user sets none; what makes the replica reachable
/// and names it wins over the user's.
[[nodiscard]] std::vector<std::string> make_environment(const FunctionSpec& spec,
                                                        const ReplicaSettings& settings);

}  // namespace faas::provider
