// What is written into and read out of answers and requests: the JSON envelope, log lines, metrics.
#include <gmock/gmock.h>

#include "watchdog/call_log.h"
#include "watchdog/limiter.h"
#include "watchdog/marshal.h"
#include "watchdog/metrics.h"
#include "watchdog/mode_http.h"

namespace faas::watchdog {
namespace {

using namespace std::chrono_literals;
using namespace std::string_view_literals;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(Marshal, WrapsSortedHeadersAndTheBody) {
  const std::vector<http::Field> fields{{.name = "x-m", .value = "2"},
                                        {.name = "X-M", .value = "<&>"},
                                        {.id = http::FieldId::host, .name = "Host", .value = "h"},
                                        {.name = "A", .value = "\"\\\n\x01"}};
  EXPECT_EQ(
      marshal_request(fields, "\0\1\xff<"sv),
      R"({"header":{"A":["\"\\\n\u0001"],"X-M":["2","\u003c\u0026\u003e"]},"body":{"raw":"AAH/PA=="}})");
  EXPECT_EQ(marshal_request({}, ""), R"({"header":{},"body":{"raw":""}})");
  EXPECT_THAT(marshal_request({}, "ab"), HasSubstr("\"YWI=\""));
}

TEST(Marshal, ReplacesWhatIsNoUtf8) {
  const auto value = [](std::string_view text) {
    const std::vector<http::Field> fields{{.name = "A", .value = text}};
    return marshal_request(fields, "");
  };
  EXPECT_THAT(value("a\xff\xc3\xa9"), HasSubstr("[\"a\\ufffd\xc3\xa9\"]"));
  EXPECT_THAT(value("\xc0\x80"), HasSubstr("[\"\\ufffd\\ufffd\"]"));
  EXPECT_THAT(value("\xed\xa0\x80"), HasSubstr("[\"\\ufffd\\ufffd\\ufffd\"]"));
  EXPECT_THAT(value("\xe2\x80\xa8"), HasSubstr("[\"\\u2028\"]"));
  EXPECT_THAT(value("\xf0\x9f\x98\x80"), HasSubstr("[\"\xf0\x9f\x98\x80\"]"));
  EXPECT_THAT(value("\xf0\x9f\x98"), HasSubstr("[\"\\ufffd\\ufffd\\ufffd\"]"));
}

TEST(Marshal, PiecesGiveTheSameTextWhereverTheyAreCut) {
  const std::string body = "0123456789";
  for (std::size_t a = 0; a <= body.size(); ++a) {
    for (std::size_t b = a; b <= body.size(); ++b) {
      std::string text;
      RequestMarshal marshal;
      RequestMarshal::begin({}, text);
      marshal.body(body.substr(0, a), text);
      marshal.body(body.substr(a, b - a), text);
      marshal.body(body.substr(b), text);
      marshal.end(text);
      EXPECT_EQ(text, R"({"header":{},"body":{"raw":"MDEyMzQ1Njc4OQ=="}})") << a << ' ' << b;
    }
  }
}

TEST(CallLog, LinesReadLikeTheReferences) {
  EXPECT_EQ(call_line({.method = "POST", .target = "/", .status = 200, .bytes = 5, .took = 1100us}),
            "POST / - 200 - ContentLength: 5B (0.0011s)");
  EXPECT_EQ(
      call_line(
          {.method = "GET", .target = "/x?q=1", .status = 302, .reason = "Found", .bytes = std::nullopt}),
      "GET /x?q=1 - 302 Found - ContentLength: -1B (0.0000s)");
  EXPECT_EQ(call_line({.method = "GET", .target = "/", .status = 200, .bytes = 24010}),
            "GET / - 200 - ContentLength: 24.01kB (0.0000s)");
  EXPECT_EQ(piped_call_line({.method = "GET", .target = "/x", .status = 200, .reason = "OK", .bytes = 102}),
            "GET /x - 200 OK - ContentLength: 102");
  EXPECT_EQ(
      piped_call_line({.method = "PUT", .target = "/", .status = 201, .reason = "C", .bytes = std::nullopt}),
      "PUT / - 201 C - ContentLength: -1");
  EXPECT_EQ(seconds_text(1500ms), "1.500000");
  EXPECT_TRUE(is_probe("kube-probe/1.30"));
  EXPECT_FALSE(is_probe("curl kube-probe"));
}

TEST(CallLimit, ACallerMayOnlyShortenIt) {
  EXPECT_EQ(call_limit(30s, ""), 30s);
  EXPECT_EQ(call_limit(30s, "100ms"), 100ms);
  EXPECT_EQ(call_limit(30s, "30s"), 30s);
  for (const auto* text : {"31s", "1", "abc", "0", "0s", "-1s"})
    EXPECT_EQ(call_limit(30s, text), 30s) << text;
  EXPECT_EQ(call_limit(0s, "1s"), 0s);
}

TEST(Limiter, CountsPassesWhileTheyLive) {
  Limiter limiter(1);
  {
    const Limiter::Pass first(limiter);
    EXPECT_TRUE(first);
    EXPECT_TRUE(limiter.full());
    const Limiter::Pass second(limiter);
    EXPECT_FALSE(second);
  }
  EXPECT_FALSE(limiter.full());
  Limiter none(0);
  const Limiter::Pass pass(none);
  EXPECT_TRUE(pass);
  EXPECT_FALSE(none.full());
}

TEST(Metrics, ShowOnlyTheGaugeUntilACallCame) {
  Metrics metrics;
  EXPECT_THAT(metrics.text(), HasSubstr("http_requests_in_flight 0\n"));
  EXPECT_THAT(metrics.text(), Not(HasSubstr("http_requests_total")));
}

TEST(Metrics, CountByMethodAndStatusInGrowingBuckets) {
  Metrics metrics;
  metrics.begin();
  metrics.begin();
  EXPECT_THAT(metrics.text(), HasSubstr("http_requests_in_flight 2\n"));
  metrics.end("POST", 200, 10ms);
  metrics.end("FOO", 500, 20s);
  const auto text = metrics.text();
  EXPECT_THAT(text, HasSubstr("http_requests_total{code=\"200\",method=\"post\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("http_requests_total{code=\"500\",method=\"unknown\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("bucket{code=\"200\",method=\"post\",le=\"0.005\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("bucket{code=\"200\",method=\"post\",le=\"0.01\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("bucket{code=\"200\",method=\"post\",le=\"10\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("bucket{code=\"500\",method=\"unknown\",le=\"10\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("bucket{code=\"500\",method=\"unknown\",le=\"+Inf\"} 1\n"));
  EXPECT_EQ(method_label("get"), "get");
  EXPECT_EQ(method_label("gEt"), "unknown");
}

}  // namespace
}  // namespace faas::watchdog
