#include "gateway/function_table.h"

#include "base/log.h"

namespace faas::gateway {
namespace {

std::vector<std::shared_ptr<const Target>> targets_of(const FunctionEntry& entry) {
  std::vector<std::shared_ptr<const Target>> targets;
  for (const auto& endpoint : entry.ready) {
    auto address = net::Address::parse(endpoint->address);
    if (!address) {
      log::print("a replica cannot be called: {}", address.error().text);
      continue;
    }
    targets.push_back(std::make_shared<const Target>(Target{endpoint, std::move(*address)}));
  }
  return targets;
}

}  // namespace

std::shared_ptr<const Target> LocalFunction::pick() {
  if (ready.empty()) return nullptr;
  const std::shared_ptr<const Target>* best = nullptr;
  std::uint32_t fewest = 0;
  ++turn;
  for (std::size_t i = 0; i < ready.size(); ++i) {
    const auto& candidate = ready[(turn + i) % ready.size()];
    const auto calls = candidate->endpoint->in_flight.load(std::memory_order_relaxed);
    if (best == nullptr || calls < fewest) {
      best = &candidate;
      fewest = calls;
    }
    if (fewest == 0) break;
  }
  return *best;
}

void FunctionTable::take(const std::string& name, const std::shared_ptr<const FunctionEntry>& entry) {
  auto& known = functions_[name];
  if (!known) {
    known = std::make_shared<LocalFunction>();
    known->name = name;
  }
  if (known->entry != entry) {
    known->entry = entry;
    known->ready = targets_of(*entry);
  }
  if (entry->name.name_space == kDefaultNamespace) functions_[entry->name.name] = known;
}

void FunctionTable::drop(const std::string& name) {
  const auto found = functions_.find(name);
  if (found == functions_.end()) return;
  const auto known = found->second;
  functions_.erase(found);
  if (known->entry->name.name_space == kDefaultNamespace) functions_.erase(known->entry->name.name);
}

void FunctionTable::update(const Snapshot& snapshot) {
  const bool next = version_ != 0 && snapshot.version == version_ + 1;
  version_ = snapshot.version;
  if (next) {
    for (const auto& name : snapshot.changed) {
      const auto found = snapshot.functions.find(name);
      if (found == snapshot.functions.end()) {
        drop(name);
      } else {
        take(name, found->second);
      }
    }
  } else {
    std::erase_if(functions_, [&snapshot](const auto& known) {
      return !snapshot.functions.contains(known.second->name);
    });
    for (const auto& [name, entry] : snapshot.functions) take(name, entry);
  }
  changed_.wake();
}

std::shared_ptr<LocalFunction> FunctionTable::find(std::string_view name) const {
  const auto found = functions_.find(name);
  return found == functions_.end() ? nullptr : found->second;
}

void FunctionTable::begin(const std::shared_ptr<LocalFunction>& function) {
  if (function->meter.started++ == 0) called_.push_back(function);
  ++function->meter.in_flight;
}

void FunctionTable::forget_deleted() {
  std::erase_if(called_, [this](const auto& function) { return find(function->name) != function; });
}

Meters FunctionTable::meters() {
  forget_deleted();
  Meters meters;
  for (const auto& function : called_) meters.emplace(function->name, function->meter);
  return meters;
}

Invocations FunctionTable::invocations() {
  forget_deleted();
  Invocations counts;
  for (const auto& function : called_) {
    if (const auto count = function->meter.invocations(); count > 0) counts.emplace(function->name, count);
  }
  return counts;
}

std::uint64_t FunctionTable::invocations(std::string_view function) const {
  const auto found = find(function);
  return found ? found->meter.invocations() : 0;
}

}  // namespace faas::gateway
