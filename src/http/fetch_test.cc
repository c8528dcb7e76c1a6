#include "http/fetch.h"

#include <gmock/gmock.h>

namespace faas::http {
namespace {

using ::testing::HasSubstr;

TEST(PlainUrl, IsAuthorityAndTarget) {
  EXPECT_EQ(parse_plain_url("http://gateway.openfaas:8080")->authority, "gateway.openfaas:8080");
  EXPECT_EQ(parse_plain_url("http://gateway.openfaas:8080")->target, "/");
  EXPECT_EQ(parse_plain_url("http://h/keys?x=1#part")->authority, "h:80");
  EXPECT_EQ(parse_plain_url("http://h/keys?x=1#part")->target, "/keys?x=1");
  EXPECT_EQ(parse_plain_url("http://h?x")->target, "/?x");
  EXPECT_EQ(parse_plain_url("http://[::1]/")->authority, "[::1]:80");
  EXPECT_EQ(parse_plain_url("http://[::1]:81")->authority, "[::1]:81");
}

TEST(PlainUrl, IsRefusedWhereItCannotBeFetchedAsItStands) {
  for (const auto* wrong :
       {"", "h:80", "https://h", "HTTP://h", "file:///etc/passwd", "http://", "http:///x", "http://:80/"}) {
    EXPECT_FALSE(parse_plain_url(wrong)) << wrong;
  }
  EXPECT_THAT(parse_plain_url("http://h/" + std::string(2040, 'x')).error().text,
              HasSubstr("more than 2048 bytes"));
  EXPECT_THAT(parse_plain_url("http://user:word@h/").error().text, HasSubstr("password"));
  for (const auto* wrong :
       {"http://h/a b", "http://h/\r\nX: y", "http://h/\x7f", "http://h\xc3\xa4/", "http://h\t/"}) {
    EXPECT_THAT(parse_plain_url(wrong).error().text, HasSubstr("no URL has")) << wrong;
  }
}

}  // namespace
}  // namespace faas::http
