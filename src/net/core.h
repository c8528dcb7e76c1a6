// A Core is one thread with one event loop. Everything that waits belongs to one core.
//
// Threads:  post() and stop() may be called from anywhere; everything else only on the core's own thread.
// Lifetime: tasks given to spawn() are owned by the core and destroyed with it, finished or not.
#pragma once

#include <coroutine>
#include <memory>
#include <utility>

#include "base/units.h"
#include "net/list.h"
#include "net/task.h"

namespace faas::net {

/// Something to run once: a move-only function of no arguments.
class Action final {
 public:
  Action() = default;
  template <class F>
  Action(F function) : body_(std::make_unique<Body<F>>(std::move(function))) {}
  void operator()() { std::exchange(body_, nullptr)->run(); }
  explicit operator bool() const { return body_ != nullptr; }

 private:
  struct Base {
    virtual ~Base() = default;
    virtual void run() = 0;
  };
  template <class F>
  struct Body final : Base {
    explicit Body(F f) : function(std::move(f)) {}
    void run() override { function(); }
    F function;
  };
  std::unique_ptr<Base> body_;
};

/// A coroutine that waits for something; destroying the node takes it out of whatever list it is in.
struct Waiter : Node {
  std::coroutine_handle<> handle;
};

class Core;

/// Calls `fire()` once when its time has come; restarting or destroying it forgets the earlier time.
/// Precision: never early, late by at most the loop's turn.
class Timer {
 public:
  explicit Timer(Core& core) : core_(core) {}
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;
  void start(TimePoint when);
  void stop();
  [[nodiscard]] bool running() const { return slot_ != kIdle; }

 protected:
  ~Timer() { stop(); }
  virtual void fire() = 0;

 private:
  friend class Core;
  friend class TimerHeap;
  static constexpr std::size_t kIdle = ~std::size_t{0};
  Core& core_;
  TimePoint when_;
  std::size_t slot_ = kIdle;
};

class Core final {
 public:
  /// Ignores SIGPIPE in the whole process.
  Core();
  ~Core();
  Core(const Core&) = delete;
  Core& operator=(const Core&) = delete;

  /// The core whose loop runs on (or was made on) this thread; a broken invariant where there is none.
  static Core& current();

  /// Runs the loop on this thread until stop().
  void run();
  /// Ends run(); any thread.
  void stop();
  /// Runs `action` on this core's thread, in the order posted; any thread.
  void post(Action action);
  /// Starts a task that the core owns; it runs until it first waits before this returns.
  void spawn(Task<> task);

  /// Resumes the waiter at the end of this turn, unless its node is destroyed first.
  void resume_soon(Waiter& waiter);

  struct Impl;
  Impl& impl() { return *impl_; }

 private:
  std::unique_ptr<Impl> impl_;
};

/// Waits until `when`. Use: co_await net::sleep_until(when).
class SleepUntil final : Timer {
 public:
  explicit SleepUntil(TimePoint when) : Timer(Core::current()), when_(when) {}
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> handle) {
    handle_ = handle;
    start(when_);
  }
  void await_resume() const noexcept {}

 private:
  void fire() override { handle_.resume(); }
  TimePoint when_;
  std::coroutine_handle<> handle_;
};
[[nodiscard]] inline SleepUntil sleep_until(TimePoint when) {
  return SleepUntil(when);
}
[[nodiscard]] inline SleepUntil sleep_for(Duration duration) {
  return SleepUntil(Clock::now() + duration);
}

/// Runs `task` on another core and waits for it here. The task's arguments must stay valid until it ends:
/// destroying the waiting side does not stop it (its value is then dropped).
/// Use for calls from a serving core to the control core.
template <class T, class Make>
Task<T> on(Core& core, Make make);

}  // namespace faas::net

#include "net/on.h"
