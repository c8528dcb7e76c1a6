// Dates as HTTP writes them (RFC 9110 section 5.6.7), in seconds since 1970.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace faas::http {

/// "Sun, 06 Nov 1994 08:49:37 GMT".
[[nodiscard]] std::string print_http_date(std::int64_t seconds);

/// Reads all three formats: the one above, "Sunday, 06-Nov-94 08:49:37 GMT" and "Sun Nov  6 08:49:37 1994".
/// A year of two digits is the one that is at most 50 years after `now`. Nothing for what is no date.
[[nodiscard]] std::optional<std::int64_t> parse_http_date(std::string_view text, std::int64_t now);

}  // namespace faas::http
