// Bytes that are passed on without being read.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <string>

#include "net/core.h"
#include "net/event.h"
#include "net/stream.h"

namespace faas::net {
namespace {

template <class Make>
void run(Make make) {
  Core core;
  auto whole = [](Core& on_core, Make body) -> Task<> {
    auto task = body();
    co_await std::move(task);
    on_core.stop();
  };
  core.post([&core, &whole, make]() mutable { core.spawn(whole(core, make)); });
  core.run();
}

struct Ends {
  Fd read;
  Fd write;
};

Ends make_pipe() {
  int ends[2];
  EXPECT_EQ(::pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
  return {Fd(ends[0]), Fd(ends[1])};
}

Ends make_pair() {
  int ends[2];
  EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
  return {Fd(ends[0]), Fd(ends[1])};
}

std::string pattern(std::size_t size) {
  std::string text(size, '\0');
  for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>('a' + i % 23);
  return text;
}

void fill(const Fd& into, const std::string& text) {
  ASSERT_EQ(::write(into.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
}

Task<std::string> read_to_end(Stream& from) {
  std::string all;
  char buffer[4096];
  while (true) {
    const auto n = co_await from.read(buffer);
    if (!n || *n == 0) co_return all;
    all.append(buffer, *n);
  }
}

Task<Result<void>> pass_and_close(Stream& to, Source source) {
  auto passed = co_await to.pass("<", source, ">");
  to.close();
  co_return passed;
}

// What arrives when `source` is passed on between brackets.
Task<Result<std::string>> passed_on(Source source) {
  auto ends = make_pair();
  const int small = 4096;  // so that the passing has to wait for the reading
  ::setsockopt(ends.write.get(), SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
  Stream from(std::move(ends.read));
  Stream to(std::move(ends.write));
  Running<Result<void>> passing(pass_and_close(to, source));
  auto text = co_await read_to_end(from);
  auto passed = co_await passing.join();
  if (!passed) co_return passed.error();
  co_return text;
}

TEST(Pass, SendsWhatLiesInAPipeBetweenItsTexts) {
  run([]() -> Task<> {
    const auto pipe = make_pipe();
    const auto text = pattern(60'000);
    fill(pipe.write, text + "the rest");
    const Source source{.fd = pipe.read.get(), .bytes = text.size()};
    const auto got = co_await passed_on(source);
    EXPECT_TRUE(got && *got == "<" + text + ">");
    EXPECT_EQ(bytes_ready(pipe.read.get()), 8U);
  });
}

TEST(Pass, SendsAStretchOfAFileAndLeavesItsOffsetAlone) {
  run([]() -> Task<> {
    char path[] = "/tmp/faas-stream-XXXXXX";
    const Fd file(::mkstemp(path));
    ::unlink(path);
    const auto text = pattern(300'000);
    fill(file, text);
    ::lseek(file.get(), 7, SEEK_SET);
    const Source source{.fd = file.get(), .bytes = 200'000, .offset = 1000};
    const auto got = co_await passed_on(source);
    EXPECT_TRUE(got && *got == "<" + text.substr(1000, 200'000) + ">");
    EXPECT_EQ(::lseek(file.get(), 0, SEEK_CUR), 7);
  });
}

TEST(Pass, CopiesWhatTheKernelRefusesToMove) {
  run([]() -> Task<> {
    auto ends = make_pair();  // neither end of what follows is a pipe: splice(2) says EINVAL
    const auto text = pattern(60'000);
    fill(ends.write, text);
    EXPECT_EQ(move_now(ends.read.get(), ends.write.get(), 1), -1);
    EXPECT_TRUE(is_refusal(errno));
    const Source source{.fd = ends.read.get(), .bytes = text.size()};
    const auto got = co_await passed_on(source);
    EXPECT_TRUE(got && *got == "<" + text + ">");
  });
}

TEST(Pass, SaysWhenTheSourceHoldsLessThanItShould) {
  run([]() -> Task<> {
    const auto open_pipe = make_pipe();
    fill(open_pipe.write, "abc");
    const Source drained{.fd = open_pipe.read.get(), .bytes = 4};
    auto got = co_await passed_on(drained);
    EXPECT_TRUE(!got && got.error().code == Code::failed);

    auto closed_pipe = make_pipe();
    fill(closed_pipe.write, "abc");
    closed_pipe.write.close();
    const Source ended{.fd = closed_pipe.read.get(), .bytes = 4};
    got = co_await passed_on(ended);
    EXPECT_TRUE(!got && got.error().code == Code::failed);
  });
}

TEST(Pass, TellsOfAPeerThatIsGone) {
  ::signal(SIGPIPE, SIG_IGN);
  run([]() -> Task<> {
    const auto pipe = make_pipe();
    fill(pipe.write, "abc");
    auto ends = make_pair();
    Stream to(std::move(ends.write));
    ends.read.close();
    const Source source{.fd = pipe.read.get(), .bytes = 3};
    const auto passed = co_await to.pass("", source, "");
    EXPECT_TRUE(!passed && passed.error().code == Code::closed);
  });
}

TEST(Pass, CanBeDestroyedWhileItWaits) {
  run([]() -> Task<> {
    const auto pipe = make_pipe();
    const auto text = pattern(60'000);
    fill(pipe.write, text);
    auto ends = make_pair();
    const int small = 4096;
    ::setsockopt(ends.write.get(), SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
    Stream from(std::move(ends.read));
    Stream to(std::move(ends.write));
    const Source source{.fd = pipe.read.get(), .bytes = text.size()};
    Event stop;
    stop.set();
    const auto passed = co_await race(pass_and_close(to, source), stop);
    EXPECT_FALSE(passed.has_value());
    to.close();
    const auto got = co_await read_to_end(from);
    EXPECT_FALSE(got.ends_with(">"));
  });
}

TEST(MoveNow, MovesFromASocketIntoAPipeUntilEitherSideMakesItWait) {
  auto ends = make_pair();
  const auto pipe = make_pipe();
  ::fcntl(ends.read.get(), F_SETFL, O_NONBLOCK);
  EXPECT_EQ(move_now(ends.read.get(), pipe.write.get(), 100), -1);
  EXPECT_EQ(errno, EAGAIN);
  fill(ends.write, "hello");
  EXPECT_EQ(move_now(ends.read.get(), pipe.write.get(), 100), 5);
  EXPECT_EQ(bytes_ready(pipe.read.get()), 5U);
  ends.write.close();
  EXPECT_EQ(move_now(ends.read.get(), pipe.write.get(), 100), 0);
}

}  // namespace
}  // namespace faas::net
