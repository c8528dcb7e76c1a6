// Any bytes as the head of an answer, and as the answer to HEAD: what a function may say, whatever it is.
#include <algorithm>

#include "http/parser.h"
#include "target.h"

namespace {

using namespace faas::http;

bool ends_no_line(std::string_view text) {
  return std::none_of(text.begin(), text.end(), [](char c) { return c == '\r' || c == '\n' || c == '\0'; });
}

std::string write(const ResponseHead& head) {
  std::string out;
  HeadWriter writer(out);
  writer.status_line(head.status, head.reason, head.minor);
  for (const auto& field : head.fields) writer.field(field.name, field.value);
  writer.end();
  return out;
}

void expect_same_framing(const ResponseHead& a, const ResponseHead& b) {
  HOLDS(a.status == b.status && a.minor == b.minor);
  HOLDS(a.body.kind == b.body.kind && a.body.length == b.body.length);
  HOLDS(a.keep_alive == b.keep_alive && a.upgrade == b.upgrade);
  HOLDS(std::ranges::equal(a.fields, b.fields, [](const Field& x, const Field& y) {
    return x.id == y.id && x.name == y.name && x.value == y.value;
  }));
}

void check(std::string_view input, bool to_head) {
  static Parser parser;
  static ResponseHead head;
  std::string bytes(input);
  const auto wrong = parser.response(bytes.data(), bytes.size(), to_head, head);
  Parser fresh_parser;
  ResponseHead again;
  std::string copy(input);
  const auto wrong_again = fresh_parser.response(copy.data(), copy.size(), to_head, again);
  HOLDS(wrong.has_value() == wrong_again.has_value());
  if (wrong) {
    HOLDS(wrong->status == 502 && !wrong->text.empty() && wrong->text == wrong_again->text);
    return;
  }
  HOLDS(head.reason == again.reason);
  expect_same_framing(head, again);
  HOLDS(head.status >= 100 && head.status <= 999 && ends_no_line(head.reason));
  HOLDS(std::ranges::all_of(head.fields, [](const Field& field) {
    return !field.name.empty() && ends_no_line(field.name) && ends_no_line(field.value);
  }));
  // Where the end is the connection's, it cannot be kept.
  if (head.body.kind == Framing::Kind::until_close && !to_head) HOLDS(!head.keep_alive);

  auto written = write(head);
  ResponseHead read_back;
  const auto wrong_back = fresh_parser.response(written.data(), written.size(), to_head, read_back);
  HOLDS(!wrong_back);
  expect_same_framing(head, read_back);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto input = faas::fuzz::text_of(data, size);
  std::size_t from = 0;
  const auto end = input.empty() ? 0 : find_head_end(input, from);
  if (end == 0) return 0;
  check(input.substr(0, end), /*to_head=*/false);
  check(input.substr(0, end), /*to_head=*/true);
  return 0;
}
