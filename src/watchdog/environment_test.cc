#include "watchdog/environment.h"

#include <gmock/gmock.h>

#include <map>

namespace faas::watchdog {
namespace {

using http::Field;
using http::FieldId;
using http::Framing;

std::map<std::string, std::string> as_map(const char* const* variables) {
  std::map<std::string, std::string> result;
  for (; *variables != nullptr; ++variables) {
    const std::string text(*variables);
    const auto equals = text.find('=');
    EXPECT_TRUE(result.emplace(text.substr(0, equals), text.substr(equals + 1)).second)
        << text << " is there twice";
  }
  return result;
}

class EnvironmentTest : public ::testing::Test {
 protected:
  auto build(const CallFacts& call, bool classic = false) {
    Environment environment(own_.data(), classic);
    const auto built = environment.build(call);
    EXPECT_TRUE(built);
    return as_map(*built);
  }
  std::vector<const char*> own_{"OWN=kept", "Http_X_Foo=fromenv", nullptr};
};

TEST_F(EnvironmentTest, HeadersBecomeCanonicalNamesAndTheFirstValueCounts) {
  const std::vector<Field> fields{{.name = "x-bAR-bAZ", .value = "3"},
                                  {.name = "X-Foo", .value = "1"},
                                  {.name = "x-foo", .value = "2"},
                                  {.name = "X_under-score", .value = "u"},
                                  {.name = "9a-b", .value = "n"}};
  const auto found = build({.method = "GET", .path = "/", .fields = fields});
  EXPECT_EQ(found.at("Http_X_Bar_Baz"), "3");
  EXPECT_EQ(found.at("Http_X_Foo"), "1") << "a header wins over our own variable";
  EXPECT_EQ(found.at("Http_X_under_Score"), "u");
  EXPECT_EQ(found.at("Http_9a_B"), "n");
  EXPECT_EQ(found.at("OWN"), "kept");
}

TEST_F(EnvironmentTest, OurOwnVariablesStayWhereNoHeaderHasTheirName) {
  EXPECT_EQ(build({.method = "GET", .path = "/"}).at("Http_X_Foo"), "fromenv");
}

TEST_F(EnvironmentTest, OfTwoOfOurOwnWithOneNameTheLastCounts) {
  own_ = {"A=1", "B=2", "A=3", nullptr};
  EXPECT_EQ(build({.method = "GET", .path = "/"}).at("A"), "3");
}

TEST_F(EnvironmentTest, MethodPathAndQueryAreTold) {
  const auto found = build({.method = "POST", .path = "/a b", .query = "q=%41"});
  EXPECT_EQ(found.at("Http_Method"), "POST");
  EXPECT_EQ(found.at("Http_Path"), "/a b");
  EXPECT_EQ(found.at("Http_Query"), "q=%41");
  EXPECT_FALSE(build({.method = "GET", .path = "/"}).contains("Http_Query"));
}

TEST_F(EnvironmentTest, AHeaderCannotForgeWhatTheWatchdogTells) {
  const std::vector<Field> fields{{.name = "Query", .value = "evil"},
                                  {.name = "PATH", .value = "/evil"},
                                  {.name = "Method", .value = "EVIL"},
                                  {.name = "Host", .value = "evil"}};
  const auto found = build({.method = "GET", .path = "/p", .fields = fields});
  EXPECT_FALSE(found.contains("Http_Query"));
  EXPECT_EQ(found.at("Http_Path"), "/p");
  EXPECT_EQ(found.at("Http_Method"), "GET");
}

TEST_F(EnvironmentTest, ClassicAlwaysTellsLengthAndHost) {
  const Framing five{.kind = Framing::Kind::length, .length = 5};
  const std::vector<Field> fields{{.id = FieldId::content_length, .name = "Content-Length", .value = "5"}};
  const CallFacts call{.method = "GET", .path = "/", .host = "h:99", .fields = fields, .body = five};
  auto found = build(call, /*classic=*/true);
  EXPECT_EQ(found.at("Http_ContentLength"), "5");
  EXPECT_EQ(found.at("Http_Content_Length"), "5");
  EXPECT_EQ(found.at("Http_Host"), "h:99");
  found = build(call);
  EXPECT_FALSE(found.contains("Http_ContentLength"));
  EXPECT_EQ(found.at("Http_Content_Length"), "5");
  EXPECT_FALSE(found.contains("Http_Host"));

  const CallFacts chunked{.method = "GET", .path = "/", .body = {.kind = Framing::Kind::chunked}};
  found = build(chunked, /*classic=*/true);
  EXPECT_EQ(found.at("Http_ContentLength"), "-1");
  EXPECT_EQ(found.at("Http_Transfer_Encoding"), "chunked");
  EXPECT_EQ(build({.method = "GET", .path = "/"}, /*classic=*/true).at("Http_ContentLength"), "0");
}

TEST_F(EnvironmentTest, RefusesWhatNoProgramCouldBeGiven) {
  Environment environment(own_.data(), false);
  EXPECT_EQ(environment.build({.method = "GET", .path = std::string_view("/\0x", 3)}).error().text,
            "exec: environment variable contains NUL");
  const std::vector<Field> many(Environment::kFieldsMax + 1, Field{.name = "A", .value = "b"});
  EXPECT_EQ(environment.build({.method = "GET", .path = "/", .fields = many}).error().code, Code::too_large);
}

TEST_F(EnvironmentTest, IsBuiltAnewForEachCall) {
  Environment environment(own_.data(), false);
  const std::vector<Field> fields{{.name = "X-Foo", .value = "1"}};
  ASSERT_TRUE(environment.build({.method = "GET", .path = "/", .fields = fields}));
  const auto second = as_map(*environment.build({.method = "PUT", .path = "/b"}));
  EXPECT_EQ(second.at("Http_X_Foo"), "fromenv");
  EXPECT_EQ(second.at("Http_Method"), "PUT");
}

}  // namespace
}  // namespace faas::watchdog
