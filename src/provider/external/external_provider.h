// A provider elsewhere: any that speaks OpenFaaS's provider API over HTTP, such as faas-netes for Kubernetes,
// faasd, or another gateway of ours.
//
// Changes and questions go there one by one. Which functions there are is asked again and again, and after
// each change of ours, so that a call asks nobody: it goes to the provider's /function/NAME straight from the
// core it came to.
//
// Threads:  the control core. Lifetime: the listener and the core outlive it.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "contract/provider.h"
#include "net/core.h"
#include "net/event.h"
#include "provider/external/catalogue.h"
#include "provider/external/remote_api.h"

namespace faas::provider {

struct ExternalOptions {
  BaseUrl url;
  ReadLogin login;
  Duration poll_interval = std::chrono::seconds(5);  ///< how often it is asked for its functions
  Duration timeout = std::chrono::seconds(60);       ///< for one answer; 0: no limit
};

class ExternalProvider final : public Provider {
 public:
  /// Asks nobody before start(): a provider that is not there yet is waited for.
  /// Errors: those of the login.
  static Result<std::unique_ptr<ExternalProvider>> open(ExternalOptions options, SnapshotListener& listener,
                                                        net::Core& core);

  void start() override;
  /// What the provider runs goes on.
  Task<> shutdown(Duration limit) override;

  // Errors of all that follow: as RemoteApi::ask().
  Task<Result<void>> deploy(const FunctionSpec& spec) override;
  Task<Result<void>> update(const FunctionSpec& spec) override;
  Task<Result<void>> remove(const FunctionName& name) override;
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
  /// Names alone: labels and annotations are with name_space().
  Task<Result<std::vector<NamespaceSpec>>> namespaces() override;
  Task<Result<NamespaceSpec>> name_space(std::string_view name) override;
  Task<Result<std::shared_ptr<LogReader>>> logs(const LogQuery& query) override;
  Task<Result<ProviderInfo>> info() override;
  bool changed_by_others() const override { return true; }
  Task<Result<void>> refresh() override;

 private:
  // One look at all functions, which those wait for who want to know.
  struct Look {
    explicit Look(net::Core& core) : done(core) {}
    net::Event done;
    bool wanted = false;
    Result<void> outcome;
  };

  ExternalProvider(ExternalOptions options, std::unique_ptr<RemoteApi> api, SnapshotListener& listener,
                   net::Core& core);
  [[nodiscard]] std::string query(std::string_view name_space) const;
  [[nodiscard]] Task<Result<void>> change(std::string_view method, std::string path, std::string body);
  [[nodiscard]] Task<Result<FunctionStatus>> ask_status(FunctionName name, Duration limit);
  [[nodiscard]] Task<Result<std::vector<std::string>>> ask_namespaces(Duration limit);
  [[nodiscard]] Task<Result<std::vector<FunctionStatus>>> ask_list(std::string query, Duration limit);
  [[nodiscard]] Task<Result<void>> put(std::string_view method, const FunctionSpec& spec);
  [[nodiscard]] Task<> follow(FunctionName name);
  void take(FunctionStatus status, const FunctionName& name);
  [[nodiscard]] Duration look_limit() const;

  [[nodiscard]] Task<> look_for_ever();
  [[nodiscard]] Task<Result<void>> look();
  [[nodiscard]] Task<> rest(TimePoint began);
  [[nodiscard]] Task<> look_at_watched();
  void note(const Result<void>& outcome);
  void publish();

  ExternalOptions options_;
  std::unique_ptr<RemoteApi> api_;
  SnapshotListener& listener_;
  net::Core& core_;
  Catalogue catalogue_;
  std::set<std::string> touched_;              // what has been changed by us since the look under way began
  std::map<FunctionName, TimePoint> watched_;  // what we changed and is not ready yet, and until when
  std::shared_ptr<Look> next_;
  net::Event asked_;
  bool has_namespaces_ = true;
  std::string trouble_;                        // why the last look failed; empty: it did not
  std::string unusable_;                       // what was left out of it
  std::optional<net::Running<void>> running_;  // last: it uses all of the above
};

}  // namespace faas::provider
