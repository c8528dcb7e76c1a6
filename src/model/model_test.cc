#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/function_status.h"
#include "model/names.h"
#include "model/requests.h"
#include "model/resources.h"
#include "model/scale_labels.h"

namespace faas {
namespace {

using testing::HasSubstr;

TEST(FunctionStatus, EmptyFieldsAreLeftOutAndCreatedAtNever) {
  const FunctionStatus status{.spec = {.name = {"echo", "openfaas-fn"}, .image = "host"}};

  EXPECT_EQ(print_function_status(status),
            R"({"name":"echo","image":"host","namespace":"openfaas-fn","createdAt":"0001-01-01T00:00:00Z"})");
}

TEST(FunctionStatus, EveryFieldIsPrintedInItsPlace) {
  FunctionStatus status{.spec = {.name = {"echo", "ns"}, .image = "host"}};
  status.spec.env_process = "cat";
  status.spec.env_vars = {{"A", "1"}};
  status.spec.labels = std::map<std::string, std::string>();
  status.spec.limits = Resources{.memory = "128Mi", .cpu = "", .devices = {}};
  status.replicas = 2;
  status.available_replicas = 1;
  status.invocation_count = 7;
  status.created_at = std::chrono::system_clock::from_time_t(1700000000);
  status.conditions = {{.type = "Ready", .holds = true, .reason = "Available", .message = "1 of 2"}};

  EXPECT_EQ(
      print_function_status(status),
      R"({"name":"echo","image":"host","namespace":"ns","envProcess":"cat","envVars":{"A":"1"},"labels":{},)"
      R"("limits":{"memory":"128Mi"},"invocationCount":7,"replicas":2,"availableReplicas":1,)"
      R"("createdAt":"2023-11-14T22:13:20Z",)"
      R"("conditions":[{"type":"Ready","status":"True","reason":"Available","message":"1 of 2"}]})");
  EXPECT_EQ(print_function_statuses({}), "[]");
  EXPECT_EQ(print_function_statuses({status, status}),
            "[" + print_function_status(status) + "," + print_function_status(status) + "]");
}

TEST(FunctionNames, WhatFollowsTheLastDotIsTheNamespace) {
  const auto name = [](std::string_view text, std::string_view fallback = {}) {
    const auto parsed = parse_function_name(text, fallback);
    return parsed ? print_function_name(*parsed) : "refused";
  };
  EXPECT_EQ(name("echo"), "echo.openfaas-fn");
  EXPECT_EQ(name("echo", "ns"), "echo.ns");
  EXPECT_EQ(name("echo.prod", "ns"), "echo.prod");
  EXPECT_EQ(name("a.b.c"), "a.b.c");
  EXPECT_EQ(parse_function_name("a.b.c")->name_space, "c");
  EXPECT_EQ(name("echo.", "ns"), "echo.ns");
  EXPECT_EQ(name(""), "refused");
  EXPECT_EQ(name(".ns"), "refused");
  EXPECT_EQ(name("a b"), "refused");
  EXPECT_EQ(name("a%2f"), "refused");
}

TEST(Requests, AScaleRequestNamesReplicasAndItsLimit) {
  const auto refusal = [](std::string_view text) {
    const auto parsed = parse_scale_request(text);
    return parsed ? "accepted" : parsed.error().text;
  };
  const auto parsed = parse_scale_request(R"({"ServiceName":"echo","replicas":0,"namespace":"ns"})");
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->service_name, "echo");
  EXPECT_EQ(parsed->name_space, "ns");
  EXPECT_EQ(parsed->replicas, 0u);
  EXPECT_EQ(parse_scale_request(R"({"replicas":10000})")->replicas, 10000u);
  for (const auto* bad : {"-1", "1.5", "1e1", "\"1\"", "10001", "18446744073709551616", "[]"}) {
    EXPECT_EQ(refusal(std::string("{\"replicas\":") + bad + "}"),
              "replicas must be a whole number from 0 to 10000")
        << bad;
  }
  EXPECT_EQ(refusal("{}"), "replicas is required: a whole number from 0 to 10000");
  EXPECT_THAT(refusal(""), HasSubstr("the body is not JSON"));
  EXPECT_EQ(refusal(R"({"replicas":1,"x":1e400})"), "the body is not JSON: exponent overflow at byte 23");
}

TEST(Requests, ADeleteRequestNamesTheFunction) {
  EXPECT_EQ(parse_delete_request(R"({"functionName":"echo","namespace":"ns"})")->function_name, "echo");
  EXPECT_EQ(parse_delete_request("{}").error().text, "functionName is required");
  EXPECT_EQ(parse_delete_request(R"({"functionName":3})").error().text,
            "functionName must be a string, not a number");
}

FunctionSpec labelled(std::initializer_list<std::pair<std::string_view, std::string_view>> labels) {
  FunctionSpec spec;
  spec.labels.emplace();
  for (const auto& [label, value] : labels) spec.labels->emplace(label, value);
  return spec;
}

TEST(ScaleLabels, DefaultsAreOneAndTwenty) {
  FunctionSpec spec;
  EXPECT_EQ(*parse_scale_range(spec), (ScaleRange{.min = 1, .max = 20, .factor = 20}));
  spec = labelled({{"com.openfaas.scale.min", "0"}, {"com.openfaas.scale.max", "3"}});
  EXPECT_EQ(*parse_scale_range(spec), (ScaleRange{.min = 0, .max = 3}));
  spec = labelled({{"com.openfaas.scale.min", "30"}});
  EXPECT_EQ(*parse_scale_range(spec), (ScaleRange{.min = 30, .max = 30}));
}

TEST(ScaleLabels, ABadLabelIsNamed) {
  const auto refusal = [](std::string_view label, std::string_view value) {
    const auto range = parse_scale_range(labelled({{label, value}}));
    return range ? "accepted" : range.error().text;
  };
  for (const auto* bad : {"", "-1", "abc", "3.0", " 3", "10001", "99999999999999999999"}) {
    EXPECT_THAT(refusal(kScaleMinLabel, bad), HasSubstr("labels.com.openfaas.scale.min must be")) << bad;
    EXPECT_THAT(refusal(kScaleMaxLabel, bad), HasSubstr("labels.com.openfaas.scale.max must be")) << bad;
  }
  EXPECT_THAT(refusal(kScaleMaxLabel, "0"), HasSubstr("from 1 to 10000"));
  EXPECT_THAT(refusal(kScaleFactorLabel, "0"), HasSubstr("labels.com.openfaas.scale.factor must be"));
  EXPECT_THAT(refusal(kScaleFactorLabel, "101"), HasSubstr("from 1 to 100"));
  EXPECT_EQ(refusal(kScaleFactorLabel, "100"), "accepted");
  const auto crossed = labelled({{kScaleMinLabel, "5"}, {kScaleMaxLabel, "4"}});
  EXPECT_EQ(parse_scale_range(crossed).error().text,
            "labels.com.openfaas.scale.min is 5, more than labels.com.openfaas.scale.max, which is 4");
}

TEST(Resources, MemoryIsReadAsKubernetesAndDockerWriteIt) {
  EXPECT_EQ(parse_memory_bytes("134217728"), 134217728u);
  EXPECT_EQ(parse_memory_bytes("128Mi"), 134217728u);
  EXPECT_EQ(parse_memory_bytes("128m"), 134217728u);
  EXPECT_EQ(parse_memory_bytes("128MiB"), 134217728u);
  EXPECT_EQ(parse_memory_bytes("128M"), 128000000u);
  EXPECT_EQ(parse_memory_bytes("1.5G"), 1500000000u);
  EXPECT_EQ(parse_memory_bytes("1e9"), 1000000000u);
  EXPECT_EQ(parse_memory_bytes("1E"), 1000000000000000000u);
  EXPECT_EQ(parse_memory_bytes("0"), 0u);
  for (const auto* bad :
       {"", "-1", "+1", "Mi", "1 Mi", "1Mib ", "1e", ".", "0x10", "inf", "nan", "1e999", "10E"}) {
    EXPECT_EQ(parse_memory_bytes(bad), std::nullopt) << bad;
  }
}

TEST(Resources, CpuIsReadAsCoresOrTheirParts) {
  EXPECT_EQ(parse_milli_cpu("0.5"), 500u);
  EXPECT_EQ(parse_milli_cpu("500m"), 500u);
  EXPECT_EQ(parse_milli_cpu("2"), 2000u);
  EXPECT_EQ(parse_milli_cpu(".25"), 250u);
  EXPECT_EQ(parse_milli_cpu("500000000"), 500u);
  EXPECT_EQ(parse_milli_cpu("500000000n"), 500u);
  EXPECT_EQ(parse_milli_cpu("1n"), 1u);
  for (const auto* bad : {"", "-1", "1 core", "m", "1M", "1,5"})
    EXPECT_EQ(parse_milli_cpu(bad), std::nullopt) << bad;
}

}  // namespace
}  // namespace faas
