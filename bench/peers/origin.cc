// origin PORT: the upstream behind every proxy of the benchmark, and the function behind the gateway.
// Answers every HTTP/1.1 request on 127.0.0.1:PORT with the same 12 bytes, keep-alive, as cheaply as it can,
// so that it leaves the machine to what is measured.
//
// origin, without a port: a replica that is nothing but origin. It takes the place of the watchdog (the
// gateway's watchdog_path), so that the gateway is measured before the same upstream as other proxies: it
// listens on $unix_socket and says on $ready_fd that it does.

#include <strings.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>

#include "loopback.h"

namespace {

constexpr std::string_view answer =
    "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 12\r\n\r\nhello world\n";
constexpr std::size_t head_bytes_max = 16 * 1024;  // proxies add headers to a small request, no more
constexpr int events_max = 256;

bool equal_no_case(std::string_view a, std::string_view b) {
  return a.size() == b.size() && strncasecmp(a.data(), b.data(), a.size()) == 0;
}

struct Head {
  std::size_t body_bytes = 0;
  bool close = false;
};

// Reads what decides where the next request starts. Nothing for a body that is chunked: no client of the
// benchmark sends one, and an answer without reading it would hide that.
std::optional<Head> parse_head(std::string_view text) {
  Head head;
  for (std::size_t at = text.find("\r\n"); at != std::string_view::npos; at = text.find("\r\n")) {
    text.remove_prefix(at + 2);
    const std::string_view line = text.substr(0, text.find("\r\n"));
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) continue;
    const std::string_view name = line.substr(0, colon);
    std::string_view value = line.substr(colon + 1);
    while (value.starts_with(' ')) value.remove_prefix(1);
    if (equal_no_case(name, "content-length")) {
      const auto parsed = std::from_chars(value.data(), value.data() + value.size(), head.body_bytes);
      if (parsed.ec != std::errc{}) return std::nullopt;
    } else if (equal_no_case(name, "transfer-encoding")) {
      return std::nullopt;
    } else if (equal_no_case(name, "connection")) {
      head.close = equal_no_case(value, "close");
    }
  }
  return head;
}

class Connection final {
 public:
  explicit Connection(int fd) : fd_(fd) {}
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection() { close(fd_); }

  int fd() const { return fd_; }

  // Reads what there is and answers every complete request in it. False: the connection is over.
  bool serve() {
    const ssize_t got = recv(fd_, buffer_.data() + filled_, buffer_.size() - filled_, 0);
    if (got < 0) return errno == EAGAIN || errno == EINTR;
    if (got == 0) return false;
    filled_ += static_cast<std::size_t>(got);
    return answer_requests();
  }

 private:
  bool answer_requests() {
    std::string_view rest(buffer_.data(), filled_);
    std::size_t answers = 0;
    bool keep = true;
    while (keep) {
      const std::size_t skipped = std::min(body_left_, rest.size());
      body_left_ -= skipped;
      rest.remove_prefix(skipped);
      const std::size_t end = rest.find("\r\n\r\n");
      if (end == std::string_view::npos) break;
      const auto head = parse_head(rest.substr(0, end));
      if (!head) return false;
      body_left_ = head->body_bytes;
      keep = !head->close;
      rest.remove_prefix(end + 4);
      ++answers;
    }
    std::memmove(buffer_.data(), rest.data(), rest.size());
    filled_ = rest.size();
    return send_answers(answers) && keep && filled_ < buffer_.size();
  }

  // A client that does not read its answers is dropped: it is no benchmark's client.
  bool send_answers(std::size_t count) const {
    if (count == 0) return true;
    if (count == 1) return send_all(answer);
    std::string many;
    for (std::size_t i = 0; i < count; ++i) many += answer;
    return send_all(many);
  }

  bool send_all(std::string_view text) const {
    return send(fd_, text.data(), text.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(text.size());
  }

  int fd_;
  std::size_t filled_ = 0;
  std::size_t body_left_ = 0;
  std::array<char, head_bytes_max> buffer_;
};

void serve_forever(int listener) {
  const int epoll = bench::check(epoll_create1(EPOLL_CLOEXEC), "epoll_create1");
  bench::watch(epoll, EPOLL_CTL_ADD, listener, EPOLLIN, nullptr);
  std::array<epoll_event, events_max> events;
  for (;;) {
    const int count = epoll_wait(epoll, events.data(), events_max, -1);
    if (count < 0 && errno != EINTR) bench::fail("epoll_wait");
    for (int i = 0; i < count; ++i) {
      auto* connection = static_cast<Connection*>(events[static_cast<std::size_t>(i)].data.ptr);
      if (connection != nullptr) {
        if (!connection->serve()) std::unique_ptr<Connection>{connection}.reset();
        continue;
      }
      // The kernel's watch list owns a connection from here: its tag is the only pointer to it.
      for (int fd = bench::accept_from(listener); fd >= 0; fd = bench::accept_from(listener)) {
        auto accepted = std::make_unique<Connection>(fd);
        bench::watch(epoll, EPOLL_CTL_ADD, fd, EPOLLIN, accepted.get());
        static_cast<void>(accepted.release());
      }
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  const char* socket_path = std::getenv("unix_socket");
  const char* ready_fd = std::getenv("ready_fd");
  if (argc == 1 && socket_path != nullptr && ready_fd != nullptr) {
    const int listener = bench::listen_on_path(socket_path);
    const int ready = bench::parse_number(ready_fd);
    bench::check(static_cast<int>(write(ready, "ready\n", 6)), "ready_fd");
    close(ready);
    serve_forever(listener);
  }
  if (argc != 2) {
    std::fprintf(stderr, "usage: origin PORT, or origin with unix_socket and ready_fd in the environment\n");
    return 1;
  }
  serve_forever(bench::listen_on(bench::parse_number(argv[1])));
}
