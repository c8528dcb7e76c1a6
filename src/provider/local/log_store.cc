#include "provider/local/log_store.h"

#include <sys/stat.h>

#include <cerrno>
#include <filesystem>

#include "model/names.h"

namespace faas::provider {

namespace fs = std::filesystem;

Result<LogStore> LogStore::open(net::Core& core, std::string folder, std::uint64_t bytes_max) {
  if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) return system_error("mkdir " + folder, errno);
  return LogStore(core, std::move(folder), bytes_max);
}

std::shared_ptr<FunctionLog> LogStore::of(const FunctionName& function) {
  const auto name = print_function_name(function);
  auto& known = open_[name];
  if (auto log = known.lock()) return log;
  auto log = std::make_shared<FunctionLog>(*core_, function, folder_ + "/" + name, bytes_max_);
  known = log;
  return log;
}

void LogStore::remove(const FunctionName& function) {
  const auto name = print_function_name(function);
  const auto known = open_.find(name);
  if (known != open_.end()) {
    if (const auto log = known->second.lock()) log->remove();
    open_.erase(known);
  }
  remove_folder(name);
}

std::vector<std::string> LogStore::stored() const {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator entry(folder_, error), end; !error && entry != end; entry.increment(error)) {
    names.push_back(entry->path().filename().string());
  }
  return names;
}

void LogStore::remove_folder(const std::string& name) const {
  std::error_code ignored;
  fs::remove_all(folder_ + "/" + name, ignored);
}

}  // namespace faas::provider
