#include "watchdog/forked_call.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "process/pipe.h"

namespace faas::watchdog {
namespace {

// A new pipe takes this much without anybody reading, whatever its capacity: one page.
constexpr std::size_t kPipeBytesMin = 4096;
// Standard error kept apart is logged as one record; beyond this it is not collected.
constexpr std::size_t kErrorsBytesMax = 1024 * 1024;
// Less than this is read: that is cheaper than telling the kernel to pass it on.
constexpr std::size_t kPassBytesMin = 16 * 1024;
// Whoever sends or gets this much is worth a larger pipe.
constexpr std::size_t kGrowBytesMin = 1024 * 1024;

// Whether `size` bytes fit into a new pipe at once.
bool fits(int pipe, std::size_t size) {
  return size <= kPipeBytesMin || size <= static_cast<std::size_t>(std::max(::fcntl(pipe, F_GETPIPE_SZ), 0));
}

}  // namespace

Result<std::unique_ptr<Forker>> Forker::make(const Settings& settings, Variables own) {
  const auto line_bytes = settings.log_buffer_size < 0 ? LineCutter::kLineBytesMax
                                                       : static_cast<std::size_t>(settings.log_buffer_size);
  TRY_ASSIGN(auto errors, LogPipe::make({.name = "stderr",
                                         .to_fd = STDERR_FILENO,
                                         .prefix = settings.prefix_logs,
                                         .line_bytes_max = line_bytes}));
  return std::unique_ptr<Forker>(new Forker(settings, own, std::move(errors)));
}

Forker::Forker(const Settings& settings, Variables own, std::unique_ptr<LogPipe> errors)
    : settings_(settings),
      words_(process::split_command(settings.process)),
      environment_(own, settings.program == Program::classic),
      errors_(std::move(errors)) {
  for (const auto& word : words_) argv_.push_back(word.c_str());
  argv_.push_back(nullptr);
}

Forker::Buffer Forker::take_buffer() {
  if (spare_.empty()) return std::make_unique_for_overwrite<char[]>(kOutputBytes);
  auto buffer = std::move(spare_.back());
  spare_.pop_back();
  return buffer;
}

void Forker::give_back(Buffer buffer) {
  if (spare_.size() < kSpareBuffersMax) spare_.push_back(std::move(buffer));
}

ForkedCall::ForkedCall(Forker& forker)
    : net::Timer(net::Core::current()), forker_(forker), buffer_(forker.take_buffer()) {}

ForkedCall::~ForkedCall() {
  if (counted_) --forker_.running_;
  forker_.long_pipes_ -= grown_;
  forker_.give_back(std::move(buffer_));
}

// The read end for the process, or none when it gets no input. What fits is in the pipe before the process
// exists: nobody has to wait for it to read. `write_end` stays open when there is more to come.
Result<net::Fd> ForkedCall::prepare_input(const Start& start, net::Fd& write_end) {
  if (start.input.empty() && start.more == nullptr) return net::Fd();
  TRY_ASSIGN(auto pipe, process::make_pipe());
  if (start.more == nullptr && fits(pipe.write.get(), start.input.size())) {
    const auto n = ::write(pipe.write.get(), start.input.data(), start.input.size());
    if (n != static_cast<ssize_t>(start.input.size())) return system_error("write to a new pipe", errno);
  } else {
    write_end = std::move(pipe.write);
  }
  return std::move(pipe.read);
}

Result<void> ForkedCall::start(const Start& start) {
  net::Fd input_write;
  TRY_ASSIGN(const auto input, prepare_input(start, input_write));
  TRY_ASSIGN(auto output, process::make_pipe());
  process::Pipe errors;
  if (start.errors == Errors::apart) {
    TRY_ASSIGN(errors, process::make_pipe());
  }
  const int error_fd = start.errors == Errors::combined ? output.write.get()
                       : start.errors == Errors::apart  ? errors.write.get()
                                                        : forker_.errors_->write_fd();
  TRY_ASSIGN(child_, process::spawn({.program = forker_.words_.front(),
                                     .argv = forker_.argv_.data(),
                                     .envp = start.environment,
                                     .stdin_fd = input ? input.get() : start.input_file,
                                     .stdout_fd = output.write.get(),
                                     .stderr_fd = error_fd,
                                     .die_with_parent = true}));
  counted_ = true;
  ++forker_.running_;
  stdout_ = net::Stream(std::move(output.read));
  pass_output_ = start.pass_output;
  if (start.deadline != TimePoint::max()) net::Timer::start(start.deadline);
  if (errors.read) error_reader_.emplace(collect_errors(std::move(errors.read)));
  if (input_write) {
    stdin_ = net::Stream(std::move(input_write));
    feeder_.emplace(feed(start.input, start.more));
  }
  return {};
}

// A process that does not read its input, or closes it, is not an error.
Task<> ForkedCall::feed(std::string_view input, http::Exchange* more) {
  auto wrote = co_await stdin_.write(input);
  if (wrote && more != nullptr) {
    if (more->request().body.length >= kGrowBytesMin) grow(stdin_.fd(), Forker::kLongInputBytes);
    const auto passed = co_await more->pass_body(stdin_);
    if (!passed && passed.error().origin == Origin::client) body_error_ = passed.error();
  }
  stdin_.close();
}

Task<> ForkedCall::collect_errors(net::Fd fd) {
  char buffer[4096];
  net::Stream stream(std::move(fd));
  while (true) {
    const auto n = co_await stream.read(buffer);
    if (!n || *n == 0) co_return;
    if (errors_text_.size() < kErrorsBytesMax) errors_text_.append(buffer, *n);
  }
}

bool ForkedCall::output_ready() {
  const bool was_full = filled_ == Forker::kOutputBytes || in_pipe_ > 0;
  filled_ = 0;
  in_pipe_ = 0;
  if (timed_out_ && !ended_) read_the_rest();
  if (was_full && !ended_) look_into_pipe();
  return ended_ || filled_ > 0 || in_pipe_ > 0;
}

// Waits without reading: until then the bytes stay in the pipe, whoever asks for them in the end.
void ForkedCall::await_output(std::coroutine_handle<> handle) {
  waiting_ = handle;
  readable_.emplace(stdout_, net::Stream::Wait::For::readable);
  readable_->await_suspend(handle);
}

std::string_view ForkedCall::take_output() {
  if (std::exchange(waiting_, {})) {
    readable_.reset();
    look_into_pipe();
  }
  return {buffer_.get(), filled_};
}

void ForkedCall::look_into_pipe() {
  if (pass_output_ && long_) {
    const auto ready = net::bytes_ready(stdout_.fd());
    if (ready >= kPassBytesMin) in_pipe_ = std::min(ready, Forker::kLongOutputBytes);
    const auto before = std::exchange(passed_, passed_ + in_pipe_);
    const bool long_enough = before < kGrowBytesMin && passed_ >= kGrowBytesMin;
    if (long_enough) grow(stdout_.fd(), Forker::kLongOutputBytes);
  }
  if (in_pipe_ == 0) read_what_is_there();
}

void ForkedCall::grow(int pipe, std::size_t bytes) {
  if (forker_.long_pipes_ == Forker::kLongPipesMax) return;
  if (!process::grow_pipe(pipe, bytes)) return;
  ++grown_;
  ++forker_.long_pipes_;
}

// Whatever came together is one piece; often the end is there as well.
void ForkedCall::read_what_is_there() {
  while (filled_ < Forker::kOutputBytes) {
    const auto n = ::read(stdout_.fd(), buffer_.get() + filled_, Forker::kOutputBytes - filled_);
    if (n < 0 && errno == EINTR) continue;
    if (n == 0) ended_ = true;
    if (n <= 0) return;
    filled_ += static_cast<std::size_t>(n);
  }
  long_ = true;
}

// Who escaped the group that was killed may keep the output open: it is not waited for.
void ForkedCall::read_the_rest() {
  read_what_is_there();
  ended_ = true;
}

// The time limit.
void ForkedCall::fire() {
  timed_out_ = true;
  child_.kill(SIGKILL);
  const auto waiting = std::exchange(waiting_, {});
  if (!waiting) return;
  readable_.reset();
  filled_ = 0;
  in_pipe_ = 0;
  read_the_rest();
  waiting.resume();
}

Task<Result<void>> ForkedCall::whole_output(Spool& spool) {
  while (!ended_) {
    const auto piece = co_await output();
    auto kept = spool.append(piece);
    if (!kept) {
      given_up_ = true;
      child_.kill(SIGKILL);
      co_return kept.error();
    }
  }
  co_return Result<void>();
}

// A process may close its output and read on: it gets its input until it ends.
Task<process::ExitStatus> ForkedCall::finish() {
  const auto status = co_await child_.wait();
  feeder_.reset();
  stdin_.close();
  if (error_reader_ && !timed_out_ && !given_up_) co_await error_reader_->join();
  net::Timer::stop();
  counted_ = false;
  --forker_.running_;
  forker_.errors_->drain(/*nobody_writes=*/forker_.running_ == 0);
  co_return status;
}

}  // namespace faas::watchdog
