// Any bytes as the head of a request: where it ends does not depend on how it was cut, and what is understood
// is understood alike by whoever reads what we would write of it (request smuggling lives where it is not).
#include <algorithm>

#include "http/parser.h"
#include "target.h"

namespace {

using namespace faas::http;
using faas::fuzz::Slices;

// Where the head ends when the bytes come in slices.
std::size_t end_in_slices(std::string_view input, Slices slices) {
  std::size_t from = 0;
  for (std::size_t have = 0; have < input.size();) {
    have += slices.next(input.size() - have);
    const auto end = find_head_end(input.substr(0, have), from);
    HOLDS(from <= have);
    if (end != 0) return end;
  }
  return 0;
}

bool is_token(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    return letter || (c != '\0' && std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos);
  });
}

bool ends_no_line(std::string_view text) {
  return std::none_of(text.begin(), text.end(), [](char c) { return c == '\r' || c == '\n' || c == '\0'; });
}

std::string write(const RequestHead& head) {
  std::string out;
  HeadWriter writer(out);
  writer.request_line(head.method_text, head.target);
  if (head.minor == 0) out[out.size() - 3] = '0';
  for (const auto& field : head.fields) writer.field(field.name, field.value);
  writer.end();
  return out;
}

void expect_same(const RequestHead& a, const RequestHead& b) {
  HOLDS(a.minor == b.minor && a.method == b.method && a.method_text == b.method_text);
  HOLDS(a.target == b.target && a.host == b.host && a.path() == b.path() && a.query() == b.query());
  HOLDS(a.body.kind == b.body.kind && a.body.length == b.body.length);
  HOLDS(a.keep_alive == b.keep_alive && a.upgrade == b.upgrade);
  HOLDS(a.connection_tokens == b.connection_tokens && a.expect_continue == b.expect_continue);
  HOLDS(std::ranges::equal(a.fields, b.fields, [](const Field& x, const Field& y) {
    return x.id == y.id && x.name == y.name && x.value == y.value;
  }));
}

// What the rest of the house takes for granted.
void expect_sound(const RequestHead& head) {
  HOLDS(head.minor == 0 || head.minor == 1);
  HOLDS(is_token(head.method_text) && !head.target.empty());
  HOLDS(ends_no_line(head.target) && head.target.find(' ') == head.target.npos);
  int hosts = 0;
  int lengths = 0;
  int codings = 0;
  for (const auto& field : head.fields) {
    HOLDS(is_token(field.name) && ends_no_line(field.value));
    HOLDS(field.value.empty() || (field.value.front() != ' ' && field.value.back() != ' '));
    if (field.id == FieldId::host) ++hosts;
    if (field.id == FieldId::content_length) ++lengths;
    if (field.id == FieldId::transfer_encoding) ++codings;
    if (field.id != FieldId::other) HOLDS(head.has(field.id));
    HOLDS(head.value(field.name).data() != nullptr);
  }
  HOLDS(hosts <= 1 && (hosts == 1 || head.minor == 0));
  HOLDS(codings <= 1 && !(codings == 1 && lengths > 0));
  if (head.minor == 1) HOLDS((codings == 1) == (head.body.kind == Framing::Kind::chunked));
  HOLDS(head.body.kind != Framing::Kind::until_close);
  HOLDS(head.body.kind != Framing::Kind::length || lengths > 0);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto input = faas::fuzz::text_of(data, size);
  std::size_t from = 0;
  const auto end = input.empty() ? 0 : find_head_end(input, from);
  HOLDS(end <= input.size());
  HOLDS(end == end_in_slices(input, Slices(input, 1)) && end == end_in_slices(input, Slices(input, 2)));
  if (end == 0) return 0;

  // As it is read by a connection that has read others before.
  static Parser parser;
  static RequestHead head;
  std::string bytes(input.substr(0, end));
  const auto wrong = parser.request(bytes.data(), bytes.size(), head);
  Parser fresh_parser;
  RequestHead again;
  std::string copy(input.substr(0, end));
  const auto wrong_again = fresh_parser.request(copy.data(), copy.size(), again);
  HOLDS(wrong.has_value() == wrong_again.has_value());
  if (wrong) {
    HOLDS(wrong->status == wrong_again->status && wrong->text == wrong_again->text);
    HOLDS(wrong->status >= 400 && wrong->status < 600);
    return 0;
  }
  expect_same(head, again);
  expect_sound(head);

  auto written = write(head);
  from = 0;
  HOLDS(find_head_end(written, from) == written.size());
  RequestHead read_back;
  const auto wrong_back = fresh_parser.request(written.data(), written.size(), read_back);
  HOLDS(!wrong_back);
  expect_same(head, read_back);
  return 0;
}
