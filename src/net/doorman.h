// The doorman accepts connections and hands each to the least busy core, where a Guest receives it.
//
// SO_REUSEPORT would let the kernel choose by a hash, which piles long keep-alive connections on one core.
//
// Threads: lives on one core; guests are called on theirs.
#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "net/core.h"
#include "net/stream.h"

namespace faas::net {

/// What serves connections on one core.
class Guest {
 public:
  virtual ~Guest() = default;
  virtual Core& core() = 0;
  /// On the guest's own core.
  virtual void receive(Fd connection) = 0;
  /// How many connections it holds; written by its core, read by the doorman.
  std::atomic<std::uint32_t> connections{0};
};

/// Accepts on `listener` until destroyed. Out of descriptors (EMFILE), it waits 100 ms and goes on.
[[nodiscard]] Task<> accept_for(Stream listener, std::vector<Guest*> guests);

}  // namespace faas::net
