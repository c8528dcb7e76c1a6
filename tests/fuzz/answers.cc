// Any bytes as what a function answers over a connection, in two different cuts and then the end: what is
// read of it is the same. The first byte of the input says whether HEAD was asked.
#include "conversation.h"
#include "http/upstream.h"

namespace {

using namespace faas;

struct Outcome {
  int status = 0;
  int interim = 0;
  std::string head;
  std::string body;
  std::string trailers;
  std::string error;
  friend bool operator==(const Outcome&, const Outcome&) = default;
};

// Larger is refused wherever it was cut.
constexpr std::size_t kHeadBytesMax = 512;

Task<> hear(http::Upstream& upstream, bool to_head, Outcome& outcome) {
  do {
    auto read = co_await upstream.read_head(to_head, TimePoint::max());
    if (!read) {
      outcome.error = read.error().text;
      co_return;
    }
    outcome.status = upstream.head.status;
    outcome.interim += outcome.status / 100 == 1 ? 1 : 0;
  } while (outcome.status / 100 == 1 && outcome.status != 101);
  for (const auto& field : upstream.head.fields) {
    outcome.head.append(field.name).append(": ").append(field.value).append("\n");
  }
  while (!upstream.body_complete()) {
    const auto piece = co_await upstream.read_body(TimePoint::max());
    if (!piece) {
      outcome.error = piece.error().text;
      co_return;
    }
    outcome.body.append(*piece);
  }
  outcome.trailers = upstream.trailers();
}

Task<> talk(net::Core& core, std::string_view bytes, bool to_head, fuzz::Slices slices, Outcome& outcome) {
  auto [ours, theirs] = fuzz::connected();
  http::Upstream upstream(core, net::Stream(std::move(ours)), "", kHeadBytesMax);
  net::Stream function(std::move(theirs));
  net::Running<void> speaker(fuzz::say(core, function, bytes, slices));
  co_await hear(upstream, to_head, outcome);
  core.stop();
}

Outcome heard(std::string_view bytes, bool to_head, std::uint64_t seed) {
  static net::Core core;
  Outcome outcome;
  core.post([&] { core.spawn(talk(core, bytes, to_head, fuzz::Slices(bytes, seed), outcome)); });
  core.run();
  return outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto input = fuzz::text_of(data, size);
  if (input.empty()) return 0;
  const bool to_head = input.front() == 'H';
  input.remove_prefix(1);
  if (to_head && !input.starts_with("HTTP")) return 0;
  const auto first = heard(input, to_head, 1);
  HOLDS(heard(input, to_head, 2) == first);
  HOLDS(first.status != 0 || !first.error.empty());
  if (first.error.empty()) HOLDS(first.status >= 200 || first.status == 101);
  if (to_head || first.status == 204 || first.status == 304) HOLDS(first.body.empty());
  return 0;
}
