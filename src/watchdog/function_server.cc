#include "watchdog/function_server.h"

#include <fmt/ranges.h>
#include <unistd.h>

#include <csignal>

#include "base/log.h"
#include "net/event.h"
#include "process/pipe.h"

namespace faas::watchdog {
namespace {

LineStyle style(const Settings& settings, std::string_view name, int fd) {
  const auto line_bytes = settings.log_buffer_size < 0 ? LineCutter::kLineBytesMax
                                                       : static_cast<std::size_t>(settings.log_buffer_size);
  return {.name = name, .to_fd = fd, .prefix = settings.prefix_logs, .line_bytes_max = line_bytes};
}

}  // namespace

Result<std::unique_ptr<FunctionServer>> FunctionServer::start(const Settings& settings) {
  const auto words = process::split_command(settings.process);
  std::vector<const char*> argv;
  for (const auto& word : words) argv.push_back(word.c_str());
  argv.push_back(nullptr);
  log::print("Forking: {}, arguments: [{}]", words.front(), fmt::join(words.begin() + 1, words.end(), " "));

  std::unique_ptr<FunctionServer> server(new FunctionServer());
  TRY_ASSIGN(auto input, process::make_pipe());
  TRY_ASSIGN(server->output_, LogPipe::make(style(settings, "stdout", STDOUT_FILENO)));
  TRY_ASSIGN(server->errors_, LogPipe::make(style(settings, "stderr", STDERR_FILENO)));
  log::line("Started logging: stderr from function.");
  log::line("Started logging: stdout from function.");
  TRY_ASSIGN(server->child_, process::spawn({.program = words.front(),
                                             .argv = argv.data(),
                                             .stdin_fd = input.read.get(),
                                             .stdout_fd = server->output_->write_fd(),
                                             .stderr_fd = server->errors_->write_fd(),
                                             .die_with_parent = true}));
  server->stdin_ = std::move(input.write);
  server->output_->close_write();
  server->errors_->close_write();
  return server;
}

Task<process::ExitStatus> FunctionServer::ended() {
  const auto status = co_await child_.wait();
  output_->drain(/*nobody_writes=*/true);
  errors_->drain(/*nobody_writes=*/true);
  co_return status;
}

Task<> FunctionServer::stop(Duration limit) {
  child_.kill(SIGTERM);
  const auto ended_itself = co_await net::within(ended(), Clock::now() + limit);
  if (!ended_itself) {
    log::print("The function still runs {} after SIGTERM: killing it", print_duration(limit));
  }
  child_.kill(SIGKILL);  // also what it left behind in its group
  if (!ended_itself) (void)co_await ended();
}

}  // namespace faas::watchdog
