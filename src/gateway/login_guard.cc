#include "gateway/login_guard.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <utility>

namespace faas::gateway {

std::string sender_key(std::string_view address) {
  const std::string text(address);
  std::array<char, 16> bytes{};
  if (::inet_pton(AF_INET6, text.c_str(), bytes.data()) != 1) return text;
  constexpr std::string_view mapped("\0\0\0\0\0\0\0\0\0\0\xff\xff", 12);
  const std::string_view whole(bytes.data(), bytes.size());
  return std::string(whole.starts_with(mapped) ? whole : whole.substr(0, 8));
}

LoginGuard::Attempt::Attempt(Attempt&& other) noexcept
    : guard_(std::exchange(other.guard_, nullptr)), key_(std::move(other.key_)), wait_(other.wait_) {}

LoginGuard::Attempt::~Attempt() {
  if (guard_ != nullptr && wait_ > Duration::zero()) guard_->leave(key_);
}

// Forgets what lies too far back, unless somebody waits for it.
LoginGuard::Records::iterator LoginGuard::find(const std::string& key, TimePoint now) {
  const auto found = by_key_.find(key);
  if (found == by_key_.end()) return records_.end();
  const auto record = found->second;
  if (now - record->last <= kMemory || record->waiting > 0) return record;
  by_key_.erase(found);
  records_.erase(record);
  return records_.end();
}

std::optional<LoginGuard::Attempt> LoginGuard::begin(std::string_view address, TimePoint now) {
  auto key = sender_key(address);
  const std::lock_guard lock(mutex_);
  const auto record = find(key, now);
  if (record == records_.end() || record->wrong < kFreeTries) {
    return Attempt(*this, std::move(key), Duration::zero());
  }
  if (record->waiting >= kWaitingMax) return std::nullopt;
  ++record->waiting;
  const auto doublings = std::min(record->wrong - kFreeTries, 10U);
  return Attempt(*this, std::move(key), std::min(kLongestWait, kFirstWait * (1 << doublings)));
}

unsigned LoginGuard::wrong(std::string_view address, TimePoint now) {
  auto key = sender_key(address);
  const std::lock_guard lock(mutex_);
  auto record = find(key, now);
  if (record == records_.end()) {
    if (records_.size() >= kAddressesMax) {
      by_key_.erase(records_.back().key);
      records_.pop_back();
    }
    record = records_.insert(records_.begin(), Record{.key = key, .last = now});
    by_key_.emplace(std::move(key), record);
  }
  record->last = now;
  records_.splice(records_.begin(), records_, record);
  return ++record->wrong;
}

void LoginGuard::leave(const std::string& key) {
  const std::lock_guard lock(mutex_);
  const auto found = by_key_.find(key);
  if (found != by_key_.end() && found->second->waiting > 0) --found->second->waiting;
}

std::size_t LoginGuard::addresses() const {
  const std::lock_guard lock(mutex_);
  return records_.size();
}

}  // namespace faas::gateway
