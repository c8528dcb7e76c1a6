#include "provider/local/local_provider.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>

#include "model/scale_labels.h"
#include "net/socket.h"

extern char** environ;

namespace faas::provider {
namespace {

using namespace std::chrono_literals;
using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;

// This test program doubles as the watchdog it starts: what it does then depends on the function's command.
// A connection is answered with the environment.
class PretendWatchdog {
 public:
  PretendWatchdog() {
    const char* socket_path = std::getenv("unix_socket");
    const char* ready_fd = std::getenv("ready_fd");
    if (socket_path == nullptr || ready_fd == nullptr) return;
    const std::string command = std::getenv("fprocess");
    if (command == "false") {
      std::fputs("2024/01/02 03:04:05 no such module\n", stderr);
      std::_Exit(3);
    }
    if (command == "sleep forever") ::pause();
    std::signal(
        SIGTERM, command == "true" ? SIG_IGN : [](int) { std::_Exit(0); });
    serve(socket_path, std::stoi(ready_fd));
  }

 private:
  [[noreturn]] static void serve(const char* path, int ready_fd) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    const int listener = ::socket(AF_UNIX, SOCK_STREAM, 0);
    if (::bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
        ::listen(listener, 8) != 0) {
      std::perror("bind");
      std::_Exit(1);
    }
    if (::write(ready_fd, "ready\n", 6) != 6) std::_Exit(1);
    ::close(ready_fd);
    for (;;) {
      const int connection = ::accept(listener, nullptr, nullptr);
      std::string answer = "uid=" + std::to_string(::geteuid()) + "\n";
      for (char** line = environ; *line != nullptr; ++line) answer += std::string(*line) + "\n";
      for (const auto* path_seen : {"/tmp/.faas", "/etc/passwd"}) {
        if (::access(path_seen, F_OK) == 0) answer += "sees " + std::string(path_seen) + "\n";
      }
      if (::write(connection, answer.data(), answer.size()) < 0) std::_Exit(1);
      ::close(connection);
    }
  }
};
const PretendWatchdog pretend_watchdog;

class Listener final : public SnapshotListener {
 public:
  explicit Listener(net::Core& core) : published(core) {}
  void publish(std::shared_ptr<const Snapshot> snapshot) override {
    last = std::move(snapshot);
    published.wake();
  }
  std::shared_ptr<const Snapshot> last;
  net::Event published;
};

Task<> wait_for(net::Event& event) {
  co_await event.wait();
}

class LocalProviderTest : public testing::Test {
 protected:
  LocalProviderTest() {
    char name[] = "/tmp/faas-local-XXXXXX";
    folder_ = ::mkdtemp(name);
    data_dir_ = folder_ + "/data";
  }
  ~LocalProviderTest() override {
    provider_ = nullptr;
    std::filesystem::remove_all(folder_);
  }

  Result<std::unique_ptr<LocalProvider>> opened() {
    return LocalProvider::open({.data_dir = data_dir_,
                                .watchdog_path = "/proc/self/exe",
                                .release = "1",
                                .sha = "2",
                                .isolate = isolate_,
                                .patience = {.drain_settle = 1ms, .drain_max = 1s, .grace = 200ms}},
                               listener_, core_);
  }

  // Runs the test's coroutine on the core, then shuts the provider down.
  void run(Task<> body) {
    core_.spawn(whole(std::move(body)));
    core_.run();
  }
  Task<> whole(Task<> body) {
    auto provider = opened();
    if (provider) {
      provider_ = std::move(*provider);
      provider_->start();
      const auto made = co_await provider_->create_namespace({.name = "ns", .labels = {}, .annotations = {}});
      EXPECT_TRUE(made || made.error().code == Code::already_exists);
      co_await std::move(body);
      co_await provider_->shutdown(1s);
      EXPECT_FALSE(std::filesystem::exists(data_dir_ + "/run")) << "nothing is left";
      provider_ = nullptr;
    } else {
      ADD_FAILURE() << provider.error().text;
    }
    core_.stop();
  }

