#include "gateway/origin.h"

#include <string>

namespace faas::gateway {
namespace {

// The host without the port that its scheme implies.
std::string_view without_port(std::string_view host, std::string_view port) {
  if (host.ends_with(port)) host.remove_suffix(port.size());
  return host;
}

bool names(std::string_view origin, std::string_view host) {
  const auto scheme_end = origin.find("://");
  if (scheme_end == std::string_view::npos || host.empty()) return false;
  const auto port = http::same_text(origin.substr(0, scheme_end), "https") ? ":443" : ":80";
  return http::same_text(without_port(origin.substr(scheme_end + 3), port), without_port(host, port));
}

}  // namespace

bool is_guarded_path(std::string_view path) {
  const auto decoded = http::percent_decode(path);
  std::string_view rest = decoded;
  std::string_view first;
  std::size_t depth = 0;
  while (!rest.empty()) {
    const auto slash = rest.find('/');
    auto segment = rest.substr(0, slash);
    rest.remove_prefix(slash == std::string_view::npos ? rest.size() : slash + 1);
    segment = segment.substr(0, segment.find(';'));
    if (segment.empty() || segment == ".") continue;
    if (segment == "..") {
      depth -= depth > 0 ? 1 : 0;
      continue;
    }
    if (depth++ == 0) first = segment;
  }
  return depth > 0 && (first == "system" || first == "ui");
}

bool comes_from_elsewhere(const http::RequestHead& request, bool believed) {
  const auto forwarded = believed ? request.value(http::FieldId::x_forwarded_host) : std::string_view();
  bool told = false;
  for (const auto& field : request.fields) {
    if (!http::same_text(field.name, "Origin")) continue;
    told = true;
    if (!names(field.value, request.host) && !names(field.value, forwarded)) return true;
  }
  if (told) return false;
  const auto site = request.value("Sec-Fetch-Site");
  return http::same_text(site, "cross-site") || http::same_text(site, "same-site");
}

}  // namespace faas::gateway
