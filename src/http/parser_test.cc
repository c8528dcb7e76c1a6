#include "http/parser.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace faas::http {
namespace {

std::optional<HeadError> parse(std::string& bytes, RequestHead& head, Parser& parser) {
  return parser.request(bytes.data(), bytes.size(), head);
}

int refused_with(std::string bytes) {
  Parser parser;
  RequestHead head;
  const auto error = parse(bytes, head, parser);
  return error ? error->status : 0;
}

TEST(FindHeadEnd, DoesNotDependOnWhereTheBytesWereCut) {
  for (const std::string head : {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET / HTTP/1.1\nHost: a\n\n"}) {
    const auto bytes = head + "rest";
    for (std::size_t step = 1; step <= bytes.size(); ++step) {
      std::size_t from = 0;
      std::size_t end = 0;
      for (std::size_t have = step; end == 0 && have <= bytes.size() + step; have += step) {
        end = find_head_end(std::string_view(bytes).substr(0, have), from);
      }
      EXPECT_EQ(end, head.size()) << "cut every " << step << " bytes";
    }
  }
}

TEST(RequestParser, KeepsEverythingAsItCame) {
  std::string bytes =
      "POST /a%2Fb//c/../d?q=%zz&x HTTP/1.1\r\nHost: h:8080\r\nX-Two: 1\r\nx-two: 2\r\nContent-Length: "
      "5\r\n\r\n";
  Parser parser;
  RequestHead head;
  ASSERT_FALSE(parse(bytes, head, parser));
  EXPECT_EQ(head.method, Method::post);
  EXPECT_EQ(head.target, "/a%2Fb//c/../d?q=%zz&x");
  EXPECT_EQ(head.path(), "/a%2Fb//c/../d");
  EXPECT_EQ(head.query(), "q=%zz&x");
  EXPECT_EQ(head.host, "h:8080");
  EXPECT_EQ(head.body.kind, Framing::Kind::length);
  EXPECT_EQ(head.body.length, 5U);
  ASSERT_EQ(head.fields.size(), 4U);
  EXPECT_EQ(head.fields[2].name, "x-two");
  EXPECT_TRUE(head.keep_alive);
}

TEST(RequestParser, RefusesWhatTwoServersCouldReadDifferently) {
  EXPECT_EQ(
      refused_with("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"),
      400);
  EXPECT_EQ(
      refused_with("GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n"),
      400);
  EXPECT_EQ(refused_with("GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n"), 501);
  EXPECT_EQ(refused_with("GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"), 501);
  EXPECT_EQ(
      refused_with(
          "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"),
      501);
  EXPECT_EQ(refused_with("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"), 400);
  EXPECT_EQ(refused_with("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n"), 0);
  for (const auto* length : {"2, 2", "-2", "+2", "abc", "0x2", "99999999999999999999"}) {
    EXPECT_EQ(
        refused_with(std::string("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: ") + length + "\r\n\r\n"), 400)
        << length;
  }
  EXPECT_EQ(refused_with("GET / HTTP/1.1\r\nHost: a\r\nX Y: b\r\n\r\n"), 400);
  EXPECT_EQ(refused_with("GET / HTTP/1.1\r\nHost: a\r\nX-Y : b\r\n\r\n"), 400);
  EXPECT_EQ(refused_with("GET / HTTP/1.1\r\nHost: a\r\nX-Y: a\x01z\r\n\r\n"), 400);
  EXPECT_EQ(refused_with("GET / HTTP/1.1\r\nHost: a\r\nnocolon\r\n\r\n"), 400);
}

TEST(RequestParser, AsksForOneWellFormedHost) {
  EXPECT_EQ(refused_with("GET / HTTP/1.1\r\n\r\n"), 400);
  EXPECT_EQ(refused_with("GET / HTTP/1.0\r\n\r\n"), 0);
  EXPECT_EQ(refused_with("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"), 400);
  EXPECT_EQ(refused_with("GET / HTTP/1.1\r\nHost: a b\r\n\r\n"), 400);
  EXPECT_EQ(refused_with("GET / HTTP/1.1\r\nHost:\r\n\r\n"), 0);
}

TEST(RequestParser, KnowsItsVersions) {
  EXPECT_EQ(refused_with("GET / HTTP/1.2\r\nHost: a\r\n\r\n"), 0);
  EXPECT_EQ(refused_with("GET / HTTP/2.0\r\nHost: a\r\n\r\n"), 505);
  EXPECT_EQ(refused_with("GET / HTTP/0.9\r\nHost: a\r\n\r\n"), 505);
  EXPECT_EQ(refused_with("GET / http/1.1\r\nHost: a\r\n\r\n"), 400);
  EXPECT_EQ(refused_with("GET /\r\nHost: a\r\n\r\n"), 400);
}

TEST(RequestParser, ChecksTheTarget) {
  EXPECT_EQ(refused_with("GET x HTTP/1.1\r\nHost: a\r\n\r\n"), 400);
  EXPECT_EQ(refused_with("GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n"), 400);
  EXPECT_EQ(refused_with("GET /%4 HTTP/1.1\r\nHost: a\r\n\r\n"), 400);
  EXPECT_EQ(refused_with("GET /a b HTTP/1.1\r\nHost: a\r\n\r\n"), 400);
  EXPECT_EQ(refused_with("GET * HTTP/1.1\r\nHost: a\r\n\r\n"), 400);
  EXPECT_EQ(refused_with("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"), 0);
  std::string bytes = "GET http://other:81/p?q HTTP/1.1\r\nHost: a\r\n\r\n";
  Parser parser;
  RequestHead head;
  ASSERT_FALSE(parse(bytes, head, parser));
  EXPECT_EQ(head.host, "other:81");
  EXPECT_EQ(head.path(), "/p");
  EXPECT_EQ(head.query(), "q");
}

TEST(RequestParser, AcceptsBareLineFeedsAndFoldedFields) {
  std::string bytes = "GET / HTTP/1.1\nHost: a\nX-Long: a\n  b\n\n";
  Parser parser;
  RequestHead head;
  ASSERT_FALSE(parse(bytes, head, parser));
  EXPECT_EQ(head.value("x-long"), "a b");
}

TEST(RequestParser, UnderstandsExpectAndConnection) {
  EXPECT_EQ(refused_with("GET / HTTP/1.1\r\nHost: a\r\nExpect: foo\r\n\r\n"), 417);
  std::string bytes = "GET / HTTP/1.1\r\nHost: a\r\nConnection: X-Hop, Upgrade\r\nUpgrade: websocket\r\n\r\n";
  Parser parser;
  RequestHead head;
  ASSERT_FALSE(parse(bytes, head, parser));
  EXPECT_TRUE(head.upgrade);
  EXPECT_TRUE(head.connection_tokens);
}

TEST(ChunkedBody, DoesNotDependOnWhereTheBytesWereCut) {
  const std::string body = "5;ext=1\r\nhello\r\n1\r\n \r\n00a\r\n0123456789\r\n0\r\nX-T: 1\r\n\r\n";
  for (std::size_t step = 1; step <= body.size(); ++step) {
    std::string bytes = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    Parser parser;
    RequestHead head;
    ASSERT_FALSE(parse(bytes, head, parser));
    std::string out;
    std::string buffer;
    std::size_t fed = 0;
    bool done = false;
    while (!done) {
      const auto piece = parser.chunk(buffer);
      ASSERT_FALSE(piece.bad);
      out += piece.data;
      buffer.erase(0, piece.consumed);
      done = piece.done;
      if (!piece.need_more) continue;
      ASSERT_LT(fed, body.size());
      buffer += body.substr(fed, step);
      fed += step;
    }
    EXPECT_EQ(out, "hello 0123456789");
    EXPECT_EQ(parser.trailers(), "X-T: 1\r\n");
  }
}

// What a step makes of bytes that come to a body that has just begun, one after the other.
ChunkStep last_step(const std::vector<std::string>& growing) {
  std::string bytes = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
  Parser parser;
  RequestHead head;
  EXPECT_FALSE(parse(bytes, head, parser));
  ChunkStep step;
  for (const auto& here : growing) step = parser.chunk(here);
  return step;
}

TEST(ChunkedBody, WaitsForTheEndOfAnEmptyOneByteByByte) {
  EXPECT_TRUE(last_step({"0", "0\r", "0\r\n", "0\r\n", "0\r\n\r"}).need_more);
  EXPECT_TRUE(last_step({"0", "0\r", "0\r\n", "0\r\n\r", "0\r\n\r\n"}).done);
  EXPECT_TRUE(last_step({"0\r\n", "0\r\nX", "0\r\nX: 1\r\n\r\n"}).done);
}

TEST(ChunkedBody, HasItsLimitsWhereverTheBytesWereCut) {
  const std::string longest(16 * 1024 - 4, 'x');
  EXPECT_FALSE(last_step({"1;" + longest + "\r\n"}).bad) << "a header within the limit, in one piece";
  EXPECT_TRUE(last_step({"1;" + longest + "x\r\n"}).bad) << "one byte more, in one piece";
  EXPECT_FALSE(last_step({"1;" + longest, "1;" + longest + "\r\n"}).bad) << "within the limit, cut";
  EXPECT_TRUE(last_step({"1;" + longest, "1;" + longest + "x\r\n"}).bad) << "one byte more, cut";
}

TEST(ChunkedBody, SaysWhatIsMalformed) {
  for (const std::string body : {"zz\r\n", "-1\r\n", "5\r\nhelloXX\r\n", "fffffffffffffffff\r\n"}) {
    std::string bytes = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    Parser parser;
    RequestHead head;
    ASSERT_FALSE(parse(bytes, head, parser));
    std::string_view rest = body;
    bool bad = false;
    for (int i = 0; i < 10 && !bad; ++i) {
      const auto step = parser.chunk(rest);
      bad = step.bad;
      if (step.need_more) break;
      rest.remove_prefix(step.consumed);
    }
    EXPECT_TRUE(bad) << body;
  }
}

TEST(ResponseParser, ReadsFraming) {
  Parser parser;
  ResponseHead head;
  std::string bytes = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";
  ASSERT_FALSE(parser.response(bytes.data(), bytes.size(), false, head));
  EXPECT_EQ(head.body.length, 5U);
  EXPECT_TRUE(head.keep_alive);
  bytes = "HTTP/1.0 200 OK\r\n\r\n";
  ASSERT_FALSE(parser.response(bytes.data(), bytes.size(), false, head));
  EXPECT_EQ(head.body.kind, Framing::Kind::until_close);
  EXPECT_FALSE(head.keep_alive);
  bytes = "HTTP/1.1 204 No Content\r\n\r\n";
  ASSERT_FALSE(parser.response(bytes.data(), bytes.size(), false, head));
  EXPECT_TRUE(head.keep_alive);
  bytes = "HTTP/1.1 020 Low\r\n\r\n";
  EXPECT_TRUE(parser.response(bytes.data(), bytes.size(), false, head));
  bytes = "nonsense\r\n\r\n";
  EXPECT_TRUE(parser.response(bytes.data(), bytes.size(), false, head));
}

}  // namespace
}  // namespace faas::http
