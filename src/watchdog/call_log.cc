#include "watchdog/call_log.h"

#include <fmt/format.h>

namespace faas::watchdog {
namespace {

double seconds(Duration took) {
  return std::chrono::duration<double>(took).count();
}

}  // namespace

std::string call_line(const CallLine& call) {
  return fmt::format("{} {} - {}{}{} - ContentLength: {} ({:.4f}s)", call.method, call.target, call.status,
                     call.reason.empty() ? "" : " ", call.reason,
                     call.bytes ? print_size(*call.bytes) : "-1B", seconds(call.took));
}

std::string piped_call_line(const CallLine& call) {
  return fmt::format("{} {} - {} {} - ContentLength: {}", call.method, call.target, call.status, call.reason,
                     call.bytes ? std::to_string(*call.bytes) : "-1");
}

std::string seconds_text(Duration took) {
  return fmt::format("{:.6f}", seconds(took));
}

bool is_probe(std::string_view user_agent) {
  return user_agent.starts_with("kube-probe");
}

}  // namespace faas::watchdog
