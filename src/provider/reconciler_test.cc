#include "provider/reconciler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace faas::provider {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TimePoint at(Duration since_start) {
  return TimePoint(std::chrono::hours(1)) + since_start;
}

// Does what the test says, in no time.
class FakeRuntime final : public Runtime {
 public:
  std::vector<Replica> replicas;
  std::vector<std::string> log;  ///< "start 2", "SIGTERM 7", "SIGKILL 7"
  TimePoint now = at(0s);
  std::optional<Error> refusal;

  Task<Result<std::vector<Replica>>> observe() override { co_return replicas; }
  Task<Result<void>> start(const ReplicaPlan& plan) override {
    log.push_back("start " + std::to_string(plan.revision));
    if (refusal) co_return *refusal;
    replicas.push_back({.id = plan.id,
                        .function = plan.spec->name.name + "." + plan.spec->name.name_space,
                        .revision = plan.revision,
                        .address = "unix:/" + std::to_string(plan.id),
                        .started = now});
    co_return Result<void>();
  }
  void stop(ReplicaId id, Stop how) override {
    log.push_back((how == Stop::politely ? "SIGTERM " : "SIGKILL ") + std::to_string(id));
  }
  void forget(ReplicaId id) override {
    std::erase_if(replicas, [&](const Replica& r) { return r.id == id; });
  }

  void get_ready(ReplicaId id) {
    auto& replica = *std::ranges::find(replicas, id, &Replica::id);
    replica.state = Replica::State::ready;
    replica.ready_since = now;
  }
  void end(ReplicaId id, std::string why) {
    auto& replica = *std::ranges::find(replicas, id, &Replica::id);
    replica.state = Replica::State::ended;
    replica.end = std::move(why);
  }
};

class Listener final : public SnapshotListener {
 public:
  std::shared_ptr<const Snapshot> last;
  int published = 0;
  void publish(std::shared_ptr<const Snapshot> snapshot) override {
    last = std::move(snapshot);
    ++published;
  }
  std::vector<std::string> ready(const std::string& function) const {
    std::vector<std::string> addresses;
    const auto found = last->functions.find(function);
    if (found == last->functions.end()) return {"unknown"};
    for (const auto& endpoint : found->second->ready) addresses.push_back(endpoint->address);
    return addresses;
  }
};

FunctionRecord record(Revision revision, std::uint32_t replicas = 1) {
  return {.spec = {.name = {"echo", "ns"}, .image = "host", .env_process = "cat"},
          .replicas = replicas,
          .revision = revision,
          .created_at = {}};
}

class ReconcilerTest : public testing::Test {
 protected:
  TimePoint step(TimePoint now) {
    runtime_.now = now;
    auto task = reconciler_.step(now);
    task.launch(std::noop_coroutine()).resume();
    EXPECT_TRUE(task.done()) << "nothing here waits";
    return task.take();
  }
  Condition condition() { return reconciler_.status(*reconciler_.find({"echo", "ns"})).conditions.at(0); }

  net::Core core_;
  net::Event changed_{core_};
  FakeRuntime runtime_;
  Listener listener_;
  Reconciler reconciler_{runtime_, listener_, changed_, 1};
};

TEST_F(ReconcilerTest, ADeployedFunctionIsKnownAtOnceAndTakesCallsWhenReady) {
  reconciler_.put(record(1));
  EXPECT_TRUE(changed_.is_set());
  EXPECT_THAT(listener_.ready("echo.ns"), IsEmpty());

  step(at(0s));
  EXPECT_THAT(runtime_.log, ElementsAre("start 1"));
  EXPECT_EQ(condition().reason, "Starting");
  EXPECT_EQ(listener_.last->functions.at("echo.ns")->why_not_ready, "");  // nothing failed: calls wait

  runtime_.get_ready(1);
  EXPECT_EQ(step(at(1s)), TimePoint::max());
  EXPECT_THAT(listener_.ready("echo.ns"), ElementsAre("unix:/1"));
  EXPECT_EQ(condition(), (Condition{"Ready", true, "Available", "1 of 1 replica is ready"}));
  EXPECT_EQ(reconciler_.status(*reconciler_.find({"echo", "ns"})).available_replicas, 1u);
}

TEST_F(ReconcilerTest, NothingNewIsNotPublished) {
  reconciler_.put(record(1));
  step(at(0s));
  runtime_.get_ready(1);
  step(at(1s));
  const auto before = listener_.published;
  step(at(2s));
  EXPECT_EQ(listener_.published, before);
}

