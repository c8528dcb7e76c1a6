// How a function stands, in words: one reason for programs, one sentence for people. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "model/function_status.h"
#include "provider/plan.h"

namespace faas::provider {

struct Standing {
  std::uint32_t wanted = 0;
  std::uint32_t ready = 0;           ///< replicas that take calls, of any revision
  std::uint32_t ready_current = 0;   ///< those of the wanted revision
  const Setback* setback = nullptr;  ///< of the wanted revision; null: nothing went wrong
};

/// The condition "Ready". Reasons: Available, UpdateNotReady (an older revision serves), Starting,
/// ScaledToZero, and those of setbacks: CrashLoop, CommandNotFound, StartFailed.
[[nodiscard]] Condition describe(const Standing& standing);

/// "exit status 3: no such module (4 failures in a row)": one line of at most kMessageBytesMax bytes.
[[nodiscard]] std::string describe(const Setback& setback);

/// A message ends up in lists, logs and terminals; the whole story is in the function's log.
inline constexpr std::size_t kMessageBytesMax = 512;
inline constexpr std::string_view kCrashLoop = "CrashLoop";

}  // namespace faas::provider
