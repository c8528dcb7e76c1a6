#include "process/isolation.h"

#include <dirent.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "process/run_in_test.h"

namespace faas::process {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

// With and without a user namespace: what root does, and what everybody else does.
class Sandbox : public ::testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    if (GetParam()) {
      isolation_.user = true;
      if (shell("true", {.isolation = &isolation_}).error) GTEST_SKIP() << "no user namespaces here";
    } else if (::geteuid() != 0) {
      GTEST_SKIP() << "not root";
    }
    char name[] = "/var/tmp/faas-isolation-XXXXXX";
    folder_ = ::mkdtemp(name);
    ::chmod(folder_.c_str(), 0755);
  }
  void TearDown() override {
    if (folder_.empty()) return;
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  std::string make_folder(const std::string& name) const {
    const auto path = folder_ + "/" + name;
    ::mkdir(path.c_str(), 0755);
    return path;
  }
  Finished inside(const std::string& script) const {
    auto finished = shell(script, {.isolation = &isolation_});
    if (finished.error) ADD_FAILURE() << finished.error->text;
    return finished;
  }

  Isolation isolation_;
  std::string folder_;
};
INSTANTIATE_TEST_SUITE_P(AsRoot, Sandbox, ::testing::Values(false));
INSTANTIATE_TEST_SUITE_P(InAUserNamespace, Sandbox, ::testing::Values(true));

TEST_P(Sandbox, HasAPlaceForABindWhereTheTreeLacksOne) {
  const auto given = make_folder("given");
  std::ofstream(given + "/file") << "bytes";
  const auto host = make_folder("host");
  ::mkdir((host + "/folder").c_str(), 0755);
  std::ofstream(host + "/folder/old") << "old";
  std::ofstream(host + "/plain") << "plain";
  std::filesystem::create_symlink("folder/old", host + "/link");
  const auto missing = host + "/new/place";
  isolation_.mount_points = {missing};
  isolation_.binds = {{.host = given, .inside = missing, .read_only = true}};
  const auto finished =
      inside("cd " + host +
             "; echo *; cat new/place/file link plain; for f in x new/x new/place/x folder/x; do "
             "(echo > $f) 2>/dev/null && echo wrote $f; done; true");
  EXPECT_EQ(finished.output, "folder link new plain\nbytesoldplain");
  EXPECT_FALSE(std::filesystem::exists(host + "/new")) << "the machine's own folder is left alone";
}

TEST_P(Sandbox, APlaceThatIsThereNeedsNoMaking) {
  const auto given = make_folder("given");
  std::ofstream(given + "/file") << "bytes";
  const auto host = make_folder("host");
  std::ofstream(host + "/covered") << "x";
  isolation_.mount_points = {host};
  isolation_.binds = {{.host = given, .inside = host, .read_only = true}};
  EXPECT_EQ(inside("cd " + host + "; echo *; cat file").output, "file\nbytes");
}

TEST_P(Sandbox, WhatIsHiddenBelowARemadeFolderStaysHidden) {
  const auto host = make_folder("host");
  const auto secret = make_folder("host/secret");
  std::ofstream(secret + "/file") << "bytes";
  isolation_.mount_points = {host + "/new"};
  isolation_.hidden = {secret};
  EXPECT_EQ(inside("cat " + secret + "/file 2>/dev/null; ls " + host).output, "new\nsecret\n");
}

TEST_P(Sandbox, SeesOnlyItsOwnProcesses) {
  const auto finished = inside("echo $$; cd /proc; echo [0-9]*");
  EXPECT_EQ(finished.output, "1\n1\n");
}

TEST_P(Sandbox, CannotWriteToTheHost) {
  const auto path = folder_ + "/file";
  const auto finished =
      inside("echo x > " + path +
             "; echo x > /etc/faas-test; mkdir /usr/faas-test; echo x > /proc/sys/kernel/domainname");
  EXPECT_THAT(finished.output, HasSubstr("Read-only file system"));
  EXPECT_NE(::access(path.c_str(), F_OK), 0);
  EXPECT_NE(::access("/etc/faas-test", F_OK), 0);
  EXPECT_NE(::access("/usr/faas-test", F_OK), 0);
}

