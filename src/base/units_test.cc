#include "base/units.h"

#include <gtest/gtest.h>

namespace faas {
namespace {

using namespace std::chrono_literals;

TEST(ParseDuration, ReadsPlainIntegersAsSecondsAndGoDurations) {
  EXPECT_EQ(parse_duration("90"), 90s);
  EXPECT_EQ(parse_duration("+007"), 7s);
  EXPECT_EQ(parse_duration("1m30s"), 90s);
  EXPECT_EQ(parse_duration("1h1h"), 2h);
  EXPECT_EQ(parse_duration(".5s"), 500ms);
  EXPECT_EQ(parse_duration("1.5h"), 90min);
  EXPECT_EQ(parse_duration("-5s"), -5s);
  EXPECT_EQ(parse_duration("2us"), 2us);
  EXPECT_EQ(parse_duration("2\u00b5s"), 2us);
  EXPECT_EQ(parse_duration("0"), 0s);
}

TEST(ParseDuration, RefusesWhatIsNeither) {
  for (const auto* text : {"", "-5", " 5", "1d", "0x10", "1_0", "1e3s", "s", ".s", "5 s",
                           "9223372036854775807", "2562047h47m16.854775808s", "-2562047h47m16.854775809s"}) {
    EXPECT_EQ(parse_duration(text), std::nullopt) << text;
  }
}

TEST(PrintDuration, IsCanonicalAndReadBack) {
  EXPECT_EQ(print_duration(0s), "0s");
  EXPECT_EQ(print_duration(500ms), "500ms");
  EXPECT_EQ(print_duration(2us), "2\u00b5s");
  EXPECT_EQ(print_duration(90s), "1m30s");
  EXPECT_EQ(print_duration(90min), "1h30m0s");
  EXPECT_EQ(print_duration(-5s), "-5s");
  EXPECT_EQ(print_duration(1500ms), "1.5s");
  for (const Duration d : {Duration(1), Duration(1'000'001), Duration(61'000'000'001), Duration(-3h),
                           Duration::min(), Duration::max()}) {
    EXPECT_EQ(parse_duration(print_duration(d)), d) << print_duration(d);
  }
}

TEST(DeadlineAfter, NeverOverflowsAndTakesNoLimitForNone) {
  const auto now = Clock::now();
  EXPECT_EQ(deadline_after(now, 5s), now + 5s);
  EXPECT_EQ(deadline_after(now, 0s), TimePoint::max());
  EXPECT_EQ(deadline_after(now, -5s), TimePoint::max());
  EXPECT_EQ(deadline_after(now, Duration::max()), TimePoint::max());
}

TEST(PrintSize, HasFourSignificantDigits) {
  EXPECT_EQ(print_size(0), "0B");
  EXPECT_EQ(print_size(5), "5B");
  EXPECT_EQ(print_size(24010), "24.01kB");
  EXPECT_EQ(print_size(100000), "100kB");
}

}  // namespace
}  // namespace faas
