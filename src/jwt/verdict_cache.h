// What was found out about tokens whose signatures were good, so that a caller's next call costs no
// signature.
#pragma once

#include <list>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "jwt/claims.h"

namespace faas::jwt {

/// What of a token still has to be asked at each call, and what has not.
struct Verdict {
  std::optional<UnixSeconds> not_before;
  std::optional<UnixSeconds> expires_at;
  bool permitted = false;
};

/// Bounded by the bytes of its tokens; the one that was used longest ago goes first. A stranger cannot fill
/// it: who has no good signature does not get in. Threads: one core.
class VerdictCache final {
 public:
  explicit VerdictCache(std::size_t bytes_max) : bytes_max_(bytes_max) {}

  /// nullptr when the token is not known; valid until the next remember(), forget() or clear().
  [[nodiscard]] const Verdict* find(std::string_view token);
  void remember(std::string_view token, const Verdict& verdict);
  void forget(std::string_view token);
  void clear();
  [[nodiscard]] std::size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    std::string token;
    Verdict verdict;
  };
  std::size_t bytes_max_;
  std::size_t bytes_ = 0;
  std::list<Entry> entries_;  // the one used last in front
  std::unordered_map<std::string_view, std::list<Entry>::iterator> by_token_;
};

}  // namespace faas::jwt
