// The loop and what waits on it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>
#include <thread>

#include "net/core.h"
#include "net/doorman.h"
#include "net/event.h"
#include "net/socket.h"
#include "net/stream.h"

namespace faas::net {
namespace {

using std::chrono::milliseconds;

// Runs one task to its end on a core of its own.
template <class Make>
void run(Make make) {
  Core core;
  auto whole = [](Core& on_core, Make body) -> Task<> {
    auto task = body(on_core);
    co_await std::move(task);
    on_core.stop();
  };
  core.post([&core, &whole, make]() mutable { core.spawn(whole(core, make)); });
  core.run();
}

std::pair<Stream, Stream> stream_pair() {
  int ends[2];
  EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
  return {Stream(Fd(ends[0])), Stream(Fd(ends[1]))};
}

struct Flag {
  bool& flag;
  explicit Flag(bool& f) : flag(f) {}
  ~Flag() { flag = true; }
};

Task<int> forever(bool& destroyed) {
  const Flag flag(destroyed);
  co_await sleep_for(std::chrono::hours(1));
  co_return 1;
}

Task<int> answer_after(milliseconds delay, int value) {
  co_await sleep_for(delay);
  co_return value;
}

TEST(Timers, FireInTheOrderOfTheirTimesWhateverTheOrderOfTheirStart) {
  run([](Core& core) -> Task<> {
    std::vector<int> order;
    const auto one = [](std::vector<int>& out, int ms) -> Task<> {
      co_await sleep_for(milliseconds(ms));
      out.push_back(ms);
    };
    for (const int ms : {30, 5, 20, 1, 10}) core.spawn(one(order, ms));
    co_await sleep_for(milliseconds(60));
    EXPECT_THAT(order, ::testing::ElementsAre(1, 5, 10, 20, 30));
  });
}

TEST(Within, DestroysTheTaskWhenTheDeadlineComesFirst) {
  run([](Core&) -> Task<> {
    bool destroyed = false;
    auto late = co_await within(forever(destroyed), Clock::now() + milliseconds(5));
    EXPECT_FALSE(late.has_value());
    EXPECT_TRUE(destroyed);
    auto early = co_await within(answer_after(milliseconds(1), 7), Clock::now() + std::chrono::hours(1));
    EXPECT_EQ(early, 7);
  });
}

TEST(Race, DestroysTheTaskWhenTheEventComesFirst) {
  run([](Core& core) -> Task<> {
    bool destroyed = false;
    Event stop;
    const auto setter = [](Event& event) -> Task<> {
      co_await sleep_for(milliseconds(3));
      event.set();
    };
    core.spawn(setter(stop));
    auto value = co_await race(forever(destroyed), stop);
    EXPECT_FALSE(value.has_value());
    EXPECT_TRUE(destroyed);
    auto at_once = co_await race(answer_after(milliseconds(0), 3), stop);
    EXPECT_FALSE(at_once.has_value()) << "an event that is set already wins";
  });
}

TEST(Running, GoesOnBesideItsParentAndStopsWithIt) {
  run([](Core&) -> Task<> {
    bool destroyed = false;
    {
      Running<int> child(forever(destroyed));
      co_await sleep_for(milliseconds(2));
      EXPECT_FALSE(child.done());
    }
    EXPECT_TRUE(destroyed);
    Running<int> quick(answer_after(milliseconds(1), 5));
    const int value = co_await quick.join();
    EXPECT_EQ(value, 5);
  });
}

TEST(CoreTest, DestroysUnfinishedTasksWithItself) {
  bool destroyed = false;
  {
    Core core;
    const auto rest = [](bool& flag) -> Task<> { co_await forever(flag); };
    core.spawn(rest(destroyed));
    EXPECT_FALSE(destroyed);
  }
  EXPECT_TRUE(destroyed);
}

TEST(CoreTest, RunsWhatOtherThreadsPostInTheirOrder) {
  Core core;
  std::vector<int> seen;
  std::thread other([&core, &seen] {
    for (int i = 0; i < 1000; ++i) core.post([&seen, i] { seen.push_back(i); });
    core.stop();
  });
  core.run();
  other.join();
  ASSERT_EQ(seen.size(), 1000U);
  EXPECT_TRUE(std::is_sorted(seen.begin(), seen.end()));
}

TEST(On, BringsTheValueBackFromAnotherCore) {
  Core worker;
  std::thread thread([&worker] { worker.run(); });
  run([&worker](Core& home) -> Task<> {
    const auto there = [](Core& expected) -> Task<int> {
      EXPECT_EQ(&Core::current(), &expected);
      co_await sleep_for(milliseconds(1));
      co_return 42;
    };
    const int value = co_await on<int>(worker, [there, &worker] { return there(worker); });
    EXPECT_EQ(value, 42);
    EXPECT_EQ(&Core::current(), &home);
  });
  worker.stop();
  thread.join();
}

TEST(StreamTest, CarriesMoreThanTheKernelBuffersToASlowReader) {
  run([](Core&) -> Task<> {
    auto [a, b] = stream_pair();
    const std::string sent(8 << 20, 'x');
    const auto send = [](Stream& stream, const std::string& bytes) -> Task<bool> {
      auto wrote = co_await stream.write(bytes);
      stream.shutdown_write();
      co_return wrote.has_value();
    };
    Running<bool> writer(send(a, sent));
    EXPECT_FALSE(writer.done()) << "nobody reads: it has to wait";
    std::size_t total = 0;
    std::vector<char> buffer(64 * 1024);
    while (true) {
      auto n = co_await b.read(buffer);
      if (!n || *n == 0) break;
      total += *n;
    }
    EXPECT_EQ(total, sent.size());
    const bool fine = co_await writer.join();
    EXPECT_TRUE(fine);
  });
}

TEST(StreamTest, ForgetsAReaderThatIsDestroyed) {
  run([](Core&) -> Task<> {
    auto [a, b] = stream_pair();
    std::vector<char> buffer(10);
    const auto receive = [](Stream& stream, std::span<char> into) -> Task<int> {
      auto n = co_await stream.read(into);
      co_return n ? static_cast<int>(*n) : -1;
    };
    auto none = co_await within(receive(b, buffer), Clock::now() + milliseconds(2));
    EXPECT_FALSE(none.has_value());
    auto wrote = co_await a.write("late");
    EXPECT_TRUE(wrote.has_value());
    co_await sleep_for(milliseconds(2));  // the armed read takes the bytes and tells nobody
  });
}

TEST(StreamTest, TellsOfAWriteToAPeerThatIsGone) {
  run([](Core&) -> Task<> {
    auto [a, b] = stream_pair();
    b.close();
    auto wrote = co_await a.write("x");
    EXPECT_FALSE(wrote.has_value());
  });
}

TEST(AddressTest, NamesWhatIsWrong) {
  EXPECT_TRUE(Address::parse("127.0.0.1:80"));
  EXPECT_TRUE(Address::parse("[::1]:80"));
  EXPECT_TRUE(Address::parse(":0"));
  EXPECT_TRUE(Address::parse("unix:/tmp/x"));
  EXPECT_THAT(Address::parse("127.0.0.1:70000").error().text, ::testing::HasSubstr("port"));
  EXPECT_THAT(Address::parse("nowhere.example:80").error().text, ::testing::HasSubstr("localhost"));
  EXPECT_THAT(Address::parse("unix:" + std::string(200, 'a')).error().text, ::testing::HasSubstr("107"));
}

TEST(Connect, SaysThatNobodyListens) {
  run([](Core&) -> Task<> {
    auto bound = listen(*Address::parse("127.0.0.1:0"));
    const auto port = port_of(bound->get());
    bound->close();
    const auto address = Address::parse("127.0.0.1:" + std::to_string(port));
    auto stream = co_await connect(*address);
    EXPECT_FALSE(stream.has_value());
    if (!stream) EXPECT_EQ(stream.error().code, Code::refused);
  });
}

TEST(Hangup, OneByteTellsAPeerThatIsGoneFromOneThatOnlyFinishedSending) {
  run([](Core&) -> Task<> {
    auto listener = listen(*Address::parse("127.0.0.1:0"));
    const auto address = Address::parse("127.0.0.1:" + std::to_string(port_of(listener->get())));
    auto gone = co_await connect(*address);
    Stream gone_server(Fd(::accept4(listener->get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)));
    auto half = co_await connect(*address);
    Stream half_server(Fd(::accept4(listener->get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)));
    gone->close();
    half->shutdown_write();
    const auto hung_up = [](Stream& stream) -> Task<> {
      auto wrote = co_await stream.write("H");
      EXPECT_TRUE(wrote.has_value());
      co_await stream.hangup();
    };
    Running<void> half_watch(hung_up(half_server));
    const bool told = co_await within(hung_up(gone_server), Clock::now() + std::chrono::seconds(20));
    EXPECT_TRUE(told);
    EXPECT_FALSE(half_watch.done());
  });
}

}  // namespace
}  // namespace faas::net
