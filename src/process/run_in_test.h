// For this room's tests: runs programs to their end on a core of their own and keeps what they wrote.
#pragma once

#include <dirent.h>
#include <signal.h>

#include <cerrno>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include "net/core.h"
#include "net/event.h"
#include "process/pipe.h"
#include "process/spawn.h"

namespace faas::process {

inline Task<> stop_after(Task<> task) {
  co_await std::move(task);
  net::Core::current().stop();
}

/// Runs the loop until `task` ends.
inline void run_on(net::Core& core, Task<> task) {
  core.spawn(stop_after(std::move(task)));
  core.run();
}

struct Finished {
  std::optional<Error> error;  ///< of spawn()
  std::optional<ExitStatus> status;
  std::string output;
};

inline Task<> read_all(net::Fd fd, std::string& into) {
  char buffer[4096];
  net::Stream stream(std::move(fd));
  while (true) {
    const auto n = co_await stream.read(buffer);
    if (!n || *n == 0) co_return;
    into.append(buffer, *n);
  }
}

inline Task<> finish(Child& child, net::Fd output, Finished& finished) {
  co_await read_all(std::move(output), finished.output);
  const auto status = co_await child.wait();
  finished.status = status;
}

/// Pointers to words, as exec takes them.
inline std::vector<const char*> pointers(const std::vector<std::string>& words) {
  std::vector<const char*> result;
  for (const auto& word : words) result.push_back(word.c_str());
  result.push_back(nullptr);
  return result;
}

/// Standard output and error end up in one text.
inline Finished run(const std::vector<std::string>& words, SpawnRequest request = {}) {
  net::Core core;
  Finished finished;
  const auto argv = pointers(words);
  auto pipe = make_pipe();
  request.program = words.front();
  request.argv = argv.data();
  request.stdout_fd = request.stderr_fd = pipe->write.get();
  auto child = spawn(request);
  pipe->write.close();
  if (!child) {
    finished.error = child.error();
    return finished;
  }
  run_on(core, finish(*child, std::move(pipe->read), finished));
  return finished;
}

inline Finished shell(const std::string& script, SpawnRequest request = {}) {
  return run({"/bin/sh", "-c", script}, std::move(request));
}

/// Whether there is no such process, not even a zombie.
inline bool is_gone(pid_t pid) {
  return ::kill(pid, 0) != 0 && errno == ESRCH;
}

/// Whether it runs no more. An orphan may stay a zombie for as long as its new parent likes.
inline bool has_ended(pid_t pid) {
  std::ifstream stat("/proc/" + std::to_string(pid) + "/stat");
  std::string number;
  std::string name;
  char state = 'Z';
  stat >> number >> name >> state;
  return is_gone(pid) || state == 'Z';
}

/// Waits until `holds(pid)`; false after 5 s.
inline Task<> wait_until(bool (*holds)(pid_t), pid_t pid, bool& result) {
  const auto limit = Clock::now() + std::chrono::seconds(5);
  while (!(result = holds(pid)) && Clock::now() < limit) {
    co_await net::sleep_for(std::chrono::milliseconds(1));
  }
}
inline Task<> gone(pid_t pid, bool& result) {
  return wait_until(&is_gone, pid, result);
}
inline Task<> ended(pid_t pid, bool& result) {
  return wait_until(&has_ended, pid, result);
}

/// Open descriptors of this process.
inline std::size_t open_descriptors() {
  std::size_t count = 0;
  auto* folder = ::opendir("/proc/self/fd");
  while (::readdir(folder) != nullptr) ++count;
  ::closedir(folder);
  return count;
}

}  // namespace faas::process
