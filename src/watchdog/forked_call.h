// One call, one process: its pipes, its time limit, its end. What streaming, serializing and classic share.
#pragma once

#include <coroutine>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "http/exchange.h"
#include "net/event.h"
#include "process/spawn.h"
#include "watchdog/environment.h"
#include "watchdog/line_log.h"
#include "watchdog/settings.h"
#include "watchdog/spool.h"

namespace faas::watchdog {

/// What all calls of one watchdog share: the command, prepared once, and the log of standard error.
///
/// Threads: one core. Lifetime: outlives its calls.
class Forker final {
 public:
  /// One read of a function's output; pipes hold as much.
  static constexpr std::size_t kOutputBytes = 64 * 1024;

  /// Errors: machine: no pipe for the log.
  [[nodiscard]] static Result<std::unique_ptr<Forker>> make(const Settings& settings, Variables own);

  [[nodiscard]] const Settings& settings() const { return settings_; }
  [[nodiscard]] Environment& environment() { return environment_; }

 private:
  friend class ForkedCall;
  using Buffer = std::unique_ptr<char[]>;
  Forker(const Settings& settings, Variables own, std::unique_ptr<LogPipe> errors);
  [[nodiscard]] Buffer take_buffer();
  void give_back(Buffer buffer);

  // Pipes of long bodies are made larger: fewer turns a byte. That many at most, since an eighth of what all
  // pipes of a user may take by default (64 MiB) is enough: beyond it every new pipe would get a page or two.
  static constexpr std::size_t kLongInputBytes = 256 * 1024;
  static constexpr std::size_t kLongOutputBytes = 1024 * 1024;
  static constexpr int kLongPipesMax = 8;
  // What a burst of calls leaves allocated.
  static constexpr std::size_t kSpareBuffersMax = 8;
  const Settings& settings_;
  std::vector<std::string> words_;
  std::vector<const char*> argv_;
  Environment environment_;
  std::unique_ptr<LogPipe> errors_;
  std::vector<Buffer> spare_;
  std::size_t running_ = 0;
  int long_pipes_ = 0;
};

/// Lifetime: destroying it kills the process and all of its group, if it still runs.
class ForkedCall final : net::Timer {
 public:
  /// Where standard error goes: to the log, into the output, or into errors().
  enum class Errors { logged, combined, apart };

  struct Start {
    const char* const* environment = nullptr;
    std::string_view input;          ///< the beginning of standard input; outlives the call
    http::Exchange* more = nullptr;  ///< where the rest of it comes from; null: there is none
    int input_file = -1;             ///< a file that is standard input instead, from its offset on
    Errors errors = Errors::logged;
    bool pass_output = false;  ///< whether output_in_pipe() is asked for
    TimePoint deadline = TimePoint::max();
  };

  explicit ForkedCall(Forker& forker);
  ~ForkedCall();

  /// Errors: those of process::spawn(), machine: no pipe.
  Result<void> start(const Start& start);

  /// The next piece of output, as it comes: co_await call.output() -> string_view, empty at the end or after
  /// the time limit (an empty one may also come before the end). The piece is valid until the next call.
  class Output {
   public:
    explicit Output(ForkedCall& call) : call_(call) {}
    bool await_ready() { return call_.output_ready(); }
    void await_suspend(std::coroutine_handle<> handle) { call_.await_output(handle); }
    std::string_view await_resume() { return call_.take_output(); }

   private:
    ForkedCall& call_;
  };
  [[nodiscard]] Output output() { return Output(*this); }
  /// Of a long output, if Start::pass_output is set, what lies in the pipe for whoever takes all of it from
  /// there before the next output(); the piece is empty then. 0 bytes: the piece is what there is.
  [[nodiscard]] net::Source output_in_pipe() const { return {.fd = stdout_.fd(), .bytes = in_pipe_}; }
  /// Whether nothing follows the piece that was taken.
  [[nodiscard]] bool output_ended() const { return ended_; }
  /// All of the output. Errors: those of Spool::append(): the process has been killed.
  [[nodiscard]] Task<Result<void>> whole_output(Spool& spool);

  /// Waits for the process to end and its lines to be in the log. Nothing is fed to it any more.
  [[nodiscard]] Task<process::ExitStatus> finish();

  [[nodiscard]] bool timed_out() const { return timed_out_; }
  /// Why the request's body did not come whole.
  [[nodiscard]] const std::optional<Error>& body_error() const { return body_error_; }
  /// What it wrote to standard error, when that is kept apart.
  [[nodiscard]] const std::string& errors() const { return errors_text_; }

 private:
  bool output_ready();
  void await_output(std::coroutine_handle<> handle);
  std::string_view take_output();
  void look_into_pipe();
  void grow(int pipe, std::size_t bytes);
  void read_what_is_there();
  void read_the_rest();
  void fire() override;
  Result<net::Fd> prepare_input(const Start& start, net::Fd& write_end);
  Task<> feed(std::string_view input, http::Exchange* more);
  Task<> collect_errors(net::Fd fd);

  Forker& forker_;
  Forker::Buffer buffer_;
  std::string errors_text_;
  process::Child child_;
  net::Stream stdin_;
  net::Stream stdout_;
  std::optional<net::Running<void>> feeder_;
  std::optional<net::Running<void>> error_reader_;
  std::optional<Error> body_error_;
  std::optional<net::Stream::Wait> readable_;
  std::coroutine_handle<> waiting_;
  std::size_t filled_ = 0;
  std::size_t in_pipe_ = 0;
  std::size_t passed_ = 0;
  int grown_ = 0;  // pipes
  bool pass_output_ = false;
  bool long_ = false;  // a read has filled the buffer
  bool counted_ = false;
  bool ended_ = false;
  bool timed_out_ = false;
  bool given_up_ = false;
};

}  // namespace faas::watchdog
