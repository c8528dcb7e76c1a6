#include "base/log.h"

#include <gtest/gtest.h>

#include <string>

namespace faas {
namespace {

// What a line says behind its time.
std::string logged(std::string_view text) {
  testing::internal::CaptureStderr();
  log::line(text);
  return testing::internal::GetCapturedStderr().substr(log::timestamp().size());
}

TEST(Log, EscapesWhatCouldForgeALineAndNothingElse) {
  EXPECT_EQ(logged("plain"), "plain\n");
  EXPECT_EQ(logged(""), "\n");
  EXPECT_EQ(logged("\na\r\nb\tc\x7f"), "\\x0aa\\x0d\\x0ab\tc\\x7f\n");
  EXPECT_EQ(logged("\x1b[31mgr\u00fcn"), "\\x1b[31mgr\u00fcn\n");
  EXPECT_EQ(logged(std::string(70'000, 'x')).size(), 64 * 1024 + 1u) << "cut";
}

}  // namespace
}  // namespace faas
