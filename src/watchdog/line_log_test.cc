#include "watchdog/line_log.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "base/log.h"
#include "watchdog/lock_file.h"

namespace faas::watchdog {
namespace {

using namespace std::string_view_literals;

// Cuts `bytes`, given in pieces of `piece` bytes, and returns what reached standard error.
std::string cut(std::string_view bytes, std::size_t piece, LineStyle style) {
  style.prefix = false;
  style.to_fd = 2;
  ::testing::internal::CaptureStderr();
  {
    LineCutter cutter(style);
    for (; !bytes.empty(); bytes.remove_prefix(std::min(piece, bytes.size())))
      cutter.take(bytes.substr(0, piece));
    cutter.flush();
  }
  return ::testing::internal::GetCapturedStderr();
}

TEST(LineCutter, DoesNotCareWhereTheBytesWereCut) {
  const std::string_view bytes("one\ntwo\r\n\n\r\nnul\0 and \x1b[0m\xff\nlast"sv);
  const auto expected = std::string("one\ntwo\n\n\nnul\0 and \x1b[0m\xff\nlast\n"sv);
  for (std::size_t piece = 1; piece <= bytes.size(); ++piece)
    EXPECT_EQ(cut(bytes, piece, {.name = "x"}), expected);
}

TEST(LineCutter, ALongLineGoesOnInTheNext) {
  for (std::size_t piece = 1; piece < 30; ++piece) {
    EXPECT_EQ(cut("0123456789abcdefghij\nend\n", piece, {.name = "x", .line_bytes_max = 8}),
              "01234567\n89abcdef\nghij\nend\n");
    EXPECT_EQ(cut("01234567\nend\n", piece, {.name = "x", .line_bytes_max = 8}), "01234567\nend\n");
  }
}

TEST(LineCutter, PutsTimeAndNameInFront) {
  ::testing::internal::CaptureStderr();
  LineCutter cutter({.name = "stderr"});
  cutter.take("hello\n");
  const auto text = ::testing::internal::GetCapturedStderr();
  EXPECT_EQ(text.size(), 20 + std::string("stderr: hello\n").size());
  EXPECT_EQ(text.substr(20), "stderr: hello\n");
}

TEST(LogPipe, LogsWhatIsThereAndTheRestOnceNobodyWrites) {
  net::Core core;
  ::testing::internal::CaptureStderr();
  {
    auto pipe = LogPipe::make({.name = "stderr", .prefix = false});
    ASSERT_TRUE(pipe);
    EXPECT_EQ(::write((*pipe)->write_fd(), "one\ntw", 6), 6);
    (*pipe)->drain(/*nobody_writes=*/false);
    EXPECT_EQ(::write((*pipe)->write_fd(), "o", 1), 1);
    (*pipe)->drain(/*nobody_writes=*/true);
  }
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "one\ntwo\n");
}

TEST(LockFile, IsThereUntilItIsRemovedOrForgotten) {
  char folder[] = "/tmp/faas-lock-XXXXXX";
  ASSERT_NE(::mkdtemp(folder), nullptr);
  const auto deep = std::string(folder) + "/a/b";
  {
    LockFile lock;
    EXPECT_FALSE(lock.write(deep, /*make_folders=*/false));
    ASSERT_TRUE(lock.write(deep, /*make_folders=*/true));
    EXPECT_TRUE(lock.exists());
    EXPECT_EQ(lock.path(), deep + "/.lock");
    EXPECT_TRUE(lock.remove());
    EXPECT_FALSE(lock.exists());
    ASSERT_TRUE(lock.write(deep, false));
  }
  EXPECT_NE(::access((deep + "/.lock").c_str(), F_OK), 0);
  ::rmdir(deep.c_str());
  ::rmdir((std::string(folder) + "/a").c_str());
  ::rmdir(folder);
}

TEST(LockFile, SaysWhatToDoWhenItCannotBeWritten) {
  LockFile lock;
  const auto written = lock.write("/proc/nope", true);
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().text,
            "Cannot write /proc/nope/.lock. To disable lock-file set env suppress_lock=true. Error: No such "
            "file or "
            "directory");
}

}  // namespace
}  // namespace faas::watchdog
