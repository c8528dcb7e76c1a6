// The parts of the external provider that ask nobody: its URL, its JSON, and what it makes of a list.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/foreign_status.h"
#include "model/names.h"
#include "provider/external/base_url.h"
#include "provider/external/catalogue.h"
#include "provider/external/remote_log.h"
#include "provider/external/wire.h"

namespace faas::provider {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;
using testing::UnorderedElementsAre;

BaseUrl url(std::string_view text) {
  auto parsed = parse_base_url(text);
  EXPECT_TRUE(parsed) << text << ": " << parsed.error().text;
  return parsed ? *parsed : BaseUrl();
}

std::string refusal(std::string_view text) {
  const auto parsed = parse_base_url(text);
  return parsed ? "accepted" : parsed.error().text;
}

TEST(BaseUrl, AHostAPortAndAPrefix) {
  const auto plain = url("http://faas-netes.openfaas:8081/");
  EXPECT_EQ(plain.authority, "faas-netes.openfaas:8081");
  EXPECT_EQ(plain.host, "faas-netes.openfaas:8081");
  EXPECT_EQ(plain.prefix, "");
  EXPECT_EQ(plain.shown, "http://faas-netes.openfaas:8081");
  const auto below = url("http://10.0.0.7/open/faas//");
  EXPECT_EQ(below.authority, "10.0.0.7:80");
  EXPECT_EQ(below.host, "10.0.0.7");
  EXPECT_EQ(below.prefix, "/open/faas");
  EXPECT_EQ(url("http://[::1]:8080").authority, "[::1]:8080");
}

TEST(BaseUrl, WhatIsNoneOfOursIsRefused) {
  EXPECT_THAT(refusal("https://provider/"), HasSubstr("https is not spoken"));
  for (const auto* bad : {"", "provider", "ftp://provider", "http://", "http:///x", "http://:80",
                          "http://a b", "http://provider/?x=1", "http://provider/#x"}) {
    EXPECT_NE(refusal(bad), "accepted") << bad;
  }
  EXPECT_NE(refusal("http://" + std::string(3000, 'a')), "accepted");
}

TEST(BaseUrl, ALoginInItIsRefusedAndNotShown) {
  for (const auto* bad : {"http://admin:hidden@provider/", "http://hidden@provider", "https://admin:hidden@x",
                          "admin:hidden@provider"}) {
    EXPECT_THAT(refusal(bad), HasSubstr("functions_provider_secrets")) << bad;
    EXPECT_THAT(refusal(bad), Not(HasSubstr("hidden"))) << bad;
  }
}

TEST(ForeignStatus, WhatOursPrintIsReadBack) {
  FunctionStatus status{
      .spec = {.name = {"f", "ns"},
               .image = "host",
               .env_process = "cat",
               .env_vars = {{"a", "b"}},
               .constraints = {"c"},
               .secrets = {"s"},
               .labels = {{{"l", "1"}}},
               .annotations = {{{"n", "2"}}},
               .limits = Resources{.memory = "128Mi", .cpu = "500m", .devices = {}},
               .requests = Resources{.memory = "1Mi", .cpu = {}, .devices = {{"nvidia.com/gpu", "1"}}},
               .read_only_root_filesystem = true},
      .replicas = 3,
      .available_replicas = 2,
      .invocation_count = 0,
      .created_at = std::chrono::sys_days(std::chrono::year(2026) / 11 / 23) + std::chrono::seconds(3723),
      .conditions = {{.type = "Ready", .holds = true, .reason = "Available", .message = "m"}}};
  const auto read = parse_foreign_status(print_function_status(status));
  ASSERT_TRUE(read) << read.error().text;
  EXPECT_EQ(print_function_status(*read), print_function_status(status));
}

TEST(ForeignStatus, WhatIsMissingIsEmptyAndWhatIsUnknownIsPassedOver) {
  const auto read = parse_foreign_status(
      R"({"name":"f","image":"i","invocationCount":1e+06,"usage":{"cpu":1.5},"labels":null,"createdAt":"soon"})");
  ASSERT_TRUE(read) << read.error().text;
  EXPECT_EQ(read->spec.name, (FunctionName{"f", ""}));
  EXPECT_EQ(read->replicas, 0U);
  EXPECT_FALSE(read->spec.labels);
  EXPECT_THAT(print_function_status(*read), HasSubstr("0001-01-01"));
}

TEST(ForeignStatus, OneThatCannotBeReadDoesNotHideTheOthers) {
  const auto read =
      parse_foreign_statuses(R"([{"name":"a"},{"name":"../b"},7,{"name":"c","replicas":"x"},{"name":"d"}])");
  ASSERT_TRUE(read);
  EXPECT_THAT(read->statuses, SizeIs(2));
  EXPECT_EQ(read->unusable, 3U);
  EXPECT_THAT(read->why, HasSubstr("name"));
  EXPECT_THAT(parse_foreign_statuses("null")->statuses, IsEmpty());
}

TEST(ForeignStatus, WhatIsNoListIsMalformed) {
  const auto deep = std::string(100, '[') + std::string(100, ']');
  for (const std::string& bad : {std::string(), std::string("{}"), std::string("[{]"), std::string("\"x\""),
                                 std::string("[] []"), deep}) {
    const auto read = parse_foreign_statuses(bad);
    ASSERT_FALSE(read) << bad;
    EXPECT_EQ(read.error().code, Code::malformed) << bad;
    EXPECT_EQ(read.error().origin, Origin::platform) << bad;
  }
}

FunctionStatus status(std::string name, std::string name_space, std::uint32_t replicas = 1) {
  FunctionStatus one;
  one.spec.name = {std::move(name), std::move(name_space)};
  one.replicas = one.available_replicas = replicas;
  return one;
}

class ACatalogue : public testing::Test {
 protected:
  ACatalogue() { catalogue_.move("10.0.0.7:8080"); }
  Catalogue catalogue_{url("http://provider:8080/base")};
};

TEST_F(ACatalogue, SendsCallsToTheProvidersPathOfTheFunction) {
  catalogue_.put(status("f", "ns", 3));
  const auto snapshot = catalogue_.take_changes();
  const auto& entry = *snapshot->functions.at("f.ns");
  EXPECT_EQ(entry.replicas, 3U);
  EXPECT_EQ(entry.available, 3U);
  ASSERT_THAT(entry.ready, SizeIs(1));
  EXPECT_EQ(entry.ready[0]->address, "10.0.0.7:8080");
  EXPECT_EQ(entry.ready[0]->prefix, "/base/function/f.ns");
  EXPECT_EQ(entry.ready[0]->host, "provider:8080");
}

TEST_F(ACatalogue, CallsFunctionsOfAProviderWithoutNamespacesByTheirNameAlone) {
  catalogue_.put(status("f", ""));
  const auto snapshot = catalogue_.take_changes();
  EXPECT_EQ(snapshot->functions.at("f.openfaas-fn")->ready[0]->prefix, "/base/function/f");
}

TEST_F(ACatalogue, LeavesOutNobodyWhoIsNotReadyButWhoIsScaledToZero) {
  auto starting = status("starting", "ns");
  starting.available_replicas = 0;
  catalogue_.replace_all({starting, status("asleep", "ns", 0)}, {});
  const auto snapshot = catalogue_.take_changes();
  EXPECT_THAT(snapshot->functions.at("starting.ns")->ready, SizeIs(1));
  EXPECT_THAT(snapshot->functions.at("asleep.ns")->ready, IsEmpty());
}

TEST_F(ACatalogue, PublishesChangesOnlyAndKeepsTheEndpointsOfTheRest) {
  catalogue_.replace_all({status("a", "ns"), status("b", "ns")}, {});
  const auto first = catalogue_.take_changes();
  catalogue_.replace_all({status("a", "ns"), status("b", "ns")}, {});
  EXPECT_EQ(catalogue_.take_changes(), nullptr);
  catalogue_.replace_all({status("a", "ns", 2), status("c", "ns")}, {});
  const auto second = catalogue_.take_changes();
  EXPECT_EQ(second->version, first->version + 1);
  EXPECT_THAT(second->changed, UnorderedElementsAre("a.ns", "b.ns", "c.ns"));
  EXPECT_FALSE(second->functions.contains("b.ns"));
  EXPECT_EQ(second->functions.at("a.ns")->ready[0], first->functions.at("a.ns")->ready[0]);
}

TEST_F(ACatalogue, AListThatIsOlderThanAChangeOfOursDoesNotUndoIt) {
  catalogue_.replace_all({status("gone", "ns"), status("stays", "ns")}, {});
  catalogue_.erase({"gone", "ns"});
  catalogue_.put(status("new", "ns"));
  catalogue_.replace_all({status("gone", "ns"), status("stays", "ns")}, {"gone.ns", "new.ns"});
  const auto snapshot = catalogue_.take_changes();
  EXPECT_FALSE(snapshot->functions.contains("gone.ns"));
  EXPECT_TRUE(snapshot->functions.contains("new.ns"));
}

TEST_F(ACatalogue, MovesWithTheProvider) {
  catalogue_.put(status("f", "ns"));
  catalogue_.move("10.0.0.8:8080");
  catalogue_.put(status("f", "ns"));
  EXPECT_EQ(catalogue_.take_changes()->functions.at("f.ns")->ready[0]->address, "10.0.0.8:8080");
}

TEST_F(ACatalogue, TellsWhoWaitsHowTheWantedVersionComesAlong) {
  auto one = status("f", "ns", 2);
  one.conditions = {
      {.type = "Ready", .holds = true, .reason = "UpdateNotReady", .message = {}},
      {.type = "LastFailure", .holds = true, .reason = "CommandNotFound", .message = "no such file"}};
  catalogue_.put(one);
  const auto entry = catalogue_.take_changes()->functions.at("f.ns");
  EXPECT_EQ(entry->ready_wanted, 0U);
  EXPECT_EQ(entry->setback, "no such file");
  EXPECT_FALSE(entry->startable);
}

TEST(Wire, SecretsGoAsTextWhereTheyAreText) {
  EXPECT_EQ(print_secret({.name = {"s", "ns"}, .bytes = "a\"\n\u00e4"}),
            "{\"name\":\"s\",\"namespace\":\"ns\",\"value\":\"a\\\"\\n\u00e4\"}");
  EXPECT_EQ(print_secret({.name = {"s", "ns"}, .bytes = "\xff\xfe"}),
            R"({"name":"s","namespace":"ns","rawValue":"//4="})");
  for (const auto& bytes : {std::string("a\0b", 3), std::string("\xc3"), std::string("plain")}) {
    EXPECT_EQ(parse_secret(print_secret({.name = {"s", "ns"}, .bytes = bytes}))->bytes, bytes);
  }
}

TEST(Wire, NamesThatNoUrlCarriesAreLeftOut) {
  EXPECT_THAT(*parse_names(R"(["b","a","../x","a",""])"), ElementsAre("a", "b"));
  EXPECT_THAT(*parse_names("null"), IsEmpty());
  EXPECT_THAT(parse_names(R"([1])").error().text, HasSubstr("array of strings"));
  EXPECT_THAT(parse_names(R"({})").error().text, HasSubstr("array"));
}

TEST(Wire, AProviderAndAGatewayTellWhatTheyAre) {
  constexpr auto provider =
      R"({"provider":"faas-netes","version":{"sha":"abc","release":"1.2"},"orchestration":"kubernetes"})";
  const auto plain = parse_info(provider);
  EXPECT_EQ(plain->provider, "faas-netes");
  EXPECT_EQ(plain->orchestration, "kubernetes");
  EXPECT_EQ(plain->release, "1.2");
  EXPECT_EQ(plain->sha, "abc");
  EXPECT_EQ(
      parse_info(R"({"provider":)" + std::string(provider) + R"(,"version":null,"arch":"x86_64"})")->sha,
      "abc");
  EXPECT_FALSE(parse_info("[]"));
}

TEST(Wire, ListsOfSecretsAreOrderedAndHaveANamespace) {
  const auto names = parse_secret_names(R"([{"name":"b"},{"name":"a","namespace":"other"}])", "ns");
  EXPECT_THAT(*names, ElementsAre(SecretName{"a", "other"}, SecretName{"b", "ns"}));
  EXPECT_FALSE(parse_secret_names(R"(["a"])", "ns"));
}

TEST(RemoteLog, IsAskedForWhatWasAskedFor) {
  LogQuery query{.function = {"f", "ns"}, .instance = {}, .since = {}, .tail = {}, .follow = false};
  EXPECT_EQ(log_path(query, "ns"), "/system/logs?name=f&namespace=ns");
  EXPECT_EQ(log_path(query, ""), "/system/logs?name=f");
  query.instance = "a&b c";
  query.tail = 3;
  query.follow = true;
  query.since = LogTime();
  EXPECT_EQ(log_path(query, ""),
            "/system/logs?name=f&instance=a%26b%20c&since=1970-01-01T00:00:00.000000000Z&tail=3&follow=1");
}

TEST(RemoteLog, WhatOursPrintIsReadBack) {
  const LogLine line{.function = {"f", "ns"},
                     .instance = "i",
                     .time = LogTime(std::chrono::nanoseconds(1234567890123456789)),
                     .text = "a \"b\""};
  EXPECT_EQ(print_log_line(parse_log_line(print_log_line(line))), print_log_line(line));
  EXPECT_EQ(parse_log_line("not JSON").text, "not JSON");
}

}  // namespace
}  // namespace faas::provider
