#include "net/task_group.h"

#include <exception>
#include <utility>

namespace faas::net {
namespace {

// The outermost frame of a task in a group: it starts at once and frees itself at its end.
struct Root {
  struct promise_type : TaskGroup::Member {
    promise_type(List<TaskGroup::Member>& members, Task<>&) {
      handle = std::coroutine_handle<promise_type>::from_promise(*this);
      members.push_back(*this);
    }
    Root get_return_object() noexcept { return {}; }
    std::suspend_never initial_suspend() noexcept { return {}; }
    std::suspend_never final_suspend() noexcept { return {}; }
    void return_void() noexcept {}
    [[noreturn]] void unhandled_exception() noexcept { std::terminate(); }
  };
};

Root run_root(List<TaskGroup::Member>& /*members*/, Task<> task) {
  co_await std::move(task);
}

}  // namespace

void TaskGroup::spawn(Task<> task) {
  run_root(members_, std::move(task));
}

void TaskGroup::clear() {
  while (!members_.empty()) {
    auto& member = members_.front();
    member.unlink();
    member.handle.destroy();
  }
}

}  // namespace faas::net
