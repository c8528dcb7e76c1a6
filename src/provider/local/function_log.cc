#include "provider/local/function_log.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <vector>

#include "base/log.h"
#include "model/names.h"

namespace faas::provider {
namespace {

namespace fs = std::filesystem;

// A replica is read in pieces of 16 KiB; what they grow to as records is written in pieces of about this.
constexpr std::size_t kPendingBytesMax = 32 * 1024;
constexpr std::size_t kPieceBytes = 128 * 1024;  // more than the longest record

std::optional<std::uint64_t> number_of(const std::string& name) {
  std::uint64_t number = 0;
  const auto read = std::from_chars(name.data(), name.data() + name.size(), number, 16);
  const bool whole = read.ec == std::errc() && read.ptr == name.data() + name.size();
  return whole ? std::optional(number) : std::nullopt;
}

// As much as there is.
std::string read_at(const std::string& path, std::uint64_t offset, std::size_t bytes_max) {
  const net::Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  std::string bytes(file ? bytes_max : 0, '\0');
  std::size_t size = 0;
  while (size < bytes.size()) {
    const auto n =
        ::pread(file.get(), bytes.data() + size, bytes.size() - size, static_cast<off_t>(offset + size));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    size += static_cast<std::size_t>(n);
  }
  bytes.resize(size);
  return bytes;
}

std::uint64_t size_of(const std::string& path) {
  struct stat found {};
  return ::stat(path.c_str(), &found) == 0 ? static_cast<std::uint64_t>(found.st_size) : 0;
}

}  // namespace

FunctionLog::FunctionLog(net::Core& core, FunctionName function, std::string folder, std::uint64_t bytes_max)
    : function_(std::move(function)),
      folder_(std::move(folder)),
      segment_bytes_max_(std::max(bytes_max, kBytesLeast) / kSegments),
      changed_(core) {
  std::error_code error;
  for (fs::directory_iterator entry(folder_, error), end; !error && entry != end; entry.increment(error)) {
    if (const auto number = number_of(entry->path().filename().string())) segments_.push_back(*number);
  }
  std::ranges::sort(segments_);
  if (segments_.empty()) return;
  next_ = segments_.back() + 1;
  mend_last();
}

// A gateway that was killed may have left half a line.
void FunctionLog::mend_last() {
  const auto file = path(segments_.back());
  last_bytes_ = size_of(file);
  const auto from = last_bytes_ > kPieceBytes ? last_bytes_ - kPieceBytes : 0;
  const auto end = read_at(file, from, kPieceBytes);
  const auto line_end = end.rfind('\n');
  const auto whole = line_end == std::string::npos ? from : from + line_end + 1;
  if (whole != last_bytes_ && ::truncate(file.c_str(), static_cast<off_t>(whole)) == 0) last_bytes_ = whole;
}

std::string FunctionLog::path(std::uint64_t segment) const {
  return fmt::format("{}/{:016x}", folder_, segment);
}

FunctionLog::Place FunctionLog::end() const {
  if (segments_.empty()) return {.segment = next_, .offset = 0};
  return {.segment = segments_.back(), .offset = last_bytes_};
}

void FunctionLog::add(std::string_view instance, LogTime time, std::string_view text) {
  if (removed_) return;
  pending_.append(print_log_time(time)).append(" ").append(instance).append(" ").append(text).append("\n");
  if (pending_.size() >= kPendingBytesMax) flush();
}

void FunctionLog::flush() {
  if (pending_.empty() || removed_) return;
  auto written = prepare(pending_.size());
  if (written) written = write(pending_);
  pending_.clear();
  if (!written && !failing_) {
    log::print("{}: what it prints is not kept: {}", print_function_name(function_), written.error().text);
  }
  failing_ = !written;
  changed_.wake();
}

// Opens the newest file, or a new one where it has no room for so much.
Result<void> FunctionLog::prepare(std::size_t bytes) {
  const bool full = segments_.empty() || last_bytes_ + bytes > segment_bytes_max_;
  if (!full && last_) return {};
  if (segments_.empty() && ::mkdir(folder_.c_str(), 0700) != 0 && errno != EEXIST) {
    return system_error("mkdir " + folder_, errno);
  }
  const auto number = full ? next_ : segments_.back();
  const auto file = path(number);
  net::Fd opened(::open(file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!opened) return system_error("open " + file, errno);
  last_ = std::move(opened);
  if (!full) return {};
  segments_.push_back(number);
  next_ = number + 1;
  last_bytes_ = 0;
  while (segments_.size() > kSegments) {
    ::unlink(path(segments_.front()).c_str());
    segments_.pop_front();
  }
  return {};
}

Result<void> FunctionLog::write(std::string_view bytes) {
  const auto before = last_bytes_;
  while (!bytes.empty()) {
    const auto n = ::write(last_.get(), bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      auto error = system_error("write " + path(segments_.back()), errno);
      if (::ftruncate(last_.get(), static_cast<off_t>(before)) == 0) last_bytes_ = before;
      return error;
    }
    bytes.remove_prefix(static_cast<std::size_t>(n));
    last_bytes_ += static_cast<std::uint64_t>(n);
  }
  return {};
}

void FunctionLog::remove() {
  removed_ = true;
  pending_.clear();
  segments_.clear();
  last_.close();
  std::error_code ignored;
  fs::remove_all(folder_, ignored);
  changed_.wake();
}

FunctionLog::Piece FunctionLog::read(Place& place, Place until) const {
  Piece piece;
  if (place < begin()) {
    place = begin();
    piece.lost = true;
  }
  while (place < until) {
    const auto limit = place.segment == until.segment ? until.offset - place.offset : kPieceBytes;
    auto bytes = read_at(path(place.segment), place.offset, std::min<std::uint64_t>(limit, kPieceBytes));
    const auto line_end = bytes.rfind('\n');
    if (line_end != std::string::npos) {
      bytes.resize(line_end + 1);
      place.offset += bytes.size();
      piece.lines = std::move(bytes);
      return piece;
    }
    if (place.segment == until.segment) break;
    const auto next = std::ranges::upper_bound(segments_, place.segment);
    if (next == segments_.end()) break;
    place = {.segment = *next, .offset = 0};
  }
  return piece;
}

std::string FunctionLog::read_segment(std::uint64_t segment) const {
  const auto file = path(segment);
  return read_at(file, 0, size_of(file));
}

Result<LogRecord> parse_log_record(std::string_view line) {
  const auto malformed = [] { return Error{.code = Code::malformed, .text = "not a line of ours"}; };
  if (line.size() < kLogTimeBytes + 2 || line[kLogTimeBytes] != ' ') return malformed();
  const auto rest = line.substr(kLogTimeBytes + 1);
  const auto space = rest.find(' ');
  if (space == std::string_view::npos) return malformed();
  return LogRecord{.time = line.substr(0, kLogTimeBytes),
                   .instance = rest.substr(0, space),
                   .text = rest.substr(space + 1)};
}

}  // namespace faas::provider
