#include "provider/local/environment.h"

#include <fmt/format.h>

#include <map>

#include "model/secret.h"

namespace faas::provider {

std::vector<std::string> make_environment(const FunctionSpec& spec, const ReplicaSettings& settings) {
  std::map<std::string, std::string> variables = spec.env_vars;
  variables.try_emplace("PATH", settings.path);
  variables.try_emplace("HOME", "/tmp");
  // How long a watchdog told to end waits for its callers to notice. Ours have noticed: a replica leaves the
  // snapshot before it is told.
  variables.try_emplace("healthcheck_interval", "0s");
  // A call has one time limit, the gateway's, which ends it here by hanging up. What the watchdog would add
  // is for callers it does not know; it insists on a write_timeout, and warns of a shorter one than
  // exec_timeout.
  variables.try_emplace("exec_timeout", "24h");
  variables.try_emplace("read_timeout", "0s");
  variables.try_emplace("write_timeout", "24h");
  if (!spec.env_process.empty()) variables["fprocess"] = spec.env_process;
  variables["OPENFAAS_NAME"] = spec.name.name;
  variables["OPENFAAS_NAMESPACE"] = spec.name.name_space;
  variables["unix_socket"] = settings.socket_path;
  variables["ready_fd"] = std::to_string(settings.ready_fd);
  if (!spec.secrets.empty()) {
    variables[kSecretsVariable] =
        settings.secrets_folder.empty() ? std::string(kSecretsFolder) : settings.secrets_folder;
  }
  if (!settings.listen_tcp) variables["listen_tcp"] = "false";

  std::vector<std::string> lines;
  lines.reserve(variables.size());
  for (const auto& [name, value] : variables) lines.push_back(fmt::format("{}={}", name, value));
  return lines;
}

}  // namespace faas::provider
