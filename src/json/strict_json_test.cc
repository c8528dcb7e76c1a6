#include "json/strict_json.h"

#include <gmock/gmock.h>

#include <boost/json/object.hpp>
#include <string>

namespace faas {
namespace {

using ::testing::HasSubstr;

constexpr JsonLimits kLimits{.bytes_max = 64, .depth_max = 3};

TEST(StrictJson, ReadsWhatIsWithinTheLimits) {
  const auto value = parse_strict_json("it", R"({"a":[1,{"b":null}]})", kLimits);
  ASSERT_TRUE(value);
  EXPECT_EQ(json_kind(*value), "an object");
  EXPECT_EQ(json_kind(value->get_object().at("a")), "an array");
}

TEST(StrictJson, RefusesWhatTwoReadersCouldTakeDifferently) {
  EXPECT_THAT(parse_strict_json("it", R"({"a":1,"a":2})", kLimits).error().text,
              HasSubstr("the key \"a\" occurs twice"));
  EXPECT_THAT(parse_strict_json("it", R"({"a":1,"\u0061":2})", kLimits).error().text,
              HasSubstr("the key \"a\" occurs twice"));
  EXPECT_THAT(parse_strict_json("it", R"({"b":{"a":1,"a":2}})", kLimits).error().text, HasSubstr("twice"));
  EXPECT_TRUE(parse_strict_json("it", R"([{"a":1},{"a":2}])", kLimits)) << "two objects";

  const auto key = "\"" + std::string(1000, 'k') + "\":1";
  const auto text = "{" + key + "," + key + "}";
  EXPECT_EQ(parse_strict_json("it", text, {.bytes_max = 4000, .depth_max = 3}).error().text,
            "the key \"" + std::string(64, 'k') + "\" occurs twice in one object");
}

TEST(StrictJson, NamesWhatIsWrongAndTheLimit) {
  EXPECT_THAT(parse_strict_json("it", "", kLimits).error().text, HasSubstr("it is not JSON"));
  EXPECT_THAT(parse_strict_json("it", "{", kLimits).error().text, HasSubstr("it is not JSON"));
  EXPECT_THAT(parse_strict_json("it", "{} x", kLimits).error().text, HasSubstr("goes on after"));
  EXPECT_EQ(parse_strict_json("it", "[[[[1]]]]", kLimits).error().text, "it is nested deeper than 3 levels");
  const auto large = parse_strict_json("it", std::string(65, ' '), kLimits);
  EXPECT_EQ(large.error().code, Code::too_large);
  EXPECT_EQ(large.error().text, "it has 65 bytes, the limit is 64");
}

}  // namespace
}  // namespace faas
