#include "provider/data_dir.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <string_view>
#include <system_error>

namespace faas::provider {
namespace {

Error about(const std::string& path, std::string_view what, int number) {
  return system_error(fmt::format("data_dir {}: {}", path, what), number);
}

// Says who holds the lock, for the line that people read.
void write_holder(int lock) {
  const auto pid = fmt::format("{}\n", ::getpid());
  if (::ftruncate(lock, 0) != 0) return;
  const auto written = ::pwrite(lock, pid.data(), pid.size(), 0);
  static_cast<void>(written);  // only a hint: the lock itself is the kernel's
}

std::string holder(int lock) {
  char text[32];
  const auto n = ::pread(lock, text, sizeof text, 0);
  std::string_view pid(text, n > 0 ? static_cast<std::size_t>(n) : 0);
  pid = pid.substr(0, pid.find('\n'));
  return pid.empty() ? "another process" : fmt::format("process {}", pid);
}

}  // namespace

Result<DataDir> DataDir::open(const std::string& path) {
  if (!path.starts_with('/')) {
    return Error{.code = Code::invalid,
                 .text = fmt::format("data_dir \"{}\" must be an absolute path", path)};
  }
  std::error_code error;
  const bool made = std::filesystem::create_directories(path, error);
  if (error) return about(path, "make the folder", error.value());
  if (made && ::chmod(path.c_str(), 0711) != 0) return about(path, "chmod", errno);
  // Symlinks are resolved once: what is hidden from functions is the folder itself, not one of its names.
  const auto real = std::filesystem::canonical(path, error);
  if (error) return about(path, "resolve", error.value());

  net::Fd lock(::open((real / "lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!lock) return about(path, "open lock", errno);
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return about(path, "flock lock", errno);
    return Error{.code = Code::already_exists,
                 .text = fmt::format("data_dir {} is in use by {}: stop it, or choose another data_dir", path,
                                     holder(lock.get()))};
  }
  write_holder(lock.get());
  return DataDir(real.string(), std::move(lock));
}

}  // namespace faas::provider
