#include "watchdog/line_log.h"

#include <unistd.h>

#include <algorithm>

#include "base/log.h"
#include "process/pipe.h"

namespace faas::watchdog {
namespace {

constexpr std::size_t kReadBytes = 16 * 1024;
// A pipe holds 64 KiB, and who writes faster than we read gets its turn again with the next event.
constexpr std::size_t kReadsPerTurnMax = 8;

}  // namespace

LineCutter::LineCutter(LineStyle style) : style_(style) {
  style_.line_bytes_max = std::clamp<std::size_t>(style_.line_bytes_max, 1, kLineBytesMax);
}

void LineCutter::emit(std::string_view line) {
  if (style_.prefix) {
    log::raw(style_.to_fd, log::timestamp());
    log::raw(style_.to_fd, style_.name);
    log::raw(style_.to_fd, ": ");
  }
  log::raw(style_.to_fd, line);
  log::raw(style_.to_fd, "\n");
}

void LineCutter::take(std::string_view bytes) {
  while (!bytes.empty()) {
    const auto end = bytes.find('\n');
    const bool ends = end != bytes.npos;
    const auto piece =
        bytes.substr(0, std::min(ends ? end : bytes.size(), style_.line_bytes_max - rest_.size()));
    bytes.remove_prefix(piece.size());
    if (bytes.empty()) {  // the line goes on in the next read
      rest_.append(piece);
      return;
    }
    const bool whole = bytes.front() == '\n';
    if (whole) bytes.remove_prefix(1);
    std::string_view line = piece;
    if (!rest_.empty()) line = rest_.append(piece);
    if (whole && line.ends_with('\r')) line.remove_suffix(1);
    emit(line);
    rest_.clear();
  }
}

void LineCutter::flush() {
  if (!rest_.empty()) emit(rest_);
  rest_.clear();
}

Result<std::unique_ptr<LogPipe>> LogPipe::make(LineStyle style) {
  TRY_ASSIGN(auto pipe, process::make_pipe());
  return std::unique_ptr<LogPipe>(new LogPipe(style, std::move(pipe.read), std::move(pipe.write)));
}

LogPipe::LogPipe(LineStyle style, net::Fd read, net::Fd write)
    : cutter_(style), write_(std::move(write)), read_(std::move(read)), reader_(read_lines()) {}

// Waiting without reading keeps drain() and this in step: bytes are only taken where they are logged.
Task<> LogPipe::read_lines() {
  while (!ended_) {
    co_await read_.readable();
    take_what_is_there();
  }
  cutter_.flush();
}

void LogPipe::take_what_is_there() {
  char bytes[kReadBytes];
  for (std::size_t i = 0; i < kReadsPerTurnMax && !ended_; ++i) {
    const auto n = ::read(read_.fd(), bytes, sizeof bytes);
    if (n < 0) return;
    if (n == 0) ended_ = true;
    cutter_.take({bytes, static_cast<std::size_t>(n)});
  }
}

void LogPipe::drain(bool nobody_writes) {
  take_what_is_there();
  if (nobody_writes) cutter_.flush();
}

}  // namespace faas::watchdog
