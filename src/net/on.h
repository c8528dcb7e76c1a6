// The body of net::on (see core.h).
#pragma once

#include <memory>
#include <optional>

#include "net/core.h"

namespace faas::net {

namespace detail {

// Lives on the waiting core; the working core only carries the pointer back.
template <class T>
struct Visit {
  explicit Visit(Core& core) : home(core) {}
  Core& home;
  std::coroutine_handle<> waiter;
  std::optional<T> value;
  bool abandoned = false;
};

template <class T, class Make>
Task<> visit(std::shared_ptr<Visit<T>> visit, Make make) {
  auto task = make();
  auto value = co_await std::move(task);
  auto& home = visit->home;
  home.post([visit = std::move(visit), value = std::move(value)]() mutable {
    visit->value.emplace(std::move(value));
    if (!visit->abandoned) visit->waiter.resume();
  });
}

template <class T>
struct VisitEnd {
  std::shared_ptr<Visit<T>> visit;
  explicit VisitEnd(std::shared_ptr<Visit<T>> v) : visit(std::move(v)) {}
  VisitEnd(const VisitEnd&) = delete;
  VisitEnd& operator=(const VisitEnd&) = delete;
  ~VisitEnd() { visit->abandoned = true; }
  bool await_ready() const noexcept { return visit->value.has_value(); }
  void await_suspend(std::coroutine_handle<> handle) { visit->waiter = handle; }
  void await_resume() const noexcept {}
};

}  // namespace detail

template <class T, class Make>
Task<T> on(Core& core, Make make) {
  auto visit = std::make_shared<detail::Visit<T>>(Core::current());
  core.post([&core, visit, make = std::move(make)]() mutable {
    core.spawn(detail::visit<T>(std::move(visit), std::move(make)));
  });
  detail::VisitEnd<T> end(visit);
  co_await end;
  co_return std::move(*visit->value);
}

}  // namespace faas::net
