// What is behind a Core: the io_context, the timers, the inbox. Only for src/net.
#pragma once

#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/basic_stream_descriptor.hpp>
#include <mutex>
#include <vector>

#include "net/core.h"
#include "net/task_group.h"

namespace faas::net {

namespace asio = boost::asio;
using Executor = asio::io_context::executor_type;
using Descriptor = asio::posix::basic_stream_descriptor<Executor>;
using SteadyTimer = asio::basic_waitable_timer<Clock, asio::wait_traits<Clock>, Executor>;

/// A binary heap of timers that know their slot: start and stop cost no system call unless the earliest
/// deadline moves forward.
class TimerHeap final {
 public:
  void insert(Timer& timer);
  void erase(Timer& timer);
  [[nodiscard]] bool empty() const { return heap_.empty(); }
  [[nodiscard]] TimePoint earliest() const { return heap_.front()->when_; }
  /// Takes the earliest out when it is due; null when none is.
  Timer* pop_due(TimePoint now);
  static void fire(Timer& timer) { timer.fire(); }

 private:
  void place(std::size_t slot, Timer* timer);
  void sift(std::size_t slot);
  std::vector<Timer*> heap_;
};

struct Core::Impl {
  explicit Impl(Core& core);

  void drain_inbox();
  void watch_inbox();
  void run_ready();
  void arm_timer();
  void on_timer();
  static void flush_log(void* self);

  Core& self;
  // One thread runs it: Asio's own locks are off. Other threads come in through the inbox.
  asio::io_context context{BOOST_ASIO_CONCURRENCY_HINT_UNSAFE};
  asio::executor_work_guard<Executor> work{context.get_executor()};

  std::mutex inbox_mutex;
  std::vector<Action> inbox;
  bool inbox_signalled = false;
  Descriptor inbox_event;
  std::uint64_t inbox_count = 0;

  List<Waiter> ready;
  bool ready_posted = false;

  TimerHeap timers;
  SteadyTimer alarm;
  TimePoint alarm_at = TimePoint::max();

  TaskGroup tasks;
};

}  // namespace faas::net
