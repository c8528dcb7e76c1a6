#include "watchdog/piped_function.h"

#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>

#include "net/event.h"
#include "watchdog/mode_afterburn.h"

namespace faas::watchdog {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

std::string head_of(std::string request, std::string_view target = {}) {
  http::Parser parser;
  http::RequestHead head;
  EXPECT_FALSE(parser.request(request.data(), request.size(), head));
  const CallFacts facts{
      .method = head.method_text, .host = head.host, .fields = head.fields, .body = head.body};
  return print_piped_head(facts, head, target.empty() ? head.target : target);
}

TEST(PipedHead, IsWrittenAsTheReferenceDoes) {
  EXPECT_EQ(
      head_of("POST /p?q=1 HTTP/1.1\r\nx-b: 2\r\nHost: h:80\r\nContent-Length: 5\r\nA: 1\r\nx-B: 1\r\n"
              "User-Agent: curl\r\n\r\n"),
      "POST /p?q=1 HTTP/1.1\r\nHost: h:80\r\nUser-Agent: curl\r\nContent-Length: 5\r\nA: 1\r\nX-B: 2\r\n"
      "X-B: 1\r\n\r\n");
  EXPECT_EQ(head_of("GET / HTTP/1.1\r\nHost: h\r\n\r\n"),
            "GET / HTTP/1.1\r\nHost: h\r\nUser-Agent: Go-http-client/1.1\r\n\r\n");
}

TEST(PipedHead, TellsHowLongTheBodyIs) {
  EXPECT_THAT(head_of("PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"),
              HasSubstr("\r\nTransfer-Encoding: chunked\r\n"));
  EXPECT_THAT(head_of("POST / HTTP/1.1\r\nHost: h\r\n\r\n"), HasSubstr("\r\nContent-Length: 0\r\n"));
}

TEST(PipedHead, LeavesOutWhatIsBetweenTheClientAndUs) {
  const auto head = head_of(
      "GET / HTTP/1.1\r\nHost: h\r\nConnection: close, X-Mine\r\nX-Mine: 1\r\nTE: trailers\r\n"
      "Expect: 100-continue\r\nKeep-Alive: 5\r\n\r\n");
  EXPECT_EQ(head, "GET / HTTP/1.1\r\nHost: h\r\nUser-Agent: Go-http-client/1.1\r\n\r\n");
}

TEST(PipedHead, HasTheOriginForm) {
  EXPECT_THAT(head_of("GET http://h/a?b HTTP/1.1\r\nHost: h\r\n\r\n"), HasSubstr("GET /a?b HTTP/1.1\r\n"));
  EXPECT_THAT(head_of("GET /x HTTP/1.1\r\nHost: h\r\n\r\n", "/ready"), HasSubstr("GET /ready HTTP/1.1\r\n"));
}

TEST(RestartPause, GrowsToItsLimit) {
  EXPECT_EQ(restart_pause(0), 0ms);
  EXPECT_EQ(restart_pause(1), 0ms);
  EXPECT_EQ(restart_pause(2), 100ms);
  EXPECT_EQ(restart_pause(3), 200ms);
  EXPECT_EQ(restart_pause(1'000'000), 5s);
}

class PipedFunctionTest : public ::testing::Test {
 protected:
  // Asks a shell script once.
  Result<PipedAnswer> ask(const std::string& script, Duration limit = 10s) {
    ::signal(SIGPIPE, SIG_IGN);
    const std::string path = "/tmp/faas-piped-function-test-" + std::to_string(::getpid()) + ".sh";
    auto* file = std::fopen(path.c_str(), "we");
    std::fputs(("#!/bin/sh\n" + script + "\n").c_str(), file);
    ::fchmod(::fileno(file), 0755);
    std::fclose(file);
    settings_.process = path;
    settings_.lock_folder = "/tmp";
    core_.spawn(ask_once(limit));
    core_.run();
    ::unlink(path.c_str());
    return std::move(answer_);
  }
  Task<> ask_once(Duration limit) {
    {
      auto function = PipedFunction::start(settings_);
      const PipedRequest request{.head = "GET / HTTP/1.1\r\n\r\n", .body = Spool("/tmp")};
      answer_ = co_await (*function)->ask(request, Clock::now() + limit);
      usable_ = (*function)->usable();
      (void)co_await (*function)->end();
    }
    core_.stop();
  }

  net::Core core_;
  Settings settings_;
  Result<PipedAnswer> answer_ = Error{};
  bool usable_ = false;
};

TEST_F(PipedFunctionTest, AnswersWithTheFirstOfEachField) {
  const auto answer =
      ask("read line; printf 'HTTP/1.1 201 Made\\r\\nA: 1\\r\\na: 2\\r\\nContent-Length: 2\\r\\n\\r\\nok'; "
          "cat >/dev/null");
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 201);
  EXPECT_EQ(answer->reason, "Made");
  EXPECT_THAT(answer->fields, ::testing::ElementsAre(::testing::Pair("A", "1")));
  EXPECT_EQ(answer->body.text(), "ok");
  EXPECT_TRUE(usable_);
}

TEST_F(PipedFunctionTest, ReadsPastInterimAnswers) {
  const auto answer = ask(
      "read line; printf 'HTTP/1.1 100 Continue\\r\\n\\r\\nHTTP/1.1 103 Early Hints\\r\\nLink: a\\r\\n\\r\\n"
      "HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok'; cat >/dev/null");
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 200);
  EXPECT_EQ(answer->body.text(), "ok");
  EXPECT_TRUE(usable_);
}

TEST_F(PipedFunctionTest, TellsWhyThereIsNoAnswer) {
  EXPECT_EQ(ask("while printf 'HTTP/1.1 100 Continue\\r\\n\\r\\n'; do :; done").error().text,
            "more than 8 interim answers");
  EXPECT_EQ(ask("read line; echo nonsense; sleep 60").error().text, "malformed HTTP response \"nonsense\"");
  EXPECT_EQ(ask("exit 3").error().text, "unexpected EOF: the function ended: exit status 3");
  EXPECT_EQ(ask("exec >&-; sleep 60").error().text,
            "unexpected EOF: the function closed its standard output");
  EXPECT_THAT(ask("printf 'HTTP/1.1 200 OK\\r\\n\\r\\nbody'; sleep 60").error().text,
              HasSubstr("neither Content-Length nor"));
  EXPECT_EQ(ask("sleep 60", 50ms).error().code, Code::timeout);
  EXPECT_FALSE(usable_);
}

}  // namespace
}  // namespace faas::watchdog
