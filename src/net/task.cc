#include "net/task.h"

#include <array>
#include <cstdint>
#include <new>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define FAAS_PLAIN_FRAMES 1  // so that the sanitizer sees the use of a destroyed frame
#endif
#endif

namespace faas::detail {
namespace {

[[maybe_unused]] constexpr std::size_t kStep = 64;
[[maybe_unused]] constexpr std::size_t kPooledBytesMax = 8192;
// What a burst leaves behind is bounded: beyond this, frames of a size go back to the heap.
[[maybe_unused]] constexpr std::uint32_t kFramesKeptMax = 1024;

struct FreeFrame {
  FreeFrame* next;
};

struct FramePool {
  std::array<FreeFrame*, kPooledBytesMax / kStep + 1> free{};
  std::array<std::uint32_t, kPooledBytesMax / kStep + 1> count{};
  ~FramePool() {
    for (auto* frame : free) {
      while (frame != nullptr) ::operator delete(std::exchange(frame, frame->next));
    }
  }
};

[[maybe_unused]] FramePool& pool() {
  thread_local FramePool instance;
  return instance;
}

}  // namespace

void* allocate_frame(std::size_t size) {
#ifndef FAAS_PLAIN_FRAMES
  const auto slot = (size + kStep - 1) / kStep;
  if (slot * kStep <= kPooledBytesMax) {
    auto& own = pool();
    if (auto* frame = own.free[slot]) {
      own.free[slot] = frame->next;
      --own.count[slot];
      return frame;
    }
    return ::operator new(slot* kStep);
  }
#endif
  return ::operator new(size);
}

void free_frame(void* frame, std::size_t size) noexcept {
#ifndef FAAS_PLAIN_FRAMES
  const auto slot = (size + kStep - 1) / kStep;
  if (slot * kStep <= kPooledBytesMax) {
    auto& own = pool();
    if (own.count[slot] < kFramesKeptMax) {
      own.free[slot] = new (frame) FreeFrame{own.free[slot]};
      ++own.count[slot];
      return;
    }
  }
#else
  (void)size;
#endif
  ::operator delete(frame);
}

}  // namespace faas::detail
