#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/names.h"
#include "model/namespaces.h"
#include "model/secret.h"

namespace faas {
namespace {

using testing::HasSubstr;
using testing::Not;

std::string bytes(std::string_view json) {
  const auto parsed = parse_secret(json);
  return parsed ? parsed->bytes : "refused: " + parsed.error().text;
}

TEST(Secret, RawBytesAreBase64AndWin) {
  EXPECT_EQ(bytes(R"({"name":"s","value":"text"})"), "text");
  EXPECT_EQ(bytes(R"({"name":"s","value":"text","rawValue":"AP8K"})"), std::string("\0\xff\n", 3));
  EXPECT_EQ(bytes(R"({"name":"s","rawValue":"YQ=="})"), "a");
  EXPECT_EQ(bytes(R"({"name":"s","rawValue":"YWI="})"), "ab");
  EXPECT_EQ(bytes(R"({"name":"s","rawValue":"YW\nI=\r\n"})"), "ab");
  EXPECT_EQ(bytes(R"({"name":"s","value":"a\u0000b"})"), std::string("a\0b", 3));
  EXPECT_EQ(bytes(R"({"name":"s","value":"text","rawValue":""})"), "text");
}

TEST(Secret, WhatIsNoBase64IsRefusedAndNotShown) {
  for (const auto* bad :
       {"Y", "YQ", "YQ=", "YQ===", "YQ==YQ==", "Y===", "====", "YQ=a", "hidden value", "-_==", "YQ==a"}) {
    const auto refusal = bytes(R"({"name":"s","rawValue":")" + std::string(bad) + "\"}");
    EXPECT_EQ(refusal, "refused: rawValue must be base64 with padding") << bad;
  }
  EXPECT_THAT(bytes(R"({"name":"s"})"), HasSubstr("value is required"));
  EXPECT_THAT(bytes(R"({"name":"s","value":["hidden"]})"), Not(HasSubstr("hidden")));
}

TEST(Secret, EveryPairOfBytesComesThroughBase64) {
  constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (unsigned pair = 0; pair < 0x10000; pair += 7) {
    const std::string encoded{digits[pair >> 10U], digits[pair >> 4U & 63U], digits[pair << 2U & 63U], '='};
    const std::string expected{static_cast<char>(pair >> 8U), static_cast<char>(pair & 0xffU)};
    ASSERT_EQ(bytes(R"({"name":"s","rawValue":")" + encoded + "\"}"), expected) << encoded;
  }
}

TEST(Secret, TheNameIsOneFileOfOneFolder) {
  const auto refusal = [](std::string_view name) {
    const auto parsed = parse_secret_name(R"({"name":")" + std::string(name) + "\"}");
    return parsed ? "accepted" : parsed.error().text;
  };
  EXPECT_EQ(refusal("db.password-1_x"), "accepted");
  for (const auto* bad : {"a/b", "..", ".", "../x", "a~", "a b", "a\\n", "\u00e4"}) {
    EXPECT_THAT(refusal(bad), HasSubstr("name \"")) << bad;
  }
  EXPECT_EQ(refusal(""), "name is required");
  EXPECT_EQ(parse_secret_name(R"({"name":"s"})", "ns")->name_space, "ns");
  EXPECT_EQ(parse_secret_name(R"({"name":"s","namespace":"of-body"})", "ns")->name_space, "of-body");
  EXPECT_EQ(parse_secret_name(R"({"name":"s"})")->name_space, "openfaas-fn");
}

TEST(Namespaces, WhatWasPrintedIsReadBackEqual) {
  const NamespaceSpec spec{.name = "ns", .labels = {{{"a", "1"}}}, .annotations = {{{"b", ""}}}};
  EXPECT_EQ(*parse_namespace(print_namespace(spec)), spec);
  const NamespaceSpec bare{.name = "ns", .labels = {}, .annotations = {}};
  EXPECT_EQ(print_namespace(bare), R"({"name":"ns"})");
  EXPECT_EQ(print_namespace_names({bare, spec}), R"(["ns","ns"])");
}

TEST(Namespaces, PathAndBodyMustAgree) {
  EXPECT_EQ(parse_namespace("{}", "ns")->name, "ns");
  EXPECT_THAT(parse_namespace(R"({"name":"other"})", "ns").error().text, HasSubstr("name is \"other\""));
  EXPECT_EQ(parse_namespace("{}").error().text, "name is required");
}

}  // namespace
}  // namespace faas
