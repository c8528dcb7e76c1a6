// The gateway: fronts on their cores, a doorman that spreads connections, the metrics port, and the snapshot
// of functions that every core has a copy of.
//
// Threads:  lives on the control core, which is the thread that made it; each front has a thread of its own.
// Lifetime: stop() before it is destroyed; the control core's loop has then ended or ends with it.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "contract/provider.h"
#include "gateway/api.h"
#include "gateway/credentials.h"
#include "gateway/front.h"
#include "gateway/invocation_counts.h"
#include "gateway/metrics.h"
#include "gateway/settings.h"

namespace faas::gateway {

class Gateway final : public SnapshotListener, ApiSource {
 public:
  Gateway(net::Core& control, Settings settings, std::optional<Credentials> credentials);
  ~Gateway() override;

  /// Binds both ports. Errors: unavailable: names the address.
  [[nodiscard]] Result<void> listen();
  /// Starts serving. `provider` is called on the control core until stop().
  void start(Provider& provider);
  /// Stops accepting and lets calls end, at most for `limit`; what is left then is cut off. Says how many.
  [[nodiscard]] Task<std::size_t> drain(Duration limit);
  /// Ends the serving cores. What was under way is cut off.
  void stop();

  void publish(std::shared_ptr<const Snapshot> snapshot) override;

 private:
  struct Worker {
    net::Core core;
    std::unique_ptr<Front> front;
    std::thread thread;
  };
  struct MetricsHandler final : http::Handler {
    Gateway& gateway;
    explicit MetricsHandler(Gateway& g) : gateway(g) {}
    Task<> serve(http::Exchange& exchange) override;
  };

  net::Core& control() override { return control_; }
  Provider& provider() override { return *provider_; }
  Task<std::uint64_t> invocations(std::string function) override;
  Task<Invocations> invocations() override;
  Task<std::string> metrics() override;
  Task<Result<std::shared_ptr<LogReader>>> open_logs(LogQuery query) override;
  Task<Result<void>> look_again() override;

  Task<Counted> count_all();
  Task<Invocations> count_invocations();
  Task<std::string> print_all();
  Task<Result<std::shared_ptr<LogReader>>> register_logs(LogQuery query);
  Task<> keep_counts();
  void save_counts(const Invocations& counted);

  net::Core& control_;
  Settings settings_;
  std::optional<Credentials> credentials_;
  TrustedProxies proxies_;
  LoginGuard guard_;
  Provider* provider_ = nullptr;
  std::shared_ptr<const Snapshot> snapshot_ = std::make_shared<const Snapshot>();
  std::vector<std::unique_ptr<Worker>> workers_;
  InvocationCounts counts_;
  std::uint64_t scrapes_ = 0;
  std::vector<std::weak_ptr<LogReader>> log_readers_;
  bool draining_ = false;
  MetricsHandler metrics_handler_{*this};
  http::Server metrics_server_;
  net::Fd listener_;
  net::Fd metrics_listener_;
  std::optional<net::Running<void>> doorman_;
  std::optional<net::Running<void>> metrics_doorman_;
  std::optional<net::Running<void>> counts_keeper_;
};

}  // namespace faas::gateway
