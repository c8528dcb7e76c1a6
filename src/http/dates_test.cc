#include "http/dates.h"

#include <gtest/gtest.h>

namespace faas::http {
namespace {

constexpr std::int64_t kNow = 1795400000;  // in November 2026
constexpr std::int64_t kExample = 784111777;

TEST(HttpDates, AreReadInAllThreeFormats) {
  for (const auto* text :
       {"Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"}) {
    EXPECT_EQ(parse_http_date(text, kNow), kExample) << text;
  }
}

TEST(HttpDates, AreReadAsTheyWerePrinted) {
  EXPECT_EQ(print_http_date(kExample), "Sun, 06 Nov 1994 08:49:37 GMT");
  EXPECT_EQ(print_http_date(0), "Thu, 01 Jan 1970 00:00:00 GMT");
  EXPECT_EQ(print_http_date(-1), "Wed, 31 Dec 1969 23:59:59 GMT");
  for (std::int64_t seconds = -86400; seconds < 8'000'000'000; seconds += 12'345'678) {
    EXPECT_EQ(parse_http_date(print_http_date(seconds), kNow), seconds);
  }
}

TEST(HttpDates, AYearOfTwoDigitsIsNeverMoreThanFiftyYearsAway) {
  EXPECT_EQ(print_http_date(*parse_http_date("Sunday, 06-Nov-76 08:49:37 GMT", kNow)).substr(12, 4), "2076");
  EXPECT_EQ(print_http_date(*parse_http_date("Sunday, 06-Nov-77 08:49:37 GMT", kNow)).substr(12, 4), "1977");
  EXPECT_EQ(print_http_date(*parse_http_date("Sunday, 06-Nov-00 08:49:37 GMT", kNow)).substr(12, 4), "2000");
}

TEST(HttpDates, WhatIsNoDateIsNone) {
  for (const auto* text :
       {"", "yesterday", "Sun", "Sunday", "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 08:49:37 CET",
        "Sun, 06 Nov 1994 08:49:37 GMT ", "Xxx, 06 Nov 1994 08:49:37 GMT", "Sun, 31 Feb 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:00:00 GMT", "Sun, 6 Nov 1994 08:49:37 GMT", "Sun, 00 Nov 1994 08:49:37 GMT",
        "Sun, -6 Nov 1994 08:49:37 GMT", "Sun, 06 Xxx 1994 08:49:37 GMT", "1994-11-06T08:49:37Z",
        "Sun Nov  6 08:49:37 94", "784111777"}) {
    EXPECT_EQ(parse_http_date(text, kNow), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace faas::http