TEST_F(ReconcilerTest, AReplicaLeavesTheSnapshotBeforeItIsStoppedAndFinishesItsCalls) {
  reconciler_.put(record(1));
  step(at(0s));
  runtime_.get_ready(1);
  step(at(1s));
  const auto endpoint = listener_.last->functions.at("echo.ns")->ready.at(0);
  endpoint->in_flight = 1;
  reconciler_.set_replicas({"echo", "ns"}, 0);
  runtime_.log.clear();

  EXPECT_EQ(step(at(2s)), at(2s) + 100ms);
  EXPECT_THAT(listener_.ready("echo.ns"), IsEmpty());
  EXPECT_THAT(runtime_.log, IsEmpty());
  EXPECT_EQ(condition().reason, "ScaledToZero");

  step(at(3s));
  EXPECT_THAT(runtime_.log, IsEmpty()) << "a call is under way";
  endpoint->in_flight = 0;
  EXPECT_EQ(step(at(4s)), at(14s)) << "then it would be killed";
  EXPECT_THAT(runtime_.log, ElementsAre("SIGTERM 1"));
  step(at(14s));
  EXPECT_THAT(runtime_.log, ElementsAre("SIGTERM 1", "SIGKILL 1"));
  runtime_.end(1, "signal: killed");
  EXPECT_EQ(step(at(15s)), TimePoint::max());
  EXPECT_THAT(runtime_.replicas, IsEmpty());
  EXPECT_EQ(condition().reason, "ScaledToZero") << "an end that was asked for is no failure";
}

TEST_F(ReconcilerTest, AnUpdateThatNeverGetsReadyLeavesTheOldVersionServing) {
  reconciler_.put(record(1));
  step(at(0s));
  runtime_.get_ready(1);
  step(at(1s));
  reconciler_.put(record(2));
  step(at(2s));
  runtime_.end(2, "exit status 1: no such module");
  step(at(3s));

  EXPECT_THAT(listener_.ready("echo.ns"), ElementsAre("unix:/1"));
  EXPECT_TRUE(condition().holds);
  EXPECT_EQ(condition().reason, "UpdateNotReady");
  EXPECT_THAT(condition().message, HasSubstr("no such module"));

  step(at(4s));
  runtime_.get_ready(3);
  step(at(5s));
  EXPECT_THAT(listener_.ready("echo.ns"), ElementsAre("unix:/3"));
  EXPECT_EQ(condition().reason, "Available");
}

TEST_F(ReconcilerTest, AVersionIsProvenOnceAndTheOneBeforeComesBackWhileItIsNot) {
  std::vector<Revision> proven;
  reconciler_.on_proven([&proven](const FunctionName&, Revision revision) { proven.push_back(revision); });
  auto update = record(2);
  update.good = {.spec = record(1).spec, .revision = 1};
  update.good->spec.env_process = "old";
  reconciler_.load({update});  // as after kill -9: nothing runs
  step(at(0s));
  EXPECT_THAT(runtime_.log, ElementsAre("start 2", "start 1"));
  runtime_.get_ready(2);
  step(at(1s));
  EXPECT_THAT(listener_.ready("echo.ns"), ElementsAre("unix:/2"));
  EXPECT_THAT(proven, IsEmpty()) << "the old one proves nothing new";
  runtime_.end(1, "exit status 1: boom");
  runtime_.end(2, "signal: killed");
  EXPECT_EQ(step(at(2s)), at(2s) + 100ms);
  EXPECT_EQ(condition().message, "exit status 1: boom") << "of the wanted version";
  step(at(2s) + 100ms);
  EXPECT_THAT(runtime_.log, ElementsAre("start 2", "start 1", "start 2", "start 1"));
  runtime_.get_ready(3);
  step(at(3s));
  EXPECT_THAT(proven, ElementsAre(2u));
  EXPECT_THAT(listener_.ready("echo.ns"), ElementsAre("unix:/3"));
  EXPECT_THAT(runtime_.log.back(), "SIGTERM 4") << "the good one is of no use any more";
}

TEST_F(ReconcilerTest, WhoWaitsIsToldOfEverySetback) {
  const auto entry = [this] { return listener_.last->functions.at("echo.ns"); };
  reconciler_.put(record(1));
  step(at(0s));
  EXPECT_EQ(entry()->ready_wanted, 0u);
  for (ReplicaId id = 1; id <= 3; ++id) {
    runtime_.end(id, "exit status 1: boom");
    step(step(at(std::chrono::seconds(id))));
    EXPECT_EQ(entry()->setbacks, id);
  }
  EXPECT_EQ(entry()->setback, "exit status 1: boom (3 failures in a row)");
  EXPECT_TRUE(entry()->startable);
  runtime_.refusal = Error{.text = "no such program"};
  runtime_.end(4, "exit status 1: boom");
  step(step(at(5s)));
  EXPECT_FALSE(entry()->startable);
}

TEST_F(ReconcilerTest, AMessageIsOneShortLine) {
  reconciler_.put(record(1));
  step(at(0s));
  runtime_.end(1, "exit status 1:\n\x1b[31m" + std::string(600, 'x'));
  step(at(1s));
  EXPECT_LE(condition().message.size(), kMessageBytesMax + 3);
  EXPECT_THAT(condition().message, testing::StartsWith("exit status 1:  [31mxxx"));
  EXPECT_THAT(condition().message, testing::EndsWith("x..."));
}

