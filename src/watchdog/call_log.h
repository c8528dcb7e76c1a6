// The lines that tell of calls, in the reference's form (spec watchdogs 6).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/units.h"

namespace faas::watchdog {

/// What a line says about one call.
struct CallLine {
  std::string_view method;
  std::string_view target;  ///< raw
  int status = 0;
  std::string_view reason;                 ///< http mode: the upstream's own words
  std::optional<std::uint64_t> bytes = 0;  ///< nullopt: unknown beforehand
  Duration took{};
};

/// "POST /x - 200 OK - ContentLength: 5B (0.0011s)".
[[nodiscard]] std::string call_line(const CallLine& call);
/// "POST /x - 200 OK - ContentLength: 5": afterburn mode; an unknown length is -1.
[[nodiscard]] std::string piped_call_line(const CallLine& call);
/// "0.001100": the X-Duration-Seconds header.
[[nodiscard]] std::string seconds_text(Duration took);
/// Health probes of Kubernetes are not worth a line.
[[nodiscard]] bool is_probe(std::string_view user_agent);

}  // namespace faas::watchdog
