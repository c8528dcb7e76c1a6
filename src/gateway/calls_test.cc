// What calls and logins are decided by: pure, and with the clock as an argument.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gateway/access_log.h"
#include "gateway/alexa.h"
#include "gateway/call.h"
#include "gateway/forwarded.h"
#include "gateway/login_guard.h"
#include "gateway/origin.h"
#include "http/parser.h"

namespace faas::gateway {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

struct ParsedHead {
  std::string bytes;
  http::Parser parser;
  http::RequestHead head;

  explicit ParsedHead(std::string text) : bytes(std::move(text)) {
    EXPECT_FALSE(parser.request(bytes.data(), bytes.size(), head)) << bytes;
  }
};

ParsedHead request(const std::string& fields, const std::string& target = "/") {
  return ParsedHead("GET " + target + " HTTP/1.1\r\nHost: gw.test\r\n" + fields + "\r\n");
}

// ---- trusted proxies

TEST(TrustedProxies, AnAddressOrANetworkOfEitherFamilyIsTaken) {
  const auto proxies = TrustedProxies::parse(" 10.0.0.0/8,192.168.1.9  fd00::/8, ::1,");
  ASSERT_TRUE(proxies);
  for (const auto* trusted :
       {"10.0.0.1", "10.255.255.255", "192.168.1.9", "fd12::1", "::1", "::ffff:10.1.2.3", ""}) {
    EXPECT_TRUE(proxies->trusts(trusted)) << trusted;
  }
  for (const auto* stranger :
       {"11.0.0.1", "9.255.255.255", "192.168.1.10", "fe80::1", "::2", "10.0.0", "x"}) {
    EXPECT_FALSE(proxies->trusts(stranger)) << stranger;
  }
}

TEST(TrustedProxies, BitsThatAreNoWholeByteCount) {
  const auto proxies = TrustedProxies::parse("10.0.0.128/25,2001:db8::/33");
  ASSERT_TRUE(proxies);
  EXPECT_TRUE(proxies->trusts("10.0.0.200"));
  EXPECT_FALSE(proxies->trusts("10.0.0.127"));
  EXPECT_TRUE(proxies->trusts("2001:db8:7fff::1"));
  EXPECT_FALSE(proxies->trusts("2001:db8:8000::1"));
  EXPECT_TRUE(TrustedProxies::parse("0.0.0.0/0")->trusts("8.8.8.8"));
  EXPECT_FALSE(TrustedProxies::parse("0.0.0.0/0")->trusts("2001::1"));
}

TEST(TrustedProxies, AnEntryThatIsNoneIsNamed) {
  for (const auto* wrong : {"x", "10.0.0.0/33", "::/129", "10.0.0.0/", "10.0.0.0/8/8", "1.2.3.4:80", "/8"}) {
    const auto proxies = TrustedProxies::parse(std::string("10.0.0.1,") + wrong);
    ASSERT_FALSE(proxies) << wrong;
    EXPECT_THAT(proxies.error().text, HasSubstr(wrong));
  }
}

TEST(TrustedProxies, TheClientIsTheLastOneThatNoProxyOfOursIs) {
  const auto proxies = TrustedProxies::parse("10.0.0.0/8").value();
  const auto chain = request("X-Forwarded-For: 1.1.1.1, 2.2.2.2\r\nX-Forwarded-For: 10.0.0.7\r\n");
  EXPECT_EQ(proxies.client_of(chain.head, "10.0.0.1"), "2.2.2.2");
  EXPECT_EQ(proxies.client_of(chain.head, "3.3.3.3"), "3.3.3.3");
  EXPECT_EQ(proxies.client_of(request("X-Forwarded-For: 1.1.1.1, unknown\r\n").head, "10.0.0.1"), "10.0.0.1");
  EXPECT_EQ(proxies.client_of(request("X-Forwarded-For: ,,\r\n").head, "10.0.0.1"), "10.0.0.1");
  EXPECT_EQ(proxies.client_of(request("").head, "10.0.0.1"), "10.0.0.1");
}

// ---- guessing

constexpr TimePoint kNow{std::chrono::hours(1)};

TEST(LoginGuard, TheFirstTriesAreFreeAndTheWaitsGrowToALimit) {
  LoginGuard guard;
  for (unsigned i = 0; i < LoginGuard::kFreeTries; ++i) {
    EXPECT_EQ(guard.begin("1.1.1.1", kNow)->wait(), Duration::zero());
    guard.wrong("1.1.1.1", kNow);
  }
  auto last = Duration::zero();
  for (int i = 0; i < 20; ++i) {
    const auto wait = guard.begin("1.1.1.1", kNow)->wait();
    EXPECT_TRUE(wait > last || wait == LoginGuard::kLongestWait);
    last = wait;
    guard.wrong("1.1.1.1", kNow);
  }
  EXPECT_EQ(last, LoginGuard::kLongestWait);
  EXPECT_EQ(guard.begin("1.1.1.2", kNow)->wait(), Duration::zero()) << "somebody else has to wait";
}

TEST(LoginGuard, FewAttemptsWaitAtOnceAndTheirPlacesAreGivenBack) {
  LoginGuard guard;
  for (unsigned i = 0; i < LoginGuard::kFreeTries; ++i) guard.wrong("1.1.1.1", kNow);
  for (int round = 0; round < 2; ++round) {
    std::vector<LoginGuard::Attempt> waiting;
    for (unsigned i = 0; i < LoginGuard::kWaitingMax; ++i) {
      waiting.push_back(std::move(*guard.begin("1.1.1.1", kNow)));
    }
    EXPECT_FALSE(guard.begin("1.1.1.1", kNow));
  }
}

TEST(LoginGuard, ItForgetsWithTime) {
  LoginGuard guard;
  for (unsigned i = 0; i < 100; ++i) guard.wrong("1.1.1.1", kNow);
  EXPECT_GT(guard.begin("1.1.1.1", kNow + LoginGuard::kMemory)->wait(), Duration::zero());
  const auto later = kNow + LoginGuard::kMemory + std::chrono::seconds(1);
  EXPECT_EQ(guard.begin("1.1.1.1", later)->wait(), Duration::zero());
  EXPECT_EQ(guard.addresses(), 0U);
}

TEST(LoginGuard, ItRemembersABoundedNumberOfAddresses) {
  LoginGuard guard;
  for (unsigned i = 0; i < LoginGuard::kAddressesMax * 2; ++i) guard.wrong(std::to_string(i), kNow);
  EXPECT_EQ(guard.addresses(), LoginGuard::kAddressesMax);
}

TEST(LoginGuard, AHouseholdOfIpv6IsOneSender) {
  EXPECT_EQ(sender_key("2001:db8:1:2::1"), sender_key("2001:db8:1:2:ffff::9"));
  EXPECT_NE(sender_key("2001:db8:1:2::1"), sender_key("2001:db8:1:3::1"));
  EXPECT_NE(sender_key("::ffff:1.1.1.1"), sender_key("::ffff:1.1.1.2"));
}

// ---- Alexa

std::string alexa_body(const std::string& name) {
  return R"({"session":{"sessionId":"s","application":{"applicationId":"a"}},"request":{"intent":{"name":")" +
         name + R"("}}})";
}

