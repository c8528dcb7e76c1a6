#include "http/root_folder.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

namespace faas::http {
namespace {

// Without O_NONBLOCK, a FIFO would keep the core until somebody writes to it.
constexpr int kRead = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
constexpr int kStep = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
// openat2 gives up with EAGAIN when something is renamed while it looks at "..".
constexpr int kAttempts = 8;

int openat2(int folder, const char* name, int flags) {
  const open_how how{.flags = static_cast<std::uint64_t>(flags),
                     .mode = 0,
                     .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
  int fd = -1;
  for (int i = 0; i < kAttempts; ++i) {
    fd = static_cast<int>(::syscall(SYS_openat2, folder, name, &how, sizeof how));
    if (fd >= 0 || (errno != EAGAIN && errno != EINTR)) break;
  }
  return fd;
}

Found::Kind kind_of(int error) {
  switch (error) {
    case ENOENT:
    case ENOTDIR:
    case ELOOP:
    case EXDEV:
    case ENAMETOOLONG:
      return Found::Kind::missing;
    case EACCES:
    case EPERM:
    case ENXIO:  // a socket
    case ENODEV:
      return Found::Kind::forbidden;
    default:
      return Found::Kind::failed;
  }
}

}  // namespace

int RootFolder::open_root() {
  if (root_) return root_.get();
  root_ = net::Fd(::open(path_.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!root_ || links_ == Links::none) return root_.get();
  // Asked once. Older containers' filters answer EPERM to every call they do not know.
  const net::Fd probe(openat2(root_.get(), ".", O_PATH | O_CLOEXEC));
  if (!probe && (errno == ENOSYS || errno == EPERM)) links_ = Links::none;
  return root_.get();
}

bool RootFolder::exists() {
  return open_root() >= 0;
}

int RootFolder::open_by_kernel(const char* name) const {
  return openat2(root_.get(), name, kRead);
}

int RootFolder::open_by_steps(const std::string& name) const {
  net::Fd folder;
  std::size_t begin = 0;
  while (true) {
    const int at = folder ? folder.get() : root_.get();
    const auto slash = name.find('/', begin);
    const auto step = name.substr(begin, slash - begin);
    if (slash == name.npos) return ::openat(at, step.c_str(), kRead | O_NOFOLLOW);
    net::Fd next(::openat(at, step.c_str(), kStep));
    if (!next) return -1;
    folder = std::move(next);
    begin = slash + 1;
  }
}

Found RootFolder::open(const std::string& name) {
  if (open_root() < 0) return {.kind = kind_of(errno), .error = errno};
  const auto inside = name.empty() ? std::string(".") : name;
  Found found;
  found.fd = net::Fd(links_ == Links::none ? open_by_steps(inside) : open_by_kernel(inside.c_str()));
  struct stat facts {};
  if (!found.fd || ::fstat(found.fd.get(), &facts) != 0) {
    return {.kind = kind_of(errno), .error = errno};
  }
  if (!S_ISREG(facts.st_mode) && !S_ISDIR(facts.st_mode)) return {.kind = Found::Kind::forbidden};
  found.kind = S_ISREG(facts.st_mode) ? Found::Kind::file : Found::Kind::folder;
  found.size = static_cast<std::uint64_t>(facts.st_size);
  found.modified = facts.st_mtim.tv_sec;
  return found;
}

std::string inside_name(std::string_view path) {
  std::string name;
  while (!path.empty()) {
    const auto slash = path.find('/');
    const auto step = path.substr(0, slash);
    if (step == "..") {
      const auto last = name.rfind('/');
      name.resize(last == name.npos ? 0 : last);
    } else if (!step.empty() && step != ".") {
      if (!name.empty()) name.push_back('/');
      name.append(step);
    }
    if (slash == path.npos) break;
    path.remove_prefix(slash + 1);
  }
  return name;
}

}  // namespace faas::http
