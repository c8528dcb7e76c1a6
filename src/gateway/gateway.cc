#include "gateway/gateway.h"

#include <algorithm>

#include "base/log.h"
#include "gateway/scrape.h"
#include "net/doorman.h"
#include "net/socket.h"

namespace faas::gateway {
namespace {

http::ServerLimits limits_of(const Settings& settings) {
  http::ServerLimits limits;
  // Uploads may take as long as they like while they flow.
  limits.read_timeout = Duration::zero();
  limits.body_idle_timeout = settings.read_timeout;
  limits.idle_timeout = settings.read_timeout;
  limits.write_timeout = settings.write_timeout;
  if (settings.read_timeout > Duration::zero()) {
    limits.header_timeout = std::min<Duration>(limits.header_timeout, settings.read_timeout);
  }
  return limits;
}

AccessFormat access_format(std::string_view word) {
  if (word == "json") return AccessFormat::json;
  return word == "off" ? AccessFormat::off : AccessFormat::text;
}

Result<net::Fd> listen_at(const std::string& address, std::int64_t port) {
  const bool bare_v6 = address.find(':') != std::string::npos && !address.starts_with('[');
  const auto host = bare_v6 ? "[" + address + "]" : address;
  TRY_ASSIGN(const auto parsed, net::Address::parse(host + ":" + std::to_string(port)));
  return net::listen(parsed);
}

}  // namespace

Gateway::Gateway(net::Core& control, Settings settings, std::optional<Credentials> credentials)
    : control_(control),
      settings_(std::move(settings)),
      credentials_(std::move(credentials)),
      proxies_(TrustedProxies::parse(settings_.trusted_proxies).value()),
      counts_(settings_.data_dir + "/invocations"),
      metrics_server_(control, metrics_handler_,
                      {.read_timeout = std::chrono::seconds(5),
                       .idle_timeout = std::chrono::seconds(5),
                       .write_timeout = std::chrono::seconds(5)}) {}

Gateway::~Gateway() {
  stop();
}

Result<void> Gateway::listen() {
  auto api = listen_at(settings_.listen_address, settings_.port);
  if (!api) return std::move(api).error().within("setting port");
  auto metrics = listen_at(settings_.listen_address, settings_.metrics_port);
  if (!metrics) return std::move(metrics).error().within("setting metrics_port");
  listener_ = std::move(*api);
  metrics_listener_ = std::move(*metrics);
  return {};
}

void Gateway::start(Provider& provider) {
  provider_ = &provider;
  if (const auto loaded = counts_.load(); !loaded) log::line(loaded.error().text);
  const auto cpus = std::max(1U, std::thread::hardware_concurrency());
  const auto count = settings_.cores > 0 ? static_cast<std::size_t>(settings_.cores) : cpus;
  const FrontOptions options{.login = credentials_,
                             .guard = &guard_,
                             .calls = {.upstream_timeout = settings_.upstream_timeout,
                                       .proxies = &proxies_,
                                       .sandbox_pages = settings_.function_pages == "sandbox",
                                       .access = {.format = access_format(settings_.access_log),
                                                  .queries = settings_.access_log_queries}},
                             .body_timeout = settings_.read_timeout,
                             .limits = limits_of(settings_)};
  ApiSource& source = *this;
  std::vector<net::Guest*> guests;
  for (std::size_t i = 0; i < count; ++i) {
    auto worker = std::make_unique<Worker>();
    worker->front = std::make_unique<Front>(worker->core, source, options);
    worker->front->table().update(*snapshot_);
    guests.push_back(&worker->front->server());
    worker->thread = std::thread([core = &worker->core] { core->run(); });
    workers_.push_back(std::move(worker));
  }
  const auto port = net::port_of(listener_.get());
  const auto metrics_port = net::port_of(metrics_listener_.get());
  doorman_.emplace(net::accept_for(net::Stream(std::move(listener_)), std::move(guests)));
  metrics_doorman_.emplace(net::accept_for(net::Stream(std::move(metrics_listener_)), {&metrics_server_}));
  counts_keeper_.emplace(keep_counts());
  log::print("Listening on {}:{}, metrics on port {}, {} cores", settings_.listen_address, port, metrics_port,
             count);
}

Task<std::size_t> Gateway::drain(Duration limit) {
  doorman_.reset();
  // Who follows a log would wait for ever.
  draining_ = true;
  for (const auto& known : log_readers_) {
    if (const auto reader = known.lock()) reader->stop();
  }
  // At once, when there is no time at all: here no limit would be no end.
  const auto deadline = limit > Duration::zero() ? deadline_after(Clock::now(), limit) : Clock::now();
  // Every core first: a connection kept open there would go on with its next request.
  for (auto& worker : workers_) {
    worker->core.post([server = &worker->front->server()] { server->drain(); });
  }
  std::size_t left = 0;
  for (auto& worker : workers_) {
    auto* server = &worker->front->server();
    const auto quiet = [](http::Server* one, TimePoint until) -> Task<std::size_t> {
      const auto wait = [](net::Event& event) -> Task<> { co_await event.wait(); };
      co_await net::within(wait(one->quiet()), until);
      const auto busy = one->busy();
      one->close_all();
      co_return busy;
    };
    left += co_await net::on<std::size_t>(worker->core,
                                          [quiet, server, deadline] { return quiet(server, deadline); });
  }
  co_return left;
}

void Gateway::stop() {
  doorman_.reset();
  metrics_doorman_.reset();
  counts_keeper_.reset();
  for (auto& worker : workers_) {
    worker->core.stop();
    worker->thread.join();
  }
  Invocations counted;
  for (auto& worker : workers_) {
    for (const auto& [name, calls] : worker->front->table().invocations()) counted[name] += calls;
  }
  if (!workers_.empty()) save_counts(counted);
  workers_.clear();
}

void Gateway::publish(std::shared_ptr<const Snapshot> snapshot) {
  counts_.forget_if([before = snapshot_.get(), now = snapshot.get()](const std::string& function) {
    return before->functions.contains(function) && !now->functions.contains(function);
  });
  snapshot_ = snapshot;
  for (auto& worker : workers_) {
    worker->core.post([front = worker->front.get(), snapshot] { front->table().update(*snapshot); });
  }
}

// Visits the cores one after the other; none waits for another.
Task<Counted> Gateway::count_all() {
  Counted all;
  struct Some {
    Meters functions;
    RouteMeters routes;
  };
  for (auto& worker : workers_) {
    const auto count = [](Front* front) -> Task<Some> {
      co_return Some{.functions = front->table().meters(), .routes = front->routes()};
    };
    auto* front = worker->front.get();
    const auto some = co_await net::on<Some>(worker->core, [count, front] { return count(front); });
    for (const auto& [name, meter] : some.functions) all.functions[name].add(meter);
    all.routes.add(some.routes);
  }
  all.scrapes = scrapes_++;
  co_return all;
}

Task<Invocations> Gateway::count_invocations() {
  Invocations all;
  for (auto& worker : workers_) {
    const auto count = [](FunctionTable* table) -> Task<Invocations> { co_return table->invocations(); };
    auto* table = &worker->front->table();
    const auto some = co_await net::on<Invocations>(worker->core, [count, table] { return count(table); });
    for (const auto& [name, calls] : some) all[name] += calls;
  }
  co_return all;
}

Task<std::string> Gateway::print_all() {
  const auto counted = co_await count_all();
  co_return print_metrics(counted, *snapshot_, settings_.metrics_long_buckets);
}

Task<std::string> Gateway::metrics() {
  co_return co_await net::on<std::string>(control_, [this] { return print_all(); });
}

Task<Result<std::shared_ptr<LogReader>>> Gateway::open_logs(LogQuery query) {
  using Opened = Result<std::shared_ptr<LogReader>>;
  co_return co_await net::on<Opened>(control_, [this, query] { return register_logs(query); });
}

Task<Result<std::shared_ptr<LogReader>>> Gateway::register_logs(LogQuery query) {
  auto reader = co_await provider_->logs(query);
  if (!reader) co_return reader;
  std::erase_if(log_readers_, [](const auto& known) { return known.expired(); });
  log_readers_.push_back(*reader);
  if (draining_) (*reader)->stop();
  co_return reader;
}

Task<Invocations> Gateway::invocations() {
  const auto all = [](Gateway* gateway) -> Task<Invocations> {
    auto counts = co_await gateway->count_invocations();
    gateway->counts_.add_to(counts);
    co_return counts;
  };
  co_return co_await net::on<Invocations>(control_, [all, this] { return all(this); });
}

Task<std::uint64_t> Gateway::invocations(std::string function) {
  std::uint64_t calls = 0;
  for (auto& worker : workers_) {
    const auto count = [](FunctionTable* table, std::string name) -> Task<std::uint64_t> {
      co_return table->invocations(name);
    };
    auto* table = &worker->front->table();
    calls += co_await net::on<std::uint64_t>(worker->core,
                                             [count, table, function] { return count(table, function); });
  }
  const auto before = [](Gateway* gateway, std::string name) -> Task<std::uint64_t> {
    co_return gateway->counts_.before(name);
  };
  calls +=
      co_await net::on<std::uint64_t>(control_, [before, this, function] { return before(this, function); });
  co_return calls;
}

void Gateway::save_counts(const Invocations& counted) {
  const auto saved = counts_.save(counted);
  if (!saved) log::print("invocation counts are not kept: {}", saved.error().text);
}

Task<> Gateway::keep_counts() {
  while (true) {
    co_await net::sleep_for(kInvocationsSaved);
    const auto counted = co_await count_invocations();
    save_counts(counted);
  }
}

Task<Result<void>> Gateway::look_again() {
  if (!provider_->changed_by_others()) co_return Result<void>();
  auto* provider = provider_;
  auto looked = co_await net::on<Result<void>>(control_, [provider] { return provider->refresh(); });
  co_return looked;
}

Task<> Gateway::MetricsHandler::serve(http::Exchange& exchange) {
  const auto path = exchange.request().path();
  if (path == "/healthz") {
    const bool get =
        exchange.request().method == http::Method::get || exchange.request().method == http::Method::head;
    exchange.head(get ? 200 : 405).field("Content-Type", "text/plain; charset=utf-8");
    if (!get) exchange.field("Allow", "GET, HEAD");
    auto sent = co_await exchange.send(get ? "OK" : "");
    (void)sent;
    co_return;
  }
  if (path != "/metrics") {
    auto sent = co_await http::answer_text(exchange, 404, "404 page not found");
    (void)sent;
    co_return;
  }
  auto text = co_await gateway.print_all();
  co_await answer_scrape(exchange, std::move(text));
}

}  // namespace faas::gateway
