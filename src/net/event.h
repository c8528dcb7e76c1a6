// Event, race, Running: waiting for one of several things on one core.
#pragma once

#include <optional>
#include <utility>

#include "net/core.h"

namespace faas::net {

/// Something that happens. Waiters are resumed in the order they came, each at the end of the turn.
/// Lifetime: waiters may be destroyed at any time; the event may be destroyed only without waiters.
class Event final {
 public:
  explicit Event(Core& core = Core::current()) : core_(core) {}
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;

  /// From now on wait() returns at once; wakes everybody.
  void set() {
    set_ = true;
    wake();
  }
  void reset() { set_ = false; }
  /// Wakes those who wait now and stays as it is.
  void wake() {
    while (!waiters_.empty()) core_.resume_soon(waiters_.front());
  }
  [[nodiscard]] bool is_set() const { return set_; }
  void add(Waiter& waiter) {
    if (set_) {
      core_.resume_soon(waiter);
    } else {
      waiters_.push_back(waiter);
    }
  }

  auto wait() {
    struct Awaiter {
      Event& event;
      Waiter waiter;
      explicit Awaiter(Event& e) : event(e) {}
      bool await_ready() const noexcept { return event.set_; }
      void await_suspend(std::coroutine_handle<> handle) {
        waiter.handle = handle;
        event.waiters_.push_back(waiter);
      }
      void await_resume() const noexcept {}
    };
    return Awaiter(*this);
  }

 private:
  Core& core_;
  List<Waiter> waiters_;
  bool set_ = false;
};

namespace detail {
template <class T>
struct Maybe {
  using type = std::optional<T>;
};
template <>
struct Maybe<void> {
  using type = bool;
};
}  // namespace detail

/// Runs `task` until it ends or `stop` happens; then the task is destroyed.
/// co_await race(task, stop): the value, or nullopt (bool for Task<void>: whether it ended).
template <class T>
class Race final {
 public:
  Race(Task<T> task, Event& stop) : task_(std::move(task)), stop_(stop) {}
  bool await_ready() const noexcept { return false; }
  std::coroutine_handle<> await_suspend(std::coroutine_handle<> handle) {
    waiter_.handle = handle;
    stop_.add(waiter_);
    return task_.launch(handle);
  }
  typename detail::Maybe<T>::type await_resume() {
    waiter_.unlink();
    if constexpr (std::is_void_v<T>) {
      const bool ended = task_.done();
      task_.reset();
      return ended;
    } else {
      if (task_.done()) return task_.take();
      task_.reset();
      return std::nullopt;
    }
  }

 private:
  Task<T> task_;
  Event& stop_;
  Waiter waiter_;
};
template <class T>
[[nodiscard]] Race<T> race(Task<T> task, Event& stop) {
  return Race<T>(std::move(task), stop);
}

/// The same with a moment instead of an event. TimePoint::max() means no limit.
template <class T>
class Within final : Timer {
 public:
  Within(Task<T> task, TimePoint deadline)
      : Timer(Core::current()), task_(std::move(task)), deadline_(deadline) {}
  bool await_ready() const noexcept { return false; }
  std::coroutine_handle<> await_suspend(std::coroutine_handle<> handle) {
    handle_ = handle;
    if (deadline_ != TimePoint::max()) start(deadline_);
    return task_.launch(handle);
  }
  typename detail::Maybe<T>::type await_resume() {
    stop();
    if constexpr (std::is_void_v<T>) {
      const bool ended = task_.done();
      task_.reset();
      return ended;
    } else {
      if (task_.done()) return task_.take();
      task_.reset();
      return std::nullopt;
    }
  }

 private:
  void fire() override { handle_.resume(); }
  Task<T> task_;
  TimePoint deadline_;
  std::coroutine_handle<> handle_;
};
template <class T>
[[nodiscard]] Within<T> within(Task<T> task, TimePoint deadline) {
  return Within<T>(std::move(task), deadline);
}

/// A child task that runs beside its parent: started at once, stopped when the Running is destroyed.
template <class T>
class Running final {
 public:
  explicit Running(Task<T> task) : task_(std::move(task)) { task_.launch(std::noop_coroutine()).resume(); }
  [[nodiscard]] bool done() const { return task_.done(); }
  /// Waits for the end of the task; once.
  auto join() {
    struct Awaiter {
      Task<T>& task;
      bool await_ready() const noexcept { return task.done(); }
      void await_suspend(std::coroutine_handle<> handle) { task.continue_with(handle); }
      T await_resume() { return task.take(); }
    };
    return Awaiter{task_};
  }

 private:
  Task<T> task_;
};

}  // namespace faas::net
