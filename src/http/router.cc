#include "http/router.h"

namespace faas::http {
namespace {

std::string_view next_segment(std::string_view& path) {
  path.remove_prefix(1);  // the slash
  const auto slash = path.find('/');
  const auto segment = path.substr(0, slash);
  path = slash == std::string_view::npos ? std::string_view() : path.substr(slash);
  return segment;
}

// Whether `path` fits the row; fills name and rest.
bool fits(std::string_view pattern, std::string_view path, Match& match) {
  while (!pattern.empty()) {
    const auto wanted = next_segment(pattern);
    if (wanted == "{rest...}") {
      match.rest = path;
      return true;
    }
    if (path.empty()) return false;
    const auto seen = next_segment(path);
    if (wanted == "{name}") {
      if (seen.empty()) return false;
      match.name = percent_decode(seen);
    } else if (wanted != seen && wanted != percent_decode(seen)) {
      return false;
    }
  }
  return path.empty();
}

bool allows(std::string_view methods, Method method, std::string_view text) {
  if (methods == "*") return true;
  if (method == Method::head) text = "GET";
  while (!methods.empty()) {
    const auto space = methods.find(' ');
    if (methods.substr(0, space) == text) return true;
    if (space == std::string_view::npos) break;
    methods.remove_prefix(space + 1);
  }
  return false;
}

void add_methods(std::string& allow, std::string_view methods) {
  const auto add = [&allow](std::string_view method) {
    if (list_holds(allow, method)) return;
    if (!allow.empty()) allow += ", ";
    allow += method;
  };
  while (!methods.empty()) {
    const auto space = methods.find(' ');
    add(methods.substr(0, space));
    if (methods.substr(0, space) == "GET") add("HEAD");
    if (space == std::string_view::npos) break;
    methods.remove_prefix(space + 1);
  }
  add("OPTIONS");
}

}  // namespace

Match Router::match(Method method, std::string_view method_text, std::string_view path) const {
  Match match;
  for (const auto& route : routes_) {
    Match row;
    if (!fits(route.path, path, row)) continue;
    if (allows(route.methods, method, method_text)) {
      row.route = &route;
      row.method_allowed = true;
      return row;
    }
    if (match.route == nullptr) {
      match.route = &route;
      match.name = std::move(row.name);
      match.rest = row.rest;
    }
    add_methods(match.allow, route.methods);
  }
  return match;
}

}  // namespace faas::http
