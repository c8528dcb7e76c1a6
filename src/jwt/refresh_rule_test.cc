#include "jwt/refresh_rule.h"

#include <gtest/gtest.h>

namespace faas::jwt {
namespace {

using namespace std::chrono_literals;

constexpr TimePoint kStart{1h};

TEST(RefreshRule, TriesAgainAtTheStartEverLessOftenUntilTheEnd) {
  EXPECT_EQ(pause_at_start(0s, kStart, kStart + 30s), 250ms);
  EXPECT_EQ(pause_at_start(250ms, kStart, kStart + 30s), 500ms);
  EXPECT_EQ(pause_at_start(4s, kStart, kStart + 30s), 5s);
  EXPECT_EQ(pause_at_start(5s, kStart, kStart + 30s), 5s);
  EXPECT_EQ(pause_at_start(5s, kStart, kStart + 1s), 1s) << "the last attempt is at the end, not after it";
  EXPECT_EQ(pause_at_start(5s, kStart, kStart), std::nullopt);
  EXPECT_EQ(pause_at_start(0s, kStart, kStart), std::nullopt) << "one attempt only";
}

TEST(RefreshRule, RefreshesSoonerAfterAFailure) {
  EXPECT_EQ(pause_until_refresh(5min, false), 5min);
  EXPECT_EQ(pause_until_refresh(5min, true), 30s);
  EXPECT_EQ(pause_until_refresh(1s, true), 1s);
  EXPECT_EQ(pause_until_refresh(0s, true), 0s);
}

TEST(RefreshRule, AsksForInventedKeysOnceInTenSeconds) {
  UnknownKeyLimit limit;
  EXPECT_TRUE(limit.allow(kStart));
  EXPECT_FALSE(limit.allow(kStart + 1ns));
  EXPECT_FALSE(limit.allow(kStart + 9999ms));
  EXPECT_TRUE(limit.allow(kStart + 10s));
  EXPECT_FALSE(limit.allow(kStart + 19s));
}

}  // namespace
}  // namespace faas::jwt
