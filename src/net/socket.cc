#include "net/socket.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/units.h"
#include "net/core.h"

namespace faas::net {
namespace {

constexpr int kBacklog = 4096;
constexpr auto kFullBacklogPause = std::chrono::milliseconds(1);

void set_option(int fd, int level, int name, int value) {
  ::setsockopt(fd, level, name, &value, sizeof value);
}

Error bad_address(std::string_view text, std::string_view why) {
  return {.code = Code::invalid, .text = "address \"" + std::string(text) + "\": " + std::string(why)};
}

Result<int> parse_port(std::string_view whole, std::string_view text) {
  const auto port = parse_integer(text);
  if (!port || *port < 0 || *port > 65535) return bad_address(whole, "the port is not between 0 and 65535");
  return static_cast<int>(*port);
}

// A socket file that nobody listens on is what a killed server left.
bool is_stale_socket(const Address& address) {
  const Fd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  return ::connect(probe.get(), address.data(), address.size()) != 0 && errno == ECONNREFUSED;
}

}  // namespace

Result<Address> Address::parse(std::string_view text) {
  Address address;
  address.text_ = text;
  if (text.starts_with("unix:")) {
    auto path = text.substr(5);
    if (path.starts_with("//")) path.remove_prefix(2);
    auto& un = reinterpret_cast<sockaddr_un&>(address.storage_);
    if (path.empty()) return bad_address(text, "the path is empty");
    if (path.size() >= sizeof un.sun_path) return bad_address(text, "the path is longer than 107 bytes");
    un.sun_family = AF_UNIX;
    std::memcpy(un.sun_path, path.data(), path.size());
    address.size_ = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + 1);
    return address;
  }
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos) return bad_address(text, "a port is missing");
  TRY_ASSIGN(const int port, parse_port(text, text.substr(colon + 1)));
  std::string host(text.substr(0, colon));
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  if (host == "localhost") host = "127.0.0.1";
  auto& in6 = reinterpret_cast<sockaddr_in6&>(address.storage_);
  auto& in4 = reinterpret_cast<sockaddr_in&>(address.storage_);
  if (host.empty()) {
    in6.sin6_family = AF_INET6;
    in6.sin6_port = htons(static_cast<std::uint16_t>(port));
    address.size_ = sizeof in6;
  } else if (::inet_pton(AF_INET, host.c_str(), &in4.sin_addr) == 1) {
    in4.sin_family = AF_INET;
    in4.sin_port = htons(static_cast<std::uint16_t>(port));
    address.size_ = sizeof in4;
  } else if (::inet_pton(AF_INET6, host.c_str(), &in6.sin6_addr) == 1) {
    in6.sin6_family = AF_INET6;
    in6.sin6_port = htons(static_cast<std::uint16_t>(port));
    address.size_ = sizeof in6;
  } else {
    return bad_address(text, "the host is neither an IP address nor localhost");
  }
  return address;
}

Result<Fd> listen(const Address& address, bool reuse_port) {
  const auto failed = [&address](int number) {
    return system_error("listen on " + address.text(), number, Code::unavailable);
  };
  int family = address.family();
  Fd fd(::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  const sockaddr* where = address.data();
  auto size = address.size();
  sockaddr_in any4{};
  if (!fd && family == AF_INET6 && errno == EAFNOSUPPORT && address.text().starts_with(':')) {
    // A kernel without IPv6: every interface means every IPv4 interface.
    any4.sin_family = AF_INET;
    any4.sin_port = reinterpret_cast<const sockaddr_in6*>(address.data())->sin6_port;
    where = reinterpret_cast<const sockaddr*>(&any4);
    size = sizeof any4;
    family = AF_INET;
    fd = Fd(::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  }
  if (!fd) return failed(errno);
  if (family == AF_UNIX) {
    if (is_stale_socket(address)) ::unlink(reinterpret_cast<const sockaddr_un*>(where)->sun_path);
  } else {
    set_option(fd.get(), SOL_SOCKET, SO_REUSEADDR, 1);
    if (reuse_port) set_option(fd.get(), SOL_SOCKET, SO_REUSEPORT, 1);
    if (family == AF_INET6) set_option(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, 0);
  }
  if (::bind(fd.get(), where, size) != 0) return failed(errno);
  if (::listen(fd.get(), kBacklog) != 0) return failed(errno);
  return fd;
}

int port_of(int listening_fd) {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  if (::getsockname(listening_fd, reinterpret_cast<sockaddr*>(&storage), &size) != 0) return 0;
  return ntohs(storage.ss_family == AF_INET6 ? reinterpret_cast<sockaddr_in6&>(storage).sin6_port
                                             : reinterpret_cast<sockaddr_in&>(storage).sin_port);
}

std::string peer_of(int fd) {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  if (::getpeername(fd, reinterpret_cast<sockaddr*>(&storage), &size) != 0) return {};
  char text[INET6_ADDRSTRLEN] = {};
  if (storage.ss_family == AF_INET) {
    ::inet_ntop(AF_INET, &reinterpret_cast<sockaddr_in&>(storage).sin_addr, text, sizeof text);
  } else if (storage.ss_family == AF_INET6) {
    const auto& in6 = reinterpret_cast<sockaddr_in6&>(storage).sin6_addr;
    if (IN6_IS_ADDR_V4MAPPED(&in6)) {
      ::inet_ntop(AF_INET, &in6.s6_addr[12], text, sizeof text);
    } else {
      ::inet_ntop(AF_INET6, &in6, text, sizeof text);
    }
  }
  return text;
}

Task<Result<Stream>> connect(const Address& address) {
  const auto failed = [&address](int number) {
    return Error{.code = Code::refused,
                 .origin = Origin::function,
                 .text = "connect to " + address.text() + ": " + std::strerror(number)};
  };
  Fd fd(::socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) co_return failed(errno);
  const int number = fd.get();
  if (address.family() != AF_UNIX) set_option(number, IPPROTO_TCP, TCP_NODELAY, 1);
  int connected = ::connect(number, address.data(), address.size());
  // A full Unix backlog answers EAGAIN, where TCP would let the connection wait: nothing tells of its end.
  while (connected != 0 && errno == EAGAIN && address.family() == AF_UNIX) {
    co_await sleep_for(kFullBacklogPause);
    connected = ::connect(number, address.data(), address.size());
  }
  if (connected != 0 && errno != EINPROGRESS) co_return failed(errno);
  const bool waits = connected != 0;
  Stream stream(std::move(fd));
  if (waits) {
    co_await stream.writable();
    int error = 0;
    socklen_t size = sizeof error;
    ::getsockopt(number, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) co_return failed(error);
  }
  co_return stream;
}

}  // namespace faas::net
