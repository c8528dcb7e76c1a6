// What a function writes to its standard error (and output, in http mode), line by line into our log.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "net/event.h"
#include "net/stream.h"

namespace faas::watchdog {

/// How lines look: with prefix "YYYY/MM/DD HH:MM:SS stderr: line", without it as they came.
struct LineStyle {
  std::string_view name;  ///< "stderr"
  int to_fd = 2;          ///< where they go: our own standard error or output
  bool prefix = true;
  std::size_t line_bytes_max = 65536;  ///< a longer line goes on in the next
};

/// Cuts a stream of bytes into log lines. One trailing '\r' is dropped; nothing else is touched.
class LineCutter final {
 public:
  /// No line is longer than this, whatever the style says: it is all held in memory until its end comes.
  static constexpr std::size_t kLineBytesMax = 1024 * 1024;

  explicit LineCutter(LineStyle style);
  void take(std::string_view bytes);
  /// What is left is a line although no '\n' came.
  void flush();

 private:
  void emit(std::string_view line);
  LineStyle style_;
  std::string rest_;
};

/// A pipe whose write end is handed to one process after the other, and whose lines are logged. One pipe for
/// all calls saves each of them a pipe, its registration and four system calls.
///
/// Lifetime: reads until every holder of the write end is gone, or it is destroyed.
class LogPipe final {
 public:
  [[nodiscard]] static Result<std::unique_ptr<LogPipe>> make(LineStyle style);
  /// For SpawnRequest::stderr_fd.
  [[nodiscard]] int write_fd() const { return write_.get(); }
  /// No process will be started with it any more.
  void close_write() { write_.close(); }

  /// Logs what is in the pipe now: called when a process has ended, so that its lines come before what is
  /// said about its end. When no other process runs, an unterminated line is complete as well.
  void drain(bool nobody_writes);
  /// Ends when every holder of the write end is gone.
  [[nodiscard]] auto finished() { return reader_.join(); }

 private:
  LogPipe(LineStyle style, net::Fd read, net::Fd write);
  Task<> read_lines();
  void take_what_is_there();

  LineCutter cutter_;
  net::Fd write_;
  bool ended_ = false;
  net::Stream read_;
  net::Running<void> reader_;
};

}  // namespace faas::watchdog
