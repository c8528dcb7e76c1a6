// Any bytes as a chunked body: what is read of it does not depend on how it was cut, and what we write as
// chunks is read back.
#include "http/parser.h"
#include "target.h"

namespace {

using namespace faas::http;
using faas::fuzz::Slices;

struct Outcome {
  enum class Kind { more, done, bad };
  Kind kind = Kind::more;
  std::string body;
  std::string trailers;
  std::size_t consumed = 0;
  friend bool operator==(const Outcome&, const Outcome&) = default;
};

void begin(Parser& parser, bool request) {
  if (request) {
    std::string head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    RequestHead out;
    HOLDS(!parser.request(head.data(), head.size(), out));
  } else {
    std::string head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    ResponseHead out;
    HOLDS(!parser.response(head.data(), head.size(), false, out));
  }
}

// Reads as connections do: what is not consumed comes again, with more behind it.
Outcome read(std::string_view input, bool request, Slices* slices) {
  Parser parser;
  begin(parser, request);
  Outcome outcome;
  std::size_t have = slices == nullptr ? input.size() : 0;
  while (true) {
    if (outcome.consumed < have) {
      const auto here = input.substr(outcome.consumed, have - outcome.consumed);
      const auto step = parser.chunk(here);
      if (step.bad) {
        outcome.kind = Outcome::Kind::bad;
        outcome.consumed = 0;  // says nothing any more
        return outcome;
      }
      HOLDS(step.consumed <= here.size());
      HOLDS(step.done || step.need_more || step.consumed > 0);
      outcome.body.append(step.data);
      outcome.consumed += step.consumed;
      if (step.done) {
        outcome.kind = Outcome::Kind::done;
        outcome.trailers = parser.trailers();
        return outcome;
      }
      if (!step.need_more) continue;
    }
    if (have == input.size()) return outcome;
    have += slices->next(input.size() - have);
  }
}

std::string write(std::string_view body, Slices slices) {
  std::string out;
  while (!body.empty()) {
    const auto size = slices.next(body.size());
    out.append(ChunkSize(size).line()).append(body.substr(0, size)).append("\r\n");
    body.remove_prefix(size);
  }
  return out.append("0\r\n\r\n");
}

void expect_sound_trailers(std::string_view lines) {
  while (!lines.empty()) {
    const auto end = lines.find("\r\n");
    HOLDS(end != lines.npos && end > 0 && lines.substr(0, end).find(':') != lines.npos);
    HOLDS(lines.substr(0, end).find_first_of(std::string_view("\r\n\0", 3)) == lines.npos);
    lines.remove_prefix(end + 2);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto input = faas::fuzz::text_of(data, size);
  const auto whole = read(input, true, nullptr);
  for (const std::uint64_t seed : {1U, 2U}) {
    Slices slices(input, seed);
    const auto sliced = read(input, true, &slices);
    HOLDS(sliced.kind == whole.kind);
    HOLDS(sliced.body == whole.body);
    HOLDS(sliced.trailers == whole.trailers);
    // What a body that is not over has consumed is nobody's business.
    if (whole.kind == Outcome::Kind::done) HOLDS(sliced.consumed == whole.consumed);
  }
  HOLDS(read(input, false, nullptr) == whole);
  expect_sound_trailers(whole.trailers);

  const auto written = write(input, Slices(input, 3)) + "GET ";
  Slices slices(input, 4);
  const auto back = read(written, true, &slices);
  HOLDS(back.kind == Outcome::Kind::done && back.body == input && back.trailers.empty());
  HOLDS(back.consumed == written.size() - 4);
  return 0;
}
