#include "provider/store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>

#include "provider/data_dir.h"

namespace faas::provider {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class Folder {
 public:
  Folder() {
    char name[] = "/tmp/faas-store-XXXXXX";
    path = ::mkdtemp(name);
  }
  ~Folder() { std::filesystem::remove_all(path); }
  std::string path;
};

FunctionSpec spec(const std::string& name, const std::string& process = "cat") {
  return {.name = {name, "openfaas-fn"}, .image = "host", .env_process = process};
}

class StoreTest : public testing::Test {
 protected:
  std::string file() const { return folder_.path + "/functions.db"; }
  std::unique_ptr<Store> opened() {
    auto store = Store::open(file());
    EXPECT_TRUE(store) << store.error().text;
    return store ? std::move(*store) : nullptr;
  }
  std::string refusal() {
    auto store = Store::open(file());
    return store ? "opened" : store.error().text;
  }
  Folder folder_;
};

TEST_F(StoreTest, WhatWasStoredIsThereAfterwards) {
  FunctionRecord made;
  {
    auto store = opened();
    made = *store->insert(spec("b"), 3);
    ASSERT_TRUE(store->insert(spec("a"), 1));
  }
  const auto contents = opened()->load();
  ASSERT_TRUE(contents);
  ASSERT_EQ(contents->functions.size(), 2u);
  const auto& b = contents->functions[1];
  EXPECT_EQ(b.spec, spec("b"));
  EXPECT_EQ(b.replicas, 3u);
  EXPECT_EQ(b.revision, made.revision);
  EXPECT_EQ(b.created_at, made.created_at);
}

TEST_F(StoreTest, AFunctionIsMadeOnceAndReplacedWithANewRevision) {
  auto store = opened();
  const auto first = *store->insert(spec("a"), 1);
  EXPECT_EQ(store->insert(spec("a"), 1).error().code, Code::already_exists);
  const auto second = *store->replace(spec("a", "tac"), 4);
  EXPECT_GT(second.revision, first.revision);
  EXPECT_EQ(second.created_at, first.created_at);
  EXPECT_EQ(store->load()->functions[0].spec.env_process, "tac");
  EXPECT_EQ(store->replace(spec("b"), 1).error().code, Code::not_found);
  EXPECT_EQ(store->load()->functions.size(), 1u);
}

TEST_F(StoreTest, ARevisionIsNeverUsedTwice) {
  auto store = opened();
  const auto first = *store->insert(spec("a"), 1);
  ASSERT_TRUE(store->remove(spec("a").name));
  store = nullptr;
  store = opened();
  EXPECT_GT(store->insert(spec("a"), 1)->revision, first.revision);
}

TEST_F(StoreTest, TheLastVersionThatWasReadyIsKeptUntilALaterOneIs) {
  auto store = opened();
  const auto first = *store->insert(spec("a", "one"), 1);
  EXPECT_FALSE(first.proven);
  EXPECT_FALSE(store->replace(spec("a", "two"), 1)->good) << "the first never was ready";
  const auto third = *store->replace(spec("a", "three"), 1);
  ASSERT_TRUE(store->set_proven(third.spec.name, third.revision));
  ASSERT_TRUE(store->set_proven(third.spec.name, first.revision)) << "too late: ignored";
  ASSERT_TRUE(store->replace(spec("a", "four"), 1));
  EXPECT_EQ(store->replace(spec("a", "five"), 1)->good->spec.env_process, "three");
  store = nullptr;
  store = opened();
  const auto kept = store->load()->functions.at(0);
  EXPECT_EQ(kept.spec.env_process, "five");
  EXPECT_FALSE(kept.proven);
  ASSERT_TRUE(kept.good);
  EXPECT_EQ(kept.good->revision, third.revision);
  ASSERT_TRUE(store->set_proven(kept.spec.name, kept.revision));
  EXPECT_TRUE(store->load()->functions.at(0).proven);
  EXPECT_FALSE(store->load()->functions.at(0).good);
}

TEST_F(StoreTest, NamespacesAreKeptAndTheDefaultOneIsThereFromTheStart) {
  auto store = opened();
  const NamespaceSpec prod{.name = "prod", .labels = {{{"team", "x"}}}, .annotations = {}};
  ASSERT_TRUE(store->put_namespace(prod));
  ASSERT_TRUE(store->put_namespace({.name = "dev", .labels = {}, .annotations = {}}));
  ASSERT_TRUE(store->remove_namespace("dev"));
  store = nullptr;
  store = opened();
  const auto namespaces = store->load()->namespaces;
  ASSERT_EQ(namespaces.size(), 2u);
  EXPECT_EQ(namespaces[0].name, kDefaultNamespace);
  EXPECT_EQ(namespaces[1], prod);
}

TEST_F(StoreTest, AFileOfTheFirstSchemaIsBroughtUpToDate) {
  sqlite3* database = nullptr;
  ASSERT_EQ(sqlite3_open(file().c_str(), &database), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(database,
                         "CREATE TABLE functions (name TEXT NOT NULL, namespace TEXT NOT NULL, spec TEXT NOT "
                         "NULL, replicas INTEGER NOT NULL, revision INTEGER NOT NULL, created_at INTEGER NOT "
                         "NULL, PRIMARY KEY (name, namespace)) WITHOUT ROWID;"
                         "CREATE TABLE counters (revision INTEGER NOT NULL); INSERT INTO counters VALUES (7);"
                         "INSERT INTO functions VALUES ('a', 'prod', "
                         "'{\"service\":\"a\",\"namespace\":\"prod\",\"image\":\"host\"}', 2, 7, 1);"
                         "PRAGMA user_version = 1",
                         nullptr, nullptr, nullptr),
            SQLITE_OK);
  sqlite3_close(database);
  const auto contents = *opened()->load();
  ASSERT_EQ(contents.functions.size(), 1u);
  EXPECT_EQ(contents.functions[0].replicas, 2u);
  ASSERT_EQ(contents.namespaces.size(), 2u);
  EXPECT_EQ(contents.namespaces[1].name, "prod");
}

TEST_F(StoreTest, ReplicasAreSetAndUnknownNamesAreNotFound) {
  auto store = opened();
  ASSERT_TRUE(store->insert(spec("a"), 1));
  ASSERT_TRUE(store->set_replicas(spec("a").name, 0));
  EXPECT_EQ(store->load()->functions[0].replicas, 0u);
  EXPECT_EQ(store->set_replicas({"a", "other"}, 1).error().text, "function not found: a.other");
  EXPECT_EQ(store->remove({"b", "openfaas-fn"}).error().code, Code::not_found);
}

TEST_F(StoreTest, AnythingTheSpecHoldsComesBack) {
  auto store = opened();
  auto odd = spec("odd", "printf 'a\"b\\c\n\xf0\x9f\x98\x80'; -- DROP TABLE functions");
  odd.env_vars = {{"A", ""}, {"B", "\x01"}};
  odd.labels.emplace();
  ASSERT_TRUE(store->insert(odd, 1));
  EXPECT_EQ(store->load()->functions[0].spec, odd);
}

TEST_F(StoreTest, WhatReturnedSurvivesKillMinus9) {
  int pipe_fds[2];
  ASSERT_EQ(::pipe(pipe_fds), 0);
  const auto child = ::fork();
  if (child == 0) {
    auto store = Store::open(file());
    for (int i = 0; store; ++i) {
      if (!(*store)->insert(spec("f" + std::to_string(i)), 1)) break;
      if (::write(pipe_fds[1], &i, sizeof i) != sizeof i) break;
    }
    ::_exit(1);
  }
  int last = -1;
  while (last < 50 && ::read(pipe_fds[0], &last, sizeof last) == sizeof last) continue;
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  ::close(pipe_fds[1]);
  while (::read(pipe_fds[0], &last, sizeof last) == sizeof last) continue;
  ::close(pipe_fds[0]);

  ASSERT_GE(last, 50);
  EXPECT_GE(opened()->load()->functions.size(), static_cast<std::size_t>(last) + 1);
}

TEST_F(StoreTest, NobodyElseReadsTheFile) {
  auto store = opened();
  ASSERT_TRUE(store->insert(spec("a"), 1));
  for (const auto* suffix : {"", "-wal", "-shm"}) {
    const auto mode = std::filesystem::status(file() + suffix).permissions();
    EXPECT_EQ(mode, std::filesystem::perms(0600)) << suffix;
  }
}

TEST_F(StoreTest, AFileThatIsNoDatabaseIsNamed) {
  std::ofstream(file()) << std::string(8192, 'x');
  EXPECT_THAT(refusal(), AllOf(HasSubstr(file()), HasSubstr("not a database")));
}

TEST_F(StoreTest, ADamagedPageIsFoundAtTheStart) {
  {
    auto store = opened();
    for (int i = 0; i < 200; ++i) ASSERT_TRUE(store->insert(spec("f" + std::to_string(i)), 1));
  }
  std::fstream damaged(file(), std::ios::in | std::ios::out | std::ios::binary);
  damaged.seekp(4096);
  damaged << std::string(8192, '\xff');
  damaged.close();
  EXPECT_THAT(refusal(), HasSubstr(file()));
}

TEST_F(StoreTest, AFileThatCannotBeOpenedIsNamed) {
  std::filesystem::create_directory(file());
  EXPECT_THAT(refusal(), AllOf(HasSubstr(file()), HasSubstr("unable to open")));
}

void run_sql(const std::string& file, const char* sql) {
  sqlite3* database = nullptr;
  ASSERT_EQ(sqlite3_open(file.c_str(), &database), SQLITE_OK);
  EXPECT_EQ(sqlite3_exec(database, sql, nullptr, nullptr, nullptr), SQLITE_OK);
  sqlite3_close(database);
}

TEST_F(StoreTest, ANewerSchemaIsLeftAlone) {
  ASSERT_TRUE(opened());
  run_sql(file(), "PRAGMA user_version = 99");
  EXPECT_THAT(refusal(), AllOf(HasSubstr(file()), HasSubstr("newer version")));
}

TEST_F(StoreTest, AFunctionThatTodaysRulesRefuseIsNamedAndTheOthersWork) {
  {
    auto store = opened();
    ASSERT_TRUE(store->insert(spec("a"), 1));
    ASSERT_TRUE(store->insert(spec("b"), 1));
  }
  run_sql(file(), "UPDATE functions SET spec = '{\"service\":\"a\"}' WHERE name = 'a'");
  auto store = opened();
  const auto contents = store->load();
  ASSERT_TRUE(contents);
  EXPECT_EQ(contents->functions.size(), 1u);
  EXPECT_THAT(contents->unreadable,
              testing::ElementsAre(HasSubstr("function a.openfaas-fn: image is required")));
  EXPECT_TRUE(store->replace(spec("a"), 1)) << "an update repairs it";
}

TEST_F(StoreTest, AFullDiskIsAnErrorAndNotTheEnd) {
  auto store = opened();
  ASSERT_TRUE(store->insert(spec("a"), 1));
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  auto small = before;
  small.rlim_cur = 64 * 1024;
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  auto large = spec("large");
  large.env_vars["A"] = std::string(100 * 1024, 'x');

  const auto refused = store->insert(large, 1);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);

  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().text, HasSubstr(file()));
  EXPECT_TRUE(store->insert(large, 1)) << "there is room again";
}

TEST(DataDirTest, ASecondProcessIsRefusedByName) {
  Folder folder;
  const auto path = folder.path + "/deep/data";
  auto first = DataDir::open(path);
  ASSERT_TRUE(first) << first.error().text;

  const auto second = DataDir::open(path);

  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().text, "data_dir " + path + " is in use by process " + std::to_string(::getpid()) +
                                     ": stop it, or choose another data_dir");
  first = Error{};
  EXPECT_TRUE(DataDir::open(path));
}

TEST(DataDirTest, ItsPathIsAbsoluteAndAFolder) {
  EXPECT_EQ(DataDir::open("data").error().text, "data_dir \"data\" must be an absolute path");
  EXPECT_THAT(DataDir::open("/dev/null/x").error().text, HasSubstr("data_dir /dev/null/x"));
}

}  // namespace
}  // namespace faas::provider
