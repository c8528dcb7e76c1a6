// A Provider runs functions: on this machine, on a Swarm, behind another OpenFaaS API.
//
// Threads:  every call is made on the control core.
// Lifetime: arguments live until the returned task finishes or is destroyed.
// Cancel:   destroying a task stops the waiting, not the work already asked of the provider.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/shared_map.h"
#include "base/units.h"
#include "contract/log_reader.h"
#include "model/function_spec.h"
#include "model/function_status.h"
#include "model/namespaces.h"
#include "model/scale_labels.h"
#include "model/secret.h"
#include "net/task.h"

namespace faas {

/// Where one ready replica listens. Shared by every core; `in_flight` is the calls under way from this
/// gateway, kept by whoever sends them (relaxed atomics: balancing is a preference, not a promise).
struct Endpoint {
  std::string address;  ///< "unix:/path" or "10.0.0.1:8080"
  std::string prefix;   ///< what comes before the target of every call: "/function/NAME"; mostly empty
  std::string host;     ///< the Host of calls; empty: the function's name
  alignas(64) std::atomic<std::uint32_t> in_flight{0};
};

/// What a call needs to know of one function. Immutable.
struct FunctionEntry {
  FunctionName name;
  std::uint32_t replicas = 0;                    ///< wanted
  std::vector<std::shared_ptr<Endpoint>> ready;  ///< where calls go now
  std::uint32_t available = 0;                   ///< replicas behind `ready`: one place may be several
  std::string why_not_ready;                     ///< why the last start failed; empty: a call may wait
  ScaleWish scale;                               ///< what its labels ask for

  // How the wanted version comes along, for those who wait for it.
  std::uint32_t ready_wanted = 0;  ///< replicas of the wanted version among `available`
  std::string setback;             ///< a sentence: what went wrong with it last; empty: nothing yet
  std::uint32_t setbacks = 0;      ///< how often something did, ever
  bool startable = true;           ///< false: it was not even started, so that trying again seldom helps
};

/// Every function that exists, by "name.namespace". Immutable; a change publishes a new one, which shares
/// with the one before what has not changed.
struct Snapshot {
  SharedMap<std::shared_ptr<const FunctionEntry>> functions;
  /// One more than that of the snapshot before, so that who has that one need only look at `changed`; 0: not
  /// counted, `changed` says nothing.
  std::uint64_t version = 0;
  std::vector<std::string> changed;  ///< the functions that are new, gone or different
};

class SnapshotListener {
 public:
  virtual ~SnapshotListener() = default;
  /// Called on the control core after every change; returns at once.
  virtual void publish(std::shared_ptr<const Snapshot> snapshot) = 0;
};

struct ProviderInfo {
  std::string provider;
  std::string orchestration;
  std::string release;
  std::string sha;
};

class Provider {
 public:
  virtual ~Provider() = default;

  /// Begins to run functions and to publish snapshots. Once.
  virtual void start() = 0;
  /// Ends that, within `limit`. Once, and then nothing else is called.
  virtual Task<> shutdown(Duration limit) = 0;

  /// Stores a new function and returns; it starts afterwards, status tells how that goes.
  /// Errors: already_exists (409); invalid (400), also for a namespace or secret there is not; unavailable.
  virtual Task<Result<void>> deploy(const FunctionSpec& spec) = 0;
  /// Replaces a function, keeps its replica count; the old version serves until the new one is ready.
  /// Errors: not_found (404); invalid (400).
  virtual Task<Result<void>> update(const FunctionSpec& spec) = 0;
  /// Errors: not_found.
  virtual Task<Result<void>> remove(const FunctionName& name) = 0;
  /// Errors: not_found; invalid.
  virtual Task<Result<void>> scale(const FunctionName& name, std::uint32_t replicas) = 0;
  /// Errors: not_found.
  virtual Task<Result<FunctionStatus>> status(const FunctionName& name) = 0;
  /// Ordered by name. An empty namespace means the default one. Errors: not_found: there is no such
  /// namespace.
  virtual Task<Result<std::vector<FunctionStatus>>> list(std::string_view name_space) = 0;

  /// Stores a secret. Errors: already_exists; invalid: there is no such namespace.
  virtual Task<Result<void>> create_secret(const SecretSpec& secret) = 0;
  /// Replaces its bytes, in running functions too. Errors: not_found.
  virtual Task<Result<void>> update_secret(const SecretSpec& secret) = 0;
  /// Functions that run keep what they have. Errors: not_found.
  virtual Task<Result<void>> remove_secret(const SecretName& name) = 0;
  /// Ordered by name. An empty namespace means the default one. Errors: not_found: there is no such
  /// namespace.
  virtual Task<Result<std::vector<SecretName>>> secrets(std::string_view name_space) = 0;

  /// Errors: already_exists.
  virtual Task<Result<void>> create_namespace(const NamespaceSpec& spec) = 0;
  /// Replaces labels and annotations. Errors: not_found.
  virtual Task<Result<void>> update_namespace(const NamespaceSpec& spec) = 0;
  /// Errors: not_found; invalid: it is the default one; already_exists: functions or secrets are in it.
  virtual Task<Result<void>> remove_namespace(std::string_view name) = 0;
  /// Ordered by name.
  virtual Task<Result<std::vector<NamespaceSpec>>> namespaces() = 0;
  /// Errors: not_found.
  virtual Task<Result<NamespaceSpec>> name_space(std::string_view name) = 0;

  /// A function's log, from the first line that is asked for. Errors: not_found.
  virtual Task<Result<std::shared_ptr<LogReader>>> logs(const LogQuery& query) = 0;

  /// Errors: unavailable, where it is to be asked.
  virtual Task<Result<ProviderInfo>> info() = 0;

  /// Whether functions come and go without the gateway's doing: then a name in no snapshot is worth a
  /// refresh(). Constant; any thread.
  virtual bool changed_by_others() const = 0;
  /// Returns when what was true at the call has been published. Callers may be many: they share one look, and
  /// wait for it where the last one was a moment ago.
  /// Errors: unavailable, where it cannot be asked: then nobody knows.
  virtual Task<Result<void>> refresh() = 0;
};

}  // namespace faas
