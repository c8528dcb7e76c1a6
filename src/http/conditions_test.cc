#include "http/conditions.h"

#include <gtest/gtest.h>

#include <initializer_list>

#include "http/dates.h"

namespace faas::http {
namespace {

constexpr std::int64_t kNow = 1795400000;
constexpr std::int64_t kModified = 784111777;
const std::string kThen = print_http_date(kModified);
const std::string kEarlier = print_http_date(kModified - 1);
const std::string kLater = print_http_date(kModified + 1);

struct Condition {
  std::string_view name;
  std::string_view value;
};

RequestHead request(std::initializer_list<Condition> conditions, Method method = Method::get) {
  RequestHead head;
  head.method = method;
  for (const auto& [name, value] : conditions) head.fields.push_back({.name = name, .value = value});
  return head;
}

Verdict judge(std::initializer_list<Condition> conditions, Method method = Method::get,
              std::int64_t modified = kModified) {
  return judge_conditions(request(conditions, method), modified, kNow);
}

TEST(Conditions, NoneLetTheAnswerProceed) {
  EXPECT_EQ(judge({}), Verdict::proceed);
}

TEST(Conditions, WhatWasNotChangedSinceIsNotSentAgain) {
  EXPECT_EQ(judge({{"If-Modified-Since", kThen}}), Verdict::not_modified);
  EXPECT_EQ(judge({{"if-modified-since", kLater}}, Method::head), Verdict::not_modified);
  EXPECT_EQ(judge({{"If-Modified-Since", kEarlier}}), Verdict::proceed);
  EXPECT_EQ(judge({{"If-Modified-Since", "yesterday"}}), Verdict::proceed);
  EXPECT_EQ(judge({{"If-Modified-Since", kThen}}, Method::post), Verdict::proceed);
  EXPECT_EQ(judge({{"If-Modified-Since", kThen}}, Method::get, 0), Verdict::proceed) << "no time";
}

TEST(Conditions, WhatWasChangedSinceFails) {
  EXPECT_EQ(judge({{"If-Unmodified-Since", kEarlier}}), Verdict::failed);
  EXPECT_EQ(judge({{"If-Unmodified-Since", kThen}}), Verdict::proceed);
  EXPECT_EQ(judge({{"If-Unmodified-Since", "x"}}), Verdict::proceed);
  EXPECT_EQ(judge({{"If-Unmodified-Since", kEarlier}}, Method::get, 0), Verdict::proceed) << "no time";
}

TEST(Conditions, TagsNeverMatchButAStarDoes) {
  EXPECT_EQ(judge({{"If-Match", "\"a\""}}), Verdict::failed);
  EXPECT_EQ(judge({{"If-Match", "*"}, {"If-Unmodified-Since", kEarlier}}), Verdict::proceed);
  EXPECT_EQ(judge({{"If-None-Match", "*"}}), Verdict::not_modified);
  EXPECT_EQ(judge({{"If-None-Match", "*"}}, Method::put), Verdict::failed);
  EXPECT_EQ(judge({{"If-None-Match", "\"a\""}, {"If-Modified-Since", kThen}}), Verdict::proceed)
      << "a tag is the better witness";
}

TEST(Conditions, ARangeCountsWhenItsConditionNamesTheVeryTime) {
  const auto counts = [](std::string_view value) {
    return range_counts(request({{"If-Range", value}}), kModified, kNow);
  };
  EXPECT_TRUE(range_counts(request({}), kModified, kNow));
  EXPECT_TRUE(counts(kThen));
  EXPECT_FALSE(counts(kLater));
  EXPECT_FALSE(counts(kEarlier));
  EXPECT_FALSE(counts("\"tag\""));
}

}  // namespace
}  // namespace faas::http
