// A Stream is one open descriptor that carries bytes: a socket, an end of a pipe, anything epoll can watch.
//
// Threads:  the core it was made on.
// Lifetime: the bytes given to read or write must outlive the stream, not only the call: a destroyed
//           awaiting task leaves an armed read behind, which ends with the stream. Read buffers therefore
//           belong to the object that owns the stream.
// Cancel:   destroying the stream closes the descriptor and forgets everybody who waits.
#pragma once

#include <sys/types.h>
#include <sys/uio.h>

#include <coroutine>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "net/task.h"

namespace faas::net {

/// A descriptor that is closed with its owner. -1 is none.
class Fd final {
 public:
  Fd() = default;
  explicit Fd(int number) : number_(number) {}
  Fd(Fd&& other) noexcept : number_(other.release()) {}
  Fd& operator=(Fd&& other) noexcept {
    if (this != &other) close(), number_ = other.release();
    return *this;
  }
  ~Fd() { close(); }
  [[nodiscard]] int get() const { return number_; }
  int release() {
    const int number = number_;
    number_ = -1;
    return number;
  }
  void close();
  explicit operator bool() const { return number_ >= 0; }

 private:
  int number_ = -1;
};

/// Bytes that lie in another descriptor: ready ones in a pipe, or a stretch of a file.
struct Source {
  int fd = -1;
  std::size_t bytes = 0;
  off_t offset = -1;  ///< where they begin in a file; negative: a pipe
};

/// How many bytes can be read from a pipe or a socket without waiting; 0 also at its end.
[[nodiscard]] std::size_t bytes_ready(int fd);

/// Moves up to `bytes_max` bytes from a socket or pipe into a pipe without copying them (splice(2)) and
/// without waiting: how many, 0 at the end, -1 with errno; EAGAIN when `from` is empty or `into` is full.
ssize_t move_now(int from, int into, std::size_t bytes_max);
/// Whether this errno of splice(2) or sendfile(2) means that they cannot be had here (a seccomp profile, an
/// odd descriptor), so that bytes have to be copied.
[[nodiscard]] bool is_refusal(int number);

class Stream final {
 public:
  /// Takes the descriptor over and makes it non-blocking. An empty Fd makes a closed stream.
  explicit Stream(Fd fd);
  Stream() = default;
  Stream(Stream&&) noexcept;
  Stream& operator=(Stream&&) noexcept;
  ~Stream();

  explicit operator bool() const { return impl_ != nullptr; }
  [[nodiscard]] int fd() const;
  void close();
  /// Gives the descriptor away, still open; nothing may be waiting.
  Fd release();

  /// Told about the end of a read that was armed.
  class ReadListener {
   public:
    /// `n` bytes came; 0: the end of the stream; `error` (errno) is not 0: it broke.
    virtual void on_read(std::size_t n, int error) = 0;

   protected:
    ~ReadListener() = default;
  };
  /// Starts one read; the listener is called from the loop, never from here. One read at a time.
  void arm_read(std::span<char> buffer, ReadListener& listener);
  /// The same without reading: the listener is told 0 bytes and no error when there is something to read.
  void arm_readable(ReadListener& listener);
  /// The listener is not called any more; the read itself may still take bytes away: only for a stream
  /// that is about to be destroyed.
  void disarm();

  /// Waits for some bytes: co_await stream.read(buffer) -> Result<size_t>, 0 at the end. A read whose waiter
  /// was destroyed may still take bytes away; who must not lose any waits for readable() and reads fd().
  class Read;
  [[nodiscard]] Read read(std::span<char> buffer);

  /// Writes everything, waiting where the peer is slow: co_await stream.write(pieces) -> Result<void>.
  /// What fits at once costs one system call and no suspension. At most 8 pieces.
  class Write;
  [[nodiscard]] Write write(std::span<const std::string_view> pieces);
  [[nodiscard]] Write write(std::string_view bytes);

  /// Sockets: writes `before`, the bytes of `source` and `after`, as write() does, but those of the source
  /// without copying them through this process where the kernel lets it: co_await stream.pass(...) ->
  /// Result<void>. Errors: as write(); failed: the source ended before its bytes did.
  class Pass;
  [[nodiscard]] Pass pass(std::string_view before, Source source, std::string_view after);

  /// What can be written without waiting; -1 with errno when it broke, 0 when it would wait.
  ssize_t write_now(std::span<const iovec> pieces);

  /// Waits until the descriptor is readable (a pidfd, a listening socket), writable (a connecting one) or,
  /// for `hangup`, until the peer is known to be gone altogether: it has reset the connection. TCP does not
  /// tell a peer that is gone from one that has only finished sending; the next byte written to it does.
  /// One wait at a time.
  class Wait;
  [[nodiscard]] Wait readable();
  [[nodiscard]] Wait writable();
  [[nodiscard]] Wait hangup();

