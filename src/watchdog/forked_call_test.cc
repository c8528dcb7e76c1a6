#include "watchdog/forked_call.h"

#include <gmock/gmock.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

namespace faas::watchdog {
namespace {

using namespace std::chrono_literals;

struct Outcome {
  std::optional<Error> start_error;
  std::optional<Error> output_error;
  std::string output;
  std::string errors;
  std::optional<process::ExitStatus> status;
  bool timed_out = false;
};

class ForkedCallTest : public ::testing::Test {
 protected:
  Forker& forker(std::string command) {
    ::signal(SIGPIPE, SIG_IGN);
    settings_.process = std::move(command);
    auto made = Forker::make(settings_, environ);
    forker_ = std::move(*made);
    return *forker_;
  }
  Outcome run(std::string command, ForkedCall::Start start = {}, const char* folder = "/tmp") {
    forker(std::move(command));
    start.environment = environ;
    core_.spawn(run_one(start, folder));
    core_.run();
    return std::move(outcome_);
  }
  Task<> run_one(ForkedCall::Start start, const char* folder) {
    {
      ForkedCall call(*forker_);
      co_await run_call(call, start, folder);
    }
    core_.stop();
  }
  Task<> run_call(ForkedCall& call, ForkedCall::Start start, const char* folder) {
    outcome_ = {};
    const auto started = call.start(start);
    if (!started) {
      outcome_.start_error = started.error();
      co_return;
    }
    Spool spool(folder);
    const auto kept = co_await call.whole_output(spool);
    if (!kept) outcome_.output_error = kept.error();
    if (kept) outcome_.output = beginning_of(spool, spool.size());
    outcome_.status = co_await call.finish();
    outcome_.errors = call.errors();
    outcome_.timed_out = call.timed_out();
  }

  Task<> give_up_and_wait() {
    {
      ForkedCall call(*forker_);
      const ForkedCall::Start start{.environment = environ};
      const auto ended = co_await net::within(run_call(call, start, "/tmp"), Clock::now() + 20ms);
      EXPECT_FALSE(ended);
    }
    siginfo_t info{};
    while (::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0) {
      co_await net::sleep_for(1ms);
    }
    EXPECT_EQ(errno, ECHILD);
    core_.stop();
  }

  net::Core core_;
  Settings settings_;
  std::unique_ptr<Forker> forker_;
  Outcome outcome_;
};

TEST_F(ForkedCallTest, InputGoesInAndOutputComesOut) {
  EXPECT_EQ(run("cat", {.input = "hello"}).output, "hello");
  EXPECT_EQ(run("cat").output, "");
  EXPECT_EQ(run("echo a  b").output, "a  b\n");
}

TEST_F(ForkedCallTest, MuchInputFlowsWhileOutputIsRead) {
  for (const std::size_t size : {4096U, 4097U, 65536U, 65537U, 900'000U}) {
    const std::string input(size, 'x');
    EXPECT_EQ(run("cat", {.input = input}).output, input) << size;
  }
}

TEST_F(ForkedCallTest, AProcessThatIgnoresItsInputSucceeds) {
  const std::string input(900'000, 'x');
  EXPECT_TRUE(run("true", {.input = input}).status->success());
  EXPECT_EQ(run("head -c 3", {.input = input}).output, "xxx");
}

TEST_F(ForkedCallTest, TellsHowItEnded) {
  EXPECT_EQ(run("false").status->text(), "exit status 1");
  EXPECT_EQ(run("/no/such").start_error->text, "fork/exec /no/such: no such file or directory");
}

TEST_F(ForkedCallTest, StandardErrorIsCombinedOrApart) {
  const auto* script = "/tmp/faas-forked-call-test.sh";
  auto* file = std::fopen(script, "we");
  std::fputs("#!/bin/sh\necho 1\necho 2 >&2\necho 3\n", file);
  ::fchmod(::fileno(file), 0755);
  std::fclose(file);
  EXPECT_EQ(run(script, {.errors = ForkedCall::Errors::combined}).output, "1\n2\n3\n");
  const auto apart = run(script, {.errors = ForkedCall::Errors::apart});
  EXPECT_EQ(apart.output, "1\n3\n");
  EXPECT_EQ(apart.errors, "2\n");
  ::unlink(script);
}

TEST_F(ForkedCallTest, AtItsDeadlineItIsKilled) {
  const auto outcome = run("sleep 60", {.deadline = Clock::now() + 50ms});
  EXPECT_TRUE(outcome.timed_out);
  EXPECT_EQ(outcome.status->text(), "signal: killed");
}

TEST_F(ForkedCallTest, AFileAsInputIsReadFromItsBeginning) {
  Spool spool("/tmp");
  const std::string input(3 * Spool::kMemoryBytesMax, 'x');
  ASSERT_TRUE(spool.append(input));
  EXPECT_EQ(run("cat", {.input_file = spool.file()}).output, input);
}

TEST_F(ForkedCallTest, AnOutputThatCannotBeKeptEndsTheProcess) {
  const auto outcome = run("yes", {}, "/no/such");
  EXPECT_THAT(outcome.output_error->text, ::testing::HasSubstr("TMPDIR (/no/such)"));
  EXPECT_FALSE(outcome.status->success());
}

TEST_F(ForkedCallTest, ACallThatIsGivenUpLeavesNobody) {
  forker("sleep 60");
  core_.spawn(give_up_and_wait());
  core_.run();
}

}  // namespace
}  // namespace faas::watchdog
