// What a provider elsewhere last said of its functions, as snapshots for the gateway. Pure: asks nobody.
//
// Every call of a function goes to the provider, which knows the replicas: one endpoint a function, whose
// prefix is /function/NAME.NAMESPACE.
//
// Threads: one core.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/shared_map.h"
#include "contract/provider.h"
#include "provider/external/base_url.h"

namespace faas::provider {

class Catalogue final {
 public:
  explicit Catalogue(BaseUrl url) : url_(std::move(url)) {}

  /// Where calls go from now on: "10.0.0.7:8080".
  void move(std::string address) { address_ = std::move(address); }
  /// One function, new or changed. One without a namespace is of a provider that has none: it counts as in
  /// the default one, and is called without.
  void put(const FunctionStatus& status);
  void erase(const FunctionName& name);
  /// All there are; those of `spared` ("name.namespace") stay as they are here, or away.
  void replace_all(const std::vector<FunctionStatus>& statuses, const std::set<std::string>& spared);

  /// What has changed since the last call; null: nothing.
  [[nodiscard]] std::shared_ptr<const Snapshot> take_changes();

 private:
  BaseUrl url_;
  std::string address_;
  SharedMap<std::shared_ptr<const FunctionEntry>> entries_;
  std::set<std::string> changed_;
  std::uint64_t version_ = 0;
};

}  // namespace faas::provider
