// Reading small JSON texts that strangers send: bounded, and without anything two readers could take
// differently.
#pragma once

#include <boost/json/value.hpp>
#include <cstddef>
#include <string_view>

#include "base/result.h"

namespace faas {

struct JsonLimits {
  std::size_t bytes_max = 1024 * 1024;
  /// Of arrays and objects inside one another: a deeper text is an attack on the stack.
  std::size_t depth_max = 32;
};

/// Parses one JSON text (RFC 8259). `what` opens the text of an error ("the body").
/// Errors (origin client): too_large above bytes_max; invalid when it is not JSON, goes on after its end, is
/// nested too deep, or when one object names a key twice (readers disagree about which one counts).
[[nodiscard]] Result<boost::json::value> parse_strict_json(std::string_view what, std::string_view text,
                                                           const JsonLimits& limits);

/// "an object", "a string": how an error calls what it found.
[[nodiscard]] std::string_view json_kind(const boost::json::value& value);

}  // namespace faas
