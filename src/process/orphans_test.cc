#include "process/orphans.h"

#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "process/run_in_test.h"

namespace faas::process {
namespace {

bool has_children() {
  siginfo_t info{};
  return ::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

Task<> reap_until_nobody_is_left(bool& nobody) {
  const auto limit = Clock::now() + std::chrono::seconds(5);
  while ((nobody = !has_children()) == false && Clock::now() < limit) {
    reap_orphans();
    co_await net::sleep_for(std::chrono::milliseconds(1));
  }
}

TEST(Orphans, AreReapedOnceTheyEndAndOurOwnAreLeftToTheirOwners) {
  ASSERT_EQ(::prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
  adopt_orphans();
  const auto parent = shell("sleep 0.05 >/dev/null 2>&1 & exit 3");
  EXPECT_EQ(parent.status->code, 3);
  EXPECT_TRUE(has_children()) << "the sleep is ours now";

  net::Core core;
  const char* const argv[] = {"true", nullptr};
  auto own = spawn({.program = "true", .argv = argv});
  ASSERT_TRUE(own);
  siginfo_t info{};
  ::waitid(P_PID, static_cast<id_t>(own->pid()), &info, WEXITED | WNOWAIT);
  reap_orphans();
  EXPECT_TRUE(own->ended()->success()) << "nobody has taken its status away";
  *own = Child();

  bool nobody = false;
  run_on(core, reap_until_nobody_is_left(nobody));
  EXPECT_TRUE(nobody);
  ::prctl(PR_SET_CHILD_SUBREAPER, 0);
}

}  // namespace
}  // namespace faas::process
