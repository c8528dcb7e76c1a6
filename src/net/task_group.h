// A TaskGroup owns tasks that nobody awaits: each runs until it ends or the group is destroyed.
//
// Threads: one core.
#pragma once

#include "net/list.h"
#include "net/task.h"

namespace faas::net {

class TaskGroup final {
 public:
  TaskGroup() = default;
  /// Destroys the tasks that have not ended. Not from inside one of them.
  ~TaskGroup() { clear(); }
  TaskGroup(const TaskGroup&) = delete;
  TaskGroup& operator=(const TaskGroup&) = delete;

  /// Starts a task; it runs until it first waits before this returns.
  void spawn(Task<> task);
  void clear();

  struct Member : Node {
    std::coroutine_handle<> handle;
  };

 private:
  List<Member> members_;
};

}  // namespace faas::net
