// How many calls run at once, and whether one more may.
#pragma once

#include <cstdint>

namespace faas::watchdog {

/// Threads: one core. A Pass counts one call as long as it lives.
class Limiter final {
 public:
  /// `most` <= 0: no limit.
  explicit Limiter(std::int64_t most) : most_(most) {}

  class Pass final {
   public:
    explicit Pass(Limiter& limiter) : limiter_(limiter.full() ? nullptr : &limiter) {
      if (limiter_ != nullptr) ++limiter_->running_;
    }
    ~Pass() {
      if (limiter_ != nullptr) --limiter_->running_;
    }
    Pass(const Pass&) = delete;
    Pass& operator=(const Pass&) = delete;
    /// False: there is no room.
    explicit operator bool() const { return limiter_ != nullptr; }

   private:
    Limiter* limiter_;
  };

  [[nodiscard]] bool full() const { return most_ > 0 && running_ >= most_; }
  [[nodiscard]] std::int64_t most() const { return most_; }

 private:
  std::int64_t most_;
  std::int64_t running_ = 0;
};

}  // namespace faas::watchdog
