// Replicas as processes of this machine: each is a watchdog in a sandbox, reached by a Unix socket.
//
// Threads:  the control core; replicas die with its thread.
// Lifetime: destroyed, it kills what still runs. The data folder and the event outlive it.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "net/event.h"
#include "process/isolation.h"
#include "provider/local/local_replica.h"
#include "provider/local/log_store.h"
#include "provider/local/mounted_secrets.h"
#include "provider/runtime.h"

namespace faas::provider {

class ProcessRuntime final : public Runtime {
 public:
  struct Options {
    std::string data_dir;       ///< resolved: replicas live in its run/
    std::string watchdog_path;  ///< a static program
    std::string path;           ///< replicas' PATH; "" for kDefaultPath
    process::IsolationSupport isolation;
    unsigned long descriptors_max = 0;     ///< replicas' soft limit of open files; 0: ours
    const SecretStore* secrets = nullptr;  ///< outlives the runtime
    LogStore* logs = nullptr;              ///< outlives the runtime; null: what replicas print is not kept
  };
  /// Removes what a killed predecessor left in run/ and mounted/. Errors: invalid, failed: the text names the
  /// path.
  static Result<std::unique_ptr<ProcessRuntime>> open(Options options, net::Event& changed);
  ~ProcessRuntime() override;

  Task<Result<std::vector<Replica>>> observe() override;
  Task<Result<void>> start(const ReplicaPlan& plan) override;
  void stop(ReplicaId id, Stop how) override;
  void forget(ReplicaId id) override;

  /// Gives the replicas that have this secret its new bytes. Errors: of the first that could not get them.
  [[nodiscard]] Result<void> refresh(const SecretSpec& secret);

  /// Kills what still runs and removes run/ and mounted/.
  void close();

 private:
  struct Kept {
    std::optional<MountedSecrets> secrets;
    std::unique_ptr<LocalReplica> replica;  // goes first
  };

  ProcessRuntime(Options options, net::Fd watchdog, net::Event& changed);
  [[nodiscard]] process::Isolation sandbox_of(const FunctionSpec& spec, const std::string& root,
                                              const std::string& run_folder) const;
  [[nodiscard]] Result<void> find_command(const FunctionSpec& spec) const;
  [[nodiscard]] Result<void> launch(const ReplicaPlan& plan);
  [[nodiscard]] Result<std::string> make_run_folder(ReplicaId id) const;
  [[nodiscard]] Result<std::optional<MountedSecrets>> mount_secrets(
      const ReplicaPlan& plan, std::optional<process::RunAs> owner) const;
  [[nodiscard]] std::string run_folder(ReplicaId id) const;

  Options options_;
  net::Fd watchdog_;
  net::Event& changed_;
  std::map<ReplicaId, Kept> replicas_;
};

}  // namespace faas::provider
