// What is counted and how it is told: the exposition, the counts over restarts, scrapes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include <filesystem>
#include <fstream>

#include "gateway/function_table.h"
#include "gateway/invocation_counts.h"
#include "gateway/metrics.h"
#include "gateway/scrape.h"

namespace faas::gateway {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

TEST(MetricsTest, BucketsAreCumulativeAndCountsAddUpOverCores) {
  Meter meter;
  meter.started = 3;
  meter.finish(200, std::chrono::milliseconds(1));
  meter.finish(200, std::chrono::milliseconds(30));
  meter.finish(500, std::chrono::seconds(100));
  Counted all;
  all.functions["fn.ns"].add(meter);
  all.functions["fn.ns"].add(meter);
  const auto text = print_metrics(all, Snapshot{});
  EXPECT_THAT(text, HasSubstr("gateway_function_invocation_total{code=\"200\",function_name=\"fn.ns\"} 4\n"));
  EXPECT_THAT(text, HasSubstr("gateway_function_invocation_started{function_name=\"fn.ns\"} 6\n"));
  EXPECT_THAT(
      text,
      HasSubstr("gateway_functions_seconds_bucket{code=\"200\",function_name=\"fn.ns\",le=\"0.005\"} 2\n"));
  EXPECT_THAT(
      text,
      HasSubstr("gateway_functions_seconds_bucket{code=\"200\",function_name=\"fn.ns\",le=\"0.05\"} 4\n"));
  EXPECT_THAT(
      text,
      HasSubstr("gateway_functions_seconds_bucket{code=\"500\",function_name=\"fn.ns\",le=\"10\"} 0\n"));
  EXPECT_THAT(
      text,
      HasSubstr("gateway_functions_seconds_bucket{code=\"500\",function_name=\"fn.ns\",le=\"+Inf\"} 2\n"));
  EXPECT_EQ(all.functions["fn.ns"].invocations(), 6U);
}

TEST(MetricsTest, AFamilyWithoutSeriesIsNotPrinted) {
  EXPECT_THAT(print_metrics({}, Snapshot{}),
              AllOf(Not(HasSubstr("gateway_")), HasSubstr("process_cpu_seconds_total ")));
}

TEST(MetricsTest, BucketsAboveTenSecondsAreThereWhenAskedFor) {
  Counted all;
  all.functions["fn.ns"].finish(200, std::chrono::seconds(20));
  EXPECT_THAT(print_metrics(all, Snapshot{}), Not(HasSubstr("le=\"30\"")));
  EXPECT_THAT(print_metrics(all, Snapshot{}, true),
              HasSubstr("{code=\"200\",function_name=\"fn.ns\",le=\"30\"} 1\n"));
}

TEST(MetricsTest, TextsAreEscapedAsTheFormatHasIt) {
  constexpr MetricRow row{"x", "gauge", "a", "one\\two\nthree"};
  Exposition out(false);
  out.begin(row);
  out.sample(row, {{"a", "q\"b\\n\n"}, {"b", "\xc3\xa9"}}, 0.5);
  EXPECT_EQ(out.take(),
            "# HELP x one\\\\two\\nthree\n# TYPE x gauge\nx{a=\"q\\\"b\\\\n\\n\",b=\"\xc3\xa9\"} 0.5\n");
}

TEST(MetricsTest, RepliesOfTheApiAreCountedByRouteAndCoresAddUp) {
  RouteMeters one;
  one.count("/system/function/{name}", http::Method::get, 404, std::chrono::milliseconds(2));
  one.count("other", http::Method::other, 401, std::chrono::milliseconds(2));
  Counted all;
  all.routes.add(one);
  all.routes.add(one);
  EXPECT_THAT(print_metrics(all, Snapshot{}),
              AllOf(HasSubstr("http_requests_total{method=\"GET\",path=\"/system/function/{name}\","
                              "status=\"404\"} 2\n"),
                    HasSubstr("http_requests_total{method=\"other\",path=\"other\",status=\"401\"} 2\n"),
                    HasSubstr("http_request_duration_seconds_count{method=\"GET\",")));
}

Snapshot snapshot_of(const std::string& name) {
  Snapshot snapshot;
  auto entry = std::make_shared<FunctionEntry>();
  entry->name = {.name = name, .name_space = "ns"};
  entry->scale.min = 2;
  entry->scale.target = 12.5;
  entry->scale.type = "capacity";
  snapshot.functions.insert_or_assign(name + ".ns", entry);
  return snapshot;
}

TEST(MetricsTest, WhatTheLabelsAskForIsShown) {
  EXPECT_THAT(
      print_metrics({}, snapshot_of("fn")),
      AllOf(HasSubstr("gateway_service_min{function_name=\"fn.ns\"} 2\n"),
            HasSubstr(
                "gateway_service_target_load{function_name=\"fn.ns\",scaling_type=\"capacity\"} 12.5\n")));
}

TEST(FunctionTableCountsTest, OnlyCalledFunctionsThatStillExistAreTold) {
  net::Core core;
  FunctionTable table(core);
  auto both = snapshot_of("one");
  both.functions.insert_or_assign("two.ns", snapshot_of("two").functions.at("two.ns"));
  table.update(both);
  EXPECT_THAT(table.meters(), IsEmpty());
  const auto function = table.find("one.ns");
  table.begin(function);
  EXPECT_THAT(table.invocations(), IsEmpty()) << "it has not ended";
  function->meter.finish(200, std::chrono::milliseconds(1));
  EXPECT_EQ(table.invocations(), (Invocations{{"one.ns", 1}}));
  EXPECT_EQ(table.invocations("one.ns"), 1U);
  EXPECT_EQ(table.invocations("two.ns"), 0U);
  table.update(snapshot_of("two"));
  EXPECT_THAT(table.meters(), IsEmpty());
  table.update(both);
  EXPECT_EQ(table.invocations("one.ns"), 0U) << "another function of its name begins at 0";
}

class InvocationCountsTest : public ::testing::Test {
 protected:
  ~InvocationCountsTest() override { std::filesystem::remove_all(folder_); }
  std::string write(const std::string& text) {
    std::ofstream(path()) << text;
    return path();
  }
  std::string path() { return folder_ + "/invocations"; }
  std::string folder_ = ::testing::TempDir() + "counts-" + std::to_string(::getpid());

