#include "process/pipe.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

namespace faas::process {

Result<Pipe> make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return system_error("pipe", errno, Code::unavailable);
  return Pipe{.read = net::Fd(ends[0]), .write = net::Fd(ends[1])};
}

bool grow_pipe(int fd, std::size_t bytes) {
  return ::fcntl(fd, F_SETPIPE_SZ, static_cast<int>(bytes)) >= 0;
}

}  // namespace faas::process
