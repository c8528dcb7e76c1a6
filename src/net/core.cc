#include "net/core.h"

#include <sys/eventfd.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/post.hpp>
#include <csignal>
#include <cstdio>
#include <cstdlib>

#include "base/log.h"
#include "net/core_impl.h"

namespace faas::net {
namespace {

thread_local Core* current_core = nullptr;

}  // namespace

void TimerHeap::place(std::size_t slot, Timer* timer) {
  heap_[slot] = timer;
  timer->slot_ = slot;
}

void TimerHeap::sift(std::size_t slot) {
  auto* timer = heap_[slot];
  while (slot > 0 && timer->when_ < heap_[(slot - 1) / 2]->when_) {
    place(slot, heap_[(slot - 1) / 2]);
    slot = (slot - 1) / 2;
  }
  while (true) {
    auto child = 2 * slot + 1;
    if (child >= heap_.size()) break;
    if (child + 1 < heap_.size() && heap_[child + 1]->when_ < heap_[child]->when_) ++child;
    if (timer->when_ <= heap_[child]->when_) break;
    place(slot, heap_[child]);
    slot = child;
  }
  place(slot, timer);
}

void TimerHeap::insert(Timer& timer) {
  heap_.push_back(&timer);
  timer.slot_ = heap_.size() - 1;
  sift(timer.slot_);
}

void TimerHeap::erase(Timer& timer) {
  const auto slot = std::exchange(timer.slot_, Timer::kIdle);
  auto* last = heap_.back();
  heap_.pop_back();
  if (last == &timer) return;
  place(slot, last);
  sift(slot);
}

Timer* TimerHeap::pop_due(TimePoint now) {
  if (heap_.empty() || heap_.front()->when_ > now) return nullptr;
  auto* timer = heap_.front();
  erase(*timer);
  return timer;
}

void Timer::start(TimePoint when) {
  stop();
  when_ = when;
  auto& impl = core_.impl();
  impl.timers.insert(*this);
  if (when < impl.alarm_at) impl.arm_timer();
}

void Timer::stop() {
  if (slot_ != kIdle) core_.impl().timers.erase(*this);
}

Core::Impl::Impl(Core& core)
    : self(core), inbox_event(context.get_executor()), alarm(context.get_executor()) {
  inbox_event.assign(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  watch_inbox();
}

void Core::Impl::watch_inbox() {
  inbox_event.async_read_some(asio::buffer(&inbox_count, sizeof inbox_count),
                              [this](const boost::system::error_code& error, std::size_t) {
                                if (error) return;
                                drain_inbox();
                                watch_inbox();
                              });
}

void Core::Impl::drain_inbox() {
  std::vector<Action> actions;
  {
    const std::lock_guard lock(inbox_mutex);
    actions.swap(inbox);
    inbox_signalled = false;
  }
  for (auto& action : actions) action();
}

void Core::Impl::run_ready() {
  ready_posted = false;
  List<Waiter> now;
  now.take_all(ready);
  while (!now.empty()) {
    auto& waiter = now.front();
    waiter.unlink();
    waiter.handle.resume();
  }
}

void Core::Impl::arm_timer() {
  alarm_at = timers.empty() ? TimePoint::max() : timers.earliest();
  if (alarm_at == TimePoint::max()) return;
  alarm.expires_at(alarm_at);
  alarm.async_wait([this](const boost::system::error_code& error) {
    if (!error) on_timer();
  });
}

void Core::Impl::on_timer() {
  const auto now = Clock::now();
  while (auto* timer = timers.pop_due(now)) TimerHeap::fire(*timer);
  arm_timer();
}

void Core::Impl::flush_log(void* self) {
  asio::post(static_cast<Impl*>(self)->context, [] { log::flush(); });
}

Core::Core() : impl_(std::make_unique<Impl>(*this)) {
  if (current_core == nullptr) current_core = this;
  // A write to a peer that is gone is an error of that write, not the end of the process.
  std::signal(SIGPIPE, SIG_IGN);
}

Core::~Core() {
  // Tasks that end here may still look for their core.
  auto* before = std::exchange(current_core, this);
  impl_->tasks.clear();
  impl_.reset();
  current_core = before == this ? nullptr : before;
}

Core& Core::current() {
  if (current_core == nullptr) {
    std::fputs("a task was used on a thread without a core\n", stderr);
    std::abort();
  }
  return *current_core;
}

void Core::run() {
  auto* before = std::exchange(current_core, this);
  log::set_flush_hook(&Impl::flush_log, impl_.get());
  impl_->context.restart();
  impl_->context.run();
  log::set_flush_hook(nullptr, nullptr);
  current_core = before;
}

void Core::stop() {
  post([this] { impl_->context.stop(); });
}

void Core::post(Action action) {
  bool signal = false;
  {
    const std::lock_guard lock(impl_->inbox_mutex);
    impl_->inbox.push_back(std::move(action));
    signal = !std::exchange(impl_->inbox_signalled, true);
  }
  if (!signal) return;
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto n = ::write(impl_->inbox_event.native_handle(), &one, sizeof one);
}

void Core::spawn(Task<> task) {
  impl_->tasks.spawn(std::move(task));
}

void Core::resume_soon(Waiter& waiter) {
  impl_->ready.push_back(waiter);
  if (std::exchange(impl_->ready_posted, true)) return;
  asio::post(impl_->context, [impl = impl_.get()] { impl->run_ready(); });
}

}  // namespace faas::net