TEST(Alexa, TheIntentIsTakenAndWhatIsMissingIsNamed) {
  EXPECT_EQ(alexa_intent(alexa_body("Greet")).value(), "Greet");
  EXPECT_THAT(alexa_intent(alexa_body("")).error().text, HasSubstr("request.intent.name"));
  EXPECT_THAT(alexa_intent("{}").error().text, HasSubstr("session"));
  EXPECT_FALSE(alexa_intent(""));
  EXPECT_FALSE(alexa_intent(alexa_body("a") + "x"));
  EXPECT_FALSE(alexa_intent(std::string(100'000, '[')));
}

TEST(Alexa, AmazonsIntentsLoseTheirDot) {
  EXPECT_EQ(function_of_intent("AMAZON.StopIntent"), "AMAZON-StopIntent");
  EXPECT_EQ(function_of_intent("greet.other"), "greet.other");
}

// ---- pages

TEST(Origin, EverySpellingOfAGuardedPathIsGuarded) {
  for (const auto* guarded : {"/system", "/system/", "//system/x", "/%73ystem", "/./ui", "/a/../ui/x",
                              "/ui;v=1", "/../../system", "/system/../ui", "/%2fsystem", "system"}) {
    EXPECT_TRUE(is_guarded_path(guarded)) << guarded;
  }
  for (const auto* open :
       {"/", "", "/systems", "/healthz", "/a/system", "/UI", "/system/..", "/..", "/%2e"}) {
    EXPECT_FALSE(is_guarded_path(open)) << open;
  }
}

TEST(Origin, OnlyTheHostThatWasAskedIsItsOwn) {
  const auto elsewhere = [](const std::string& fields, bool believed = false) {
    return comes_from_elsewhere(request(fields).head, believed);
  };
  EXPECT_FALSE(elsewhere(""));
  EXPECT_FALSE(elsewhere("Origin: http://gw.test\r\n"));
  EXPECT_FALSE(elsewhere("Origin: https://GW.test:443\r\n"));
  EXPECT_TRUE(elsewhere("Origin: http://gw.test:443\r\n"));
  EXPECT_TRUE(elsewhere("Origin: null\r\n"));
  EXPECT_TRUE(elsewhere("Origin:\r\n"));
  EXPECT_TRUE(elsewhere("Sec-Fetch-Site: cross-site\r\n"));
  EXPECT_FALSE(elsewhere("Sec-Fetch-Site: same-origin\r\n"));
  const std::string proxied = "Origin: https://public.test\r\nX-Forwarded-Host: public.test\r\n";
  EXPECT_FALSE(elsewhere(proxied, true));
  EXPECT_TRUE(elsewhere(proxied, false));
}

TEST(Page, WhatABrowserMayRunAsAPageIsOne) {
  for (const auto* page : {"", "text/html", "Text/HTML;charset=x", "application/rss+xml", "a/xml", "junk",
                           "text/", "/html", "text/pl ain", "te<xt/plain", "*/*", "text/plain,text/html"}) {
    EXPECT_TRUE(may_be_page(page, 1)) << page;
  }
  for (const auto* other : {"text/plain", "application/json; charset=utf-8", "image/png", "video/mp4"}) {
    EXPECT_FALSE(may_be_page(other, 1)) << other;
    EXPECT_TRUE(may_be_page(other, 0));
    EXPECT_TRUE(may_be_page(other, 2));
  }
}

// ---- access log

TEST(AccessLog, JsonStaysJsonAndTextStaysALine) {
  const auto hostile = request("", "/a\"b\\c?token=hidden");
  const AccessNote note{
      .status = 200, .took = std::chrono::milliseconds(12), .function = "a.b", .call_id = "\"\n"};
  const auto json = print_access(hostile.head, 7, note, {.format = AccessFormat::json});
  EXPECT_THAT(json, HasSubstr(R"("path":"/a\"b\\c")"));
  EXPECT_THAT(json, HasSubstr(R"("call_id":"\"\u000a")"));
  EXPECT_THAT(json, HasSubstr(R"("status":200,"seconds":0.012000,"bytes":7)"));
  EXPECT_THAT(json, Not(HasSubstr("hidden")));
  const auto text = print_access(hostile.head, 7, note, {});
  EXPECT_EQ(text, "Forwarded [GET] to /a\"b\\c - [200] - 0.0120s");
  EXPECT_THAT(print_access(hostile.head, 7, note, {.queries = true}), HasSubstr("?token=hidden - [200]"));
}

}  // namespace
}  // namespace faas::gateway
