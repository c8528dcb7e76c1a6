#include "gateway/exposition.h"

#include <algorithm>

namespace faas::gateway {

void Tally::add(Duration took) {
  const double now = std::chrono::duration<double>(took).count();
  ++count;
  seconds += now;
  const auto* const bucket = std::lower_bound(kBuckets.begin(), kBuckets.end(), now);
  if (bucket != kBuckets.end()) ++buckets[static_cast<std::size_t>(bucket - kBuckets.begin())];
}

void Tally::add(const Tally& other) {
  count += other.count;
  seconds += other.seconds;
  for (std::size_t i = 0; i < buckets.size(); ++i) buckets[i] += other.buckets[i];
}

void Exposition::begin(const MetricRow& row) {
  out_.append("# HELP ").append(row.name).push_back(' ');
  put_escaped(row.help, false);
  out_.append("\n# TYPE ").append(row.name).append(" ").append(row.type).push_back('\n');
}

void Exposition::put_escaped(std::string_view text, bool quoted) {
  for (const char c : text) {
    if (c == '\\' || (quoted && c == '"')) out_.push_back('\\');
    if (c == '\n') {
      out_.append("\\n");
    } else {
      out_.push_back(c);
    }
  }
}

void Exposition::put_labels(std::initializer_list<Label> labels, std::string_view le) {
  char before = '{';
  const auto put = [&](std::string_view name, std::string_view value) {
    out_.push_back(before);
    before = ',';
    out_.append(name).append("=\"");
    put_escaped(value, true);
    out_.push_back('"');
  };
  for (const auto& label : labels) put(label.name, label.value);
  if (!le.empty()) put("le", le);
  if (before == ',') out_.push_back('}');
}

void Exposition::histogram(const MetricRow& row, std::initializer_list<Label> labels, const Tally& tally) {
  std::uint64_t cumulative = 0;
  const auto bucket = [&](std::string_view le, std::uint64_t count) {
    out_.append(row.name).append("_bucket");
    put_labels(labels, le);
    fmt::format_to(std::back_inserter(out_), " {}\n", count);
  };
  for (std::size_t i = 0; i < buckets_; ++i) {
    cumulative += tally.buckets[i];
    bucket(fmt::format("{}", kBuckets[i]), cumulative);
  }
  bucket("+Inf", tally.count);
  out_.append(row.name).append("_sum");
  put_labels(labels, {});
  fmt::format_to(std::back_inserter(out_), " {}\n", tally.seconds);
  out_.append(row.name).append("_count");
  put_labels(labels, {});
  fmt::format_to(std::back_inserter(out_), " {}\n", tally.count);
}

}  // namespace faas::gateway
