#include "base/log.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <string>

namespace faas::log {
namespace {

constexpr std::size_t kLineBytesMax = 64 * 1024;
// A turn that logs more than this writes early, so that the buffer cannot grow without bound.
constexpr std::size_t kBufferBytesMax = 256 * 1024;

struct Buffer {
  std::string bytes[3];  // by descriptor; [1] and [2] are used
  void (*hook)(void*) = nullptr;
  void* argument = nullptr;
  std::time_t second = 0;
  char stamp[32] = {};
  std::size_t stamp_size = 0;
};

Buffer& buffer() {
  thread_local Buffer instance;
  return instance;
}

void write_all(int fd, std::string& bytes) {
  std::string_view rest = bytes;
  while (!rest.empty()) {
    const auto n = ::write(fd, rest.data(), rest.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;  // nobody reads the log: there is nowhere to say so
    rest.remove_prefix(static_cast<std::size_t>(n));
  }
  bytes.clear();
}

void appended(Buffer& own, int fd, bool was_empty) {
  if (own.hook == nullptr || own.bytes[fd].size() > kBufferBytesMax) {
    write_all(fd, own.bytes[fd]);
  } else if (was_empty) {
    own.hook(own.argument);
  }
}

bool is_control(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return (byte < 0x20 && c != '\t') || byte == 0x7f;
}

bool all_empty(const Buffer& own) {
  return own.bytes[1].empty() && own.bytes[2].empty();
}

}  // namespace

std::string_view timestamp() {
  auto& own = buffer();
  const auto now = std::time(nullptr);
  if (now != own.second) {
    std::tm local{};
    ::localtime_r(&now, &local);
    own.stamp_size = std::strftime(own.stamp, sizeof own.stamp, "%Y/%m/%d %H:%M:%S ", &local);
    own.second = now;
  }
  return {own.stamp, own.stamp_size};
}

void line(std::string_view text) {
  auto& own = buffer();
  const bool was_empty = all_empty(own);
  auto& bytes = own.bytes[2];
  bytes.append(timestamp());
  for (auto rest = text.substr(0, kLineBytesMax); !rest.empty();) {
    const auto* control = std::find_if(rest.begin(), rest.end(), is_control);
    const auto plain = static_cast<std::size_t>(control - rest.begin());
    bytes.append(rest.substr(0, plain));
    if (plain == rest.size()) break;
    fmt::format_to(std::back_inserter(bytes), "\\x{:02x}", static_cast<unsigned char>(*control));
    rest.remove_prefix(plain + 1);
  }
  bytes.push_back('\n');
  appended(own, 2, was_empty);
}

void raw(int fd, std::string_view bytes) {
  auto& own = buffer();
  const bool was_empty = all_empty(own);
  own.bytes[fd].append(bytes);
  appended(own, fd, was_empty);
}

void flush() {
  auto& own = buffer();
  if (!own.bytes[1].empty()) write_all(1, own.bytes[1]);
  if (!own.bytes[2].empty()) write_all(2, own.bytes[2]);
}

void set_flush_hook(void (*hook)(void*), void* argument) {
  auto& own = buffer();
  flush();
  own.hook = hook;
  own.argument = argument;
}

}  // namespace faas::log
