#include "watchdog/lock_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "net/stream.h"

namespace faas::watchdog {

Result<void> LockFile::write(const std::string& folder, bool make_folders) {
  if (make_folders) {
    for (std::size_t at = 0; at != folder.npos;) {
      at = folder.find('/', at + 1);
      ::mkdir(folder.substr(0, at).c_str(), 0777);  // what is missing in the end shows below
    }
  }
  const auto path = path_in(folder);
  const net::Fd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0660));
  if (!fd) {
    const int error = errno;
    const bool nowhere = ::access(folder.c_str(), F_OK) != 0;
    return Error{nowhere ? Code::not_found : Code::failed, Origin::machine,
                 "Cannot write " + path +
                     ". To disable lock-file set env suppress_lock=true. Error: " + std::strerror(error)};
  }
  path_ = path;
  return {};
}

Result<void> LockFile::remove() {
  const auto path = std::exchange(path_, {});
  if (path.empty() || ::unlink(path.c_str()) == 0) return {};
  return system_error("remove " + path, errno);
}

bool LockFile::exists() const {
  return !path_.empty() && ::access(path_.c_str(), F_OK) == 0;
}

}  // namespace faas::watchdog
