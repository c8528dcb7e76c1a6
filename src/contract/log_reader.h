// What reads a function's log for one client, at that client's pace.
//
// Threads:  the control core, destruction included.
// Cancel:   stop(), which is for whoever waits elsewhere for next() and has left.
#pragma once

#include <vector>

#include "model/log_line.h"
#include "net/task.h"

namespace faas {

class LogReader {
 public:
  virtual ~LogReader() = default;
  /// The next lines, oldest first, some tens of KiB at most. Empty: the end, to which one that follows comes
  /// when the function is deleted or the reader stopped. A reader that is slower than the function misses
  /// what the ring had to give up; it is told by a line of ours. One call at a time.
  virtual Task<std::vector<LogLine>> next() = 0;
  /// From now on there is nothing more to read; who waits gets the end.
  virtual void stop() = 0;
};

}  // namespace faas
