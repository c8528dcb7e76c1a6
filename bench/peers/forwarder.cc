// forwarder LISTEN_PORT UPSTREAM_PORT: the floor under every proxy. A bare epoll loop that moves bytes
// between each client and an upstream connection of its own, and knows nothing of HTTP: what a proxy costs
// above this is what it does with the bytes.

#include <array>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "loopback.h"

namespace {

constexpr int events_max = 256;
constexpr std::size_t chunk_bytes = 64 * 1024;

struct End {
  int fd = -1;
  int other = 0;       // index of the other end in the pair
  std::string unsent;  // what this end's socket did not take yet; the other end is not read meanwhile
  struct Pair* pair = nullptr;
};

struct Pair {
  std::array<End, 2> ends;
  bool over = false;
};

class Forwarder final {
 public:
  Forwarder(int listener, std::uint16_t upstream_port)
      : listener_(listener),
        upstream_(bench::loopback(upstream_port)),
        epoll_(bench::check(epoll_create1(EPOLL_CLOEXEC), "epoll_create1")) {
    bench::watch(epoll_, EPOLL_CTL_ADD, listener_, EPOLLIN, nullptr);
  }
  Forwarder(const Forwarder&) = delete;
  Forwarder& operator=(const Forwarder&) = delete;

  [[noreturn]] void run() {
    std::array<epoll_event, events_max> events;
    for (;;) {
      const int count = epoll_wait(epoll_, events.data(), events_max, -1);
      if (count < 0 && errno != EINTR) bench::fail("epoll_wait");
      for (int i = 0; i < count; ++i) handle(events[static_cast<std::size_t>(i)]);
      // Only now: an event later in the batch may name the other end of a pair that is over.
      over_.clear();
    }
  }

 private:
  void handle(const epoll_event& event) {
    auto* end = static_cast<End*>(event.data.ptr);
    if (end == nullptr) {
      accept_all();
    } else if (!end->pair->over) {
      const bool broken = (event.events & (EPOLLHUP | EPOLLERR)) != 0;
      const bool writable = (event.events & EPOLLOUT) != 0;
      if (broken || !(writable ? flush(*end) : move_bytes(*end))) close_pair(*end->pair);
    }
  }

  void accept_all() {
    for (int client = bench::accept_from(listener_); client >= 0; client = bench::accept_from(listener_)) {
      auto pair = std::make_unique<Pair>();
      pair->ends[0] = {.fd = client, .other = 1, .unsent = {}, .pair = pair.get()};
      pair->ends[1] = {.fd = connect_upstream(), .other = 0, .unsent = {}, .pair = pair.get()};
      for (End& end : pair->ends) bench::watch(epoll_, EPOLL_CTL_ADD, end.fd, EPOLLIN, &end);
      static_cast<void>(pair.release());  // the kernel's watch list owns it until close_pair()
    }
  }

  // Blocking: on loopback the kernel completes it at once, and it happens once a connection.
  int connect_upstream() const {
    const int fd = bench::check(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
    bench::set_no_delay(fd);
    bench::check(connect(fd, reinterpret_cast<const sockaddr*>(&upstream_), sizeof upstream_), "connect");
    return fd;
  }

  bool move_bytes(End& from) {
    End& to = from.pair->ends[static_cast<std::size_t>(from.other)];
    const ssize_t got = recv(from.fd, chunk_.data(), chunk_.size(), MSG_DONTWAIT);
    if (got < 0) return errno == EAGAIN || errno == EINTR;
    if (got == 0) return false;
    const std::string_view bytes(chunk_.data(), static_cast<std::size_t>(got));
    const ssize_t sent = send(to.fd, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno != EAGAIN && errno != EINTR) return false;
    const std::size_t taken = sent < 0 ? 0 : static_cast<std::size_t>(sent);
    if (taken == bytes.size()) return true;
    to.unsent = bytes.substr(taken);
    bench::watch(epoll_, EPOLL_CTL_MOD, to.fd, EPOLLOUT, &to);
    bench::watch(epoll_, EPOLL_CTL_MOD, from.fd, from.unsent.empty() ? 0 : EPOLLOUT, &from);
    return true;
  }

  bool flush(End& to) {
    End& from = to.pair->ends[static_cast<std::size_t>(to.other)];
    const ssize_t sent = send(to.fd, to.unsent.data(), to.unsent.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0) return errno == EAGAIN || errno == EINTR;
    to.unsent.erase(0, static_cast<std::size_t>(sent));
    if (!to.unsent.empty()) return true;
    const bool from_blocked = !from.unsent.empty();
    bench::watch(epoll_, EPOLL_CTL_MOD, to.fd, from_blocked ? 0 : EPOLLIN, &to);
    bench::watch(epoll_, EPOLL_CTL_MOD, from.fd, from_blocked ? EPOLLOUT : EPOLLIN, &from);
    return true;
  }

  // Either side's end ends both: half-open connections do not occur with a keep-alive load.
  void close_pair(Pair& pair) {
    pair.over = true;
    for (const End& end : pair.ends) close(end.fd);
    over_.emplace_back(&pair);
  }

  int listener_;
  sockaddr_in upstream_;
  int epoll_;
  std::array<char, chunk_bytes> chunk_;
  std::vector<std::unique_ptr<Pair>> over_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: forwarder LISTEN_PORT UPSTREAM_PORT\n");
    return 1;
  }
  const std::uint16_t upstream_port = bench::parse_number(argv[2]);
  Forwarder{bench::listen_on(bench::parse_number(argv[1])), upstream_port}.run();
}
