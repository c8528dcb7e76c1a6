// Sockets on 127.0.0.1 for the benchmark's peers. Whatever fails ends the program with one line: a peer
// that runs only half would measure something else.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>

namespace bench {

[[noreturn]] inline void fail(const char* what) {
  std::fprintf(stderr, "%s: %s\n", what, std::strerror(errno));
  std::exit(1);
}

inline int check(int result, const char* what) {
  if (result < 0) fail(what);
  return result;
}

inline std::uint16_t parse_number(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc{} || end != text.data() + text.size() || port == 0) {
    std::fprintf(stderr, "'%.*s' is not a number from 1 to 65535\n", static_cast<int>(text.size()),
                 text.data());
    std::exit(1);
  }
  return port;
}

inline sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

inline void set_no_delay(int fd) {
  const int on = 1;
  check(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on), "TCP_NODELAY");
}

// A non-blocking listener; on Linux the sockets it accepts inherit TCP_NODELAY.
inline int listen_on(std::uint16_t port) {
  const int fd = check(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), "socket");
  const int on = 1;
  check(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on), "SO_REUSEADDR");
  set_no_delay(fd);
  const sockaddr_in address = loopback(port);
  check(bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address), "bind");
  check(listen(fd, SOMAXCONN), "listen");
  return fd;
}

// The same on a Unix socket.
inline int listen_on_path(std::string_view path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    errno = ENAMETOOLONG;
    fail("bind");
  }
  path.copy(address.sun_path, path.size());
  const int fd = check(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), "socket");
  check(bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address), "bind");
  check(listen(fd, SOMAXCONN), "listen");
  return fd;
}

// Watches fd, level-triggered; `tag` comes back with its events.
inline void watch(int epoll, int operation, int fd, std::uint32_t events, void* tag) {
  epoll_event event{};
  event.events = events;
  event.data.ptr = tag;
  check(epoll_ctl(epoll, operation, fd, &event), "epoll_ctl");
}

// The next client of a non-blocking listener, or -1 when none waits (or it left before it was taken).
inline int accept_from(int listener) {
  const int fd = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd < 0 && errno != EAGAIN && errno != ECONNABORTED && errno != EINTR) fail("accept");
  return fd;
}

}  // namespace bench
