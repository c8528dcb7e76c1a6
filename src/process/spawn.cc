#include "process/spawn.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "process/confine.h"
#include "process/entry.h"
#include "process/start.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#include <sanitizer/asan_interface.h>
#define FAAS_ASAN 1
#endif
#endif

namespace faas::process {
namespace {

constexpr std::size_t kStackBytes = 64 * 1024;  // the deepest way through entry.cc uses about 2 KiB
constexpr std::size_t kGuardBytes = 16 * 1024;
// Programs whose place in PATH a thread remembers.
constexpr std::size_t kRememberedMax = 16;

/// The stack that this thread's children borrow until they exec. One at a time: the thread stands still.
class ChildStack final {
 public:
  ChildStack() {
    void* memory = ::mmap(nullptr, kStackBytes + kGuardBytes, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) return;
    memory_ = static_cast<char*>(memory);
    ::mprotect(memory_, kGuardBytes, PROT_NONE);
  }
  ~ChildStack() {
    if (memory_ != nullptr) ::munmap(memory_, kStackBytes + kGuardBytes);
  }
  ChildStack(const ChildStack&) = delete;
  ChildStack& operator=(const ChildStack&) = delete;

  /// Null when memory has run out.
  [[nodiscard]] void* top() {
    if (memory_ == nullptr) return nullptr;
#ifdef FAAS_ASAN
    // A child that execs never leaves its functions, whose red zones would stay behind.
    ASAN_UNPOISON_MEMORY_REGION(memory_ + kGuardBytes, kStackBytes);
#endif
    return memory_ + kGuardBytes + kStackBytes;
  }

 private:
  char* memory_ = nullptr;
};

/// Where programs without a '/' were found last.
class Remembered final {
 public:
  Result<const std::string*> find(std::string_view program) {
    for (std::size_t i = 0; i < count_; ++i) {
      if (entries_[i].first == program) return &entries_[i].second;
    }
    TRY_ASSIGN(auto path, find_program(program));
    auto& entry = entries_[count_ < kRememberedMax ? count_++ : next_++ % kRememberedMax];
    entry = {std::string(program), std::move(path)};
    return &entry.second;
  }
  void forget() { count_ = 0; }

 private:
  std::array<std::pair<std::string, std::string>, kRememberedMax> entries_;
  std::size_t count_ = 0;
  std::size_t next_ = 0;
};

// What stands for a descriptor that a process is not given. A root without /dev has an empty file that cannot
// grow in its place: it reads as the end, too.
net::Fd open_null() {
  net::Fd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  if (null) return null;
  net::Fd empty(::memfd_create("null", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  ::fcntl(empty.get(), F_ADD_SEALS, F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL);
  return empty;
}

struct ThreadState {
  ChildStack stack;
  Remembered programs;
  net::Fd null{open_null()};
};

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
// The thread sanitizer takes clone() for a fork and spoils its books, which the child shares; glibc's other
// name for it is left alone.
extern "C" int __clone(int (*)(void*), void*, int, void*, ...);
constexpr auto clone_process = &__clone;
#define FAAS_CLONE_NAMED 1
#endif
#endif
#ifndef FAAS_CLONE_NAMED
constexpr auto clone_process = &::clone;
#endif

ThreadState& thread_state() {
  thread_local ThreadState state;
  return state;
}

std::string lower_first(const char* text) {
  std::string result = text;
  // "Exec format error" reads "exec format error"; "RFS specific error" keeps its capitals.
  if (result.size() > 1 && std::islower(static_cast<unsigned char>(result[1])) != 0) {
    result[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(result[0])));
  }
  return result;
}

Code code_of(int number) {
  switch (number) {
    case ENOENT:
      return Code::not_found;
    case E2BIG:
      return Code::too_large;
    case EAGAIN:
    case ENOMEM:
    case EMFILE:
    case ENFILE:
      return Code::unavailable;
    default:
      return Code::failed;
  }
}

Error exec_error(const char* path, int number) {
  const auto code = code_of(number);
  return {.code = code,
          .origin = code == Code::unavailable ? Origin::machine : Origin::function,
          .text = "fork/exec " + std::string(path) + ": " + lower_first(std::strerror(number))};
}

Result<void> plan_descriptors(const SpawnRequest& request, Launch& launch) {
  if (request.extra.size() + 3 > kDescriptorsMax) {
    return Error{Code::too_large, Origin::platform,
                 "spawn: more than " + std::to_string(kDescriptorsMax) + " descriptors"};
  }
  const auto null = thread_state().null.get();
  const auto add = [&launch](int from, int to) { launch.moves[launch.move_count++] = {from, to}; };
  add(request.stdin_fd >= 0 ? request.stdin_fd : null, 0);
  add(request.stdout_fd >= 0 ? request.stdout_fd : null, 1);
  add(request.stderr_fd >= 0 ? request.stderr_fd : null, 2);
  for (const auto& [from, to] : request.extra) add(from, to);

  int lowest_source = request.program_fd >= 0 ? request.program_fd : launch.moves[0].from;
  int highest_target = 2;
  for (std::size_t i = 0; i < launch.move_count; ++i) {
    lowest_source = std::min(lowest_source, launch.moves[i].from);
    highest_target = std::max(highest_target, launch.moves[i].to);
  }
  launch.free_fd_min = highest_target + 1;
  launch.overlapping = lowest_source <= highest_target;
  return {};
}

Result<Child> start_found(const SpawnRequest& request, Launch& launch, unsigned long namespaces) {
  auto child = start(launch, namespaces, request.new_group);
  if (child) return child;
  if (launch.failure.step == kExecStep) return exec_error(launch.path, launch.failure.number);
  return step_error(launch.failure);
}

}  // namespace

Error step_error(const StepFailure& failure) {
  std::string text = failure.step;
  if (failure.detail != nullptr) text.append(" ").append(failure.detail);
  return {.code = code_of(failure.number),
          .origin = Origin::machine,
          .text = text + ": " + lower_first(std::strerror(failure.number))};
}

// The pidfd is filled in by the kernel before the child runs; the child's failure is plain memory, since
// both share it until exec and this thread waits for that.
Child start(Launch& launch, unsigned long namespaces, bool group) {
  auto* stack = thread_state().stack.top();
  if (stack == nullptr) {
    launch.failure = {.step = "map a stack", .detail = nullptr, .number = ENOMEM};
    return {};
  }

  sigset_t all;
  sigset_t before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  int pidfd = -1;
  const auto flags = CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD | static_cast<int>(namespaces);
  const pid_t pid = clone_process(&enter, stack, flags, &launch, &pidfd);
  const int clone_error = errno;
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);

