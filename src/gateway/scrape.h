// Answers a scrape of Prometheus's.
#pragma once

#include <string>
#include <string_view>

#include "http/exchange.h"

namespace faas::gateway {

/// Whether who sent this Accept-Encoding field takes gzip (RFC 9110 section 12.5.3).
[[nodiscard]] bool accepts_gzip(std::string_view accept_encoding);
/// As RFC 1952 has it, compressed quickly rather than well.
[[nodiscard]] std::string gzip(std::string_view text);

/// Sends an exposition, compressed where the client takes it.
[[nodiscard]] Task<> answer_scrape(http::Exchange& exchange, std::string text);

}  // namespace faas::gateway
