// A RootFolder opens files below one folder, and nothing else, whatever a path or a symbolic link says.
//
// Links that stay inside are followed; those that leave, absolute ones among them, lead nowhere. The kernel
// sees to it (openat2, RESOLVE_BENEATH), so that no race with whoever moves things about can get out. Where
// it cannot (before Linux 5.6, or a container's filter that does not know the call), no link is followed at
// all.
//
// The folder is opened once: another one put in its place later is not seen. One that is missing is looked
// for again by each call.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "net/stream.h"

namespace faas::http {

/// What a name led to.
struct Found {
  enum class Kind {
    file,
    folder,
    missing,    ///< or outside
    forbidden,  ///< not readable by us, or neither file nor folder: pipes, sockets, devices
    failed,     ///< anything else: `error` says what
  };
  Kind kind = Kind::missing;
  net::Fd fd;                 ///< of a file or folder
  std::uint64_t size = 0;     ///< of a file
  std::int64_t modified = 0;  ///< seconds since 1970
  int error = 0;
};

class RootFolder final {
 public:
  enum class Links { that_stay, none };
  explicit RootFolder(std::string path, Links links = Links::that_stay)
      : path_(std::move(path)), links_(links) {}

  /// Opens for reading; never waits for a pipe's other end. `name` is as inside_name() makes it.
  [[nodiscard]] Found open(const std::string& name);
  /// Whether the folder itself is there.
  [[nodiscard]] bool exists();

 private:
  int open_root();
  [[nodiscard]] int open_by_kernel(const char* name) const;
  [[nodiscard]] int open_by_steps(const std::string& name) const;

  std::string path_;
  Links links_;
  net::Fd root_;
};

/// The name that a path means, without "." and "..", which ends at the root: "a/b" for "/x/..//a/./b/",
/// empty for the root.
[[nodiscard]] std::string inside_name(std::string_view path);

}  // namespace faas::http
