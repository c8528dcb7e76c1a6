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
  /// The last line that says something, best of all the function's own; "" when there is none.
  [[nodiscard]] std::string_view last_words() const;

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
