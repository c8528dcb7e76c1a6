// The admin's login as its files say it now: a password that was changed counts from the next request on.
#pragma once

#include <sys/stat.h>

#include <optional>
#include <string_view>

#include "base/units.h"
#include "gateway/credentials.h"
#include "http/auth.h"

namespace faas::gateway {

/// Threads: one core; each has its own.
class AdminLogin final {
 public:
  explicit AdminLogin(Credentials credentials);

  /// Whether an Authorization value carries it. Looks at the files first and reads them again when they have
  /// changed; files that cannot be read, or are empty, leave the login as it was and a line in the log.
  [[nodiscard]] bool accepts(std::string_view authorization);
  /// The same for requests that need no login: the files are looked at once a second at most.
  [[nodiscard]] bool is_in(std::string_view authorization, TimePoint now);

 private:
  struct Stamp {
    bool there = false;
    dev_t device = 0;
    ino_t inode = 0;
    off_t size = 0;
    timespec changed{};
    bool operator==(const Stamp& other) const;
  };
  [[nodiscard]] static Stamp stamp_of(const std::string& path);
  [[nodiscard]] bool is_current(const Stamp& user, const Stamp& password) const;
  void look();

  Credentials credentials_;
  http::BasicLogin login_;
  std::optional<Stamp> user_;
  std::optional<Stamp> password_;
  TimePoint looked_at_ = TimePoint::min();
};

}  // namespace faas::gateway
