#include "gateway/call_id.h"

#include <sys/random.h>

#include <algorithm>
#include <cstdlib>

namespace faas::gateway {
namespace {

constexpr std::size_t kIdBytes = 16;
constexpr std::size_t kCallIdCharactersMax = 128;

}  // namespace

CallIds::Id CallIds::make() {
  // getrandom gives at most 256 bytes without a chance of being interrupted.
  if (used_ + kIdBytes > random_.size()) {
    for (std::size_t at = 0; at < random_.size(); at += 256) {
      if (::getrandom(random_.data() + at, 256, 0) != 256) std::abort();
    }
    used_ = 0;
  }
  auto* bytes = random_.data() + used_;
  used_ += kIdBytes;
  bytes[6] = static_cast<unsigned char>((bytes[6] & 0x0f) | 0x40);
  bytes[8] = static_cast<unsigned char>((bytes[8] & 0x3f) | 0x80);
  constexpr std::string_view digits = "0123456789abcdef";
  Id id;
  std::size_t out = 0;
  for (std::size_t i = 0; i < kIdBytes; ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) id[out++] = '-';
    id[out++] = digits[bytes[i] >> 4];
    id[out++] = digits[bytes[i] & 0x0f];
  }
  return id;
}

bool fit_call_id(std::string_view id) {
  return !id.empty() && id.size() <= kCallIdCharactersMax &&
         std::all_of(id.begin(), id.end(), [](char c) { return c > 0x20 && c < 0x7f; });
}

}  // namespace faas::gateway
