#include "provider/secret_store.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include "net/stream.h"

namespace faas::provider {
namespace {

namespace fs = std::filesystem;

// No secret's name has this character.
constexpr char kHalfWritten = '~';

Error not_found(const SecretName& name) {
  return {.code = Code::not_found,
          .origin = Origin::client,
          .text = fmt::format("secret not found: {} in namespace {}", name.name, name.name_space)};
}

Error failed(std::string_view doing, const std::string& path, int number) {
  const bool full = number == ENOSPC || number == EDQUOT;
  return system_error(fmt::format("{} {}", doing, path), number, full ? Code::unavailable : Code::failed);
}

Result<void> make_folder(const std::string& path) {
  if (::mkdir(path.c_str(), 0700) == 0 || errno == EEXIST) return {};
  return failed("mkdir", path, errno);
}

// A new name is only certain to survive once its folder has been flushed.
Result<void> flush_folder(const std::string& path) {
  const net::Fd folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder || ::fsync(folder.get()) != 0) return failed("fsync", path, errno);
  return {};
}

Result<void> write_all(int fd, std::string_view bytes, const std::string& path) {
  while (!bytes.empty()) {
    const auto n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return failed("write", path, errno);
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return {};
}

}  // namespace

Result<void> replace_file(const std::string& folder, const std::string& name, std::string_view bytes,
                          unsigned mode, bool durable, unsigned uid, unsigned gid) {
  const auto path = folder + "/" + name;
  const auto half = path + kHalfWritten;
  ::unlink(half.c_str());
  const net::Fd file(::open(half.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file) return failed("open", half, errno);
  auto written = write_all(file.get(), bytes, half);
  if (written && uid != -1U && ::fchown(file.get(), uid, gid) != 0) written = failed("chown", half, errno);
  if (written && ::fchmod(file.get(), mode) != 0) written = failed("chmod", half, errno);
  if (written && durable && ::fsync(file.get()) != 0) written = failed("fsync", half, errno);
  if (written && ::rename(half.c_str(), path.c_str()) != 0) written = failed("rename", half, errno);
  if (!written) {
    ::unlink(half.c_str());
    return written;
  }
  return durable ? flush_folder(folder) : Result<void>();
}

Result<SecretStore> SecretStore::open(std::string folder) {
  TRY(make_folder(folder));
  std::error_code error;
  std::vector<fs::path> left;
  for (auto entry = fs::recursive_directory_iterator(folder, error);
       !error && entry != fs::recursive_directory_iterator(); entry.increment(error)) {
    if (entry->path().native().ends_with(kHalfWritten)) left.push_back(entry->path());
  }
  for (const auto& path : left) fs::remove(path, error);
  if (error) return failed("read", folder, error.value());
  return SecretStore(std::move(folder));
}

std::string SecretStore::path(const SecretName& name) const {
  return fmt::format("{}/{}/{}", folder_, name.name_space, name.name);
}

bool SecretStore::contains(const SecretName& name) const {
  struct stat found {};
  return ::lstat(path(name).c_str(), &found) == 0 && S_ISREG(found.st_mode);
}

Result<void> SecretStore::write(const SecretSpec& secret) const {
  const auto folder = folder_ + "/" + secret.name.name_space;
  TRY(make_folder(folder));
  TRY(flush_folder(folder_));
  return replace_file(folder, secret.name.name, secret.bytes, 0600, true);
}

Result<void> SecretStore::create(const SecretSpec& secret) const {
  if (contains(secret.name)) {
    return Error{.code = Code::already_exists,
                 .origin = Origin::client,
                 .text = fmt::format("secret already exists: {} in namespace {}", secret.name.name,
                                     secret.name.name_space)};
  }
  return write(secret);
}

Result<void> SecretStore::replace(const SecretSpec& secret) const {
  if (!contains(secret.name)) return not_found(secret.name);
  return write(secret);
}

Result<void> SecretStore::remove(const SecretName& name) const {
  if (!contains(name)) return not_found(name);
  const auto file = path(name);
  if (::unlink(file.c_str()) != 0) return failed("remove", file, errno);
  const auto folder = folder_ + "/" + name.name_space;
  TRY(flush_folder(folder));
  ::rmdir(folder.c_str());  // the namespace's last one; otherwise it stays
  return {};
}

Result<std::string> SecretStore::read(const SecretName& name) const {
  const auto file = path(name);
  const net::Fd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd && errno == ENOENT) return not_found(name);
  if (!fd) return failed("open", file, errno);
  std::string bytes(kSecretBytesMax + 1, '\0');
  std::size_t size = 0;
  while (size < bytes.size()) {
    const auto n = ::read(fd.get(), bytes.data() + size, bytes.size() - size);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return failed("read", file, errno);
    if (n == 0) break;
    size += static_cast<std::size_t>(n);
  }
  bytes.resize(size);
  return bytes;
}

Result<std::vector<SecretName>> SecretStore::list(std::string_view name_space) const {
  const auto folder = fmt::format("{}/{}", folder_, name_space);
  std::vector<SecretName> names;
  std::error_code error;
  if (!fs::exists(folder, error)) return names;
  for (auto entry = fs::directory_iterator(folder, error); !error && entry != fs::directory_iterator();
       entry.increment(error)) {
    auto name = entry->path().filename().string();
    if (!name.ends_with(kHalfWritten)) names.push_back({std::move(name), std::string(name_space)});
  }
  if (error) return failed("read", folder, error.value());
  std::ranges::sort(names);
  return names;
}

}  // namespace faas::provider
