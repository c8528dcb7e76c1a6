// Reads a function's log out of its ring: the last lines, those since some time, those that come.
//
// It keeps its place, no lines: a client that reads slowly costs a few bytes, however much the function
// prints.
#pragma once

#include <memory>
#include <string>

#include "contract/log_reader.h"
#include "provider/local/function_log.h"

namespace faas::provider {

class RingReader final : public LogReader {
 public:
  RingReader(std::shared_ptr<FunctionLog> log, LogQuery query);

  Task<std::vector<LogLine>> next() override;
  void stop() override;

 private:
  [[nodiscard]] bool wants(const LogRecord& record) const;
  [[nodiscard]] FunctionLog::Place first_of_last(std::uint64_t count) const;
  void take_lines(const FunctionLog::Piece& piece, std::vector<LogLine>& lines) const;

  std::shared_ptr<FunctionLog> log_;
  LogQuery query_;
  std::string since_;
  FunctionLog::Place place_;
  FunctionLog::Place until_;  // for one that does not follow
  bool stopped_ = false;
};

}  // namespace faas::provider
