#include "watchdog/watchdog.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>

#include "base/log.h"
#include "net/core.h"
#include "net/signals.h"
#include "process/orphans.h"
#include "watchdog/command_line.h"
#include "watchdog/lifecycle.h"
#include "watchdog/lock_file.h"
#include "watchdog/upstream_url.h"

namespace faas::watchdog {
namespace {

Task<> live_on(net::Core& core, Lifecycle& lifecycle, int& exit_code) {
  exit_code = co_await lifecycle.live();
  core.stop();
}

int check_health(Program program, Variables variables) {
  if (program == Program::of_watchdog) log::line(version_line());
  if (::access(LockFile::path_in(lock_folder(variables)).c_str(), F_OK) == 0) return 0;
  std::fputs("unable to find lock file.\n", stderr);
  return 1;
}

// Whoever asks for a lock on the door must not get a door without one.
Result<std::unique_ptr<Authentication>> make_lock(net::Core& core, const Settings& settings,
                                                  MakeAuthentication make_authentication) {
  if (!settings.jwt_auth) return std::unique_ptr<Authentication>();
  if (make_authentication != nullptr) return make_authentication(core, settings);
  const auto* name = settings.program == Program::classic ? "fwatchdog" : "of-watchdog";
  return Error{Code::invalid, Origin::function,
               fmt::format("jwt_auth is set, but {0} holds no cryptography: use {0}-jwt in its place", name)};
}

// What is blocked can be waited for. SIGUSR1 and SIGUSR2 mean nothing here and would end us, as a tool that
// sends them to everybody does not intend.
void block_what_ends_us() {
  // A shell without job control ignores these in what it starts beside itself; functions would inherit it.
  ::signal(SIGINT, SIG_DFL);
  ::signal(SIGQUIT, SIG_DFL);
  net::block_signals({SIGTERM, SIGQUIT, SIGINT, SIGUSR1, SIGUSR2});
  // Whoever starts us with nohup wants SIGHUP ignored.
  struct sigaction hangup {};
  ::sigaction(SIGHUP, nullptr, &hangup);
  if (hangup.sa_handler != SIG_IGN) net::block_signals({SIGHUP});
}

int serve(Program program, Variables variables, MakeAuthentication make_authentication) {
  if (program == Program::of_watchdog) log::line(version_line());
  const auto settings = read_settings(program, variables);
  if (!settings) {
    log::line(settings.error().text);
    return 1;
  }
  if (settings->mode == Mode::http) {
    const auto url = parse_upstream_url(settings->upstream_url);
    if (!url) {
      log::line(url.error().text);
      return 1;
    }
  }
  if (settings->ready_fd >= 0 && ::fcntl(static_cast<int>(settings->ready_fd), F_GETFD) < 0) {
    log::print("ready_fd={} is not an open descriptor", settings->ready_fd);
    return 1;
  }
  // Functions are given what they need by name; what whoever started us left open is not theirs.
  ::close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
  ::signal(SIGPIPE, SIG_IGN);  // a function or client that closed its end is an error to handle, not our end
  ::signal(SIGXFSZ, SIG_IGN);  // a file that may not grow (ulimit -f) is a full disk
  ::signal(SIGCHLD, SIG_DFL);  // ignored, the kernel would reap before we can ask
  block_what_ends_us();

  return process::while_reaping_orphans([&settings, variables, make_authentication] {
    net::Core core;
    auto authentication = make_lock(core, *settings, make_authentication);
    if (!authentication) {
      log::line(authentication.error().text);
      return 1;
    }
    Lifecycle lifecycle(core, *settings, variables, std::move(*authentication));
    int exit_code = 1;
    core.spawn(live_on(core, lifecycle, exit_code));
    core.run();
    return exit_code;
  });
}

}  // namespace

int run(Program program, int argc, const char* const* argv, Variables variables,
        MakeAuthentication make_authentication) {
  const std::span arguments(argv, static_cast<std::size_t>(argc));
  const auto command = parse_command_line(program, arguments.subspan(argc > 0 ? 1 : 0));
  switch (command.what) {
    case Command::What::leave:
      std::fputs(command.text.c_str(), stderr);
      return command.exit_code;
    case Command::What::version:
      log::line(version_line());
      return 0;
    case Command::What::healthcheck:
      return check_health(program, variables);
    case Command::What::serve:
      return serve(program, variables, make_authentication);
  }
  return 2;
}

}  // namespace faas::watchdog
