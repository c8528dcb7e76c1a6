#include "net/doorman.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "base/log.h"

namespace faas::net {
namespace {

// Connections accepted in one turn, so that a flood of them does not starve those already open.
constexpr int kAcceptsPerTurn = 64;
constexpr auto kPauseWithoutDescriptors = std::chrono::milliseconds(100);

Guest& least_busy(const std::vector<Guest*>& guests) {
  return **std::min_element(guests.begin(), guests.end(), [](const Guest* a, const Guest* b) {
    return a->connections.load(std::memory_order_relaxed) < b->connections.load(std::memory_order_relaxed);
  });
}

void hand_over(Guest& guest, Fd connection) {
  // Counted here as well, so that a burst is spread before the cores get to see it.
  guest.connections.fetch_add(1, std::memory_order_relaxed);
  if (&guest.core() == &Core::current()) {
    guest.receive(std::move(connection));
    return;
  }
  guest.core().post(
      [&guest, connection = std::move(connection)]() mutable { guest.receive(std::move(connection)); });
}

}  // namespace

Task<> accept_for(Stream listener, std::vector<Guest*> guests) {
  while (true) {
    co_await listener.readable();
    bool out_of_descriptors = false;
    for (int i = 0; i < kAcceptsPerTurn; ++i) {
      Fd connection(::accept4(listener.fd(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
      if (!connection) {
        out_of_descriptors = errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS;
        if (errno == ECONNABORTED || errno == EINTR) continue;
        break;
      }
      const int on = 1;
      ::setsockopt(connection.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      hand_over(least_busy(guests), std::move(connection));
    }
    if (out_of_descriptors) {
      log::line("accept: out of file descriptors; waiting for connections to close");
      co_await sleep_for(kPauseWithoutDescriptors);
    }
  }
}

}  // namespace faas::net
