#include "provider/external/catalogue.h"

#include <algorithm>

#include "model/names.h"

namespace faas::provider {
namespace {

bool same_endpoints(const FunctionEntry& a, const FunctionEntry& b) {
  return std::ranges::equal(a.ready, b.ready, [](const auto& one, const auto& other) {
    return one->address == other->address && one->prefix == other->prefix;
  });
}

bool same_standing(const FunctionEntry& a, const FunctionEntry& b) {
  return a.replicas == b.replicas && a.available == b.available && a.ready_wanted == b.ready_wanted &&
         a.setback == b.setback && a.setbacks == b.setbacks && a.startable == b.startable &&
         a.scale == b.scale;
}

// A provider of ours says more than OpenFaaS's: how the wanted version comes along.
void read_conditions(const FunctionStatus& status, FunctionEntry& entry) {
  entry.ready_wanted = entry.available;
  for (const auto& condition : status.conditions) {
    if (condition.type == "Ready" && condition.reason == "UpdateNotReady") entry.ready_wanted = 0;
    if (condition.type != "LastFailure" || !condition.holds) continue;
    entry.setback = condition.message;
    entry.setbacks = 1;
    entry.startable = condition.reason == "CrashLoop";
  }
}

}  // namespace

void Catalogue::put(const FunctionStatus& status) {
  const auto& told = status.spec.name;
  auto entry = std::make_shared<FunctionEntry>();
  entry->name = told;
  if (told.name_space.empty()) entry->name.name_space = kDefaultNamespace;
  const auto printed = print_function_name(entry->name);
  entry->replicas = status.replicas;
  entry->scale = read_scale_wish(status.spec);
  entry->available = status.available_replicas;
  read_conditions(status, *entry);
  // Some tell no available replicas in lists: whether a call is answered is for the provider to say.
  if (status.replicas > 0 || status.available_replicas > 0) {
    auto endpoint = std::make_shared<Endpoint>();
    endpoint->address = address_;
    endpoint->prefix = url_.prefix + "/function/" + (told.name_space.empty() ? told.name : printed);
    endpoint->host = url_.host;
    entry->ready.push_back(std::move(endpoint));
  }
  const auto known = entries_.find(printed);
  if (known != entries_.end() && same_endpoints(*known->second, *entry)) {
    if (same_standing(*known->second, *entry)) return;
    entry->ready = known->second->ready;  // the calls under way are counted there
  }
  entries_.insert_or_assign(printed, std::move(entry));
  changed_.insert(printed);
}

void Catalogue::erase(const FunctionName& name) {
  const auto printed = print_function_name(name);
  if (!entries_.contains(printed)) return;
  entries_.erase(printed);
  changed_.insert(printed);
}

void Catalogue::replace_all(const std::vector<FunctionStatus>& statuses,
                            const std::set<std::string>& spared) {
  std::set<std::string> told;
  for (const auto& status : statuses) {
    auto name = status.spec.name;
    if (name.name_space.empty()) name.name_space = kDefaultNamespace;
    auto printed = print_function_name(name);
    if (spared.contains(printed)) continue;
    put(status);
    told.insert(std::move(printed));
  }
  std::vector<std::string> gone;
  for (const auto& [name, entry] : entries_) {
    if (!told.contains(name) && !spared.contains(name)) gone.push_back(name);
  }
  for (const auto& name : gone) {
    entries_.erase(name);
    changed_.insert(name);
  }
}

std::shared_ptr<const Snapshot> Catalogue::take_changes() {
  if (changed_.empty()) return nullptr;
  auto snapshot = std::make_shared<Snapshot>();
  snapshot->functions = entries_;
  snapshot->version = ++version_;
  snapshot->changed.assign(changed_.begin(), changed_.end());
  changed_.clear();
  return snapshot;
}

}  // namespace faas::provider
