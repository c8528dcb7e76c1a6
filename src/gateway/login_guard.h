// What slows down whoever guesses passwords: wrong logins are counted by the address they come from. The
// first ones cost nothing; each further one is answered later than the one before, and few may wait at once.
//
// Threads: any; a lock is held for a look-up in a map. Only requests that carry a login come here.
#pragma once

#include <cstddef>
#include <list>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/units.h"

namespace faas::gateway {

class LoginGuard final {
 public:
  /// Wrong logins that slow nobody down: a person's bad day, or a script with an old password.
  static constexpr unsigned kFreeTries = 20;
  static constexpr Duration kFirstWait = std::chrono::milliseconds(100);
  static constexpr Duration kLongestWait = std::chrono::seconds(2);
  /// Attempts of one address that may wait at the same time; more are refused.
  static constexpr unsigned kWaitingMax = 8;
  /// A wrong login is forgotten after this time without another.
  static constexpr Duration kMemory = std::chrono::minutes(1);
  /// Addresses remembered; beyond that the one that was quiet for longest is forgotten.
  static constexpr std::size_t kAddressesMax = 4096;

  /// One attempt; waits counted as long as it lives.
  class Attempt final {
   public:
    Attempt(LoginGuard& guard, std::string key, Duration wait)
        : guard_(&guard), key_(std::move(key)), wait_(wait) {}
    Attempt(Attempt&& other) noexcept;
    Attempt& operator=(Attempt&&) = delete;
    ~Attempt();
    /// How long to wait before the login is looked at.
    [[nodiscard]] Duration wait() const { return wait_; }

   private:
    LoginGuard* guard_;
    std::string key_;
    Duration wait_;
  };

  /// A login comes from `address`. nullopt: too many of its attempts wait already.
  [[nodiscard]] std::optional<Attempt> begin(std::string_view address, TimePoint now);
  /// It was wrong. Returns how many were, in a row.
  unsigned wrong(std::string_view address, TimePoint now);

  [[nodiscard]] std::size_t addresses() const;

 private:
  struct Record {
    std::string key;
    unsigned wrong = 0;
    unsigned waiting = 0;
    TimePoint last;
  };
  using Records = std::list<Record>;
  [[nodiscard]] Records::iterator find(const std::string& key, TimePoint now);
  void leave(const std::string& key);

  mutable std::mutex mutex_;
  Records records_;  // the one that was wrong last is in front
  std::unordered_map<std::string, Records::iterator> by_key_;
};

/// What counts as one sender: an IPv4 address, or the /64 that a household has of IPv6.
[[nodiscard]] std::string sender_key(std::string_view address);

}  // namespace faas::gateway
