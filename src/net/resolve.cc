#include "net/resolve.h"

#include <ares.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/epoll.h>

#include <array>
#include <optional>
#include <string>

#include "net/core.h"
#include "net/event.h"
#include "net/stream.h"

namespace faas::net {
namespace {

// Two rounds over all servers, as short as a network inside a cluster allows.
constexpr int kTimeoutMilliseconds = 1000;
constexpr int kTries = 2;
constexpr std::size_t kNameBytesMax = 253;

// One question. Destroying it calls back once more, into what is still there.
class Lookup final {
 public:
  Lookup() = default;
  Lookup(const Lookup&) = delete;
  Lookup& operator=(const Lookup&) = delete;
  ~Lookup() {
    if (channel_ != nullptr) ares_destroy(channel_);
  }

  bool begin(const std::string& name) {
    if (ares_library_init(ARES_LIB_INIT_ALL) != ARES_SUCCESS) return false;
    ares_options options{};
    options.timeout = kTimeoutMilliseconds;
    options.tries = kTries;
    if (ares_init_options(&channel_, &options, ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES) != ARES_SUCCESS)
      return false;
    ares_addrinfo_hints hints{};
    hints.ai_family = AF_UNSPEC;
    ares_getaddrinfo(channel_, name.c_str(), nullptr, &hints, &Lookup::on_answer, this);
    return true;
  }

  Task<> run() {
    while (!status_) co_await step();
  }

  [[nodiscard]] int status() const { return status_.value_or(ARES_ECANCELLED); }
  [[nodiscard]] const std::vector<std::string>& hosts() const { return hosts_; }

 private:
  static Task<> readable(Stream& stream) { co_await stream.readable(); }

  // The library's sockets change from answer to answer: each step watches those of now, through one
  // descriptor.
  Task<> step() {
    std::array<ares_socket_t, ARES_GETSOCK_MAXNUM> sockets{};
    const auto bits =
        static_cast<unsigned>(ares_getsock(channel_, sockets.data(), static_cast<int>(sockets.size())));
    Fd epoll(::epoll_create1(EPOLL_CLOEXEC));
    for (std::size_t i = 0; i < sockets.size(); ++i) {
      epoll_event event{};
      if (ARES_GETSOCK_READABLE(bits, i)) event.events |= EPOLLIN;
      if (ARES_GETSOCK_WRITABLE(bits, i)) event.events |= EPOLLOUT;
      if (event.events != 0) ::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, sockets[i], &event);
    }
    timeval most{.tv_sec = 1, .tv_usec = 0};
    timeval wait{};
    ares_timeout(channel_, &most, &wait);
    Stream watched(std::move(epoll));
    const auto deadline =
        Clock::now() + std::chrono::seconds(wait.tv_sec) + std::chrono::microseconds(wait.tv_usec);
    (void)co_await within(readable(watched), deadline);
    // They do not block: one that has nothing to say is only asked in vain.
    for (std::size_t i = 0; i < sockets.size() && !status_; ++i) {
      const bool reads = ARES_GETSOCK_READABLE(bits, i);
      const bool writes = ARES_GETSOCK_WRITABLE(bits, i);
      if (!reads && !writes) continue;
      ares_process_fd(channel_, reads ? sockets[i] : ARES_SOCKET_BAD, writes ? sockets[i] : ARES_SOCKET_BAD);
    }
    if (!status_) ares_process_fd(channel_, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
  }

  static void on_answer(void* self, int status, int, ares_addrinfo* found) {
    auto& lookup = *static_cast<Lookup*>(self);
    lookup.status_ = status;
    if (found == nullptr) return;
    for (const auto* node = found->nodes; node != nullptr; node = node->ai_next) {
      char text[INET6_ADDRSTRLEN] = {};
      if (node->ai_family == AF_INET) {
        ::inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in*>(node->ai_addr)->sin_addr, text,
                    sizeof text);
        lookup.hosts_.emplace_back(text);
      } else if (node->ai_family == AF_INET6) {
        ::inet_ntop(AF_INET6, &reinterpret_cast<const sockaddr_in6*>(node->ai_addr)->sin6_addr, text,
                    sizeof text);
        lookup.hosts_.push_back("[" + std::string(text) + "]");
      }
    }
    ares_freeaddrinfo(found);
  }

  ares_channel channel_ = nullptr;
  std::optional<int> status_;
  std::vector<std::string> hosts_;
};

Error no_address(std::string_view name, std::string_view why, Code code = Code::unavailable) {
  return {.code = code,
          .origin = Origin::machine,
          .text = "no address for " + std::string(name) + ": " + std::string(why)};
}

}  // namespace

Task<Result<std::vector<Address>>> resolve(std::string_view authority) {
  const std::string whole(authority);
  auto literal = Address::parse(whole);
  if (literal) co_return std::vector{std::move(*literal)};
  const auto colon = whole.rfind(':');
  if (colon == whole.npos) co_return literal.error();
  const auto port = whole.substr(colon);
  const auto checked = Address::parse("127.0.0.1" + port);
  if (!checked) co_return literal.error();
  const auto name = whole.substr(0, colon);
  if (name.empty() || name.size() > kNameBytesMax || name.find_first_of("[]/: ") != name.npos) {
    co_return no_address(name, "this is no name of a host", Code::invalid);
  }

  Lookup lookup;
  if (!lookup.begin(name)) co_return no_address(name, "the resolver does not start");
  co_await lookup.run();
  if (lookup.status() != ARES_SUCCESS) co_return no_address(name, ares_strerror(lookup.status()));
  std::vector<Address> addresses;
  for (const auto& host : lookup.hosts()) {
    auto address = Address::parse(host + port);
    if (address) addresses.push_back(std::move(*address));
  }
  if (addresses.empty()) co_return no_address(name, "it has none");
  co_return addresses;
}

}  // namespace faas::net
