// One replica: a watchdog process, what it prints, whether it is ready and how it ended.
//
// Threads:  the control core.
// Lifetime: destroyed, it kills its process and everything that one started.
#pragma once

#include <array>
#include <optional>
#include <string>

#include "net/event.h"
#include "net/stream.h"
#include "process/spawn.h"
#include "provider/local/output.h"
#include "provider/runtime.h"

namespace faas::provider {

class LocalReplica final {
 public:
  struct Parts {
    Replica replica;    ///< starting
    std::string label;  ///< before its lines in the gateway's own log
    std::shared_ptr<FunctionLog> log;
    std::string instance;  ///< what its lines say they are from
    process::Child child;
    net::Fd ready;   ///< it writes "ready\n" here
    net::Fd output;  ///< its standard output and error
  };
  /// `changed` is set when observed() has something new to tell.
  LocalReplica(Parts parts, net::Event& changed);
  LocalReplica(const LocalReplica&) = delete;
  LocalReplica& operator=(const LocalReplica&) = delete;

  [[nodiscard]] const Replica& observed() const { return replica_; }
  void stop(Stop how);

 private:
  Task<> watch_ready();
  Task<> read_output();
  Task<> watch_end();

  net::Event& changed_;
  Replica replica_;
  Output output_;
  process::Child child_;
  // Buffers before their streams: a read may end after its task.
  std::array<char, 16> ready_bytes_{};
  std::array<char, 16 * 1024> output_bytes_{};
  net::Stream ready_stream_;
  net::Stream output_stream_;
  net::Event output_ended_;
  std::optional<net::Running<void>> ready_watch_;
  std::optional<net::Running<void>> output_reader_;
  std::optional<net::Running<void>> end_watch_;
};

}  // namespace faas::provider
