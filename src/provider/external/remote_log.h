// A function's log as a provider elsewhere streams it: GET /system/logs, one JSON object a line.
//
// Threads: the control core.
#pragma once

#include <string>
#include <vector>

#include "contract/log_reader.h"
#include "http/client_pool.h"
#include "net/event.h"
#include "provider/external/base_url.h"

namespace faas::provider {

class RemoteLog final : public LogReader {
 public:
  /// `lease`: the connection on which the answer's head has come.
  RemoteLog(net::Core& core, http::ClientPool::Lease lease, const BaseUrl& url);
  /// An answer that breaks off ends with a line of ours that says so.
  Task<std::vector<LogLine>> next() override;
  void stop() override { stopped_.set(); }

 private:
  [[nodiscard]] Task<std::string> read();
  void take_lines(std::vector<LogLine>& lines);

  http::ClientPool::Lease lease_;
  std::string shown_;
  std::string rest_;  // the beginning of a line
  bool ended_ = false;
  net::Event stopped_;
};

/// The path and query that ask a provider for lines. `name_space` empty: it knows none.
[[nodiscard]] std::string log_path(const LogQuery& query, std::string_view name_space);
/// One line of the answer. A line that is not what it should be is shown as it is, with no name or time.
[[nodiscard]] LogLine parse_log_line(std::string_view json);

}  // namespace faas::provider
