// One line for each call that ended, as text or as JSON.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/units.h"
#include "http/exchange.h"

namespace faas::gateway {

enum class AccessFormat { off, text, json };

struct AccessOptions {
  AccessFormat format = AccessFormat::text;
  /// Whether queries are told: they hold what nobody should read, such as tokens.
  bool queries = false;
};

/// What a line tells beside the request itself. Empty texts are left out.
struct AccessNote {
  int status = 0;
  Duration took{};
  std::string_view function;  ///< "name.namespace"
  std::string_view call_id;
  std::string_view client;
};

/// The line, without its end: "Forwarded [GET] to /function/a - [200] - 0.0013s", or an object of JSON. Bytes
/// that could forge a line or break JSON are escaped.
[[nodiscard]] std::string print_access(const http::RequestHead& request, std::uint64_t bytes,
                                       const AccessNote& note, const AccessOptions& options);

/// Puts it into the log; JSON stands on a line of its own, without the log's date.
void log_access(const http::Exchange& exchange, const AccessNote& note, const AccessOptions& options);

}  // namespace faas::gateway
