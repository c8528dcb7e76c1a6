// What a replica prints: cut into lines for the log, the last one kept to tell why it ended.
#pragma once

#include <deque>
#include <string>
#include <string_view>

namespace faas::provider {

class Output final {
 public:
  /// `label` stands before each line in the log.
  explicit Output(std::string label) : label_(std::move(label)) {}

  /// Some bytes; lines may be cut anywhere.
  void append(std::string_view bytes);
  /// There is no more: what is left is a line as well.
  void finish();

  /// The last lines, oldest first, without time stamps.
  [[nodiscard]] const std::deque<std::string>& last_lines() const { return last_lines_; }
  /// How and why it ended: "exit status 1: no such module". `exit_status` is the watchdog's; where its
  /// function's end was the reason, that one's status and words count.
  [[nodiscard]] std::string end(std::string_view exit_status) const;

  static constexpr std::size_t kLineBytesMax = 8 * 1024;  ///< a longer line is cut into several
  static constexpr std::size_t kKeptLinesMax = 8;
  static constexpr std::size_t kKeptBytesMax = 256;  ///< of each

 private:
  void line(std::string_view text);

  std::string label_;
  std::string rest_;
  std::deque<std::string> last_lines_;
};

}  // namespace faas::provider
