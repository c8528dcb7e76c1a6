#include "base/shared_map.h"

#include <gtest/gtest.h>

#include <map>

namespace faas {
namespace {

std::map<std::string, int> all(const SharedMap<int>& map) {
  std::map<std::string, int> found;
  for (const auto& [key, value] : map) EXPECT_TRUE(found.emplace(key, value).second) << key << " comes twice";
  return found;
}

TEST(SharedMap, HoldsWhatAnOrdinaryMapHolds) {
  SharedMap<int> map;
  std::map<std::string, int> expected;
  EXPECT_TRUE(map.empty());
  EXPECT_EQ(map.begin(), map.end());
  for (int i = 0; i < 3000; ++i) {
    const auto key = "f" + std::to_string(i * 7 % 1000);
    if (i % 3 == 2) {
      map.erase(key);
      expected.erase(key);
    } else {
      map.insert_or_assign(key, i);
      expected[key] = i;
    }
    ASSERT_EQ(map.size(), expected.size());
    ASSERT_EQ(map.contains(key), expected.contains(key));
  }
  EXPECT_EQ(all(map), expected);
  for (const auto& [key, value] : expected) EXPECT_EQ(map.at(key), value);
  EXPECT_EQ(map.find("unknown"), map.end());
  EXPECT_THROW((void)map.at("unknown"), std::out_of_range);
  for (const auto& [key, value] : expected) map.erase(key);
  EXPECT_TRUE(map.empty());
  EXPECT_EQ(map.begin(), map.end());
}

TEST(SharedMap, ACopyStaysAsItWas) {
  SharedMap<int> map;
  for (int i = 0; i < 1000; ++i) map.insert_or_assign("f" + std::to_string(i), i);
  const auto before = map;
  const auto expected = all(map);
  map.insert_or_assign("f7", -1);
  map.insert_or_assign("new", 1);
  map.erase("f8");
  EXPECT_EQ(all(before), expected);
  EXPECT_EQ(map.at("f7"), -1);
  EXPECT_EQ(map.at("new"), 1);
  EXPECT_FALSE(map.contains("f8"));
  EXPECT_EQ(map.size(), before.size());
}

}  // namespace
}  // namespace faas
