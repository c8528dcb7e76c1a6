#include "provider/condition.h"

#include <fmt/format.h>

namespace faas::provider {
namespace {

std::string count_text(const Standing& standing) {
  return fmt::format("{} of {} {} ready", standing.ready_current, standing.wanted,
                     standing.wanted == 1 ? "replica is" : "replicas are");
}

std::string setback_text(const Setback& setback) {
  if (setback.failures < 2) return setback.message;
  return fmt::format("{} ({} failures in a row)", setback.message, setback.failures);
}

}  // namespace

Condition describe(const Standing& standing) {
  Condition condition{.type = "Ready", .holds = standing.ready > 0, .reason = {}, .message = {}};
  if (standing.wanted == 0) {
    condition.holds = false;
    condition.reason = "ScaledToZero";
    condition.message = "scaled to 0 replicas";
  } else if (standing.ready == 0 && standing.setback != nullptr) {
    condition.reason = standing.setback->reason;
    condition.message = setback_text(*standing.setback);
  } else if (standing.ready == 0) {
    condition.reason = "Starting";
    condition.message = count_text(standing);
  } else if (standing.ready_current == 0) {
    condition.reason = "UpdateNotReady";
    condition.message =
        fmt::format("the version before answers; the new one is not ready: {}",
                    standing.setback != nullptr ? setback_text(*standing.setback) : "it starts");
  } else {
    condition.reason = "Available";
    condition.message = count_text(standing);
    if (standing.setback != nullptr && standing.ready_current < standing.wanted) {
      condition.message += "; " + setback_text(*standing.setback);
    }
  }
  return condition;
}

}  // namespace faas::provider
