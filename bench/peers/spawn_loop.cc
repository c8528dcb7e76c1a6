// spawn_loop CALLS PROGRAM [ARGUMENT...]: the floor under every mode that runs one process per request.
// Runs PROGRAM that many times, one after the other, with posix_spawn and pipes for stdin, stdout and
// stderr: feeds it 12 bytes, reads all it says, waits for it. Prints what this process itself spent a call
// (user and system time, without its children's) in one line: calls=N own_cpu_us=F wall_us=F

#include <fcntl.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

extern char** environ;  // NOLINT: POSIX's name

namespace {

constexpr std::string_view input = "hello world\n";

[[noreturn]] void fail(const char* what, int error) {
  std::fprintf(stderr, "spawn_loop: %s: %s\n", what, std::strerror(error));
  std::exit(1);
}

// Found once, as a server would: a search of PATH for every call is not the floor.
std::string find_program(const std::string& name) {
  if (name.find('/') != std::string::npos) return name;
  const char* path = std::getenv("PATH");
  std::string_view rest = path != nullptr ? path : "/usr/bin:/bin";
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find(':'), rest.size());
    std::string candidate = std::string(rest.substr(0, end)) + "/" + name;
    if (access(candidate.c_str(), X_OK) == 0) return candidate;
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  fail(name.c_str(), ENOENT);
}

struct Pipe {
  int read = -1;
  int write = -1;
};

Pipe open_pipe() {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) fail("pipe2", errno);
  return {.read = ends[0], .write = ends[1]};
}

std::string read_to_end(int fd) {
  std::string text;
  std::array<char, 4096> chunk;
  for (;;) {
    const ssize_t got = read(fd, chunk.data(), chunk.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail("read", errno);
    if (got == 0) return text;
    text.append(chunk.data(), static_cast<std::size_t>(got));
  }
}

pid_t spawn(const std::string& program, char** arguments, int in, int out, int err) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, in, STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, err, STDERR_FILENO);
  pid_t child = -1;
  const int error = posix_spawn(&child, program.c_str(), &actions, nullptr, arguments, environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) fail(program.c_str(), error);
  return child;
}

void call(const std::string& program, char** arguments) {
  const Pipe in = open_pipe();
  const Pipe out = open_pipe();
  const Pipe err = open_pipe();
  const pid_t child = spawn(program, arguments, in.read, out.write, err.write);
  close(in.read);
  close(out.write);
  close(err.write);
  if (write(in.write, input.data(), input.size()) != static_cast<ssize_t>(input.size())) fail("write", errno);
  close(in.write);
  const std::string output = read_to_end(out.read);
  const std::string complaint = read_to_end(err.read);
  close(out.read);
  close(err.read);

  int status = 0;
  while (waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) fail("waitpid", errno);
  }
  if (status != 0 || output.empty()) {
    std::fprintf(stderr, "spawn_loop: wait status %d, %zu bytes of output: %s\n", status, output.size(),
                 complaint.c_str());
    std::exit(1);
  }
}

double own_cpu_us() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto us = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_usec);
  };
  return us(usage.ru_utime) + us(usage.ru_stime);
}

}  // namespace

int main(int argc, char** argv) {
  int calls = 0;
  if (argc >= 3) std::from_chars(argv[1], argv[1] + std::strlen(argv[1]), calls);
  if (calls <= 0) {
    std::fprintf(stderr, "usage: spawn_loop CALLS PROGRAM [ARGUMENT...]\n");
    return 1;
  }
  const std::string program = find_program(argv[2]);
  call(program, argv + 2);  // the first one loads the program from disk

  const double cpu_before_us = own_cpu_us();
  const auto started = std::chrono::steady_clock::now();
  for (int i = 0; i < calls; ++i) call(program, argv + 2);
  const std::chrono::duration<double, std::micro> wall = std::chrono::steady_clock::now() - started;
  const double cpu_us = own_cpu_us() - cpu_before_us;
  std::printf("calls=%d own_cpu_us=%.2f wall_us=%.2f\n", calls, cpu_us / calls, wall.count() / calls);
}