  // Waits, event by event, until `function` is as wanted.
  Task<> until(std::string function, std::function<bool(const FunctionEntry*)> as_wanted) {
    const auto deadline = Clock::now() + 10s;
    for (;;) {
      const auto found = listener_.last->functions.find(function);
      if (as_wanted(found == listener_.last->functions.end() ? nullptr : found->second.get())) co_return;
      auto changed = wait_for(listener_.published);
      const bool in_time = co_await net::within(std::move(changed), deadline);
      if (in_time) continue;
      ADD_FAILURE() << function << " did not become as wanted";
      co_return;
    }
  }
  Task<> until_ready(std::size_t count) {
    co_await until("echo.ns",
                   [count](const FunctionEntry* entry) { return entry && entry->ready.size() == count; });
  }
  Task<> until_failed() {
    co_await until("echo.ns",
                   [](const FunctionEntry* entry) { return entry && !entry->why_not_ready.empty(); });
  }
  Task<std::string> ask(std::string address) {
    auto where = net::Address::parse(address);
    auto stream = co_await net::connect(*where);
    if (!stream) co_return stream.error().text;
    std::string answer;
    for (;;) {
      const auto n = co_await stream->read(buffer_);
      if (!n || *n == 0) co_return answer;
      answer.append(buffer_, *n);
    }
  }
  Task<Condition> condition() {
    auto status = co_await provider_->status({"echo", "ns"});
    co_return status->conditions.at(0);
  }
  std::string first_endpoint() { return listener_.last->functions.at("echo.ns")->ready.at(0)->address; }

  static FunctionSpec echo(const std::string& command) {
    FunctionSpec spec{.name = {"echo", "ns"}, .image = "host", .env_process = command};
    spec.labels.emplace();
    return spec;
  }

  char buffer_[4096];
  net::Core core_;
  Listener listener_{core_};
  std::string folder_;
  std::string data_dir_;
  bool isolate_ = true;
  std::unique_ptr<LocalProvider> provider_;