TEST_P(Sandbox, HasATmpOfItsOwn) {
  std::ofstream("/tmp/faas-isolation-outside") << "x";
  const auto finished =
      inside("ls -A /tmp; echo y > /tmp/faas-isolation-inside && cat /tmp/faas-isolation-inside");
  EXPECT_EQ(finished.output, "y\n");
  EXPECT_NE(::access("/tmp/faas-isolation-inside", F_OK), 0);
  ::unlink("/tmp/faas-isolation-outside");
}

TEST_P(Sandbox, HasAWorkingLoopbackAndNoOtherInterface) {
  EXPECT_EQ(inside("tail -n +3 /proc/net/dev | cut -d: -f1 | tr -d ' '").output, "lo\n");
  EXPECT_EQ(inside("grep -c '127.0.0.1' /proc/net/fib_trie | sed 's/[1-9].*/up/'").output, "up\n");
}

TEST_P(Sandbox, HiddenFoldersAreEmptyAndCannotBeListed) {
  const auto data = make_folder("data");
  std::ofstream(data + "/secret") << "x";
  isolation_.hidden = {data};
  EXPECT_THAT(inside("ls " + data).output, HasSubstr("Permission denied"));
  EXPECT_THAT(inside("cat " + data + "/secret").output, HasSubstr("No such file"));
  EXPECT_NE(inside("echo x > " + data + "/new").status->code, 0);
}

TEST_P(Sandbox, WritableFoldersAreTheHosts) {
  const auto data = make_folder("data");
  const auto socket = make_folder("data/socket");
  isolation_.hidden = {data};
  isolation_.writable = {socket};
  const auto finished = inside("echo hello > " + socket + "/from-inside; ls " + data);
  EXPECT_THAT(finished.output, HasSubstr("Permission denied"));
  std::string word;
  std::ifstream(socket + "/from-inside") >> word;
  EXPECT_EQ(word, "hello");
}

TEST_P(Sandbox, BindsShowAFolderUnderAnotherName) {
  const auto data = make_folder("data");
  std::ofstream(data + "/file") << "bound\n";
  isolation_.binds = {{.host = data, .inside = "/tmp/deep/er", .read_only = true}};
  EXPECT_EQ(inside("cat /tmp/deep/er/file").output, "bound\n");
  EXPECT_THAT(inside("echo x > /tmp/deep/er/file").output, HasSubstr("Read-only file system"));
}

TEST_P(Sandbox, HasNoCapabilitiesAndCannotGainAny) {
  const auto finished = inside("grep -E '^(Cap|NoNewPrivs)' /proc/self/status | tr -d '\\t'");
  EXPECT_EQ(finished.output,
            "CapInh:0000000000000000\nCapPrm:0000000000000000\nCapEff:0000000000000000\n"
            "CapBnd:0000000000000000\nCapAmb:0000000000000000\nNoNewPrivs:1\n");
  EXPECT_NE(inside("mount -t tmpfs none /mnt").status->code, 0);
  EXPECT_NE(inside("umount /proc").status->code, 0);
}

TEST_P(Sandbox, HasOnlyHarmlessDevices) {
  const auto finished = inside(
      "cd /dev; echo *; echo x > null; head -c 2 zero | od -An -tx1; echo y > shm/y && cat shm/y; touch new");
  EXPECT_THAT(finished.output,
              StartsWith("fd full null random shm stderr stdin stdout urandom zero\n 00 00\ny\n"));
  EXPECT_THAT(finished.output, HasSubstr("Read-only file system"));
}

TEST_P(Sandbox, CanBeSomebodyElse) {
  isolation_.run_as = RunAs{.uid = 1234, .gid = 1235};
  EXPECT_EQ(inside("id -u; id -g").output, "1234\n1235\n");
}