TEST_F(ReconcilerTest, ACrashIsToldAndTriedAgainLater) {
  reconciler_.put(record(1));
  step(at(0s));
  runtime_.end(1, "exit status 1: boom");
  EXPECT_EQ(step(at(1s)), at(1s) + 100ms);
  EXPECT_EQ(condition(), (Condition{"Ready", false, "CrashLoop", "exit status 1: boom"}));
  EXPECT_EQ(reconciler_.status(*reconciler_.find({"echo", "ns"})).conditions.at(1),
            (Condition{"LastFailure", true, "CrashLoop", "exit status 1: boom"}));
  EXPECT_EQ(listener_.last->functions.at("echo.ns")->why_not_ready, "exit status 1: boom");
  step(at(1s) + 100ms);
  runtime_.end(2, "exit status 1: boom");
  EXPECT_EQ(step(at(2s)), at(2s) + 200ms);
  EXPECT_EQ(condition().message, "exit status 1: boom (2 failures in a row)");
}

TEST_F(ReconcilerTest, ACommandThatIsMissingIsNotTriedForEveryReplica) {
  runtime_.refusal =
      Error{.code = Code::not_found, .text = "exec: \"x\": executable file not found in $PATH"};
  reconciler_.put(record(1, 5));
  EXPECT_EQ(step(at(0s)), at(100ms));
  EXPECT_THAT(runtime_.log, ElementsAre("start 1"));
  EXPECT_EQ(condition(), (Condition{"Ready", false, "CommandNotFound",
                                    "exec: \"x\": executable file not found in $PATH"}));
  runtime_.refusal.reset();
  step(at(100ms));
  runtime_.get_ready(2);
  step(at(200ms));
  EXPECT_THAT(listener_.ready("echo.ns"), ElementsAre("unix:/2"));
}

TEST_F(ReconcilerTest, ARemovedFunctionIsGoneFromTheSnapshotAtOnce) {
  reconciler_.put(record(1));
  step(at(0s));
  runtime_.get_ready(1);
  step(at(1s));
  reconciler_.erase({"echo", "ns"});
  EXPECT_THAT(listener_.ready("echo.ns"), ElementsAre("unknown"));
  step(at(2s));
  step(at(3s));
  EXPECT_THAT(runtime_.log, ElementsAre("start 1", "SIGTERM 1"));
}

TEST_F(ReconcilerTest, AChangeOfOneFunctionLeavesTheEntriesOfOthersAsTheyAre) {
  auto other = record(2);
  other.spec.name = {"other", "ns"};
  reconciler_.load({record(1), other});
  step(at(0s));
  runtime_.get_ready(1);
  runtime_.get_ready(2);
  step(at(1s));
  const auto before = listener_.last;
  const auto published = listener_.published;
  step(at(2s));
  EXPECT_EQ(listener_.published, published) << "nothing happened";
  runtime_.end(1, "signal: killed");
  step(at(3s));
  EXPECT_THAT(listener_.ready("echo.ns"), IsEmpty());
  EXPECT_EQ(listener_.last->functions.at("other.ns"), before->functions.at("other.ns"));
  EXPECT_EQ(before->functions.at("echo.ns")->ready.size(), 1u) << "what was published does not change";
  EXPECT_EQ(listener_.last->version, before->version + 1);
  EXPECT_THAT(listener_.last->changed, ElementsAre("echo.ns"));
  reconciler_.erase({"echo", "ns"});
  EXPECT_EQ(listener_.last->functions.size(), 1u);
}

TEST_F(ReconcilerTest, AFunctionPutToSleepIsStoppedAndOneWokenIsStarted) {
  reconciler_.put(record(1));
  step(at(0s));
  runtime_.get_ready(1);
  step(at(1s));
  reconciler_.set_replicas({"echo", "ns"}, 0);
  for (const auto when : {2s, 3s}) step(at(when));
  EXPECT_THAT(runtime_.log, ElementsAre("start 1", "SIGTERM 1"));
  runtime_.end(1, "exit status 0");
  step(at(4s));
  reconciler_.set_replicas({"echo", "ns"}, 1);
  step(at(5s));
  EXPECT_THAT(runtime_.log, ElementsAre("start 1", "SIGTERM 1", "start 1"));
}

TEST_F(ReconcilerTest, FunctionsAreListedByNamespace) {
  auto other = record(2);
  other.spec.name = {"a", "other"};
  reconciler_.load({record(1), other});
  EXPECT_EQ(reconciler_.in_namespace("other").size(), 1u);
  EXPECT_EQ(reconciler_.find({"echo", "other"}), nullptr);
}

}  // namespace
}  // namespace faas::provider
