// The parts of the gateway that decide without waiting. The whole is tested from outside (tests/blackbox).
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>

#include "gateway/api.h"
#include "gateway/call_id.h"
#include "gateway/credentials.h"
#include "gateway/function_table.h"
#include "gateway/metrics.h"
#include "gateway/settings.h"
#include "http/auth.h"
#include "http/router.h"
#include "model/scale_labels.h"
#include "net/core.h"

namespace faas::gateway {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

Result<Settings> settings_of(std::vector<std::string_view> arguments,
                             std::map<std::string, std::string> variables = {}) {
  return read_settings(arguments, [&variables](const char* name) -> const char* {
    const auto found = variables.find(name);
    return found == variables.end() ? nullptr : found->second.c_str();
  });
}

TEST(SettingsTest, AFlagWinsOverTheEnvironmentWhichWinsOverTheDefault) {
  EXPECT_EQ(settings_of({})->port, 8080);
  EXPECT_EQ(settings_of({}, {{"port", "81"}})->port, 81);
  EXPECT_EQ(settings_of({"--port", "82"}, {{"port", "81"}})->port, 82);
  EXPECT_EQ(settings_of({"--port=83"})->port, 83);
  EXPECT_EQ(settings_of({}, {{"upstream_timeout", "1m5s"}})->upstream_timeout, std::chrono::seconds(65));
}

TEST(SettingsTest, ABadOneIsNamedWithWhatItMayBe) {
  EXPECT_THAT(settings_of({}, {{"port", "abc"}}).error().text,
              AllOf(HasSubstr("port"), HasSubstr("abc"), HasSubstr("65535")));
  EXPECT_THAT(settings_of({"--metrics_port=65536"}).error().text, HasSubstr("metrics_port"));
  EXPECT_THAT(settings_of({"--no-such=1"}).error().text, HasSubstr("--no-such"));
  EXPECT_THAT(settings_of({"--port"}).error().text, HasSubstr("needs a value"));
  EXPECT_THAT(settings_of({"stray"}).error().text, HasSubstr("stray"));
  EXPECT_THAT(settings_of({}, {{"functions_provider", "moon"}}).error().text,
              HasSubstr("functions_provider"));
  EXPECT_THAT(settings_of({}, {{"read_timeout", "-1s"}}).error().text, HasSubstr("read_timeout"));
  EXPECT_THAT(settings_of({}, {{"basic_auth", "maybe"}}).error().text, HasSubstr("basic_auth"));
}

TEST(SettingsTest, EveryRowIsDocumented) {
  for (const auto* name : {"port", "data_dir", "basic_auth", "upstream_timeout", "cores"}) {
    EXPECT_THAT(describe_settings(), HasSubstr(std::string("--") + name));
    EXPECT_THAT(document_settings(), HasSubstr("| `" + std::string(name) + "` |"));
  }
}

struct Folder {
  std::string path;
  Folder() {
    char name[] = "/tmp/faas-credentials-XXXXXX";
    path = ::mkdtemp(name);
  }
  ~Folder() { std::filesystem::remove_all(path); }
};

TEST(CredentialsTest, APasswordIsMadeOnceAndForUsAlone) {
  const Folder folder;
  const auto first = load_credentials("", folder.path);
  ASSERT_TRUE(first);
  EXPECT_EQ(first->user, "admin");
  EXPECT_GE(first->password.size(), 16U);
  struct stat found {};
  ASSERT_EQ(::stat(first->password_file.c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 0777, 0600U);
  EXPECT_EQ(load_credentials("", folder.path)->password, first->password);
}

TEST(CredentialsTest, SecretFilesAreTrimmedAndAMissingOneIsNamed) {
  const Folder folder;
  EXPECT_THAT(load_credentials(folder.path, "/nowhere").error().text,
              HasSubstr(folder.path + "/basic-auth-password"));
  std::ofstream(folder.path + "/basic-auth-user") << " me \n";
  std::ofstream(folder.path + "/basic-auth-password") << "pass:word with spaces\n";
  const auto found = load_credentials(folder.path, "/nowhere");
  ASSERT_TRUE(found);
  EXPECT_EQ(found->user, "me");
  EXPECT_EQ(found->password, "pass:word with spaces");
}

TEST(BasicLoginTest, AcceptsItsOwnLoginAndNothingElse) {
  const http::BasicLogin login("admin", "secret:1");
  EXPECT_EQ(http::base64("admin:secret:1"), "YWRtaW46c2VjcmV0OjE=");
  EXPECT_TRUE(login.accepts("Basic YWRtaW46c2VjcmV0OjE="));
  EXPECT_TRUE(login.accepts("bAsIc  YWRtaW46c2VjcmV0OjE="));
  for (const auto* wrong :
       {"", "Basic", "Basic ", "Bearer", "Basic YWRtaW46c2VjcmV0OjE", "Basic YWRtaW46c2VjcmV0OjI=",
        "YWRtaW46c2VjcmV0OjE=", "Basic YWRtaW46c2VjcmV0OjE=YWRtaW46c2VjcmV0OjE="}) {
    EXPECT_FALSE(login.accepts(wrong)) << wrong;
  }
}

TEST(CallIdTest, EachIsNewAndLooksLikeAUuid) {
  CallIds ids;
  std::set<std::string> seen;
  for (int i = 0; i < 1000; ++i) {
    const auto id = ids.make();
    const std::string text(id.data(), id.size());
    EXPECT_THAT(text, ::testing::MatchesRegex("[0-9a-f]+-[0-9a-f]+-4[0-9a-f]+-[89ab][0-9a-f]+-[0-9a-f]+"));
    seen.insert(text);
  }
  EXPECT_EQ(seen.size(), 1000U);
}

TEST(CallIdTest, AClientsIsTakenOnlyWhenItCannotForgeALine) {
  EXPECT_TRUE(fit_call_id("abc-1"));
  EXPECT_FALSE(fit_call_id(""));
  EXPECT_FALSE(fit_call_id("a b"));
  EXPECT_FALSE(fit_call_id("a\xff"));
  EXPECT_TRUE(fit_call_id(std::string(128, 'x')));
  EXPECT_FALSE(fit_call_id(std::string(129, 'x')));
}

Snapshot one_function(std::vector<std::shared_ptr<Endpoint>> ready,
                      std::string name_space = std::string(kDefaultNamespace)) {
  Snapshot snapshot;
  auto entry = std::make_shared<FunctionEntry>();
  entry->name = {.name = "fn", .name_space = name_space};
  entry->replicas = static_cast<std::uint32_t>(ready.size());
  entry->available = entry->replicas;
  entry->ready = std::move(ready);
  snapshot.functions.insert_or_assign("fn." + name_space, entry);
  return snapshot;
}

std::shared_ptr<Endpoint> endpoint(const std::string& address, std::uint32_t in_flight) {
  auto one = std::make_shared<Endpoint>();
  one->address = address;
  one->in_flight = in_flight;
  return one;
}

TEST(FunctionTableTest, PicksTheReplicaWithTheFewestCallsAndGoesRoundAmongEquals) {
  net::Core core;
  FunctionTable table(core);
  table.update(one_function({endpoint("unix:/a", 2), endpoint("unix:/b", 1), endpoint("unix:/c", 2)}));
  const auto function = table.find("fn");
  ASSERT_TRUE(function);
  EXPECT_EQ(function->pick()->endpoint->address, "unix:/b");
  table.update(one_function({endpoint("unix:/a", 0), endpoint("unix:/b", 0)}));
  std::set<std::string> picked;
  for (int i = 0; i < 4; ++i) picked.insert(function->pick()->endpoint->address);
  EXPECT_EQ(picked.size(), 2U);
  table.update(one_function({}));
  EXPECT_EQ(function->pick(), nullptr);
}

TEST(FunctionTableTest, KnowsADefaultFunctionByBothNamesAndForgetsADeletedOne) {
  net::Core core;
  FunctionTable table(core);
  table.update(one_function({}));
  EXPECT_EQ(table.find("fn"), table.find("fn.openfaas-fn"));
  table.update(one_function({}, "other"));
  EXPECT_EQ(table.find("fn"), nullptr);
  EXPECT_NE(table.find("fn.other"), nullptr);
  table.update(Snapshot{});
  EXPECT_EQ(table.find("fn.other"), nullptr);
}

TEST(FunctionTableTest, LooksOnlyAtWhatChangedSinceTheSnapshotItHas) {
  net::Core core;
  FunctionTable table(core);
  auto first = one_function({endpoint("unix:/a", 0)});
  first.version = 7;
  table.update(first);
  const auto function = table.find("fn");
  auto second = one_function({});
  second.version = 8;
  second.changed = {"fn.openfaas-fn"};
  table.update(second);
  EXPECT_EQ(table.find("fn"), function) << "what was counted of it is kept";
  EXPECT_EQ(function->pick(), nullptr);
  auto third = second;
  third.version = 9;
  third.functions = {};
  table.update(third);
  EXPECT_EQ(table.find("fn"), nullptr);
  EXPECT_EQ(table.find("fn.openfaas-fn"), nullptr);
  auto missed = one_function({});  // one came between
  missed.version = 11;
  missed.changed = {};
  table.update(missed);
  EXPECT_NE(table.find("fn"), nullptr);
}

TEST(RoutesTest, EachIsDeclaredOnceAndSaysAllThereIsToSay) {
  std::set<std::pair<std::string_view, std::string_view>> seen;
  for (const auto& row : api_rows()) {
    EXPECT_TRUE(seen.insert({row.method, row.path}).second) << row.method << " " << row.path;
    EXPECT_NE(row.handler, nullptr) << row.path;
    EXPECT_FALSE(row.help.empty()) << row.path;
    EXPECT_FALSE(row.success.empty()) << row.path;
    const bool guarded = row.path.starts_with("/system") || row.path == "/metrics";
    EXPECT_EQ(row.login, guarded) << row.path;
  }
}

TEST(RoutesTest, ARouterFindsEachRowByBothSpellings) {
  const http::Router router(api_routes());
  for (const auto& row : api_rows()) {
    for (auto path : {std::string(row.path), std::string(row.also)}) {
      if (path.empty()) continue;
      if (const auto at = path.find("{name}"); at != std::string::npos) path.replace(at, 6, "x");
      const auto match = router.match(http::Method::other, row.method, path);
      ASSERT_NE(match.route, nullptr) << path;
      EXPECT_EQ(&api_rows()[static_cast<std::size_t>(match.route->id)], &row) << row.method << " " << path;
    }
  }
}

// The reference pages are printed by the program. To print them again: FAAS_WRITE_DOCS=1 gateway_test
// --gtest_filter='ReferencePage.*'
void compare_page(const std::string& name, const std::string& page) {
  const std::string path = FAAS_SOURCE_DIR "/docs/" + name;
  if (std::getenv("FAAS_WRITE_DOCS") != nullptr) std::ofstream(path) << page;
  std::ifstream file(path);
  const std::string written((std::istreambuf_iterator<char>(file)), {});
  EXPECT_EQ(written, page);
}

TEST(ReferencePage, SaysWhatTheProgramSays) {
  compare_page(
      "reference-gateway.md",
      "# faas-gateway: reference\n\nPrinted by the program's own tables; a test compares it. Routes and "
      "labels: [reference-gateway-api.md](reference-gateway-api.md).\n\n## Settings\n\n"
      "Each is a flag (`--port 8081`) or an environment variable of the same name. Durations are "
      "seconds or like `1m30s`.\n\n" +
          document_settings() + "\n## Metrics\n\n" + document_metrics());
}

TEST(ReferencePage, OfTheApiSaysWhatTheProgramSays) {
  compare_page(
      "reference-gateway-api.md",
      "# faas-gateway: reference of the API\n\nPrinted by the program's own tables; a test compares it. The "
      "same as "
      "an OpenAPI document: `/system/openapi.json`.\n\n## Routes\n\n" +
          document_routes() +
          "\nBesides: HEAD is GET without a body; OPTIONS is 204 with `Allow`; another method is 405 with "
          "`Allow`; "
          "below `/system` a stranger gets 401 whatever he asks for. Errors are one line of text. With "
          "`wait` a "
          "change that came true is answered with 200 and the status.\n\n## Labels\n\n" +
          document_labels() +
          "\nOther labels are kept and shown. A status has the label `faas_function` with the function's "
          "name "
          "in addition.\n\n## Annotations\n\nAll are kept and shown as they were sent; connectors read "
          "`topic` and `schedule` from them. None changes what the gateway does.\n");
}

}  // namespace
}  // namespace faas::gateway