 public:
  InvocationCountsTest() { std::filesystem::create_directory(folder_); }
};

TEST_F(InvocationCountsTest, AreReadBackAndAddedTo) {
  InvocationCounts first(path());
  ASSERT_TRUE(first.load());
  ASSERT_TRUE(first.save({{"a.ns", 3}, {"b.ns", 1}}));
  InvocationCounts second(path());
  ASSERT_TRUE(second.load());
  EXPECT_EQ(second.before("a.ns"), 3U);
  EXPECT_EQ(second.before("c.ns"), 0U);
  second.forget_if([](const std::string& function) { return function == "b.ns"; });
  ASSERT_TRUE(second.save({{"a.ns", 4}, {"c.ns", 1}}));
  ASSERT_TRUE(second.save({{"a.ns", 5}, {"c.ns", 1}})) << "what is saved again replaces what was";
  InvocationCounts third(path());
  ASSERT_TRUE(third.load());
  EXPECT_EQ(third.before("a.ns"), 8U);
  EXPECT_EQ(third.before("b.ns"), 0U);
  EXPECT_EQ(third.before("c.ns"), 1U);
}

TEST_F(InvocationCountsTest, ADamagedFileIsNamedAndCountsAsNone) {
  for (const auto* text : {"", "faas invocations 1\na.ns 3\n", "faas invocations 1\na.ns -3\nend\n",
                           "x\nend\n", "faas invocations 1\na.ns\nend\n", "faas invocations 2\nend\n"}) {
    InvocationCounts counts(write(text));
    const auto loaded = counts.load();
    ASSERT_FALSE(loaded) << text;
    EXPECT_THAT(loaded.error().text, HasSubstr(path()));
    EXPECT_EQ(counts.before("a.ns"), 0U);
    EXPECT_TRUE(counts.save({{"a.ns", 1}}));
  }
}

TEST(ScrapeTest, GzipIsSentToThoseWhoTakeIt) {
  for (const auto* yes : {"gzip", "deflate, gzip;q=0.5", "GZIP", "*", "br;q=1.0, *;q=0.1", "x-gzip"}) {
    EXPECT_TRUE(accepts_gzip(yes)) << yes;
  }
  for (const auto* no : {"", "identity", "gzip;q=0", "gzip; q=0.000", "*;q=0", "gzip;q=0, *", "gzipped"}) {
    EXPECT_FALSE(accepts_gzip(no)) << no;
  }
}

TEST(ScrapeTest, WhatIsCompressedIsReadBack) {
  std::string text;
  for (int i = 0; i < 100000; ++i) text += std::to_string(i * 7919) + "\n";
  const auto packed = gzip(text);
  EXPECT_LT(packed.size(), text.size() / 2);
  std::string back(text.size(), '\0');
  z_stream stream{};
  ASSERT_EQ(::inflateInit2(&stream, 15 + 16), Z_OK);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
  stream.avail_in = static_cast<uInt>(packed.size());
  stream.next_out = reinterpret_cast<Bytef*>(back.data());
  stream.avail_out = static_cast<uInt>(back.size());
  EXPECT_EQ(::inflate(&stream, Z_FINISH), Z_STREAM_END);
  ::inflateEnd(&stream);
  EXPECT_EQ(back, text);
}

}  // namespace
}  // namespace faas::gateway
