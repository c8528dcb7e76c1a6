// The ring of what a function printed, and who reads it.
#include "provider/local/function_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <charconv>
#include <filesystem>
#include <fstream>

#include "provider/local/log_store.h"
#include "provider/local/output.h"
#include "provider/local/ring_reader.h"

namespace faas::provider {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::IsEmpty;
using ::testing::StartsWith;
namespace fs = std::filesystem;

// With which the text begins.
int number(const std::string& text) {
  int value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

class FunctionLogTest : public ::testing::Test {
 public:
  FunctionLogTest() { fs::create_directory(top_); }

 protected:
  ~FunctionLogTest() override { fs::remove_all(top_); }

  [[nodiscard]] std::shared_ptr<FunctionLog> open() {
    return std::make_shared<FunctionLog>(core_, FunctionName{"fn", "ns"}, folder_, FunctionLog::kBytesLeast);
  }
  static void print(FunctionLog& log, const std::vector<std::string>& texts,
                    std::string_view instance = "a") {
    for (const auto& text : texts) log.add(instance, at(text), text);
    log.flush();
  }
  // A text "7 ..." is printed in second 7.
  static LogTime at(const std::string& text) { return LogTime(std::chrono::seconds(number(text))); }
  // What a reader that does not wait gives in one go.
  std::vector<std::string> read(RingReader& reader) {
    std::vector<std::string> texts;
    const auto take = [](RingReader& from, std::vector<std::string>& to, net::Core& core) -> Task<> {
      for (;;) {
        const auto lines = co_await from.next();
        if (lines.empty()) break;
        for (const auto& line : lines) to.push_back(line.text);
      }
      core.stop();
    };
    core_.spawn(take(reader, texts, core_));
    core_.run();
    return texts;
  }
  std::vector<std::string> read(const std::shared_ptr<FunctionLog>& log, LogQuery query) {
    RingReader reader(log, std::move(query));
    return read(reader);
  }
  [[nodiscard]] std::uintmax_t bytes() const {
    std::uintmax_t sum = 0;
    for (const auto& entry : fs::directory_iterator(folder_)) sum += entry.file_size();
    return sum;
  }

  net::Core core_;
  std::string top_ = ::testing::TempDir() + "logs-" + std::to_string(::getpid());
  std::string folder_ = top_ + "/fn.ns";
};

TEST_F(FunctionLogTest, LinesAreReadAsTheyWerePrintedAndChosen) {
  const auto log = open();
  EXPECT_THAT(read(log, {}), IsEmpty());
  print(*log, {"1 one", "", " 3 with spaces ", "4 four"});
  print(*log, {"5 other"}, "b");
  EXPECT_THAT(read(log, {}), ElementsAre("1 one", "", " 3 with spaces ", "4 four", "5 other"));
  EXPECT_THAT(read(log, {.instance = "b"}), ElementsAre("5 other"));
  EXPECT_THAT(read(log, {.tail = 2}), ElementsAre("4 four", "5 other"));
  EXPECT_THAT(read(log, {.instance = "a", .tail = 2}), ElementsAre(" 3 with spaces ", "4 four"));
  EXPECT_THAT(read(log, {.since = LogTime(4s)}), ElementsAre("4 four", "5 other"));
  EXPECT_THAT(read(log, {.since = LogTime(4s), .tail = 1}), ElementsAre("5 other"));
  EXPECT_THAT(read(log, {.since = LogTime(5s) + 1ns}), IsEmpty());
  EXPECT_THAT(read(log, {.tail = 100}), ::testing::SizeIs(5));
}

TEST_F(FunctionLogTest, TheRingIsBoundedAndGivesUpTheOldest) {
  const auto log = open();
  const std::string filler(1000, 'x');
  for (int i = 0; i < 5000; ++i) print(*log, {std::to_string(i) + " " + filler});
  EXPECT_LE(bytes(), FunctionLog::kBytesLeast);
  EXPECT_EQ(log->segments().size(), FunctionLog::kSegments);
  const auto kept = read(log, {});
  EXPECT_GT(kept.size(), 700U) << "at most one of its files is empty";
  EXPECT_EQ(kept.back(), "4999 " + filler);
  for (std::size_t i = 1; i < kept.size(); ++i) {
    EXPECT_EQ(number(kept[i]), number(kept[i - 1]) + 1) << "a line is missing";
  }
  const auto last = read(log, {.tail = 500});
  ASSERT_EQ(last.size(), 500U) << "over several files";
  EXPECT_EQ(last.front(), "4500 " + filler);
}

TEST_F(FunctionLogTest, AnotherProcessGoesOnWhereOneWasKilled) {
  print(*open(), {"1 one", "2 two"});
  for (const auto& entry : fs::directory_iterator(folder_)) {
    std::ofstream(entry.path(), std::ios::app) << "1970-01-01T00:00:03.0000";
  }
  const auto again = open();
  print(*again, {"4 four"});
  EXPECT_THAT(read(again, {}), ElementsAre("1 one", "2 two", "4 four"));
}

TEST_F(FunctionLogTest, WhatSomebodyElseWroteIntoAFileIsSkipped) {
  print(*open(), {"1 one"});
  for (const auto& entry : fs::directory_iterator(folder_)) {
    std::ofstream(entry.path(), std::ios::app) << "hello\n\n" << std::string(300'000, 'x') << "\n";
  }
  std::ofstream(folder_ + "/notes") << "not a number\n";
  const auto log = open();
  print(*log, {"2 two"});
  EXPECT_THAT(read(log, {.tail = 1}), ElementsAre("2 two"));
  EXPECT_THAT(read(log, {}), ::testing::Contains("2 two"));
}

TEST_F(FunctionLogTest, AReaderThatWasOvertakenIsToldAndGoesOn) {
  const auto log = open();
  print(*log, {"0 first"});
  RingReader reader(log, {.follow = true});
  const std::string filler(1000, 'x');
  for (int i = 1; i < 3000; ++i) print(*log, {std::to_string(i) + " " + filler});
  std::vector<std::string> texts;
  const auto take = [](RingReader& from, std::vector<std::string>& to, net::Core& core) -> Task<> {
    while (to.empty() || !to.back().starts_with("2999 ")) {
      const auto lines = co_await from.next();
      for (const auto& line : lines) to.push_back(line.text);
    }
    core.stop();
  };
  core_.spawn(take(reader, texts, core_));
  core_.run();
  EXPECT_THAT(texts.front(), StartsWith("lines are missing here"));
  EXPECT_EQ(texts.back(), "2999 " + filler);
}

TEST_F(FunctionLogTest, WhoFollowsIsWokenByLinesByTheEndOfTheFunctionAndByStop) {
  const auto log = open();
  RingReader follower(log, {.follow = true});
  RingReader stopped(log, {.follow = true});
  std::vector<std::string> seen;
  bool ended = false;
  bool stopped_ended = false;
  const auto follow = [](RingReader& from, std::vector<std::string>& to, bool& end) -> Task<> {
    for (;;) {
      const auto lines = co_await from.next();
      if (lines.empty()) break;
      for (const auto& line : lines) to.push_back(line.text);
    }
    end = true;
  };
  const auto act = [](FunctionLog& of, RingReader& other, net::Core& core) -> Task<> {
    co_await net::sleep_for(0s);
    print(of, {"1 one"});
    other.stop();
    co_await net::sleep_for(0s);
    of.remove();
    print(of, {"2 too late"});
    co_await net::sleep_for(0s);
    core.stop();
  };
  std::vector<std::string> of_stopped;
  core_.spawn(follow(follower, seen, ended));
  core_.spawn(follow(stopped, of_stopped, stopped_ended));
  core_.spawn(act(*log, stopped, core_));
  core_.run();
  EXPECT_THAT(seen, ElementsAre("1 one"));
  EXPECT_TRUE(ended);
  EXPECT_TRUE(stopped_ended);
  EXPECT_FALSE(fs::exists(folder_));
}

TEST_F(FunctionLogTest, AStoreRemovesTheLogsOfFunctionsThatAreGone) {
  auto store = LogStore::open(core_, top_ + "/all", FunctionLog::kBytesLeast);
  ASSERT_TRUE(store);
  print(*store->of({"a", "ns"}), {"1 one"});
  print(*store->of({"b", "ns"}), {"1 one"});
  store->keep_only([](const std::string& name) { return name == "a.ns"; });
  EXPECT_TRUE(fs::exists(top_ + "/all/a.ns"));
  EXPECT_FALSE(fs::exists(top_ + "/all/b.ns"));
  const auto old = store->of({"a", "ns"});
  EXPECT_EQ(old, store->of({"a", "ns"}));
  store->remove({"a", "ns"});
  print(*old, {"2 the old replica's last words"});
  EXPECT_THAT(read(store->of({"a", "ns"}), {}), IsEmpty()) << "another function of its name";
}

TEST_F(FunctionLogTest, WhatAReplicaPrintsIsKeptAsItIsAndALongLineIsCut) {
  const auto log = open();
  Output output("fn.ns a: ", log, "a");
  output.append("2024/01/02 10:20:30 stamped\r\n\n\x1b[31mred\n" + std::string(100'000, 'x'));
  output.append(std::string(100'000, 'y') + "\nunfinished");
  output.finish();
  const auto texts = read(log, {});
  ASSERT_EQ(texts.size(), 5U);
  EXPECT_EQ(texts[0], "2024/01/02 10:20:30 stamped");
  EXPECT_EQ(texts[1], "");
  EXPECT_EQ(texts[2], "\x1b[31mred");
  EXPECT_THAT(texts[3], StartsWith(std::string(Output::kLineBytesMax, 'x')));
  EXPECT_THAT(texts[3],
              EndsWith("x [cut: " + std::to_string(200'000 - Output::kLineBytesMax) + " more bytes]"));
  EXPECT_EQ(texts[4], "unfinished");
}

}  // namespace
}  // namespace faas::provider
