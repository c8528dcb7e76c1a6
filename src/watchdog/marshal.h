// A request as one JSON text, for classic functions that ask for it (marshal_request).
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "http/message.h"

namespace faas::watchdog {

/// {"header":{"X-M":["1","2"]},"body":{"raw":"<base64>"}}: names as Go writes them, in order; Host and
/// Transfer-Encoding left out.
[[nodiscard]] std::string marshal_request(std::span<const http::Field> fields, std::string_view body);

/// The same for a body that comes in pieces: each call appends to `out` what is known by then.
class RequestMarshal final {
 public:
  static void begin(std::span<const http::Field> fields, std::string& out);
  void body(std::string_view piece, std::string& out);
  void end(std::string& out);

 private:
  std::string rest_;  // fewer than three bytes: base64 takes them by threes
};

}  // namespace faas::watchdog
