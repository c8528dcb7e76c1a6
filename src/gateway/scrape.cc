#include "gateway/scrape.h"

#include <zlib.h>

#include <new>

#include "gateway/exposition.h"

namespace faas::gateway {
namespace {

constexpr int kGzipWindow = 15 + 16;  // zlib's way of asking for gzip's header
constexpr int kMemoryLevel = 8;
// Less is sent whole in one packet.
constexpr std::size_t kWorthCompressing = 1400;

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// "q=0", "q=0.0": what the client does not want.
bool is_refused(std::string_view parameters) {
  const auto equals = parameters.find('=');
  if (equals == std::string_view::npos || !http::same_text(trimmed(parameters.substr(0, equals)), "q")) {
    return false;
  }
  return trimmed(parameters.substr(equals + 1)).find_first_not_of("0.") == std::string_view::npos;
}

}  // namespace

bool accepts_gzip(std::string_view accept_encoding) {
  bool any = false;
  while (!accept_encoding.empty()) {
    const auto comma = accept_encoding.find(',');
    const auto item = accept_encoding.substr(0, comma);
    accept_encoding.remove_prefix(comma == std::string_view::npos ? accept_encoding.size() : comma + 1);
    const auto semicolon = item.find(';');
    const auto coding = trimmed(item.substr(0, semicolon));
    const bool wanted = semicolon == std::string_view::npos || !is_refused(item.substr(semicolon + 1));
    if (http::same_text(coding, "gzip") || http::same_text(coding, "x-gzip")) return wanted;
    if (coding == "*") any = wanted;
  }
  return any;
}

std::string gzip(std::string_view text) {
  z_stream stream{};
  if (::deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, kGzipWindow, kMemoryLevel, Z_DEFAULT_STRATEGY) !=
      Z_OK) {
    throw std::bad_alloc();
  }
  std::string out(::deflateBound(&stream, text.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  ::deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  ::deflateEnd(&stream);
  return out;
}

Task<> answer_scrape(http::Exchange& exchange, std::string text) {
  const bool packed =
      text.size() > kWorthCompressing && accepts_gzip(exchange.request().value("Accept-Encoding"));
  if (packed) text = gzip(text);
  exchange.head(200).field("Content-Type", kExpositionType).field("Vary", "Accept-Encoding");
  if (packed) exchange.field("Content-Encoding", "gzip");
  auto sent = co_await exchange.send(text);
  (void)sent;
}

}  // namespace faas::gateway