  if (pid < 0) {
    launch.failure = {.step = namespaces == 0 ? kExecStep : "isolation: create namespaces",
                      .detail = nullptr,
                      .number = clone_error};
    return {};
  }
  net::Fd owned(pidfd);
  if (launch.failure.step != nullptr || launch.only_confine) {
    siginfo_t info;
    while (::waitid(P_PIDFD, static_cast<id_t>(pidfd), &info, WEXITED) != 0 && errno == EINTR) {
    }
    return {};
  }
  return Child(pid, std::move(owned), group);
}

Result<Child> spawn(const SpawnRequest& request) {
  Launch launch;
  launch.program_fd = request.program_fd;
  launch.argv = request.argv;
  launch.envp = request.envp != nullptr ? request.envp : ::environ;
  launch.directory = request.directory;
  launch.new_group = request.new_group;
  launch.die_with_parent = request.die_with_parent;
  TRY(plan_descriptors(request, launch));
  if (request.descriptors_max > 0) {
    ::getrlimit(RLIMIT_NOFILE, &launch.descriptors);
    launch.descriptors.rlim_cur = std::min<rlim_t>(request.descriptors_max, launch.descriptors.rlim_max);
  }

  std::optional<Confinement> confinement;
  net::Fd own_pidfd;
  unsigned long namespaces = 0;
  if (request.isolation != nullptr) {
    confinement.emplace(*request.isolation);
    launch.confinement = &*confinement;
    launch.die_with_parent |= request.isolation->die_with_parent;
    if (launch.die_with_parent) {
      own_pidfd = net::Fd(static_cast<int>(::syscall(SYS_pidfd_open, ::getpid(), 0)));
      launch.parent_pidfd = own_pidfd.get();
    }
    if (launch.directory == nullptr) launch.directory = "/";
    namespaces = confinement->namespaces;
  }

  const std::string as_given(request.program);
  launch.path = as_given.c_str();
  // Inside another root our own PATH says nothing about where programs are; they are given with a '/'.
  const bool looked_up = request.program_fd < 0 && as_given.find('/') == std::string::npos;
  if (!looked_up) return start_found(request, launch, namespaces);

  auto& programs = thread_state().programs;
  TRY_ASSIGN(const auto* found, programs.find(as_given));
  launch.path = found->c_str();
  auto child = start_found(request, launch, namespaces);
  if (child || child.error().code != Code::not_found) return child;
  // It may have moved since it was found.
  programs.forget();
  TRY_ASSIGN(found, programs.find(as_given));
  launch.path = found->c_str();
  launch.failure = {};
  return start_found(request, launch, namespaces);
}

}  // namespace faas::process
