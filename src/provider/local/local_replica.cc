#include "provider/local/local_replica.h"

#include <csignal>

namespace faas::provider {
namespace {

// What a replica printed before its end is in the pipe already; this is for reading it.
constexpr auto kLastWordsLimit = std::chrono::milliseconds(200);

Task<> wait_for(net::Event& event) {
  co_await event.wait();
}

}  // namespace

LocalReplica::LocalReplica(Parts parts, net::Event& changed)
    : changed_(changed),
      replica_(std::move(parts.replica)),
      output_(std::move(parts.label), std::move(parts.log), std::move(parts.instance)),
      child_(std::move(parts.child)),
      ready_stream_(std::move(parts.ready)),
      output_stream_(std::move(parts.output)) {
  output_reader_.emplace(read_output());
  ready_watch_.emplace(watch_ready());
  end_watch_.emplace(watch_end());
}

void LocalReplica::stop(Stop how) {
  if (replica_.state == Replica::State::ended) return;
  // A polite request is for the watchdog alone: it lets the calls finish that its children work on.
  child_.kill(how == Stop::politely ? SIGTERM : SIGKILL, how == Stop::at_once);
}

Task<> LocalReplica::watch_ready() {
  std::string said;
  while (said.find('\n') == std::string::npos && said.size() < ready_bytes_.size()) {
    const auto read = co_await ready_stream_.read(ready_bytes_);
    if (!read || *read == 0) co_return;  // it gave up, or ended
    said.append(ready_bytes_.data(), *read);
  }
  if (!said.starts_with("ready\n") || replica_.state != Replica::State::starting) co_return;
  replica_.state = Replica::State::ready;
  replica_.ready_since = Clock::now();
  changed_.set();
}

Task<> LocalReplica::read_output() {
  for (;;) {
    const auto read = co_await output_stream_.read(output_bytes_);
    if (!read || *read == 0) break;
    output_.append({output_bytes_.data(), *read});
  }
  output_.finish();
  output_ended_.set();
}

Task<> LocalReplica::watch_end() {
  const auto status = co_await child_.wait();
  // Without a pid namespace its children are still there, and hold the pipe open.
  child_.kill(SIGKILL, true);
  auto rest = wait_for(output_ended_);
  co_await net::within(std::move(rest), Clock::now() + kLastWordsLimit);
  replica_.end = output_.end(status.text());
  replica_.state = Replica::State::ended;
  changed_.set();
}

}  // namespace faas::provider
