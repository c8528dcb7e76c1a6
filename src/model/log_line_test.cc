#include "model/log_line.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>

namespace faas {
namespace {

using namespace std::chrono_literals;

TEST(LogTimeTest, WhatIsPrintedIsReadBackAndOrderedAsTimesAre) {
  std::string before;
  for (const auto nanoseconds : {LogTime::min().time_since_epoch().count(), -1L, 0L, 1L,
                                 1'795'416'309'123'456'789L, LogTime::max().time_since_epoch().count()}) {
    const LogTime time{std::chrono::nanoseconds(nanoseconds)};
    const auto text = print_log_time(time);
    EXPECT_EQ(text.size(), kLogTimeBytes);
    EXPECT_LT(before, text);
    EXPECT_EQ(parse_log_time(text), time) << text;
    before = text;
  }
  EXPECT_EQ(print_log_time(LogTime{1'795'416'309'123'456'789ns}), "2026-11-23T06:45:09.123456789Z");
}

TEST(LogTimeTest, EverySpellingOfRfc3339IsRead) {
  const auto wanted = parse_log_time("2026-11-23T06:45:09.5Z");
  ASSERT_TRUE(wanted);
  for (const auto* same :
       {"2026-11-23T06:45:09.50Z", "2026-11-23t06:45:09.500000000000z", "2026-11-23T08:15:09.5+01:30",
        "2026-11-22T23:45:09.5-07:00", "2026-11-23T06:45:09.5-00:00"}) {
    EXPECT_EQ(parse_log_time(same), wanted) << same;
  }
  EXPECT_EQ(parse_log_time("0001-01-01T00:00:00Z"), LogTime::min()) << "Go's zero time";
  EXPECT_EQ(parse_log_time("9999-12-31T23:59:59Z"), LogTime::max());
  for (const auto* wrong :
       {"", "2026", "2026-11-23", "2026-11-23T06:45:09", "2026-11-23 06:45:09Z", "2026-02-29T00:00:00Z",
        "2026-13-01T00:00:00Z", "2026-11-23T24:00:00Z", "2026-11-23T06:60:00Z", "2026-11-23T06:45:61Z",
        "2026-11-23T06:45:09.Z", "2026-11-23T06:45:09+1:00", "2026-11-23T06:45:09+24:00",
        "2026-11-23T06:45:09Zx", "-026-11-23T06:45:09Z", "1h", "yesterday"}) {
    EXPECT_FALSE(parse_log_time(wrong)) << wrong;
  }
}

TEST(Utf8Test, WhatIsNoCharacterIsReplacedByteByByte) {
  const std::string r = "\xef\xbf\xbd";
  EXPECT_EQ(valid_utf8("a\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"), "a\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80");
  EXPECT_EQ(valid_utf8("\xff"), r);
  EXPECT_EQ(valid_utf8("\xc3"), r);                          // cut off
  EXPECT_EQ(valid_utf8("\xc0\xaf"), r + r);                  // longer than need be
  EXPECT_EQ(valid_utf8("\xe0\x80\xaf"), r + r + r);          // the same
  EXPECT_EQ(valid_utf8("\xed\xa0\x80"), r + r + r);          // half of a pair of UTF-16
  EXPECT_EQ(valid_utf8("\xf4\x90\x80\x80"), r + r + r + r);  // above U+10FFFF
  EXPECT_EQ(valid_utf8(std::string_view("\0", 1)), std::string_view("\0", 1));
}

TEST(LogLineTest, IsOneLineOfJsonWhateverWasPrinted) {
  std::string every_byte;
  for (int byte = 0; byte < 256; ++byte) every_byte.push_back(static_cast<char>(byte));
  const auto text = print_log_line(
      {.function = {.name = "fn", .name_space = "ns"}, .instance = "1f", .time = {}, .text = every_byte});
  EXPECT_EQ(text.find('\n'), text.size() - 1);
  const auto object = boost::json::parse(text).as_object();
  EXPECT_EQ(object.at("name"), "fn");
  EXPECT_EQ(object.at("namespace"), "ns");
  EXPECT_EQ(object.at("instance"), "1f");
  EXPECT_EQ(object.at("timestamp"), "1970-01-01T00:00:00.000000000Z");
  EXPECT_EQ(object.at("text").as_string(), valid_utf8(every_byte));
}

}  // namespace
}  // namespace faas