  /// Sends the end of the stream to the peer, who may still answer (sockets).
  void shutdown_write();
  /// Makes close() reset the connection, so that the peer cannot take a cut answer for a whole one.
  void reset_on_close();

 private:
  struct Impl;
  // Who waits until the descriptor takes more: one at a time.
  class Writer {
   public:
    virtual void on_writable(int error) = 0;

   protected:
    ~Writer() = default;
  };
  void arm_write(Writer& writer);
  void disarm_write(Writer& writer);
  Impl* impl_ = nullptr;
};

class Stream::Read final : ReadListener {
 public:
  Read(Stream& stream, std::span<char> buffer) : stream_(stream), buffer_(buffer) {}
  Read(const Read&) = delete;
  Read& operator=(const Read&) = delete;
  ~Read() {
    if (armed_) stream_.disarm();
  }
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> handle) {
    handle_ = handle;
    armed_ = true;
    stream_.arm_read(buffer_, *this);
  }
  Result<std::size_t> await_resume();

 private:
  void on_read(std::size_t n, int error) override {
    armed_ = false;
    n_ = n;
    error_ = error;
    handle_.resume();
  }
  Stream& stream_;
  std::span<char> buffer_;
  std::coroutine_handle<> handle_;
  std::size_t n_ = 0;
  int error_ = 0;
  bool armed_ = false;
};

class Stream::Write final : Writer {
 public:
  Write(Stream& stream, std::span<const std::string_view> pieces);
  Write(const Write&) = delete;
  Write& operator=(const Write&) = delete;
  ~Write();
  bool await_ready() { return advance(); }
  void await_suspend(std::coroutine_handle<> handle);
  Result<void> await_resume();

 private:
  bool advance();  // whether it is over
  void on_writable(int error) override;
  static constexpr std::size_t kPiecesMax = 8;
  Stream& stream_;
  iovec pieces_[kPiecesMax];
  std::size_t first_ = 0;
  std::size_t count_ = 0;
  int error_ = 0;
  bool waiting_ = false;
  std::coroutine_handle<> handle_;
};

class Stream::Pass final : Writer {
 public:
  Pass(Stream& stream, std::string_view before, Source source, std::string_view after)
      : stream_(stream), before_(before), after_(after), source_(source) {}
  Pass(const Pass&) = delete;
  Pass& operator=(const Pass&) = delete;
  ~Pass();
  bool await_ready() { return advance(); }
  void await_suspend(std::coroutine_handle<> handle);
  Result<void> await_resume();

 private:
  bool advance();  // whether it is over
  ssize_t step();
  ssize_t send_now(std::string_view& bytes, bool more) const;
  ssize_t move_some();
  bool copy_some();
  void on_writable(int error) override;
  // One step where bytes have to be copied.
  static constexpr std::size_t kCopyBytes = 16 * 1024;
  Stream& stream_;
  std::string_view before_;
  std::string_view copied_;
  std::string_view after_;
  Source source_;
  std::unique_ptr<char[]> copy_;  // where the kernel refuses to move
  int error_ = 0;
  bool ended_early_ = false;
  bool waiting_ = false;
  std::coroutine_handle<> handle_;
};

class Stream::Wait final {
 public:
  enum class For { readable, writable, hangup };
  Wait(Stream& stream, For what) : stream_(stream), what_(what) {}
  Wait(const Wait&) = delete;
  Wait& operator=(const Wait&) = delete;
  ~Wait();
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> handle);
  void await_resume() const noexcept {}

 private:
  friend struct Impl;
  Stream& stream_;
  For what_;
  bool waiting_ = false;
  std::coroutine_handle<> handle_;
};

inline Stream::Read Stream::read(std::span<char> buffer) {
  return Read(*this, buffer);
}
inline Stream::Write Stream::write(std::span<const std::string_view> pieces) {
  return Write(*this, pieces);
}
inline Stream::Write Stream::write(std::string_view bytes) {
  return Write(*this, {&bytes, 1});
}
inline Stream::Pass Stream::pass(std::string_view before, Source source, std::string_view after) {
  return Pass(*this, before, source, after);
}
inline Stream::Wait Stream::readable() {
  return Wait(*this, Wait::For::readable);
}
inline Stream::Wait Stream::writable() {
  return Wait(*this, Wait::For::writable);
}
inline Stream::Wait Stream::hangup() {
  return Wait(*this, Wait::For::hangup);
}

}  // namespace faas::net
