// Lines "Name: value" and, behind an empty one, a body, as the JSON that a classic function is given:
// whatever they hold it is JSON, says all of it, and does not depend on how the body was cut.
#include <algorithm>
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <map>
#include <vector>

#include "http/auth.h"
#include "target.h"
#include "watchdog/environment.h"
#include "watchdog/marshal.h"

namespace {

using namespace faas;
namespace json = boost::json;

bool is_token(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    return letter || (c != '\0' && std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos);
  });
}

// How many bytes the character at the front has, of a text that is UTF-8.
std::size_t bytes_of(std::string_view text) {
  const auto lead = static_cast<unsigned char>(text.front());
  return lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
}

// Whether `out` is `in` with U+FFFD for each byte that is no part of a character.
void expect_same_text(std::string_view in, std::string_view out) {
  while (!out.empty()) {
    HOLDS(!in.empty());
    const auto character = out.substr(0, bytes_of(out));
    if (in.starts_with(character)) {
      in.remove_prefix(character.size());
    } else {
      HOLDS(character == "\xEF\xBF\xBD" && static_cast<unsigned char>(in.front()) >= 0x80);
      in.remove_prefix(1);
    }
    out.remove_prefix(character.size());
  }
  HOLDS(in.empty());
}

void expect_same_header(const json::object& header, std::vector<http::Field> fields) {
  std::map<std::string, std::vector<std::string_view>> wanted;
  for (const auto& field : fields) wanted[watchdog::canonical_name(field.name)].push_back(field.value);
  HOLDS(header.size() == wanted.size());
  auto member = header.begin();
  for (const auto& [name, values] : wanted) {
    HOLDS(member->key() == json::string_view(name));
    const auto& said = member->value().as_array();
    HOLDS(said.size() == values.size());
    for (std::size_t i = 0; i < values.size(); ++i) {
      const auto& text = said[i].as_string();
      expect_same_text(values[i], {text.data(), text.size()});
    }
    ++member;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto input = fuzz::text_of(data, size);
  auto rest = input;
  std::vector<http::Field> fields;
  while (!rest.empty()) {
    const auto line = fuzz::take_line(rest);
    if (line.empty()) break;
    const auto colon = line.find(": ");
    const auto name = line.substr(0, colon);
    // Only such names reach it: the parser refuses the others.
    if (colon == line.npos || !is_token(name)) continue;
    fields.push_back({.id = http::FieldId::other, .name = name, .value = line.substr(colon + 2)});
  }
  const auto text = watchdog::marshal_request(fields, rest);
  HOLDS(text.find_first_of("<>&\n") == text.npos);

  json::error_code error;
  const auto document = json::parse(text, error);
  HOLDS(!error && document.is_object());
  const auto& object = document.get_object();
  HOLDS(object.size() == 2 && object.at("body").as_object().size() == 1);
  expect_same_header(object.at("header").as_object(), fields);
  const auto& raw = object.at("body").at("raw").as_string();
  HOLDS(std::string_view(raw.data(), raw.size()) == http::base64(rest));

  std::string pieces;
  watchdog::RequestMarshal marshal;
  watchdog::RequestMarshal::begin(fields, pieces);
  fuzz::Slices slices(input, 1);
  while (!rest.empty()) {
    const auto piece = slices.next(rest.size());
    marshal.body(rest.substr(0, piece), pieces);
    rest.remove_prefix(piece);
  }
  marshal.end(pieces);
  HOLDS(pieces == text);
  return 0;
}
