#include "model/function_spec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

namespace faas {
namespace {

using testing::HasSubstr;

std::string refusal(std::string_view json) {
  const auto parsed = parse_function_spec(json);
  if (parsed) return "accepted";
  EXPECT_EQ(parsed.error().origin, Origin::client);
  return parsed.error().text;
}

std::string with(std::string_view field) {
  return R"({"service":"echo","image":"host",)" + std::string(field) + "}";
}

TEST(FunctionSpec, TheSmallestDeploymentHasAServiceAndAnImage) {
  const auto spec = parse_function_spec(R"({"service":"echo","image":"host"})");

  ASSERT_TRUE(spec) << spec.error().text;
  const FunctionSpec expected{.name = {"echo", "openfaas-fn"}, .image = "host"};
  EXPECT_EQ(*spec, expected);
}

TEST(FunctionSpec, EveryFieldIsRead) {
  const auto spec = parse_function_spec(R"({
      "service": "echo", "image": "host", "namespace": "prod", "envProcess": "cat -n",
      "envVars": {"A": "1", "a": "2"}, "constraints": ["z=1", "a=2"], "secrets": ["s.1"],
      "labels": {"x": "y"}, "annotations": {}, "limits": {"memory": "128Mi", "cpu": "0.5"},
      "requests": {"nvidia.com/gpu": "1", "unknown": 7}, "readOnlyRootFilesystem": true,
      "network": "func_functions", "registryAuth": "eDp5", "unknown": {"deep": [1]}})");

  ASSERT_TRUE(spec) << spec.error().text;
  const FunctionSpec expected{
      .name = {"echo", "prod"},
      .image = "host",
      .env_process = "cat -n",
      .env_vars = {{"A", "1"}, {"a", "2"}},
      .constraints = {"z=1", "a=2"},
      .secrets = {"s.1"},
      .labels = std::map<std::string, std::string>{{std::pair("x", "y")}},
      .annotations = std::map<std::string, std::string>(),
      .limits = Resources{.memory = "128Mi", .cpu = "0.5", .devices = {}},
      .requests = Resources{.memory = "", .cpu = "", .devices = {{"nvidia.com/gpu", "1"}}},
      .read_only_root_filesystem = true};
  EXPECT_EQ(*spec, expected);
}

TEST(FunctionSpec, KeysMatchInAnyCaseAndNullMeansAbsent) {
  const auto spec = parse_function_spec(
      R"({"SERVICE":"echo","Image":"host","EnvProcess":"cat","labels":null,"limits":null,"envVars":null,
          "secrets":null,"readonlyrootfilesystem":null,"namespace":null})");

  ASSERT_TRUE(spec) << spec.error().text;
  const FunctionSpec expected{.name = {"echo", "openfaas-fn"}, .image = "host", .env_process = "cat"};
  EXPECT_EQ(*spec, expected);
}

TEST(FunctionSpec, AServiceNameIsADnsLabelWithUnderscores) {
  const auto named = [](const std::string& name) {
    return refusal(R"({"image":"host","service":")" + name + "\"}");
  };
  EXPECT_EQ(named("a"), "accepted");
  EXPECT_EQ(named("Web_1-x"), "accepted");
  EXPECT_EQ(named(std::string(63, 'a')), "accepted");
  EXPECT_THAT(named(""), "service is required");
  EXPECT_THAT(named(std::string(64, 'a')), "service has 64 bytes, the limit is 63");
  for (const auto* bad : {"-a", "a-", "_", "a.b", "a/b", "a b", "\xc3\xa4", ".", "..", "a\\n"}) {
    EXPECT_THAT(named(bad), HasSubstr("service \"")) << bad;
  }
  EXPECT_THAT(refusal(with(R"("namespace":"a.b")")), HasSubstr("namespace \"a.b\""));
}

TEST(FunctionSpec, TheImageIsRequiredAndBounded) {
  EXPECT_EQ(refusal(R"({"service":"echo"})"), "image is required");
  EXPECT_EQ(refusal(R"({"service":"echo","image":""})"), "image is required");
  EXPECT_EQ(refusal(R"({"service":"echo","image":")" + std::string(1025, 'i') + "\"}"),
            "image has 1025 bytes, the limit is 1024");
}

TEST(FunctionSpec, AWrongTypeNamesTheField) {
  EXPECT_EQ(refusal(R"({"service":1,"image":"host"})"), "service must be a string, not a number");
  EXPECT_EQ(refusal(with(R"("envVars":[])")), "envVars must be an object of strings, not an array");
  EXPECT_EQ(refusal(with(R"("envVars":{"A":1})")), "envVars.A must be a string, not a number");
  EXPECT_EQ(refusal(with(R"("labels":{"A":null})")), "labels.A must be a string, not null");
  EXPECT_EQ(refusal(with(R"("secrets":"s")")), "secrets must be an array of strings, not a string");
  EXPECT_EQ(refusal(with(R"("constraints":["a",true])")),
            "constraints[1] must be a string, not true or false");
  EXPECT_EQ(refusal(with(R"("limits":"128Mi")")), "limits must be an object, not a string");
  EXPECT_EQ(refusal(with(R"("limits":{"memory":128})")), "limits.memory must be a string, not a number");
  EXPECT_EQ(refusal(with(R"("readOnlyRootFilesystem":"true")")),
            "readOnlyRootFilesystem must be true or false, not a string");
}