TEST_P(Sandbox, ItsOwnDeathTakesItsDescendantsAlong) {
  // setsid leaves the group; a pid namespace has no way out.
  const auto finished = inside("setsid sleep 61.25 & exit 0");
  EXPECT_TRUE(finished.status->success());
  const auto left = shell(
      "for p in /proc/[0-9]*; do tr '\\0' ' ' < $p/cmdline; echo; done 2>/dev/null | grep '^sleep 61.25'");
  EXPECT_EQ(left.output, "");
}

TEST_P(Sandbox, RunsAProgramOfTheHostInAFolderThatHasNothingElse) {
  const auto root = make_folder("root");
  for (const auto* name : {"proc", "tmp", "dev"}) make_folder(std::string("root/") + name);
  isolation_.root = root;
  isolation_.binds = {{.host = "/bin", .inside = "/bin"}};
  // A folder that the root lacks and that cannot be made in it is an error that names it.
  const auto missing = shell("true", {.isolation = &isolation_});
  ASSERT_TRUE(missing.error);
  EXPECT_EQ(missing.error->text, "isolation: bind /bin: no such file or directory");

  make_folder("root/etc");
  std::ofstream(root + "/etc/name") << "of the image";
  for (const auto* name : {"bin", "lib", "lib64", "usr"}) make_folder(std::string("root/") + name);
  isolation_.binds = {{.host = "/bin", .inside = "/bin"},
                      {.host = "/lib", .inside = "/lib"},
                      {.host = "/lib64", .inside = "/lib64"},
                      {.host = "/usr", .inside = "/usr"}};
  EXPECT_EQ(inside("pwd; cat /etc/name; echo; cd /proc; echo [0-9]*; cd /; echo *; ls -a ..").output,
            "/\nof the image\n1\nbin dev etc lib lib64 proc tmp "
            "usr\n.\n..\nbin\ndev\netc\nlib\nlib64\nproc\ntmp\nusr\n");
  EXPECT_THAT(inside("echo x > /etc/new").output, HasSubstr("Read-only file system"));
}

TEST_P(Sandbox, ASymlinkInTheRootCannotLeadAMountToTheHost) {
  const auto root = make_folder("root");
  const auto target = make_folder("target");
  for (const auto* name : {"bin", "lib", "lib64", "usr"}) make_folder(std::string("root/") + name);
  ASSERT_EQ(::symlink(target.c_str(), (root + "/out").c_str()), 0);
  isolation_.root = root;
  isolation_.writable = {};
  isolation_.binds = {{.host = "/usr", .inside = "/out/planted"}};
  EXPECT_TRUE(shell("true", {.isolation = &isolation_}).error);
  EXPECT_NE(::access((target + "/planted").c_str(), F_OK), 0);
}

TEST_P(Sandbox, LeavesNoMountOnTheHost) {
  const auto mounts = shell("cat /proc/self/mountinfo").output;
  isolation_.hidden = {folder_};
  for (int i = 0; i < 20; ++i) inside("true");
  isolation_.hidden = {folder_};
  isolation_.binds = {{.host = "/no/such/folder", .inside = "/tmp/x"}};
  const auto failing = shell("true", {.isolation = &isolation_});
  ASSERT_TRUE(failing.error);
  EXPECT_EQ(failing.error->text, "isolation: open_tree /no/such/folder: no such file or directory");
  EXPECT_EQ(shell("cat /proc/self/mountinfo").output, mounts);
  EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1) << "no child is left";
}

TEST_P(Sandbox, AProgramThatIsNotThereReadsLikeOutside) {
  EXPECT_EQ(run({"/no/such"}, {.isolation = &isolation_}).error->text,
            "fork/exec /no/such: no such file or directory");
}

TEST(ProbeIsolation, SaysWhatWorksOrWhyNot) {
  const auto support = probe_isolation();
  if (support.possible) {
    const Isolation isolation{.user = support.user};
    EXPECT_FALSE(shell("true", {.isolation = &isolation}).error);
  } else {
    EXPECT_THAT(support.reason, StartsWith("isolation: "));
  }
}

}  // namespace
}  // namespace faas::process
