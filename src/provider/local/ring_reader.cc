#include "provider/local/ring_reader.h"

#include <deque>

namespace faas::provider {
namespace {

constexpr std::string_view kLost = "lines are missing here: they were printed faster than they were read";

// Calls `use` with each record and its offset.
template <class Use>
void for_records(std::string_view lines, Use use) {
  std::size_t offset = 0;
  while (offset < lines.size()) {
    const auto end = std::min(lines.find('\n', offset), lines.size());
    if (const auto record = parse_log_record(lines.substr(offset, end - offset))) use(*record, offset);
    offset = end + 1;
  }
}

}  // namespace

RingReader::RingReader(std::shared_ptr<FunctionLog> log, LogQuery query)
    : log_(std::move(log)),
      query_(std::move(query)),
      since_(query_.since ? print_log_time(*query_.since) : std::string()),
      place_(log_->begin()),
      until_(log_->end()) {
  if (query_.tail) place_ = first_of_last(*query_.tail);
}

bool RingReader::wants(const LogRecord& record) const {
  return (query_.instance.empty() || record.instance == query_.instance) && record.time >= since_;
}

// From the newest file backwards, so that the usual few lines cost one file.
FunctionLog::Place RingReader::first_of_last(std::uint64_t count) const {
  std::uint64_t missing = count;
  const auto& segments = log_->segments();
  for (auto segment = segments.rbegin(); segment != segments.rend(); ++segment) {
    const auto lines = log_->read_segment(*segment);
    std::deque<std::size_t> offsets;
    for_records(lines, [&](const LogRecord& record, std::size_t offset) {
      if (!wants(record)) return;
      offsets.push_back(offset);
      if (offsets.size() > missing) offsets.pop_front();
    });
    missing -= offsets.size();
    if (missing == 0)
      return {.segment = *segment, .offset = offsets.empty() ? lines.size() : offsets.front()};
  }
  return log_->begin();
}

void RingReader::take_lines(const FunctionLog::Piece& piece, std::vector<LogLine>& lines) const {
  if (piece.lost) {
    lines.push_back({.function = log_->function(),
                     .instance = {},
                     .time = std::chrono::system_clock::now(),
                     .text = std::string(kLost)});
  }
  for_records(piece.lines, [&](const LogRecord& record, std::size_t) {
    const auto time = parse_log_time(record.time);
    if (!time || !wants(record)) return;
    lines.push_back({.function = log_->function(),
                     .instance = std::string(record.instance),
                     .time = *time,
                     .text = std::string(record.text)});
  });
}

Task<std::vector<LogLine>> RingReader::next() {
  std::vector<LogLine> lines;
  while (!stopped_ && !log_->removed()) {
    const auto piece = log_->read(place_, query_.follow ? log_->end() : until_);
    take_lines(piece, lines);
    if (!lines.empty()) break;
    if (!piece.lines.empty()) {
      // Others have their turn while much is read that nobody asked for.
      co_await net::sleep_for(Duration::zero());
      continue;
    }
    if (!query_.follow) break;
    co_await log_->changed().wait();
  }
  if (stopped_) lines.clear();
  co_return lines;
}

void RingReader::stop() {
  stopped_ = true;
  log_->changed().wake();
}

}  // namespace faas::provider
