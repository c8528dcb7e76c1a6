// The provider that needs nothing but this machine: functions are kept in a file and run as processes.
//
// Threads:  the control core, open() included: replicas die with the thread that starts them.
// Lifetime: the listener and the core outlive it. shutdown() before it is destroyed; a provider that is
//           merely destroyed kills its replicas.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "contract/provider.h"
#include "net/core.h"
#include "net/event.h"
#include "provider/data_dir.h"
#include "provider/local/process_runtime.h"
#include "provider/reconciler.h"
#include "provider/secret_store.h"
#include "provider/store.h"

namespace faas::provider {

struct LocalOptions {
  std::string data_dir;       ///< absolute
  std::string watchdog_path;  ///< the of-watchdog program
  std::string path;           ///< PATH of replicas: give our own, where their programs are looked up
  std::string release;        ///< of this program, for info()
  std::string sha;
  unsigned long descriptors_max = 0;              ///< replicas' soft limit of open files; 0: ours
  std::uint64_t log_bytes_max = 8 * 1024 * 1024;  ///< kept of what each function prints
  bool isolate = true;  ///< false: replicas run as plain processes, for machines where it is in the way
  Patience patience;
};

class LocalProvider final : public Provider {
 public:
  /// Takes the folder, reads the functions and tries what isolation this machine allows. Nothing is started
  /// and nothing published before start().
  /// Errors: already_exists when another process holds data_dir; invalid; failed. The text names the path.
  static Result<std::unique_ptr<LocalProvider>> open(LocalOptions options, SnapshotListener& listener,
                                                     net::Core& core);
  LocalProvider(const LocalProvider&) = delete;
  LocalProvider& operator=(const LocalProvider&) = delete;

  /// Starts what the store says. Once, on the control core.
  void start() override;
  /// Stops every replica: politely, after `limit` the hard way. Leaves no process, socket or folder; what
  /// was deployed stays stored. From its beginning on, changes answer unavailable.
  Task<> shutdown(Duration limit) override;

  Task<Result<void>> deploy(const FunctionSpec& spec) override;
  Task<Result<void>> update(const FunctionSpec& spec) override;
  Task<Result<void>> remove(const FunctionName& name) override;
  /// Above the function's maximum, the maximum.
  Task<Result<void>> scale(const FunctionName& name, std::uint32_t replicas) override;
  Task<Result<FunctionStatus>> status(const FunctionName& name) override;
  Task<Result<std::vector<FunctionStatus>>> list(std::string_view name_space) override;
  Task<Result<void>> create_secret(const SecretSpec& secret) override;
  Task<Result<void>> update_secret(const SecretSpec& secret) override;
  Task<Result<void>> remove_secret(const SecretName& name) override;
  Task<Result<std::vector<SecretName>>> secrets(std::string_view name_space) override;
  Task<Result<void>> create_namespace(const NamespaceSpec& spec) override;
  Task<Result<void>> update_namespace(const NamespaceSpec& spec) override;
  Task<Result<void>> remove_namespace(std::string_view name) override;
  Task<Result<std::vector<NamespaceSpec>>> namespaces() override;
  Task<Result<std::shared_ptr<LogReader>>> logs(const LogQuery& query) override;
  Task<Result<NamespaceSpec>> name_space(std::string_view name) override;
  Task<Result<ProviderInfo>> info() override;
  bool changed_by_others() const override { return false; }
  Task<Result<void>> refresh() override;

 private:
  LocalProvider(LocalOptions options, DataDir data_dir, std::unique_ptr<Store> store, SecretStore secrets,
                LogStore logs, net::Core& core);
  [[nodiscard]] Result<void> start_runtime(SnapshotListener& listener, Store::Contents contents);
  [[nodiscard]] Result<void> check_namespace(std::string_view name, Code code) const;
  [[nodiscard]] Result<void> check(const FunctionSpec& spec) const;
  [[nodiscard]] Result<void> check_open() const;
  void complete(FunctionStatus& status) const;

  LocalOptions options_;
  DataDir data_dir_;
  std::unique_ptr<Store> store_;
  SecretStore secrets_;
  LogStore logs_;
  std::map<std::string, NamespaceSpec, std::less<>> namespaces_;
  net::Event changed_;
  process::IsolationSupport isolation_;
  std::unique_ptr<ProcessRuntime> runtime_;
  std::unique_ptr<Reconciler> reconciler_;
  bool closing_ = false;
};

}  // namespace faas::provider
