#include "provider/condition.h"

#include <fmt/format.h>

namespace faas::provider {
namespace {

std::string count_text(const Standing& standing) {
  return fmt::format("{} of {} {} ready", standing.ready_current, standing.wanted,
                     standing.wanted == 1 ? "replica is" : "replicas are");
}

}  // namespace

std::string describe(const Setback& setback) {
  std::string text;
  for (const char c : std::string_view(setback.message).substr(0, kMessageBytesMax)) {
    text.push_back((c >= 0 && c < ' ') || c == 0x7f ? ' ' : c);
  }
  // Not in the middle of a character of UTF-8.
  if (setback.message.size() > text.size()) {
    while (!text.empty() && (static_cast<unsigned char>(text.back()) & 0xc0U) == 0x80U) text.pop_back();
    if (!text.empty() && static_cast<unsigned char>(text.back()) >= 0xc0U) text.pop_back();
    text += "...";
  }
  if (setback.failures < 2) return text;
  return fmt::format("{} ({} failures in a row)", text, setback.failures);
}

Condition describe(const Standing& standing) {
  Condition condition{.type = "Ready", .holds = standing.ready > 0, .reason = {}, .message = {}};
  if (standing.wanted == 0) {
    condition.holds = false;
    condition.reason = "ScaledToZero";
    condition.message = "scaled to 0 replicas";
  } else if (standing.ready == 0 && standing.setback != nullptr) {
    condition.reason = standing.setback->reason;
    condition.message = describe(*standing.setback);
  } else if (standing.ready == 0) {
    condition.reason = "Starting";
    condition.message = count_text(standing);
  } else if (standing.ready_current == 0) {
    condition.reason = "UpdateNotReady";
    condition.message = fmt::format("the version before answers; the new one is not ready: {}",
                                    standing.setback != nullptr ? describe(*standing.setback) : "it starts");
  } else {
    condition.reason = "Available";
    condition.message = count_text(standing);
    if (standing.setback != nullptr && standing.ready_current < standing.wanted) {
      condition.message += "; " + describe(*standing.setback);
    }
  }
  return condition;
}

}  // namespace faas::provider
