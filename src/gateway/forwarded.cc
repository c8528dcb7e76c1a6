#include "gateway/forwarded.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cstring>

#include "base/units.h"

namespace faas::gateway {
namespace {

constexpr unsigned kMappedBits = 96;  // of ::ffff:0:0/96, where IPv4 addresses lie

std::string_view trimmed(std::string_view text) {
  while (text.starts_with(' ') || text.starts_with('\t')) text.remove_prefix(1);
  while (text.ends_with(' ') || text.ends_with('\t')) text.remove_suffix(1);
  return text;
}

// The last entry of a list, which loses it.
std::string_view take_last(std::string_view& list) {
  const auto comma = list.rfind(',');
  const auto last = comma == std::string_view::npos ? list : list.substr(comma + 1);
  list = comma == std::string_view::npos ? std::string_view() : list.substr(0, comma);
  return trimmed(last);
}

}  // namespace

bool TrustedProxies::read_address(std::string_view text, Bytes& out) {
  char buffer[INET6_ADDRSTRLEN];
  if (text.size() >= sizeof buffer) return false;
  std::memcpy(buffer, text.data(), text.size());
  buffer[text.size()] = '\0';
  if (text.find(':') != std::string_view::npos) return ::inet_pton(AF_INET6, buffer, out.data()) == 1;
  out.fill(0);
  out[10] = out[11] = 0xff;
  return ::inet_pton(AF_INET, buffer, out.data() + kMappedBits / 8) == 1;
}

Result<TrustedProxies::Network> TrustedProxies::read_network(std::string_view text) {
  const Error wrong{
      .code = Code::invalid,
      .text = "\"" + std::string(text) + "\" is not an address or a network such as 10.0.0.0/8 or fd00::/8"};
  Network network;
  const auto slash = text.find('/');
  const auto address = text.substr(0, slash);
  if (!read_address(address, network.address)) return wrong;
  if (slash == std::string_view::npos) return network;
  const bool v4 = address.find(':') == std::string_view::npos;
  const auto bits = parse_integer(text.substr(slash + 1));
  if (!bits || *bits < 0 || *bits > (v4 ? 32 : 128)) return wrong;
  network.bits = static_cast<unsigned>(*bits) + (v4 ? kMappedBits : 0);
  return network;
}

Result<TrustedProxies> TrustedProxies::parse(std::string_view list) {
  TrustedProxies proxies;
  while (!list.empty()) {
    const auto end = std::min(list.find_first_of(", "), list.size());
    if (end > 0) {
      TRY_ASSIGN(const auto network, read_network(list.substr(0, end)));
      proxies.networks_.push_back(network);
    }
    list.remove_prefix(std::min(end + 1, list.size()));
  }
  return proxies;
}

bool TrustedProxies::trusts(std::string_view address) const {
  if (address.empty()) return true;
  Bytes bytes{};
  if (networks_.empty() || !read_address(address, bytes)) return false;
  return std::ranges::any_of(networks_, [&bytes](const Network& network) {
    const auto whole = network.bits / 8;
    if (std::memcmp(bytes.data(), network.address.data(), whole) != 0) return false;
    const auto rest = network.bits % 8;
    if (rest == 0) return true;
    const auto mask = static_cast<unsigned char>(0xff << (8 - rest));
    return (bytes[whole] & mask) == (network.address[whole] & mask);
  });
}

std::string_view TrustedProxies::client_of(const http::RequestHead& request, std::string_view peer) const {
  if (!trusts(peer)) return peer;
  for (auto field = request.fields.rbegin(); field != request.fields.rend(); ++field) {
    if (field->id != http::FieldId::x_forwarded_for) continue;
    for (auto list = field->value; !list.empty();) {
      const auto address = take_last(list);
      Bytes bytes{};
      // What is no address was made up by somebody: whoever passed it on is as far as we can see.
      if (!read_address(address, bytes)) return peer;
      if (!trusts(address)) return address;
    }
  }
  return peer;
}

bool tells_sender(const http::Field& field) {
  using http::FieldId;
  switch (field.id) {
    case FieldId::x_forwarded_for:
    case FieldId::x_forwarded_host:
    case FieldId::x_forwarded_proto:
      return true;
    case FieldId::other:
      break;
    default:
      return false;
  }
  constexpr std::string_view family = "X-Forwarded-";
  return http::same_text(field.name, "Forwarded") || http::same_text(field.name, "X-Real-IP") ||
         (field.name.size() > family.size() && http::same_text(field.name.substr(0, family.size()), family));
}

}  // namespace faas::gateway