TEST(FunctionSpec, EnvironmentVariablesAreOnesTheKernelAccepts) {
  EXPECT_EQ(refusal(with(R"("envVars":{"":"x"})")), "envVars: a name must not be empty");
  EXPECT_EQ(refusal(with(R"("envVars":{"A=B":"x"})")),
            "envVars: the name \"A=B\" may only have the characters A-Z a-z 0-9 . - _ and must not begin "
            "with a digit");
  EXPECT_EQ(refusal(with(R"("envVars":{"A":"x\u0000y"})")), "envVars.A must not contain a NUL byte");
  EXPECT_EQ(refusal(with(R"("envVars":{"A\u0000":"x"})")), "envVars: a key must not contain a NUL byte");
  const auto sized = [](std::size_t n) { return with(R"("envVars":{"A":")" + std::string(n, 'x') + "\"}"); };
  EXPECT_EQ(refusal(sized(131072 - 3)), "accepted");
  EXPECT_EQ(refusal(sized(131072 - 2)), "envVars.A has 131073 bytes, the limit is 131072");
}

TEST(FunctionSpec, SecretsResourcesAndScaleLabelsAreChecked) {
  EXPECT_THAT(refusal(with(R"("secrets":["a/b"])")), HasSubstr("secrets \"a/b\""));
  EXPECT_THAT(refusal(with(R"("secrets":[".."])")), HasSubstr("secrets \"..\""));
  EXPECT_EQ(refusal(with(R"("secrets":[""])")), "secrets is required");
  EXPECT_THAT(refusal(with(R"("limits":{"memory":"lots"})")), HasSubstr("limits.memory \"lots\""));
  EXPECT_THAT(refusal(with(R"("requests":{"cpu":"1 core"})")), HasSubstr("requests.cpu \"1 core\""));
  EXPECT_THAT(refusal(with(R"("labels":{"com.openfaas.scale.min":"-1"})")),
              HasSubstr("labels.com.openfaas.scale.min"));
}

TEST(FunctionSpec, DocumentsThatReadersDisagreeAboutAreRefused) {
  EXPECT_EQ(refusal(R"({"service":"a","service":"b","image":"host"})"),
            "the key \"service\" occurs twice in one object");
  EXPECT_EQ(refusal(with(R"("envVars":{"A":"1","A":"2"})")), "the key \"A\" occurs twice in one object");
  EXPECT_EQ(refusal(with(R"("Service":"b")")), "service occurs twice, spelt differently");
  EXPECT_THAT(refusal(with(R"("":1,"":2)")), "the key \"\" occurs twice in one object");
}

TEST(FunctionSpec, WhatIsNotOneJsonObjectIsRefused) {
  for (const auto* text : {"", " ", "{", "{}x", "[1", "{'a':1}", "{\"a\":1,}", "nul", "{\"a\":\"\xff\"}"}) {
    EXPECT_THAT(refusal(text), HasSubstr("the body")) << text;
  }
  EXPECT_EQ(refusal("[]"), "the body must be a JSON object, not an array");
  EXPECT_EQ(refusal("null"), "the body must be a JSON object, not null");
  const auto nested = [](std::size_t n) {
    return with("\"x\":" + std::string(n, '[') + std::string(n, ']'));
  };
  EXPECT_EQ(refusal(nested(31)), "accepted");
  EXPECT_EQ(refusal(nested(32)), "the body is nested deeper than 32 levels");
  const auto large = parse_function_spec(with("\"x\":\"" + std::string(1024 * 1024, 'x') + "\""));
  ASSERT_FALSE(large);
  EXPECT_EQ(large.error().code, Code::too_large);
  EXPECT_THAT(large.error().text, HasSubstr("the limit is 1048576"));
}

class SpecMaker {
 public:
  explicit SpecMaker(unsigned seed) : random_(seed) {}

  FunctionSpec make() {
    FunctionSpec spec{.name = {"f" + std::to_string(random_()), "ns" + std::to_string(random_())}};
    spec.image = "i" + text();
    spec.env_process = text();
    for (const auto& [key, value] : texts()) spec.env_vars["V" + std::to_string(random_())] = value;
    spec.constraints = {text(), text()};
    if (coin()) spec.secrets = {"s1", "b.2"};
    if (coin()) spec.labels = texts();
    if (coin()) spec.annotations = texts();
    if (coin()) spec.limits = Resources{.memory = "1Gi", .cpu = coin() ? "2" : "", .devices = {}};
    if (coin()) spec.requests = Resources{.memory = "", .cpu = "", .devices = {{"amd.com/gpu", "12"}}};
    spec.read_only_root_filesystem = coin();
    return spec;
  }

 private:
  bool coin() { return random_() % 2 == 0; }
  std::string text() {
    static constexpr std::string_view pieces[] = {"a",    "\"", "\\",     "\n",         "\x01",
                                                  "\x7f", "/",  "\u00e4", "\U0001f600", " "};
    std::string made;
    for (auto n = random_() % 6; n > 0; --n) made += pieces[random_() % std::size(pieces)];
    return made;
  }
  std::map<std::string, std::string> texts() {
    std::map<std::string, std::string> made;
    for (auto n = random_() % 4; n > 0; --n) made["k/" + std::to_string(random_())] = text();
    return made;
  }
  std::mt19937 random_;
};

TEST(FunctionSpec, WhatWasPrintedIsReadBackEqual) {
  SpecMaker maker(20240607);
  for (int i = 0; i < 500; ++i) {
    const auto spec = maker.make();
    const auto printed = print_function_spec(spec);
    const auto read = parse_function_spec(printed);
    ASSERT_TRUE(read) << printed << ": " << read.error().text;
    EXPECT_EQ(*read, spec) << printed;
  }
}

TEST(FunctionSpec, EveryPrefixIsRefusedAndNoneIsReadTwice) {
  const auto printed = print_function_spec(SpecMaker(7).make());
  for (std::size_t n = 0; n < printed.size(); ++n) {
    EXPECT_FALSE(parse_function_spec(std::string_view(printed).substr(0, n))) << n;
  }
}

}  // namespace
}  // namespace faas
