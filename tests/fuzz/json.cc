// Any bytes as a JSON document: what we take is JSON to others as well, says the same to them, and is as
// small and as flat as promised.
#include <algorithm>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "model/json.h"
#include "target.h"

namespace {

namespace json = boost::json;

std::size_t depth_of(const json::value& value) {
  std::size_t inner = 0;
  if (const auto* object = value.if_object()) {
    for (const auto& member : *object) inner = std::max(inner, depth_of(member.value()));
  } else if (const auto* array = value.if_array()) {
    for (const auto& item : *array) inner = std::max(inner, depth_of(item));
  } else {
    return 0;
  }
  return inner + 1;
}

// Boost does not always read back the double that it prints.
bool has_double(const json::value& value) {
  if (const auto* object = value.if_object()) {
    return std::ranges::any_of(*object, [](const auto& member) { return has_double(member.value()); });
  }
  if (const auto* array = value.if_array()) return std::ranges::any_of(*array, has_double);
  return value.is_double();
}

void expect_named_refusal(const faas::Error& error) {
  HOLDS(error.origin == faas::Origin::client && !error.text.empty());
  HOLDS(error.code == faas::Code::invalid || error.code == faas::Code::too_large);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto input = faas::fuzz::text_of(data, size);
  const auto object = faas::parse_json_object(input);
  json::error_code error;
  const auto other = json::parse({input.data(), input.size()}, error, {},
                                 json::parse_options{.max_depth = faas::kJsonDepthMax});
  if (!object) {
    expect_named_refusal(object.error());
    return 0;
  }
  HOLDS(!error && other.is_object() && other.get_object() == *object);
  HOLDS(depth_of(other) <= faas::kJsonDepthMax);
  const auto printed = json::serialize(*object);
  const auto again = faas::parse_json_object(printed);
  HOLDS(again || printed.size() > faas::kJsonBytesMax);
  if (again && !has_double(other)) HOLDS(*again == *object);

  const faas::JsonFields fields(*object, "it.");
  for (const std::string_view name : {"a", "service", "labels"}) {
    if (const auto text = fields.text(name, 8)) {
      HOLDS(text->size() <= 8 && text->find('\0') == text->npos);
    } else {
      expect_named_refusal(text.error());
      HOLDS(text.error().text.starts_with("it."));
    }
    if (const auto count = fields.count(name, 7)) HOLDS(count->value_or(0) <= 7);
    if (const auto texts = fields.texts(name); texts && *texts) {
      for (const auto& [key, value] : **texts) HOLDS((key + value).find('\0') == key.npos);
    }
    if (const auto list = fields.list(name); !list) expect_named_refusal(list.error());
    if (const auto flag = fields.flag(name); !flag) expect_named_refusal(flag.error());
  }
  return 0;
}
