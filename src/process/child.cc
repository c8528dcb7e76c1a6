#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>

#include "net/core.h"
#include "process/spawn.h"

namespace faas::process {
namespace {

// The words users know from OpenFaaS's watchdogs, by signal number; Linux x86 and ARM numbers.
constexpr std::array<std::string_view, 32> kSignalNames{"",
                                                        "hangup",
                                                        "interrupt",
                                                        "quit",
                                                        "illegal instruction",
                                                        "trace/breakpoint trap",
                                                        "aborted",
                                                        "bus error",
                                                        "floating point exception",
                                                        "killed",
                                                        "user defined signal 1",
                                                        "segmentation fault",
                                                        "user defined signal 2",
                                                        "broken pipe",
                                                        "alarm clock",
                                                        "terminated",
                                                        "stack fault",
                                                        "child exited",
                                                        "continued",
                                                        "stopped (signal)",
                                                        "stopped",
                                                        "stopped (tty input)",
                                                        "stopped (tty output)",
                                                        "urgent I/O condition",
                                                        "CPU time limit exceeded",
                                                        "file size limit exceeded",
                                                        "virtual timer expired",
                                                        "profiling timer expired",
                                                        "window changed",
                                                        "I/O possible",
                                                        "power failure",
                                                        "bad system call"};

// Nobody can say how it ended: SIGCHLD was ignored when we were started, and the kernel reaped it.
constexpr int kUnknownExitCode = 255;

std::optional<ExitStatus> wait_now(int pidfd, int options) {
  siginfo_t info{};
  int result = 0;
  do {
    result = ::waitid(P_PIDFD, static_cast<id_t>(pidfd), &info, WEXITED | WNOHANG | options);
  } while (result != 0 && errno == EINTR);
  if (result != 0) {
    // A pidfd that is non-blocking says "not yet" as an error.
    if (errno == EAGAIN) return std::nullopt;
    return ExitStatus{.code = kUnknownExitCode};
  }
  if (info.si_pid == 0) return std::nullopt;
  return ExitStatus{.signalled = info.si_code != CLD_EXITED,
                    .core_dumped = info.si_code == CLD_DUMPED,
                    .code = info.si_status};
}

Task<> reap(net::Stream pidfd) {
  while (!wait_now(pidfd.fd(), 0)) {
    co_await pidfd.readable();
  }
}

}  // namespace

std::string ExitStatus::text() const {
  if (!signalled) return "exit status " + std::to_string(code);
  std::string text = "signal: ";
  if (code > 0 && static_cast<std::size_t>(code) < kSignalNames.size()) {
    text += kSignalNames[static_cast<std::size_t>(code)];
  } else {
    text += "signal " + std::to_string(code);
  }
  if (core_dumped) text += " (core dumped)";
  return text;
}

Child::Child(pid_t pid, net::Fd pidfd, bool group) : pid_(pid), group_(group), pidfd_(std::move(pidfd)) {}

Child::Child(Child&& other) noexcept
    : pid_(std::exchange(other.pid_, 0)),
      group_(other.group_),
      status_(other.status_),
      pidfd_(std::move(other.pidfd_)),
      stream_(std::move(other.stream_)) {}

Child& Child::operator=(Child&& other) noexcept {
  if (this == &other) return *this;
  release();
  pid_ = std::exchange(other.pid_, 0);
  group_ = other.group_;
  status_ = other.status_;
  pidfd_ = std::move(other.pidfd_);
  stream_ = std::move(other.stream_);
  return *this;
}

Child::~Child() {
  release();
}

void Child::release() {
  if (pid_ == 0) return;
  if (!status_) kill(SIGKILL);
  pid_ = 0;
  if (wait_now(pidfd(), 0)) {
    pidfd_.close();
    stream_.close();
    return;
  }
  if (!stream_) stream_ = net::Stream(std::move(pidfd_));
  net::Core::current().spawn(reap(std::move(stream_)));
}

std::optional<ExitStatus> Child::ended() {
  if (!status_ && pid_ != 0) status_ = wait_now(pidfd(), WNOWAIT);
  return status_;
}

Task<ExitStatus> Child::wait() {
  while (!ended()) {
    if (!stream_) stream_ = net::Stream(std::move(pidfd_));
    co_await stream_.readable();
  }
  co_return *status_;
}

void Child::kill(int signal, bool group) {
  if (pid_ == 0) return;
  if (group && group_) {
    ::kill(-pid_, signal);
  } else if (!status_) {
    ::syscall(SYS_pidfd_send_signal, pidfd(), signal, nullptr, 0);
  }
}

}  // namespace faas::process
