#include "watchdog/spool.h"

#include <gmock/gmock.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>

namespace faas::watchdog {
namespace {

class SpoolTest : public ::testing::Test {
 protected:
  SpoolTest() {
    char path[] = "/tmp/spool-test-XXXXXX";
    folder_ = ::mkdtemp(path);
  }
  ~SpoolTest() override { std::filesystem::remove_all(folder_); }
  std::string folder_;
};

TEST_F(SpoolTest, LittleStaysInMemory) {
  Spool spool(folder_);
  ASSERT_TRUE(spool.append("ab"));
  ASSERT_TRUE(spool.append(std::string(Spool::kMemoryBytesMax - 2, 'c')));
  EXPECT_EQ(spool.file(), -1);
  EXPECT_EQ(spool.text().size(), Spool::kMemoryBytesMax);
  EXPECT_EQ(beginning_of(spool, 3), "abc");
}

TEST_F(SpoolTest, MuchIsInAFileWithoutAName) {
  Spool spool(folder_);
  std::string all;
  for (char c = 'a'; c <= 'z'; ++c) {
    const std::string piece(Spool::kPieceBytes + 1, c);
    all += piece;
    ASSERT_TRUE(spool.append(piece));
    EXPECT_EQ(spool.size(), all.size());
  }
  EXPECT_EQ(spool.text(), "");
  EXPECT_TRUE(beginning_of(spool, all.size()) == all);
  EXPECT_TRUE(std::filesystem::is_empty(folder_));
  struct stat about {};
  ASSERT_EQ(::fstat(spool.file(), &about), 0);
  EXPECT_EQ(about.st_nlink, 0U);
  EXPECT_EQ(about.st_mode & 0777U, 0600U);
}

TEST_F(SpoolTest, TellsWhichFolderIsWrong) {
  Spool spool("/no/such");
  const auto kept = spool.append(std::string(Spool::kMemoryBytesMax + 1, 'x'));
  ASSERT_FALSE(kept);
  EXPECT_EQ(kept.error().text, "TMPDIR (/no/such): make a temporary file: No such file or directory");
  EXPECT_EQ(status_of(kept.error(), 500), 500);
}

TEST_F(SpoolTest, AFullDiskIsNotTheClientsFault) {
  ::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  ::getrlimit(RLIMIT_FSIZE, &before);
  const rlimit small{.rlim_cur = 2 * Spool::kMemoryBytesMax, .rlim_max = before.rlim_max};
  ::setrlimit(RLIMIT_FSIZE, &small);
  Spool spool(folder_);
  const auto kept = spool.append(std::string(3 * Spool::kMemoryBytesMax, 'x'));
  ::setrlimit(RLIMIT_FSIZE, &before);
  ASSERT_FALSE(kept);
  EXPECT_THAT(kept.error().text, ::testing::HasSubstr("TMPDIR (" + folder_ + ")"));
  EXPECT_EQ(status_of(kept.error(), 400), 507);
}

}  // namespace
}  // namespace faas::watchdog
