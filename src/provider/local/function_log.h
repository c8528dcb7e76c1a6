// What one function's replicas printed, on disk: a ring of a few files, of which the oldest is given up when
// the newest is full.
//
// A line is "TIME INSTANCE TEXT\n", so that people can read the files as well. Nothing is flushed to the disk
// for a line: what was printed survives the gateway, and all but the last moments survive a power failure.
//
// Threads:  the control core.
// Lifetime: as long as a replica writes or a client reads; without either, a function costs no memory.
#pragma once

#include <compare>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

#include "base/result.h"
#include "model/log_line.h"
#include "net/event.h"
#include "net/stream.h"

namespace faas::provider {

class FunctionLog final {
 public:
  static constexpr std::uint64_t kSegments = 4;
  /// Less would not hold a long line in each of the files.
  static constexpr std::uint64_t kBytesLeast = 1024 * 1024;

  /// Where in the ring: behind this many bytes of a file.
  struct Place {
    std::uint64_t segment = 0;
    std::uint64_t offset = 0;
    friend auto operator<=>(const Place&, const Place&) = default;
  };

  /// Looks for what an earlier process left in `folder`; makes nothing yet. `bytes_max`: at least
  /// kBytesLeast.
  FunctionLog(net::Core& core, FunctionName function, std::string folder, std::uint64_t bytes_max);
  FunctionLog(const FunctionLog&) = delete;
  FunctionLog& operator=(const FunctionLog&) = delete;

  [[nodiscard]] const FunctionName& function() const { return function_; }

  /// Adds a line; flush() writes what was added. A disk that does not take it is told of in the log, once;
  /// then lines are lost. `text` holds no line's end.
  void add(std::string_view instance, LogTime time, std::string_view text);
  void flush();
  /// The function was deleted: removes the files. What is added from now on is lost.
  void remove();
  [[nodiscard]] bool removed() const { return removed_; }
  /// Wakes when lines came or the function was deleted.
  [[nodiscard]] net::Event& changed() { return changed_; }

  [[nodiscard]] Place begin() const {
    return {.segment = segments_.empty() ? next_ : segments_.front(), .offset = 0};
  }
  [[nodiscard]] Place end() const;
  /// The numbers of the files, oldest first.
  [[nodiscard]] const std::deque<std::uint64_t>& segments() const { return segments_; }

  struct Piece {
    std::string lines;  ///< whole ones; empty: there are no more
    bool lost = false;  ///< the place had been given up, the piece is from further on
  };
  /// Reads some lines from `place` on and moves it behind them; at most to `until`.
  [[nodiscard]] Piece read(Place& place, Place until) const;
  /// A whole file.
  [[nodiscard]] std::string read_segment(std::uint64_t segment) const;

 private:
  [[nodiscard]] std::string path(std::uint64_t segment) const;
  [[nodiscard]] Result<void> prepare(std::size_t bytes);
  [[nodiscard]] Result<void> write(std::string_view bytes);
  void mend_last();

  FunctionName function_;
  std::string folder_;
  std::uint64_t segment_bytes_max_;
  std::deque<std::uint64_t> segments_;
  std::uint64_t next_ = 1;        // the number of the next file
  std::uint64_t last_bytes_ = 0;  // of the newest file
  net::Fd last_;                  // open once something was written
  std::string pending_;
  bool failing_ = false;
  bool removed_ = false;
  net::Event changed_;
};

/// A line as it stands in the files, without its end.
struct LogRecord {
  std::string_view time;
  std::string_view instance;
  std::string_view text;
};
/// Errors: malformed: somebody else wrote it.
[[nodiscard]] Result<LogRecord> parse_log_record(std::string_view line);

}  // namespace faas::provider
