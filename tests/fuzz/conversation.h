// One end of a connection that says an input slice by slice, for targets that read from the other.
#pragma once

#include <sys/socket.h>

#include <array>
#include <string_view>
#include <utility>

#include "net/core.h"
#include "net/event.h"
#include "net/stream.h"
#include "target.h"

namespace faas::fuzz {

/// Waits until the loop has gone on to everything else that is ready.
class Turn final {
 public:
  explicit Turn(net::Core& core) : core_(core) {}
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> handle) {
    waiter_.handle = handle;
    core_.resume_soon(waiter_);
  }
  void await_resume() const noexcept {}

 private:
  net::Core& core_;
  net::Waiter waiter_;
};

[[nodiscard]] inline std::pair<net::Fd, net::Fd> connected() {
  std::array<int, 2> ends{};
  HOLDS(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) == 0);
  return {net::Fd(ends[0]), net::Fd(ends[1])};
}

/// Says the bytes and then no more; whoever listens may have read any number of slices meanwhile.
inline Task<> say(net::Core& core, net::Stream& stream, std::string_view bytes, Slices slices) {
  while (!bytes.empty()) {
    const auto size = slices.next(bytes.size());
    const auto wrote = co_await stream.write(bytes.substr(0, size));
    if (!wrote) co_return;
    bytes.remove_prefix(size);
    for (int turns = 0; turns < 2; ++turns) co_await Turn(core);
  }
  stream.shutdown_write();
}

}  // namespace faas::fuzz
