// Upstream connections of one core, kept alive between requests.
//
// An idle connection keeps a read armed: one that the peer closes leaves the pool at that moment, so that a
// stale one is hardly ever picked.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/units.h"
#include "http/message.h"
#include "net/core.h"
#include "net/socket.h"
#include "net/task.h"

namespace faas::http {

class Upstream;

struct PoolLimits {
  Duration idle_timeout = std::chrono::seconds(60);
  Duration connect_timeout = std::chrono::seconds(5);
  std::size_t head_bytes_max = 256 * 1024;  ///< of an answer
};

/// Threads: one core. Lifetime: outlives the leases it gave.
class ClientPool final {
 public:
  explicit ClientPool(net::Core& core, PoolLimits limits = {});
  ~ClientPool();
  ClientPool(const ClientPool&) = delete;
  ClientPool& operator=(const ClientPool&) = delete;

  /// A connection for one request. Destroying it closes the connection, unless it was given back.
  struct Close {
    void operator()(Upstream* upstream) const;
  };
  using Lease = std::unique_ptr<Upstream, Close>;
  /// Errors: refused (origin function): nothing was sent; timeout. `fresh`: do not reuse an idle one.
  [[nodiscard]] Task<Result<Lease>> take(const net::Address& address, bool fresh = false);
  /// An idle connection, if there is one, without waiting.
  [[nodiscard]] Lease take_idle(const net::Address& address);
  void give_back(Lease lease);
  /// Closes the idle connections to an address that is gone.
  void forget(const net::Address& address);

  struct State;

 private:
  std::unique_ptr<State> state_;
};

}  // namespace faas::http
