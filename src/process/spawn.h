// Starting programs. posix_spawn semantics: the server's memory is never copied (no fork), the child shares
// it only until exec, on a stack of its own, with every signal blocked.
//
// Threads:  any one thread at a time per call; the returned Child belongs to the calling core.
// Errors:   a failed exec is reported here, synchronously, with the words users know from OpenFaaS:
//           "exec: \"x\": executable file not found in $PATH", "fork/exec /p: permission denied",
//           "fork/exec /p: argument list too long", "exec: no command" (spec watchdogs 3.0).
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "net/stream.h"
#include "process/isolation.h"

namespace faas::process {

/// What to run. Pointers and descriptors are borrowed for the call.
struct SpawnRequest {
  std::string_view program;                ///< with a '/': as it is; otherwise looked up in our own PATH
  const char* const* argv = nullptr;       ///< null-terminated; argv[0] as written by the user
  const char* const* envp = nullptr;       ///< null-terminated; null: our own environment
  int stdin_fd = -1;                       ///< -1: /dev/null
  int stdout_fd = -1;                      ///< -1: /dev/null
  int stderr_fd = -1;                      ///< -1: /dev/null
  std::vector<std::pair<int, int>> extra;  ///< {ours, the child's}: further descriptors to pass on
  int program_fd = -1;                ///< >= 0: exec this open file (a static program) and ignore `program`
  bool new_group = true;              ///< a process group of its own, so that it can be killed whole
  bool die_with_parent = false;       ///< SIGKILL when the thread that spawned it ends
  const char* directory = nullptr;    ///< null: ours; isolated: "/"
  unsigned long descriptors_max = 0;  ///< its soft limit of open files, at most our hard one; 0: ours
  const Isolation* isolation = nullptr;  ///< null: none
};

/// How a process ended.
struct ExitStatus {
  bool signalled = false;
  bool core_dumped = false;
  int code = 0;  ///< the exit code or the signal's number

  [[nodiscard]] bool success() const { return !signalled && code == 0; }
  /// "exit status 3", "signal: killed", "signal: segmentation fault (core dumped)".
  [[nodiscard]] std::string text() const;
  friend bool operator==(const ExitStatus&, const ExitStatus&) = default;
};

/// One process, known by its pidfd. It is reaped with the Child: until then its pid and the id of its group
/// belong to nobody else, so that a signal never reaches a stranger.
///
/// Lifetime: destroying a Child that still runs kills its whole group with SIGKILL at once; the core reaps
///           it afterwards. No zombie is left as long as the core runs.
class Child final {
 public:
  Child() = default;
  Child(pid_t pid, net::Fd pidfd, bool group);
  Child(Child&& other) noexcept;
  Child& operator=(Child&& other) noexcept;
  ~Child();

  explicit operator bool() const { return pid_ > 0; }
  [[nodiscard]] pid_t pid() const { return pid_; }
  /// Waits for the end. Children it left behind may go on (see kill()).
  Task<ExitStatus> wait();
  /// How it ended, if it has; does not wait.
  [[nodiscard]] std::optional<ExitStatus> ended();
  /// Sends a signal to the process, or with `group` to all of its group, also after the leader's end.
  void kill(int signal, bool group = true);

 private:
  void release();
  [[nodiscard]] int pidfd() const { return stream_ ? stream_.fd() : pidfd_.get(); }

  pid_t pid_ = 0;
  bool group_ = false;
  std::optional<ExitStatus> status_;
  net::Fd pidfd_;       // until somebody waits: most children that are waited for have ended already
  net::Stream stream_;  // from then on
};

/// Most descriptors a child is given, its first three included.
inline constexpr std::size_t kDescriptorsMax = 16;

[[nodiscard]] Result<Child> spawn(const SpawnRequest& request);

/// Splits a command on single spaces, without quoting or expansion: "wc  -c" is {"wc","","-c"} (spec
/// watchdogs 1.6).
[[nodiscard]] std::vector<std::string> split_command(std::string_view command);

/// Where `program` is, looked up as spawn() does: the path that would be executed.
/// Errors: not_found, invalid, with spawn()'s words.
[[nodiscard]] Result<std::string> find_program(std::string_view program);

}  // namespace faas::process
