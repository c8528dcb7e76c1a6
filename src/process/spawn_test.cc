#include "process/spawn.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <linux/close_range.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

#include "process/run_in_test.h"

namespace faas::process {
namespace {

using ::testing::ElementsAre;

class Folder final {
 public:
  Folder() {
    char name[] = "/tmp/faas-spawn-XXXXXX";
    path_ = ::mkdtemp(name);
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  [[nodiscard]] std::string file(const std::string& name, const std::string& text, mode_t mode) const {
    const auto path = path_ + "/" + name;
    std::ofstream(path) << text;
    ::chmod(path.c_str(), mode);
    return path;
  }

 private:
  std::string path_;
};

TEST(SplitCommand, CutsAtEachSpaceAndKnowsNoQuotes) {
  EXPECT_THAT(split_command("wc  -c"), ElementsAre("wc", "", "-c"));
  EXPECT_THAT(split_command("a \"b c\" "), ElementsAre("a", "\"b", "c\"", ""));
  EXPECT_THAT(split_command(" a\tb"), ElementsAre("", "a\tb"));
  EXPECT_THAT(split_command(""), ElementsAre(""));
}

TEST(ExitStatus, ReadsLikeTheReference) {
  EXPECT_EQ((ExitStatus{.code = 3}.text()), "exit status 3");
  EXPECT_EQ((ExitStatus{.signalled = true, .code = SIGKILL}.text()), "signal: killed");
  EXPECT_EQ((ExitStatus{.signalled = true, .core_dumped = true, .code = SIGSEGV}.text()),
            "signal: segmentation fault (core dumped)");
  EXPECT_EQ((ExitStatus{.signalled = true, .code = SIGPIPE}.text()), "signal: broken pipe");
  EXPECT_EQ((ExitStatus{.signalled = true, .code = 40}.text()), "signal: signal 40");
}

TEST(Spawn, GivesTheProgramTheLimitOfOpenFilesItIsToHave) {
  const auto limits = shell("ulimit -Sn; ulimit -Hn");
  const auto hard = limits.output.substr(limits.output.find('\n') + 1);
  EXPECT_EQ(shell("ulimit -Sn; ulimit -Hn", {.descriptors_max = 77}).output, "77\n" + hard);
  EXPECT_EQ(shell("ulimit -Sn", {.descriptors_max = ~0UL}).output, hard) << "at most the hard limit";
  EXPECT_EQ(shell("ulimit -Sn; ulimit -Hn").output, limits.output) << "ours stays as it was";
}

TEST(Spawn, ReturnsWhatTheProgramWroteAndItsExitCode) {
  const auto finished = shell("echo out; echo err >&2; exit 3");
  EXPECT_EQ(finished.output, "out\nerr\n");
  EXPECT_EQ(finished.status, (ExitStatus{.code = 3}));
}

TEST(Spawn, FindsAProgramInThePath) {
  const auto finished = run({"echo", "a", "", "b"});
  EXPECT_EQ(finished.output, "a  b\n");
  EXPECT_TRUE(finished.status->success());
}

TEST(Spawn, TellsWhichSignalEndedTheProgram) {
  EXPECT_EQ(shell("kill -TERM $$").status->text(), "signal: terminated");
  EXPECT_EQ(shell("kill -KILL $$").status->text(), "signal: killed");
}

TEST(Spawn, GivesTheProgramTheEnvironmentItWasTold) {
  const char* const environment[] = {"A=1", "B=two", nullptr};
  const auto finished = run({"/usr/bin/env"}, {.envp = environment});
  EXPECT_EQ(finished.output, "A=1\nB=two\n");
}

TEST(Spawn, StartsTheProgramInTheFolderItWasTold) {
  EXPECT_EQ(run({"/bin/pwd"}, {.directory = "/usr"}).output, "/usr\n");
  const auto finished = run({"/bin/pwd"}, {.directory = "/nonexistent"});
  EXPECT_EQ(finished.error->text, "chdir /nonexistent: no such file or directory");
}

TEST(Spawn, SaysInTheReferencesWordsWhyAProgramCannotRun) {
  const Folder folder;
  EXPECT_EQ(run({"/no/such"}).error->text, "fork/exec /no/such: no such file or directory");
  EXPECT_EQ(run({"/no/such"}).error->code, Code::not_found);
  EXPECT_EQ(run({"no-such-program"}).error->text,
            "exec: \"no-such-program\": executable file not found in $PATH");
  EXPECT_EQ(run({""}).error->text, "exec: no command");
  EXPECT_EQ(run({"/etc"}).error->text, "fork/exec /etc: permission denied");

  const auto plain = folder.file("plain", "x", 0644);
  EXPECT_EQ(run({plain}).error->text, "fork/exec " + plain + ": permission denied");
  const auto script = folder.file("script", "echo no first line\n", 0755);
  EXPECT_EQ(run({script}).error->text, "fork/exec " + script + ": exec format error");
  const auto lost = folder.file("lost", "#!/no/such/interpreter\n", 0755);
  EXPECT_EQ(run({lost}).error->text, "fork/exec " + lost + ": no such file or directory");
}

TEST(Spawn, RefusesAVariableTheKernelFindsTooLong) {
  const auto big = "Http_Query=" + std::string(200 * 1024, 'x');
  const char* const environment[] = {big.c_str(), nullptr};
  const auto error = run({"/bin/true"}, {.envp = environment}).error;
  ASSERT_TRUE(error);
  EXPECT_EQ(error->text, "fork/exec /bin/true: argument list too long");
  EXPECT_EQ(error->code, Code::too_large);
}

TEST(Spawn, LooksAProgramUpAgainWhenItHasMoved) {
  const Folder one;
  const Folder two;
  const auto first = one.file("faas-moving", "#!/bin/sh\necho one\n", 0755);
  const std::string before = ::getenv("PATH");
  const auto folder_of = [](const std::string& path) { return path.substr(0, path.rfind('/')); };
  const auto second = two.file("other", "", 0644);
  ::setenv("PATH", (folder_of(first) + ":" + folder_of(second) + ":" + before).c_str(), 1);
  EXPECT_EQ(run({"faas-moving"}).output, "one\n");
  ::unlink(first.c_str());
  const auto moved = two.file("faas-moving", "#!/bin/sh\necho two\n", 0755);
  EXPECT_EQ(run({"faas-moving"}).output, "two\n");
  ::setenv("PATH", before.c_str(), 1);
}

TEST(Spawn, RunsAnOpenFile) {
  const net::Fd program(::open("/bin/echo", O_RDONLY | O_CLOEXEC));
  EXPECT_EQ(run({"by-descriptor", "hello"}, {.program_fd = program.get()}).output, "hello\n");
}

TEST(Spawn, PassesOnlyTheDescriptorsItWasTold) {
  ::close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);  // what whoever started this test left open
  const net::Fd not_passed(::open("/etc/hostname", O_RDONLY | O_CLOEXEC));
  const net::Fd passed(::open("/etc/passwd", O_RDONLY | O_CLOEXEC));
  // A shell's own test opens nothing, unlike listing the folder.
  const auto list = "for fd in $(seq 0 300); do [ -e /proc/$$/fd/$fd ] && printf '%s ' $fd; done; true";
  EXPECT_EQ(shell(list).output, "0 1 2 ");
  EXPECT_EQ(shell(list, {.extra = {{passed.get(), 9}}}).output, "0 1 2 9 ");
  EXPECT_EQ(shell("read line <&9; echo ${line%%:*}", {.extra = {{passed.get(), 9}}}).output, "root\n");
}

TEST(Spawn, UntanglesDescriptorsThatAreInEachOthersPlaces) {
  const net::Fd a(::open("/proc/sys/kernel/ostype", O_RDONLY | O_CLOEXEC));
  const net::Fd b(::open("/proc/sys/kernel/hostname", O_RDONLY | O_CLOEXEC));
  const auto swapped = shell("cat <&" + std::to_string(a.get()) + "; cat /proc/sys/kernel/ostype",
                             {.extra = {{b.get(), a.get()}, {a.get(), b.get()}}});
  EXPECT_EQ(swapped.output, shell("cat /proc/sys/kernel/hostname /proc/sys/kernel/ostype").output);
  const auto kept = shell("cat <&" + std::to_string(a.get()), {.extra = {{a.get(), a.get()}}});
  EXPECT_EQ(kept.output, "Linux\n");
}

TEST(Spawn, RefusesMoreDescriptorsThanItsLimit) {
  SpawnRequest request;
  for (int i = 0; i < static_cast<int>(kDescriptorsMax); ++i) request.extra.emplace_back(0, 10 + i);
  EXPECT_EQ(shell("true", request).error->code, Code::too_large);
}

TEST(Spawn, StandardInputIsEmptyUnlessGiven) {
  EXPECT_EQ(run({"/bin/cat"}).output, "");
}

TEST(Spawn, TheProgramSeesNoneOfOurSignalSettings) {
  ::signal(SIGPIPE, SIG_IGN);
  sigset_t blocked;
  ::sigemptyset(&blocked);
  ::sigaddset(&blocked, SIGTERM);
  sigset_t before;
  ::pthread_sigmask(SIG_BLOCK, &blocked, &before);
  const auto finished = run({"/bin/grep", "-E", "^Sig(Blk|Ign)", "/proc/self/status"});
  sigset_t after;
  ::pthread_sigmask(SIG_SETMASK, &before, &after);
  EXPECT_EQ(finished.output, "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
  EXPECT_EQ(::sigismember(&after, SIGTERM), 1) << "our own mask is as it was";
  EXPECT_EQ(::sigismember(&after, SIGUSR1), 0);
}

TEST(Spawn, AThousandTimesOpensNothingAndLeavesNobody) {
  net::Core core;
  const char* const argv[] = {"true", nullptr};
  const auto once = [&core, &argv] {
    auto child = spawn({.program = "/bin/true", .argv = argv});
    ASSERT_TRUE(child);
    run_on(core, [](Child& c) -> Task<> { (void)co_await c.wait(); }(*child));
  };
  once();
  const auto before = open_descriptors();
  for (int i = 0; i < 1000; ++i) once();
  EXPECT_EQ(open_descriptors(), before);
  EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1) << "no child is left";
  EXPECT_EQ(errno, ECHILD);
}

TEST(Spawn, AFailedOneLeavesNobodyEither) {
  const auto before = open_descriptors();
  for (int i = 0; i < 50; ++i) EXPECT_TRUE(run({"/no/such"}).error);
  EXPECT_EQ(open_descriptors(), before + 0);
  EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1);
}

// Starts a shell that starts another, and tells their pids.
struct Family {
  net::Core core;
  Child child;
  pid_t leader = 0;
  pid_t grandchild = 0;
  explicit Family(const std::string& last_word) {
    auto pipe = make_pipe();
    const auto script = "sleep 60 & echo $$ $!; " + last_word;
    const char* const argv[] = {"sh", "-c", script.c_str(), nullptr};
    auto spawned = spawn({.program = "/bin/sh", .argv = argv, .stdout_fd = pipe->write.get()});
    child = std::move(*spawned);
    pipe->write.close();
    std::ifstream(("/proc/self/fd/" + std::to_string(pipe->read.get())).c_str()) >> leader >> grandchild;
  }
  bool all_gone() {
    bool leader_gone = false;
    bool grandchild_gone = false;
    run_on(core, gone(leader, leader_gone));
    run_on(core, ended(grandchild, grandchild_gone));
    return leader_gone && grandchild_gone;
  }
};

TEST(Child, KillReachesGrandchildren) {
  Family family("wait");
  family.child.kill(SIGTERM);
  run_on(family.core, [](Child& c) -> Task<> { (void)co_await c.wait(); }(family.child));
  EXPECT_EQ(family.child.ended()->text(), "signal: terminated");
  family.child = Child();
  EXPECT_TRUE(family.all_gone());
}

TEST(Child, KillReachesGrandchildrenAfterTheLeadersEnd) {
  Family family("exit 0");
  run_on(family.core, [](Child& c) -> Task<> { (void)co_await c.wait(); }(family.child));
  EXPECT_FALSE(has_ended(family.grandchild));
  family.child.kill(SIGKILL);
  family.child = Child();
  EXPECT_TRUE(family.all_gone());
}

TEST(Child, DestroyingItKillsTheGroupAndLeavesNoZombie) {
  Family family("wait");
  const auto before = open_descriptors();
  family.child = Child();
  EXPECT_TRUE(family.all_gone());
  EXPECT_LT(open_descriptors(), before);
}

TEST(Child, AWaitThatIsGivenUpDoesNotDisturbTheNextOne) {
  net::Core core;
  const char* const argv[] = {"sleep", "0.05", nullptr};
  auto child = spawn({.program = "sleep", .argv = argv});
  ASSERT_TRUE(child);
  bool first = true;
  bool second = false;
  run_on(core, [](Child& c, bool& one, bool& two) -> Task<> {
    const auto early = co_await net::within(c.wait(), Clock::now() + std::chrono::milliseconds(5));
    one = early.has_value();
    const auto status = co_await c.wait();
    two = status.success();
  }(*child, first, second));
  EXPECT_FALSE(first);
  EXPECT_TRUE(second);
}

TEST(Child, DiesWithTheThreadThatSpawnedItWhenAskedTo) {
  net::Core core;
  Child child;
  std::thread([&child] {
    const char* const argv[] = {"sleep", "60", nullptr};
    child = *spawn({.program = "sleep", .argv = argv, .die_with_parent = true});
  }).join();
  run_on(core, [](Child& c) -> Task<> { (void)co_await c.wait(); }(child));
  EXPECT_EQ(child.ended()->text(), "signal: killed");
}

}  // namespace
}  // namespace faas::process
