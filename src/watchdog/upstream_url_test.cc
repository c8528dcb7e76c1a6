#include "watchdog/upstream_url.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace faas::watchdog {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kLine = R"(For "mode=http" you must specify a valid URL for "http_upstream_url")";

UpstreamUrl url(std::string_view text) {
  auto parsed = parse_upstream_url(text);
  EXPECT_TRUE(parsed) << text;
  return parsed ? std::move(*parsed) : UpstreamUrl();
}

std::string refusal(std::string_view text) {
  const auto parsed = parse_upstream_url(text);
  return parsed ? std::string("taken") : parsed.error().text;
}

TEST(UpstreamUrl, IsHostPortAndPrefix) {
  EXPECT_EQ(url("http://127.0.0.1:5000").address.text(), "127.0.0.1:5000");
  EXPECT_EQ(url("http://127.0.0.1:5000").host, "127.0.0.1:5000");
  EXPECT_EQ(url("http://127.0.0.1:5000").prefix, "");
  EXPECT_EQ(url("http://127.0.0.1:5000/").prefix, "");
  EXPECT_EQ(url("http://localhost/base/#x").prefix, "/base");
  EXPECT_EQ(url("http://localhost").host, "localhost:80");
  EXPECT_EQ(url("HTTP://[::1]").host, "[::1]:80");
  EXPECT_EQ(url("http://[::1]:81/x").address.text(), "[::1]:81");
  EXPECT_EQ(url("http://[::1]:81/x").shown, "http://[::1]:81/x");
}

TEST(UpstreamUrl, MayNameAUnixSocket) {
  EXPECT_EQ(url("unix:///run/f.sock").address.text(), "unix:/run/f.sock");
  EXPECT_EQ(url("unix:///run/f.sock").prefix, "");
  EXPECT_EQ(url("unix:///run/f.sock").host, "localhost");
  EXPECT_EQ(url("unix:///run/f.sock:/base/").prefix, "/base");
  EXPECT_EQ(url("unix:///run/f.sock:/base/").shown, "unix:///run/f.sock:/base");
  EXPECT_EQ(url("unix:///run/a:b.sock:/").address.text(), "unix:/run/a:b.sock");
  EXPECT_THAT(refusal("unix://run/f.sock"), HasSubstr("must begin with /"));
  EXPECT_THAT(refusal("unix://"), HasSubstr("must begin with /"));
  EXPECT_THAT(refusal("unix:///" + std::string(108, 'x')), HasSubstr("107 bytes"));
}

TEST(UpstreamUrl, KeepsThePasswordOutOfTexts) {
  EXPECT_EQ(url("http://u:p@127.0.0.1:5000").authorization, "Basic dTpw");
  EXPECT_EQ(url("http://a%40b@127.0.0.1:5000").authorization, "Basic YUBiOg==");
  EXPECT_EQ(url("http://127.0.0.1:5000").authorization, "");
  EXPECT_EQ(url("http://u:p@127.0.0.1:5000/x").shown, "http://127.0.0.1:5000/x");
  EXPECT_THAT(refusal("http://u:secret@name:5000/x?y"), Not(HasSubstr("secret")));
  EXPECT_THAT(refusal("http://u:secret@"), Not(HasSubstr("secret")));
  EXPECT_THAT(refusal("u:secret@name"), Not(HasSubstr("secret")));
}

TEST(UpstreamUrl, RefusesWhatCannotBeCalled) {
  EXPECT_EQ(refusal(""), kLine);
  for (const auto* text : {"127.0.0.1:5000", "https://127.0.0.1", "http://", "http:///x", "http://a:b@c",
                           "http://127.0.0.1/?q=1", "http://127.0.0.1/a b", "http://127.0.0.1:x",
                           "http://127.0.0.1:65536", "http://name"}) {
    EXPECT_THAT(refusal(text), HasSubstr(std::string(kLine) + ", error: parse \"")) << text;
  }
}

}  // namespace
}  // namespace faas::watchdog
