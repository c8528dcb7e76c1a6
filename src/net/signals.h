// Signals as events.
#pragma once

#include <initializer_list>

#include "net/core.h"
#include "net/stream.h"

namespace faas::net {

/// Blocks the signals in this thread and those it starts later. First thing in main().
void block_signals(std::initializer_list<int> signals);

/// The blocked signals as a readable descriptor.
class Signals final {
 public:
  explicit Signals(std::initializer_list<int> signals);
  /// Waits for the next one and returns its number.
  Task<int> next();

 private:
  Stream stream_;
};

}  // namespace faas::net
