#include "process/orphans.h"

#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <functional>
#include <optional>

#include "process/run_in_test.h"

namespace faas::process {
namespace {

class Orphans : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_EQ(::prctl(PR_SET_CHILD_SUBREAPER, 1), 0); }
  void TearDown() override { ::prctl(PR_SET_CHILD_SUBREAPER, 0); }
};

/// Starts `script`, whose first line of output is the pid of what it leaves behind.
struct Left {
  explicit Left(const std::string& script) : finished(shell(script)), pid(std::stoi(finished.output)) {}
  Finished finished;
  pid_t pid;
};

bool waited_until_gone(pid_t pid) {
  net::Core core;
  bool result = false;
  run_on(core, gone(pid, result));
  return result;
}

TEST_F(Orphans, AreReapedWhenTheyEnd) {
  const int code = while_reaping_orphans([] {
    const Left left("(echo $$; sleep 0.05) >/dev/null & echo $!; exit 3");
    EXPECT_EQ(left.finished.status->code, 3) << "the parent's end is ours to know";
    EXPECT_TRUE(waited_until_gone(left.pid));
    return 7;
  });
  EXPECT_EQ(code, 7);
}

// The one that waits for its owner is the first that waitid() shows.
TEST_F(Orphans, AreReapedBesideAChildOfOurOwnThatHasEnded) {
  (void)while_reaping_orphans([] {
    const char* const argv[] = {"sh", "-c", "exit 5", nullptr};
    auto own = spawn({.program = "sh", .argv = argv});
    EXPECT_TRUE(own);
    siginfo_t info{};
    ::waitid(P_PID, static_cast<id_t>(own->pid()), &info, WEXITED | WNOWAIT);

    for (int i = 0; i < 3; ++i) {
      const Left left("(sleep 0.05) >/dev/null & echo $!");
      EXPECT_TRUE(waited_until_gone(left.pid));
    }
    EXPECT_EQ(own->ended()->code, 5) << "nobody has taken its status away";
    return 0;
  });
}

TEST_F(Orphans, ThatEndTogetherAreAllReaped) {
  (void)while_reaping_orphans([] {
    const Left left("for i in 1 2 3 4 5 6 7 8 9 10 11 12; do sleep 0.05 >/dev/null & done; echo $!");
    EXPECT_TRUE(waited_until_gone(left.pid));
    for (auto pid = left.pid - 11; pid < left.pid; ++pid) EXPECT_TRUE(waited_until_gone(pid)) << pid;
    return 0;
  });
}

TEST(OrdinaryProcess, RunsTheWorkOnItsOwnThread) {
  ASSERT_FALSE(adopts_orphans());
  const auto here = ::pthread_self();
  EXPECT_EQ(while_reaping_orphans([here] { return ::pthread_equal(here, ::pthread_self()) != 0 ? 1 : 0; }),
            1);
}

}  // namespace
}  // namespace faas::process
