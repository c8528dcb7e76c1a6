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
    const auto room = kLineBytesMax - rest_.size();
    const auto taken = std::min(room, std::min(end, bytes.size()));
    rest_.append(bytes.substr(0, taken));
    bytes.remove_prefix(taken);
    const bool ended = !bytes.empty() && bytes.front() == '\n';
    if (ended) bytes.remove_prefix(1);
    if (ended || rest_.size() == kLineBytesMax) {
      line(rest_);
      rest_.clear();
    }
  }
}

void Output::finish() {
  if (!rest_.empty()) line(rest_);
  rest_.clear();
}

void Output::line(std::string_view text) {
  text = without_time(text);
  if (text.ends_with('\r')) text.remove_suffix(1);
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
