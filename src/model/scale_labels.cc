#include "model/scale_labels.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>

#include "base/units.h"
#include "model/json.h"
#include "model/names.h"

namespace faas {
namespace {

Result<std::optional<std::uint32_t>> label_count(const FunctionSpec& spec, std::string_view label,
                                                 std::uint32_t least, std::uint32_t most) {
  if (!spec.labels) return std::optional<std::uint32_t>();
  const auto found = spec.labels->find(std::string(label));
  if (found == spec.labels->end()) return std::optional<std::uint32_t>();
  const auto value = parse_integer(found->second);
  if (!value || *value < std::int64_t{least} || *value > std::int64_t{most}) {
    return invalid_request(fmt::format("labels.{} must be a whole number from {} to {}, not \"{}\"", label,
                                       least, most, found->second.substr(0, 32)));
  }
  return std::optional(static_cast<std::uint32_t>(*value));
}

struct LabelRow {
  std::string_view label;
  std::string_view values;
  std::string_view help;
};
constexpr LabelRow kLabels[] = {
    {kScaleMinLabel, "0 to 10000; default 1", "replicas a function is deployed with, and its least"},
    {kScaleMaxLabel, "1 to 10000; default 20", "its most: scaling above it stops here"},
    {kScaleFactorLabel, "1 to 100; default 20", "a step up, in percent of the maximum"},
    {kScaleTargetLabel, "a number above 0", "the load a replica is to have; shown in the metrics"},
    {kScaleTypeLabel, "rps, capacity, cpu, ...; default rps",
     "what that load is counted in; shown in the metrics"},
};

}  // namespace

std::string document_labels() {
  std::string out = "| label | values | what it does |\n| --- | --- | --- |\n";
  for (const auto& row : kLabels) {
    out += fmt::format("| `{}` | {} | {} |\n", row.label, row.values, row.help);
  }
  return out;
}

Result<ScaleRange> parse_scale_range(const FunctionSpec& spec) {
  TRY_ASSIGN(const auto min, label_count(spec, kScaleMinLabel, 0, kReplicasMax));
  TRY_ASSIGN(const auto max, label_count(spec, kScaleMaxLabel, 1, kReplicasMax));
  TRY_ASSIGN(const auto factor, label_count(spec, kScaleFactorLabel, 1, 100));
  ScaleRange range;
  range.factor = factor.value_or(range.factor);
  range.min = min.value_or(range.min);
  range.max = max.value_or(std::max(range.max, range.min));
  if (range.min > range.max) {
    return invalid_request(fmt::format("labels.{} is {}, more than labels.{}, which is {}", kScaleMinLabel,
                                       range.min, kScaleMaxLabel, range.max));
  }
  return range;
}

ScaleWish read_scale_wish(const FunctionSpec& spec) {
  ScaleWish wish;
  const auto range = parse_scale_range(spec);
  if (range) wish.min = range->min;
  if (!spec.labels) return wish;
  if (const auto type = spec.labels->find(std::string(kScaleTypeLabel)); type != spec.labels->end()) {
    wish.type = type->second.substr(0, kNameBytesMax);
  }
  const auto target = spec.labels->find(std::string(kScaleTargetLabel));
  if (target == spec.labels->end()) return wish;
  const auto& text = target->second;
  double value = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool whole = read.ec == std::errc() && read.ptr == text.data() + text.size();
  if (whole && std::isfinite(value) && value > 0) wish.target = value;
  return wish;
}

}  // namespace faas
