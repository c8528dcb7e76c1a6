// The logs of all functions: a folder each.
//
// Threads: the control core.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "base/result.h"
#include "provider/local/function_log.h"

namespace faas::provider {

class LogStore final {
 public:
  /// `folder` is made (mode 0700). `bytes_max`: of each function. Errors: failed: the text names the folder.
  static Result<LogStore> open(net::Core& core, std::string folder, std::uint64_t bytes_max);

  /// A function's log, made when nobody has it.
  [[nodiscard]] std::shared_ptr<FunctionLog> of(const FunctionName& function);
  /// The function was deleted.
  void remove(const FunctionName& function);
  /// Removes the logs of functions that are not there any more; `exists` is asked with "name.namespace".
  template <class Exists>
  void keep_only(Exists exists) {
    for (const auto& name : stored()) {
      if (!exists(name)) remove_folder(name);
    }
  }

 private:
  LogStore(net::Core& core, std::string folder, std::uint64_t bytes_max)
      : core_(&core), folder_(std::move(folder)), bytes_max_(bytes_max) {}
  [[nodiscard]] std::vector<std::string> stored() const;
  void remove_folder(const std::string& name) const;

  net::Core* core_;
  std::string folder_;
  std::uint64_t bytes_max_;
  std::map<std::string, std::weak_ptr<FunctionLog>, std::less<>> open_;
};

}  // namespace faas::provider
