#include "provider/local/output.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/log.h"

namespace faas::provider {
namespace {

// How a watchdog in http mode words its function's end, and what it puts before its function's lines.
constexpr std::string_view kFunctionEnded = "Forked function has terminated: ";
constexpr std::string_view kFunctionSays = "stderr: ";

// "2006/01/02 15:04:05 ", which watchdogs put before their lines and our log puts before its own.
std::string_view without_time(std::string_view text) {
  constexpr std::string_view shape = "dddd/dd/dd dd:dd:dd ";
  if (text.size() < shape.size()) return text;
  const bool stamped = std::equal(shape.begin(), shape.end(), text.begin(), [](char wanted, char c) {
    return wanted == 'd' ? c >= '0' && c <= '9' : wanted == c;
  });
  return stamped ? text.substr(shape.size()) : text;
}

}  // namespace

void Output::append(std::string_view bytes) {
  while (!bytes.empty()) {
    const auto end = bytes.find('\n');
    const auto piece = bytes.substr(0, end);
    const auto kept = std::min(kLineBytesMax - rest_.size(), piece.size());
    rest_.append(piece.substr(0, kept));
    cut_bytes_ += piece.size() - kept;
    bytes.remove_prefix(piece.size());
    if (end == std::string_view::npos) break;
    bytes.remove_prefix(1);
    end_line();
  }
  if (log_) log_->flush();
}

void Output::finish() {
  if (!rest_.empty()) end_line();
  if (log_) log_->flush();
}

void Output::end_line() {
  if (cut_bytes_ > 0) rest_ += fmt::format(" [cut: {} more bytes]", cut_bytes_);
  line(rest_);
  // A long line's memory is not kept for the short ones that follow.
  if (cut_bytes_ > 0) std::string().swap(rest_);
  rest_.clear();
  cut_bytes_ = 0;
}

void Output::line(std::string_view text) {
  if (text.ends_with('\r')) text.remove_suffix(1);
  if (log_) log_->add(instance_, std::chrono::system_clock::now(), text);
  text = without_time(text);
  log::line(label_ + std::string(text));
  if (text.find_first_not_of(" \t") == std::string_view::npos) return;
  last_lines_.emplace_back(text.substr(0, kKeptBytesMax));
  if (last_lines_.size() > kKeptLinesMax) last_lines_.pop_front();
}

std::string Output::end(std::string_view exit_status) const {
  if (last_lines_.empty()) return std::string(exit_status);
  std::string_view last = last_lines_.back();
  if (last.starts_with(kFunctionEnded)) {
    // The watchdog only reports the end of its function: its own is a consequence, and the cause is in what
    // the function said before.
    exit_status = last.substr(kFunctionEnded.size());
    last = {};
    for (auto line = last_lines_.rbegin(); line != last_lines_.rend() && last.empty(); ++line) {
      if (line->starts_with(kFunctionSays)) last = std::string_view(*line).substr(kFunctionSays.size());
    }
  }
  return last.empty() ? std::string(exit_status) : fmt::format("{}: {}", exit_status, last);
}

}  // namespace faas::provider
