// The environment of a forked function: the watchdog's own and the request as Http_... variables.
//
// Built anew for each call in the same memory: nothing is allocated once it is warm.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "http/message.h"
#include "watchdog/settings.h"

namespace faas::watchdog {

/// What a function is told about a request; a readiness probe is one of ours.
struct CallFacts {
  std::string_view method;
  std::string_view path;   ///< decoded
  std::string_view query;  ///< raw
  std::string_view host;
  std::span<const http::Field> fields;
  http::Framing body;
};

class Environment final {
 public:
  /// More request fields than this are no request a program could be given.
  static constexpr std::size_t kFieldsMax = 1000;

  /// `own` outlives the environment. Classic tells Http_Host and always a length.
  Environment(Variables own, bool classic);

  /// For exec; valid until the next call.
  /// Errors: invalid: "exec: environment variable contains NUL"; too_large.
  Result<const char* const*> build(const CallFacts& call);
  /// The watchdog's own, without anything of a request.
  [[nodiscard]] const char* const* own() const { return own_; }

 private:
  void add(std::string_view name, std::string_view value);
  void add_field(const http::Field& field);
  [[nodiscard]] bool holds(std::string_view assignment) const;

  Variables own_;
  bool classic_;
  std::vector<const char*> plain_;  // of our own: what no request can replace
  std::vector<const char*> http_;   // of our own: Http_..., kept unless a request has the same
  std::string text_;                // "NAME=value\0..." of this call
  std::vector<std::size_t> starts_;
  std::vector<const char*> pointers_;
};

/// The name a header has in the environment: "x-bAR-baz" is "Http_X_Bar_Baz".
void append_variable_name(std::string_view header, std::string& out);
/// A header's name as Go writes it: "x-bAR-baz" is "X-Bar-Baz".
[[nodiscard]] std::string canonical_name(std::string_view header);

}  // namespace faas::watchdog
