// What a replica prints: cut into lines for the logs, the last ones kept to tell why it ended.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>

#include "provider/local/function_log.h"

namespace faas::provider {

class Output final {
 public:
  /// `label` stands before each line in the gateway's own log. `log`, if any, keeps the lines as
  /// `instance`'s.
  explicit Output(std::string label, std::shared_ptr<FunctionLog> log = nullptr, std::string instance = {})
      : label_(std::move(label)), log_(std::move(log)), instance_(std::move(instance)) {}

  /// Some bytes; lines may be cut anywhere.
  void append(std::string_view bytes);
  /// There is no more: what is left is a line as well.
  void finish();

  /// The last lines, oldest first, without time stamps.
  [[nodiscard]] const std::deque<std::string>& last_lines() const { return last_lines_; }
  /// How and why it ended: "exit status 1: no such module". `exit_status` is the watchdog's; where its
  /// function's end was the reason, that one's status and words count.
  [[nodiscard]] std::string end(std::string_view exit_status) const;

  /// Of a longer line the beginning is kept, and how much more there was. By default a watchdog cuts at 64
  /// KiB, and puts a few words before it.
  static constexpr std::size_t kLineBytesMax = 64 * 1024 + 128;
  static constexpr std::size_t kKeptLinesMax = 8;
  static constexpr std::size_t kKeptBytesMax = 256;  ///< of each

 private:
  void end_line();
  void line(std::string_view text);

  std::string label_;
  std::shared_ptr<FunctionLog> log_;
  std::string instance_;
  std::string rest_;
  std::uint64_t cut_bytes_ = 0;  // of the line that `rest_` begins
  std::deque<std::string> last_lines_;
};

}  // namespace faas::provider
