// X-Call-Id: the client's, when it is fit to be logged, else a new UUID (version 4, RFC 9562).
#pragma once

#include <array>
#include <string>
#include <string_view>

namespace faas::gateway {

/// Threads: one core. One system call fills it for 256 ids.
class CallIds final {
 public:
  using Id = std::array<char, 36>;
  [[nodiscard]] Id make();

 private:
  std::array<unsigned char, 4096> random_{};
  std::size_t used_ = sizeof random_;
};

/// At most 128 visible ASCII characters: nothing that could forge a log line.
[[nodiscard]] bool fit_call_id(std::string_view id);

}  // namespace faas::gateway
