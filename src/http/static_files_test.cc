// StaticFiles behind a server, over a real socket.
#include "http/static_files.h"

#include <gmock/gmock.h>
#include <sys/socket.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "http/content_type.h"
#include "http/server.h"
#include "net/core.h"

namespace faas::http {
namespace {

namespace fs = std::filesystem;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

Task<> read_all(net::Stream& stream, std::string request, std::string& answer, net::Core& core) {
  auto wrote = co_await stream.write(request);
  EXPECT_TRUE(wrote);
  std::vector<char> buffer(65536);
  while (true) {
    auto n = co_await stream.read(buffer);
    if (!n || *n == 0) break;
    answer.append(buffer.data(), *n);
  }
  core.stop();
}

class StaticFilesTest : public ::testing::Test {
 protected:
  StaticFilesTest() {
    char name[] = "/tmp/faas-files-XXXXXX";
    root_ = ::mkdtemp(name);
    fs::create_directory(root_ / "sub");
    fs::create_directory(root_ / "\\\\host");
    write("a.txt", "hello world");
    write("sub/index.html", "<p>index");
    write("page", "<html>");
    write("empty.css", "");
  }
  ~StaticFilesTest() override { fs::remove_all(root_); }

  void write(std::string_view name, std::string_view text) { std::ofstream(root_ / name) << text; }

  // Head and body of the answer.
  [[nodiscard]] std::string ask(std::string_view method, std::string_view target,
                                std::string_view fields = {}) const {
    net::Core core;
    StaticFiles files(root_);
    Server server(core, files, {});
    int ends[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    net::Fd served(ends[0]);
    net::Stream client{net::Fd(ends[1])};
    std::string answer;
    auto request = std::string(method).append(" ").append(target);
    request.append(" HTTP/1.1\r\nHost: a\r\nConnection: close\r\n").append(fields).append("\r\n");
    server.receive(std::move(served));
    core.spawn(read_all(client, request, answer, core));
    core.run();
    return answer;
  }

  fs::path root_;
};

TEST_F(StaticFilesTest, AFileComesWithItsTypeLengthAndDate) {
  const auto answer = ask("GET", "/a.txt");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\nAccept-Ranges: bytes\r\nLast-Modified: "));
  EXPECT_THAT(answer, HasSubstr("\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 11\r\n"));
  EXPECT_THAT(answer, EndsWith("\r\n\r\nhello world"));
  EXPECT_THAT(ask("GET", "/page"), HasSubstr("Content-Type: text/html; charset=utf-8\r\n"));
  EXPECT_THAT(ask("GET", "/empty.css"), HasSubstr("Content-Length: 0\r\n"));
}

TEST_F(StaticFilesTest, HeadIsTheSameWithoutTheBody) {
  const auto answer = ask("HEAD", "/a.txt");
  EXPECT_THAT(answer, HasSubstr("\r\nContent-Length: 11\r\n"));
  EXPECT_THAT(answer, EndsWith("\r\n\r\n"));
}

TEST_F(StaticFilesTest, SeveralRangesComeInOneAnswerOfTheAnnouncedLength) {
  const auto answer = ask("GET", "/a.txt", "Range: bytes=0-4,-5\r\n");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 206 Partial Content\r\n"));
  const auto mark = std::string("Content-Type: multipart/byteranges; boundary=");
  const auto at = answer.find(mark);
  ASSERT_NE(at, answer.npos);
  const auto boundary = answer.substr(at + mark.size(), 32);
  const auto body = answer.substr(answer.find("\r\n\r\n") + 4);
  EXPECT_EQ(body, "--" + boundary +
                      "\r\nContent-Range: bytes 0-4/11\r\nContent-Type: text/plain; "
                      "charset=utf-8\r\n\r\nhello\r\n--" +
                      boundary +
                      "\r\nContent-Range: bytes 6-10/11\r\nContent-Type: text/plain; "
                      "charset=utf-8\r\n\r\nworld\r\n--" +
                      boundary + "--\r\n");
  EXPECT_THAT(answer, HasSubstr("\r\nContent-Length: " + std::to_string(body.size()) + "\r\n"));
}

TEST_F(StaticFilesTest, RedirectsStayOnTheSite) {
  EXPECT_THAT(ask("GET", "/sub?x=1"), HasSubstr("\r\nLocation: sub/?x=1\r\n"));
  EXPECT_THAT(ask("GET", "/s%75b"), HasSubstr("\r\nLocation: s%75b/\r\n"));
  EXPECT_THAT(ask("GET", "/sub/index.html?x"), HasSubstr("\r\nLocation: ./?x\r\n"));
  EXPECT_THAT(ask("GET", "/a.txt/"), HasSubstr("\r\nLocation: ../a.txt\r\n"));
  EXPECT_THAT(ask("GET", "/a.txt//"), HasSubstr("\r\nLocation: ../../a.txt\r\n"));
  EXPECT_THAT(ask("GET", "/\\\\host"), HasSubstr("\r\nLocation: ./\\\\host/\r\n"))
      << "browsers take a backslash for a slash";
  EXPECT_THAT(ask("GET", "//sub"), HasSubstr("\r\nLocation: sub/\r\n"));
}

TEST_F(StaticFilesTest, AFolderIsItsIndexOrAList) {
  EXPECT_THAT(ask("GET", "/sub/"), EndsWith("\r\n\r\n<p>index"));
  EXPECT_THAT(
      ask("GET", "/"),
      EndsWith("\r\n\r\n<pre>\n<a href=\"%5C%5Chost/\">\\\\host/</a>\n<a href=\"a.txt\">a.txt</a>\n<a "
               "href=\"empty.css\">empty.css</a>\n<a href=\"page\">page</a>\n<a "
               "href=\"sub/\">sub/</a>\n</pre>\n"));
}

TEST_F(StaticFilesTest, AMeaninglessNameIsTheClientsMistake) {
  EXPECT_THAT(ask("GET", "/a.txt%00.html"), StartsWith("HTTP/1.1 400 "));
  const auto missing = ask("GET", "/missing");
  EXPECT_THAT(missing, StartsWith("HTTP/1.1 404 "));
  EXPECT_THAT(missing, HasSubstr("\r\nX-Content-Type-Options: nosniff\r\n"));
  EXPECT_THAT(missing, EndsWith("\r\n\r\n404 page not found\n"));
}

TEST_F(StaticFilesTest, ATimeOfZeroIsNoTime) {
  fs::last_write_time(root_ / "a.txt", std::chrono::file_clock::from_sys(std::chrono::sys_seconds{}));
  EXPECT_THAT(ask("GET", "/a.txt"), Not(HasSubstr("Last-Modified")));
}

TEST(ContentType, IsToldByTheEndOfTheName) {
  EXPECT_EQ(content_type_of("a/site.CSS"), "text/css; charset=utf-8");
  EXPECT_EQ(content_type_of("m.mjs"), "text/javascript; charset=utf-8");
  EXPECT_EQ(content_type_of("a.tar.gz"), "application/gzip");
  EXPECT_EQ(content_type_of(".json"), "application/json");
  EXPECT_EQ(content_type_of("dir.css/file"), "");
  EXPECT_EQ(content_type_of("plain"), "");
  EXPECT_EQ(content_type_of("dot."), "");
}

}  // namespace
}  // namespace faas::http
