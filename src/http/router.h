// Routes, declared once: a row says method, path, whether a login is needed, who handles it and what it is
// for. Parsing, 405 with Allow, HEAD, OPTIONS, the docs table and the tests come from the rows.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "http/exchange.h"

namespace faas::http {

/// One row. `path` segments: text matches itself, "{name}" one non-empty segment, a final "{rest...}" the raw
/// remainder (also none). Rows are tried in order.
struct Route {
  std::string_view methods;  ///< "GET", "POST PUT", "*" for any token
  std::string_view path;
  bool login = false;
  int id = 0;  ///< the owner's enumerator
  std::string_view help;
};

/// What a path matched: the segment called {name}, percent-decoded, and {rest...}, raw with its leading
/// slash.
struct Match {
  const Route* route = nullptr;  ///< null: no such path
  bool method_allowed = false;
  std::string allow;  ///< for 405 and OPTIONS: "GET, HEAD, POST, OPTIONS"
  std::string name;
  std::string_view rest;
};

class Router final {
 public:
  explicit Router(std::span<const Route> routes) : routes_(routes) {}
  /// HEAD matches GET rows.
  [[nodiscard]] Match match(Method method, std::string_view method_text, std::string_view path) const;
  [[nodiscard]] std::span<const Route> routes() const { return routes_; }

 private:
  std::span<const Route> routes_;
};

}  // namespace faas::http
