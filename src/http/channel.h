// A Channel is a stream with a buffer in front of it, whose one read stays armed: the same read tells of the
// next bytes, of a peer that hangs up, and, in an idle pool, of a connection that died.
//
// Threads:  one core. Cancel: whoever waits may be destroyed at any time; the bytes stay in the buffer.
#pragma once

#include <coroutine>
#include <memory>
#include <string_view>

#include "net/core.h"
#include "net/stream.h"

namespace faas::http {

/// What ended a wait for more bytes.
enum class Wake { data, end, broken, deadline };

/// Told when the read ends while nobody waits for it.
class ChannelListener {
 public:
  virtual void on_unasked(Wake wake) = 0;

 protected:
  ~ChannelListener() = default;
};

class Channel final : net::Stream::ReadListener, net::Timer {
 public:
  Channel(net::Core& core, net::Stream stream, std::size_t small_bytes);
  ~Channel();

  [[nodiscard]] net::Stream& stream() { return stream_; }
  [[nodiscard]] std::string_view data() const { return {chunk_.get() + begin_, end_ - begin_}; }
  /// Bytes that were handed out stay where they are until the next more() (or, pinned, until unpin()).
  void consume(std::size_t n) { begin_ += n; }
  [[nodiscard]] bool ended() const { return state_ != Wake::data; }
  [[nodiscard]] Wake state() const { return state_; }

  /// Everything in the buffer now stays in place until unpin(): a head that views point into.
  void pin() { pinned_ = true; }
  void unpin();
  /// Larger reads from now on, for bodies; until unpin().
  void expect_bulk() { bulk_ = true; }

  /// Starts the read behind what is there, without moving anything; nothing when there is no room.
  void arm_behind();
  /// Starts the read of a connection that has nothing to say: any end of it is told to the listener.
  void arm_idle() { arm(); }
  void listen(ChannelListener* listener) { listener_ = listener; }

  /// Waits until more bytes have been appended to data(), or the reason why none come.
  class More;
  [[nodiscard]] More more(TimePoint deadline);
  /// Waits until there are bytes, or the end, for whoever takes them from the stream itself; only when that
  /// is allowed: nothing_read(). Wake::data; broken after fail(); deadline.
  [[nodiscard]] More readable(TimePoint deadline);
  /// Whether all that has not been consumed is still in the socket.
  [[nodiscard]] bool nothing_read() const { return begin_ == end_ && !armed_ && !ended(); }

  /// Ends the wait of whoever reads, as if the connection had broken. They are resumed later in this turn,
  /// never from here: the caller may be a part of what they destroy.
  void fail();

 private:
  void on_read(std::size_t n, int error) override;
  void fire() override;
  void arm();
  void arm_readable();
  void start_read();
  void replace_chunk(std::size_t size);
  void wake(Wake wake);

  net::Core& core_;
  net::Stream stream_;
  std::unique_ptr<char[]> chunk_;
  std::unique_ptr<char[]> pinned_chunk_;
  std::size_t small_;
  std::size_t size_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  ChannelListener* listener_ = nullptr;
  More* waiter_ = nullptr;
  Wake state_ = Wake::data;
  bool armed_ = false;
  bool watching_ = false;  // what is armed waits only, and reads nothing
  bool pinned_ = false;
  bool bulk_ = false;
};

class Channel::More final {
 public:
  More(Channel& channel, TimePoint deadline, bool reads)
      : channel_(channel), deadline_(deadline), reads_(reads) {}
  More(const More&) = delete;
  More& operator=(const More&) = delete;
  ~More() {
    if (channel_.waiter_ == this) {
      channel_.waiter_ = nullptr;
      channel_.stop();
    }
  }
  bool await_ready() {
    result_ = channel_.state_;
    return channel_.ended();
  }
  void await_suspend(std::coroutine_handle<> handle) {
    handle_ = handle;
    channel_.waiter_ = this;
    if (deadline_ != TimePoint::max()) channel_.start(deadline_);
    reads_ ? channel_.arm() : channel_.arm_readable();
  }
  Wake await_resume() const { return result_; }

 private:
  friend class Channel;
  Channel& channel_;
  TimePoint deadline_;
  bool reads_;
  std::coroutine_handle<> handle_;
  net::Waiter resumption_;
  Wake result_ = Wake::data;
};

inline Channel::More Channel::more(TimePoint deadline) {
  return More(*this, deadline, /*reads=*/true);
}
inline Channel::More Channel::readable(TimePoint deadline) {
  return More(*this, deadline, /*reads=*/false);
}

}  // namespace faas::http
