#include "net/signals.h"

#include <sys/signalfd.h>
#include <unistd.h>
#include <csignal>

namespace faas::net {
namespace {

sigset_t set_of(std::initializer_list<int> signals) {
  sigset_t set;
  ::sigemptyset(&set);
  for (const int signal : signals) ::sigaddset(&set, signal);
  return set;
}

}  // namespace

void block_signals(std::initializer_list<int> signals) {
  const auto set = set_of(signals);
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

Signals::Signals(std::initializer_list<int> signals) {
  const auto set = set_of(signals);
  stream_ = Stream(Fd(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK)));
}

Task<int> Signals::next() {
  while (true) {
    co_await stream_.readable();
    signalfd_siginfo info{};
    if (::read(stream_.fd(), &info, sizeof info) == sizeof info) co_return static_cast<int>(info.ssi_signo);
  }
}

}  // namespace faas::net
