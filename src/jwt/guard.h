// The guard of one resource: says whether the bearer of a token may use it. Pure: keys and clock are given.
#pragma once

#include <string>
#include <string_view>

#include "jwt/claims.h"
#include "jwt/key_set.h"
#include "jwt/verdict_cache.h"

namespace faas::jwt {

struct Judgement {
  enum class Kind {
    admitted,
    unauthenticated,  ///< text: why
    unknown_key,      ///< no key of that id: newer keys may help; text as for unauthenticated
    forbidden,        ///< the token is good, its permissions are for something else
  };
  Kind kind = Kind::unauthenticated;
  std::string text;
};

/// The token in an Authorization field: what follows "Bearer ", or the whole value.
[[nodiscard]] std::string_view bearer_token(std::string_view authorization);

/// Threads: one core.
class Guard final {
 public:
  static constexpr std::size_t kCacheBytesMax = 512 * 1024;

  /// `resource` is what permissions are compared with.
  explicit Guard(std::string resource) : resource_(std::move(resource)), cache_(kCacheBytesMax) {}

  /// From now on these count. What was found out with other keys, or about another issuer, is forgotten.
  void trust(std::string issuer, KeySet keys);
  /// Before trust(), nobody is admitted.
  [[nodiscard]] Judgement judge(std::string_view token, UnixSeconds now);

  [[nodiscard]] const KeySet& keys() const { return keys_; }
  [[nodiscard]] std::string_view issuer() const { return issuer_; }
  /// How many signatures have been checked since it was made.
  [[nodiscard]] std::size_t signatures_checked() const { return signatures_checked_; }

 private:
  Judgement examine(std::string_view text, UnixSeconds now);

  std::string resource_;
  std::string issuer_;
  KeySet keys_;
  VerdictCache cache_;
  std::size_t signatures_checked_ = 0;
};

}  // namespace faas::jwt
