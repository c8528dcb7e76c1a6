#include "watchdog/lifecycle.h"

#include <unistd.h>

#include <csignal>

#include "base/log.h"
#include "watchdog/mode_afterburn.h"
#include "watchdog/mode_http.h"

namespace faas::watchdog {
namespace {

// After the last call, how long the function of http or afterburn mode has to end by itself: less than the
// ten seconds containers are given.
constexpr Duration kFunctionStopLimit = std::chrono::seconds(5);
constexpr Duration kMetricsTimeout = std::chrono::milliseconds(500);
constexpr Duration kCloseLimit = std::chrono::seconds(1);
constexpr Duration kClosePause = std::chrono::milliseconds(1);

http::ServerLimits limits_of(const Settings& settings) {
  return {.header_timeout = settings.read_timeout,
          .read_timeout = settings.read_timeout,
          .idle_timeout = settings.read_timeout,
          .write_timeout = settings.write_timeout};
}

Result<net::Fd> listen_on(std::string_view where) {
  TRY_ASSIGN(const auto address, net::Address::parse(where));
  return net::listen(address);
}

std::string_view name_of_signal(int signal) {
  switch (signal) {
    case SIGINT:
      return "SIGINT";
    case SIGHUP:
      return "SIGHUP";
    case SIGQUIT:
      return "SIGQUIT";
    default:
      return "SIGTERM";
  }
}

// Whether TMPDIR was chosen: then a folder that is not there is a mistake. That an image has no /tmp, or none
// that may be written, is no reason not to serve.
bool names_folder(Variables own) {
  const auto* value = find_variable(own, "TMPDIR");
  return value != nullptr && *value != '\0';
}

Task<> wait_for(net::Event& event) {
  co_await event.wait();
}

}  // namespace

Lifecycle::Lifecycle(net::Core& core, const Settings& settings, Variables own,
                     std::unique_ptr<Authentication> authentication)
    : core_(core),
      settings_(settings),
      own_(own),
      authentication_(std::move(authentication)),
      stop_(core),
      hurry_(core) {
  condition_.suppress_lock = settings.suppress_lock;
  if (settings.ready_fd >= 0) ready_fd_ = net::Fd(static_cast<int>(settings.ready_fd));
}

Lifecycle::~Lifecycle() {
  if (!settings_.unix_socket.empty() && !listening_.empty()) ::unlink(settings_.unix_socket.c_str());
}

// Before anything else: a function nobody may call need not run, and who connects should be refused, not
// kept.
Task<Result<void>> Lifecycle::prepare_authentication() {
  if (!authentication_) co_return Result<void>();
  auto prepared = co_await net::race(authentication_->prepare(), stop_);
  if (!prepared)
    co_return Error{Code::unavailable, Origin::function, "told to end before the keys were there"};
  co_return std::move(*prepared);
}

Result<void> Lifecycle::listen() {
  if (!settings_.unix_socket.empty()) {
    TRY_ASSIGN(auto fd, listen_on("unix:" + settings_.unix_socket));
    listening_.push_back(std::move(fd));
  }
  if (settings_.listen_tcp) {
    TRY_ASSIGN(auto fd, listen_on(":" + std::to_string(settings_.port)));
    listening_.push_back(std::move(fd));
  }
  if (listening_.empty()) {
    return Error{Code::invalid, Origin::function,
                 "nothing to listen on: listen_tcp is false, unix_socket is empty"};
  }
  return {};
}

Result<void> Lifecycle::start_function() {
  if (settings_.mode == Mode::http) {
    TRY_ASSIGN(auto url, parse_upstream_url(settings_.upstream_url));
    auto started = FunctionServer::start(settings_);
    if (!started) return std::move(started).error().within("Forked function has terminated");
    function_ = std::move(*started);
    mode_ = make_http(settings_, std::move(url), core_);
    return {};
  }
  if (settings_.mode == Mode::static_files) {
    mode_ = make_static(settings_);
    return {};
  }
  if (settings_.mode == Mode::afterburn) {
    auto started = make_afterburn(settings_);
    if (!started) return std::move(started).error().within("Forked function has terminated");
    mode_ = std::move(*started);
    return {};
  }
  TRY_ASSIGN(forker_, Forker::make(settings_, own_));
  switch (settings_.mode) {
    case Mode::serializing:
      mode_ = make_serializing(*forker_);
      break;
    case Mode::classic:
      mode_ = make_classic(*forker_);
      break;
    default:
      mode_ = make_streaming(*forker_);
  }
  return {};
}

void Lifecycle::open_doors() {
  front_.emplace(settings_, *mode_, condition_, authentication_.get());
  server_ = std::make_unique<http::Server>(core_, *front_, limits_of(settings_));
  if (settings_.program == Program::of_watchdog) {
    log::print("Watchdog mode: {}\tfprocess: {}", name_of(settings_.mode), quoted(settings_.process));
  }
  log::line(timeouts_line(settings_));
  if (const auto warning = timeouts_warning(settings_); !warning.empty()) log::line(warning);
  if (authentication_) log::line("JWT Auth: true");
  if (settings_.listen_tcp) log::print("Listening on port: {}", net::port_of(listening_.back().get()));
  if (!settings_.unix_socket.empty()) log::print("Listening on socket: {}", settings_.unix_socket);
  for (auto& fd : listening_) {
    doors_.push_back(std::make_unique<net::Running<void>>(
        net::accept_for(net::Stream(std::move(fd)), std::vector<net::Guest*>{server_.get()})));
  }
}

// Nobody's calls depend on it: a port that is taken is only worth a warning.
void Lifecycle::open_metrics() {
  if (!settings_.listen_tcp || settings_.metrics_port <= 0) return;
  auto fd = listen_on(":" + std::to_string(settings_.metrics_port));
  if (!fd) {
    log::print("Warning: no metrics: {}", fd.error().text);
    return;
  }
  metrics_front_.emplace(front_->metrics());
  metrics_server_ = std::make_unique<http::Server>(core_, *metrics_front_,
                                                   http::ServerLimits{.header_timeout = kMetricsTimeout,
                                                                      .read_timeout = kMetricsTimeout,
                                                                      .idle_timeout = kMetricsTimeout,
                                                                      .write_timeout = kMetricsTimeout});
  metrics_door_ = std::make_unique<net::Running<void>>(
      net::accept_for(net::Stream(std::move(*fd)), std::vector<net::Guest*>{metrics_server_.get()}));
  log::print("Metrics listening on port: {}", settings_.metrics_port);
}

Task<> Lifecycle::become_ready() {
  co_await mode_->ready();
  if (settings_.suppress_lock) {
    log::line(
        "Warning: \"suppress_lock\" is enabled. No automated health-checks will be in place for your "
        "function.");
  } else {
    log::print("Writing lock-file to: {}", LockFile::path_in(settings_.lock_folder));
    const auto written =
        condition_.lock.write(settings_.lock_folder, settings_.program == Program::of_watchdog);
    if (!written && (written.error().code != Code::not_found || !names_folder(own_))) {
      log::print("Warning: {}. Serving without it: /_/health answers, -run-healthcheck finds nothing",
                 written.error().text);
      condition_.suppress_lock = true;
    } else if (!written) {
      failure_ = written.error();
      stop_.set();
      co_return;
    }
  }
  condition_.accepting = true;
  tell_ready();
}

void Lifecycle::tell_ready() {
  if (!ready_fd_) return;
  constexpr std::string_view word = "ready\n";
  if (::write(ready_fd_.get(), word.data(), word.size()) < 0) log::line("nobody reads ready_fd");
  ready_fd_.close();
}

Task<> Lifecycle::watch_signals() {
  net::Signals signals({SIGTERM, SIGQUIT, SIGINT, SIGHUP});
  while (true) {
    const int signal = co_await signals.next();
    if (signal_ == 0) signal_ = signal;
    if (signal == SIGINT || signal == SIGHUP) hurry_.set();
    stop_.set();
  }
}

Task<> Lifecycle::watch_function() {
  function_status_ = co_await function_->ended();
  hurry_.set();  // there is nobody left to serve in a grace period
  stop_.set();
}

Task<int> Lifecycle::live() {
  net::Running<void> signals(watch_signals());
  auto prepared = co_await prepare_authentication();
  if (!prepared) {
    log::line(prepared.error().text);
    co_return stop_.is_set() ? 0 : 1;
  }
  auto started = listen();
  if (!started) {
    log::print("Error ListenAndServe: {}", started.error().text);
    co_return 1;
  }
  started = start_function();
  if (!started) {
    log::line(started.error().text);
    co_return 1;
  }
  open_doors();
  open_metrics();
  std::optional<net::Running<void>> function;
  if (function_) function.emplace(watch_function());
  net::Running<void> readiness(become_ready());
  co_await stop_.wait();

  if (function_status_ || failure_) {
    log::line(failure_ ? failure_->text : "Forked function has terminated: " + function_status_->text());
    condition_.accepting = false;
    doors_.clear();
    const bool done = !failure_ && function_status_->success();
    if (done) {
      server_->drain();
      co_await finish_calls();
    }
    co_await close_connections();
    co_return done ? 0 : 1;
  }
  co_await drain();
  function.reset();
  if (function_ && !function_status_) co_await function_->stop(kFunctionStopLimit);
  co_await mode_->stop(kFunctionStopLimit);
  co_return 0;
}

// Health turns bad at once, but calls are served for a while: whoever routes to us has to notice first.
Task<> Lifecycle::drain() {
  condition_.accepting = false;
  const auto grace = std::max(settings_.healthcheck_interval, Duration::zero());
  log::print("{}: no new connections in {}", name_of_signal(signal_), print_duration(grace));
  if (!condition_.lock.path().empty()) {
    log::print("Removing lock-file : {}", condition_.lock.path());
    const auto removed = condition_.lock.remove();
    if (!removed) log::print("Unable to mark server as unhealthy: {}", removed.error().text);
  }
  if (grace > Duration::zero()) {
    (void)co_await net::within(wait_for(hurry_), Clock::now() + grace);
  }
  log::print("No new connections allowed, draining: {} requests", front_->metrics().in_flight());
  doors_.clear();
  server_->drain();
  co_await finish_calls();
  log::print("Exiting. Active connections: {}", front_->metrics().in_flight());
  co_await close_connections();
}

Task<> Lifecycle::finish_calls() {
  const auto limit = settings_.write_timeout;
  const auto deadline = deadline_after(Clock::now(), limit);
  const bool quiet = co_await net::within(wait_for(server_->quiet()), deadline);
  if (!quiet) log::line("Error in Shutdown: context deadline exceeded");
}

// What still runs ends here: its processes are killed with their calls.
Task<> Lifecycle::close_connections() {
  server_->close_all();
  metrics_door_.reset();
  if (metrics_server_) metrics_server_->close_all();
  const auto deadline = Clock::now() + kCloseLimit;
  const auto open = [this] {
    return server_->connections.load() + (metrics_server_ ? metrics_server_->connections.load() : 0);
  };
  while (open() > 0 && Clock::now() < deadline) {
    co_await net::sleep_for(kClosePause);
  }
}

}  // namespace faas::watchdog
