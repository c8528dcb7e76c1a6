#include "jwt/verdict_cache.h"

namespace faas::jwt {

const Verdict* VerdictCache::find(std::string_view token) {
  const auto found = by_token_.find(token);
  if (found == by_token_.end()) return nullptr;
  entries_.splice(entries_.begin(), entries_, found->second);
  return &found->second->verdict;
}

void VerdictCache::remember(std::string_view token, const Verdict& verdict) {
  forget(token);
  if (token.size() > bytes_max_) return;
  while (bytes_ + token.size() > bytes_max_) forget(entries_.back().token);
  entries_.push_front({.token = std::string(token), .verdict = verdict});
  by_token_.emplace(entries_.front().token, entries_.begin());
  bytes_ += token.size();
}

void VerdictCache::forget(std::string_view token) {
  const auto found = by_token_.find(token);
  if (found == by_token_.end()) return;
  const auto entry = found->second;
  by_token_.erase(found);
  bytes_ -= entry->token.size();
  entries_.erase(entry);
}

void VerdictCache::clear() {
  by_token_.clear();
  entries_.clear();
  bytes_ = 0;
}

}  // namespace faas::jwt
