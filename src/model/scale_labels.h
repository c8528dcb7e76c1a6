// How a function may be scaled, as its labels com.openfaas.scale.min, .max and .factor say.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/result.h"
#include "model/function_spec.h"

namespace faas {

/// More replicas of one function than this are a mistake on any machine we know.
inline constexpr std::uint32_t kReplicasMax = 10000;

inline constexpr std::string_view kScaleMinLabel = "com.openfaas.scale.min";
inline constexpr std::string_view kScaleMaxLabel = "com.openfaas.scale.max";
inline constexpr std::string_view kScaleFactorLabel = "com.openfaas.scale.factor";
inline constexpr std::string_view kScaleTargetLabel = "com.openfaas.scale.target";
inline constexpr std::string_view kScaleTypeLabel = "com.openfaas.scale.type";

struct ScaleRange {
  std::uint32_t min = 1;
  std::uint32_t max = 20;
  std::uint32_t factor = 20;  ///< a step up, in percent of max

  friend bool operator==(const ScaleRange&, const ScaleRange&) = default;
};

/// The range the labels ask for. An absent maximum gives way to a larger minimum.
/// Errors: invalid, client: the text names the label; min is 0 to kReplicasMax, max 1 to kReplicasMax,
/// min <= max, factor 1 to 100.
[[nodiscard]] Result<ScaleRange> parse_scale_range(const FunctionSpec& spec);

/// What the labels com.openfaas.scale.min, .target and .type ask of who scales, for those who watch.
struct ScaleWish {
  std::uint32_t min = 1;
  std::optional<double> target;  ///< the load of one replica
  std::string type = "rps";      ///< what the load is counted in

  friend bool operator==(const ScaleWish&, const ScaleWish&) = default;
};

/// A label that says nothing sensible counts as absent.
[[nodiscard]] ScaleWish read_scale_wish(const FunctionSpec& spec);

/// The labels that mean something to us, as a Markdown table, for docs/.
[[nodiscard]] std::string document_labels();

}  // namespace faas
