#include "gateway/gateway.h"

#include <algorithm>

#include "base/log.h"
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
  log::print("Listening on {}:{}, metrics on port {}, {} cores", settings_.listen_address, port, metrics_port,
             count);
}

Task<std::size_t> Gateway::drain(Duration limit) {
  doorman_.reset();
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
  for (auto& worker : workers_) {
    worker->core.stop();
    worker->thread.join();
  }
  workers_.clear();
}

void Gateway::publish(std::shared_ptr<const Snapshot> snapshot) {
  snapshot_ = snapshot;
  for (auto& worker : workers_) {
    worker->core.post([front = worker->front.get(), snapshot] { front->table().update(*snapshot); });
  }
}

Task<Meters> Gateway::meters() {
  Meters all;
  for (auto& worker : workers_) {
    const auto count = [](FunctionTable* table) -> Task<Meters> { co_return table->meters(); };
    auto* table = &worker->front->table();
    const auto some = co_await net::on<Meters>(worker->core, [count, table] { return count(table); });
    for (const auto& [name, meter] : some) all[name].add(meter);
  }
  co_return all;
}

Task<std::shared_ptr<const Snapshot>> Gateway::snapshot() {
  const auto get = [](Gateway* gateway) -> Task<std::shared_ptr<const Snapshot>> {
    co_return gateway->snapshot_;
  };
  co_return co_await net::on<std::shared_ptr<const Snapshot>>(control_, [get, this] { return get(this); });
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
  const auto meters = co_await gateway.meters();
  const auto text = print_metrics(meters, *gateway.snapshot_);
  exchange.head(200).field("Content-Type", "text/plain; version=0.0.4; charset=utf-8");
  auto sent = co_await exchange.send(text);
  (void)sent;
}

}  // namespace faas::gateway