  Task<> serves();
  Task<> tells_failures();
  Task<> updates_and_scales();
  Task<> refuses();
  Task<> kills();
};

Task<> LocalProviderTest::serves() {
  auto spec = echo("cat");
  spec.env_vars = {{"greeting", "hello"}};
  const auto deployed = co_await provider_->deploy(spec);
  EXPECT_TRUE(deployed);
  co_await until_ready(1);
  const auto answer = co_await ask(first_endpoint());
  EXPECT_THAT(answer, AllOf(HasSubstr("greeting=hello\n"), HasSubstr("fprocess=cat\n"),
                            HasSubstr("OPENFAAS_NAME=echo\n"), HasSubstr("OPENFAAS_NAMESPACE=ns\n"),
                            HasSubstr("HOME=/tmp\n"), HasSubstr("sees /etc/passwd")));
  const auto info = co_await provider_->info();
  const bool isolated = info->orchestration == "processes";
  if (isolated && ::geteuid() == 0) {
    EXPECT_THAT(answer, HasSubstr("uid=65534\n"));
  }
  EXPECT_EQ(answer.find("listen_tcp=false\n") == std::string::npos, isolated);
  const auto listed = co_await provider_->list("ns");
  EXPECT_EQ(listed->size(), 1u);
  EXPECT_EQ(listed->at(0).available_replicas, 1u);
  EXPECT_EQ(listed->at(0).spec.labels->at("faas_function"), "echo");
  const auto other = co_await provider_->list("");
  EXPECT_THAT(*other, IsEmpty());
}

TEST_F(LocalProviderTest, ADeployedFunctionServesItsCallsOnASocket) {
  run(serves());
}

TEST_F(LocalProviderTest, WithoutIsolationItServesAsWell) {
  isolate_ = false;
  run(serves());
}

Task<> LocalProviderTest::tells_failures() {
  const auto missing = co_await provider_->deploy(echo("no-such-program"));
  EXPECT_TRUE(missing);
  co_await until_failed();
  const auto not_found = co_await condition();
  EXPECT_EQ(not_found.reason, "CommandNotFound");
  EXPECT_THAT(not_found.message, HasSubstr("exec: \"no-such-program\": executable file not found in $PATH"));

  const auto script = folder_ + "/script";
  const auto absent = co_await provider_->update(echo(script));
  EXPECT_TRUE(absent);
  co_await until_failed();
  const auto no_file = co_await condition();
  EXPECT_EQ(no_file.reason, "CommandNotFound");
  EXPECT_THAT(no_file.message, HasSubstr("fork/exec " + script + ": no such file or directory"));
  std::ofstream(script) << "#!/bin/sh\n";
  const auto plain = co_await provider_->update(echo(script));
  EXPECT_TRUE(plain);
  co_await until_failed();
  const auto no_right = co_await condition();
  EXPECT_THAT(no_right.message, HasSubstr("fork/exec " + script + ": permission denied"));

  const auto crashing = co_await provider_->update(echo("false"));
  EXPECT_TRUE(crashing);
  co_await until_failed();
  const auto crash = co_await condition();
  EXPECT_EQ(crash.reason, "CrashLoop");
  EXPECT_THAT(crash.message, HasSubstr("exit status 3: no such module"));

  const auto repaired = co_await provider_->update(echo("cat"));
  EXPECT_TRUE(repaired);
  co_await until_ready(1);
}

TEST_F(LocalProviderTest, AStatusSaysWhyAFunctionDoesNotRun) {
  run(tells_failures());
}

Task<> LocalProviderTest::updates_and_scales() {
  auto spec = echo("cat");
  spec.labels->emplace(kScaleMinLabel, "2");
  spec.labels->emplace(kScaleMaxLabel, "3");
  const auto deployed = co_await provider_->deploy(spec);
  EXPECT_TRUE(deployed);
  co_await until_ready(2);
  const auto again = co_await provider_->deploy(spec);
  EXPECT_EQ(again.error().code, Code::already_exists);

  const auto scaled = co_await provider_->scale(spec.name, 50);
  EXPECT_TRUE(scaled);
  co_await until_ready(3);
  spec.labels->insert_or_assign(std::string(kScaleMaxLabel), "2");
  const auto before = first_endpoint();
  const auto updated = co_await provider_->update(spec);
  EXPECT_TRUE(updated);
  co_await until("echo.ns", [&before](const FunctionEntry* entry) {
    return entry->ready.size() == 2 && entry->ready.at(0)->address != before;
  });
  const auto stopped = co_await provider_->scale(spec.name, 0);
  EXPECT_TRUE(stopped);
  co_await until_ready(0);
  const auto asleep = co_await condition();
  EXPECT_EQ(asleep.reason, "ScaledToZero");
  const auto removed = co_await provider_->remove(spec.name);
  EXPECT_TRUE(removed);
  const auto gone = co_await provider_->status(spec.name);
  EXPECT_EQ(gone.error().code, Code::not_found);
}

TEST_F(LocalProviderTest, ReplicasFollowScalingWithinTheirLabels) {
  run(updates_and_scales());
}

Task<> LocalProviderTest::refuses() {
  const auto no_command = co_await provider_->deploy(echo(""));
  EXPECT_THAT(no_command.error().text, HasSubstr("envProcess"));
  auto spec = echo("cat");
  spec.secrets = {"key"};
  const auto no_secret = co_await provider_->deploy(spec);
  EXPECT_EQ(no_secret.error().text, "secrets: secret not found: key in namespace ns");
  EXPECT_EQ(no_secret.error().code, Code::invalid);
  const auto unknown = co_await provider_->update(echo("cat"));
  EXPECT_EQ(unknown.error().code, Code::not_found);
  const auto nothing = co_await provider_->scale({"x", "ns"}, 1);
  EXPECT_EQ(nothing.error().text, "function not found: x.ns");
  const auto second = opened();
  EXPECT_THAT(second.error().text, HasSubstr("is in use by process"));
}

TEST_F(LocalProviderTest, WhatCannotRunIsRefusedWithItsReason) {
  run(refuses());
}

Task<> LocalProviderTest::kills() {
  const auto stubborn = co_await provider_->deploy(echo("true"));
  EXPECT_TRUE(stubborn);
  co_await until_ready(1);
  auto silent = echo("sleep forever");
  silent.name.name = "silent";
  const auto deployed = co_await provider_->deploy(silent);
  EXPECT_TRUE(deployed);
}

TEST_F(LocalProviderTest, ShuttingDownEndsAlsoWhatDoesNotListen) {
  run(kills());  // and not only when the sleep is over
}

TEST_F(LocalProviderTest, WhatWasDeployedStartsAgainAndLeftoversAreRemoved) {
  run(serves());
  std::filesystem::create_directories(data_dir_ + "/run/dead");
  std::ofstream(data_dir_ + "/run/dead/s") << "x";
  listener_.last = nullptr;
  run(until_ready(1));
}

TEST_F(LocalProviderTest, ATooLongFolderIsRefusedClearly) {
  data_dir_ = folder_ + "/" + std::string(90, 'd');
  EXPECT_THAT(opened().error().text, HasSubstr("the kernel's limit for the path of a Unix socket"));
}

}  // namespace
}  // namespace faas::provider
