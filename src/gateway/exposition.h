// Prometheus's text format, version 0.0.4: families with their HELP and TYPE, samples with escaped labels.
#pragma once

#include <fmt/format.h>

#include <array>
#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>

#include "base/units.h"

namespace faas::gateway {

inline constexpr std::string_view kExpositionType = "text/plain; version=0.0.4; charset=utf-8";

/// Upper bounds in seconds. The first kUsualBuckets are OpenFaaS's (spec gateway 3.1); those above 10 s, for
/// functions that take their time, are shown where metrics_long_buckets is on.
inline constexpr std::array kBuckets{.005, .01, .025, .05,  .1,   .25,   .5,   1.0,
                                     2.5,  5.0, 10.0, 30.0, 60.0, 120.0, 300.0};
inline constexpr std::size_t kUsualBuckets = 11;

/// How long things of one kind took.
struct Tally {
  std::uint64_t count = 0;
  double seconds = 0;
  std::array<std::uint64_t, kBuckets.size()> buckets{};  ///< not cumulative

  void add(Duration took);
  void add(const Tally& other);
};

/// A metric is one row: name, type, labels and meaning stand here and nowhere else.
struct MetricRow {
  std::string_view name;
  std::string_view type;    ///< counter, gauge or histogram
  std::string_view labels;  ///< for the page: "code, function_name"
  std::string_view help;
};

struct Label {
  std::string_view name;
  std::string_view value;
};

/// Collects the text. A family is begun once, and all its samples follow.
class Exposition final {
 public:
  explicit Exposition(bool long_buckets) : buckets_(long_buckets ? kBuckets.size() : kUsualBuckets) {}

  void begin(const MetricRow& row);
  template <class Number>
  requires std::integral<Number> || std::floating_point<Number>
  void sample(const MetricRow& row, std::initializer_list<Label> labels, Number value) {
    out_.append(row.name);
    put_labels(labels, {});
    fmt::format_to(std::back_inserter(out_), " {}\n", value);
  }
  void histogram(const MetricRow& row, std::initializer_list<Label> labels, const Tally& tally);
  [[nodiscard]] std::string take() { return std::move(out_); }

 private:
  void put_labels(std::initializer_list<Label> labels, std::string_view le);
  void put_escaped(std::string_view text, bool quoted);

  std::string out_;
  std::size_t buckets_;
};

}  // namespace faas::gateway
