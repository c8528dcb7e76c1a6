#include "net/stream.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/smart_ptr/intrusive_ptr.hpp>
#include <cerrno>

#include "net/core_impl.h"

namespace faas::net {
namespace {

// Room for one Asio operation of each kind, so that waiting costs no malloc.
struct OperationSlot {
  alignas(std::max_align_t) char bytes[192];
  bool used = false;
};

template <class T>
struct SlotAllocator {
  using value_type = T;
  OperationSlot* slot;
  explicit SlotAllocator(OperationSlot* s) : slot(s) {}
  template <class U>
  SlotAllocator(const SlotAllocator<U>& other) : slot(other.slot) {}
  T* allocate(std::size_t n) {
    if (!slot->used && n * sizeof(T) <= sizeof slot->bytes) {
      slot->used = true;
      return reinterpret_cast<T*>(slot->bytes);
    }
    return static_cast<T*>(::operator new(n * sizeof(T)));
  }
  void deallocate(T* p, std::size_t) {
    if (reinterpret_cast<char*>(p) == slot->bytes) {
      slot->used = false;
    } else {
      ::operator delete(p);
    }
  }
  friend bool operator==(const SlotAllocator&, const SlotAllocator&) = default;
};

}  // namespace

void Fd::close() {
  if (number_ >= 0) ::close(release());
}

std::size_t bytes_ready(int fd) {
  int bytes = 0;
  return ::ioctl(fd, FIONREAD, &bytes) == 0 && bytes > 0 ? static_cast<std::size_t>(bytes) : 0;
}

ssize_t move_now(int from, int into, std::size_t bytes_max) {
  while (true) {
    const auto n = ::splice(from, nullptr, into, nullptr, bytes_max, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
    if (n >= 0 || errno != EINTR) return n;
  }
}

bool is_refusal(int number) {
  return number == EINVAL || number == ENOSYS || number == EPERM || number == EACCES || number == EOPNOTSUPP;
}

// Kept alive by the stream and by each operation under way, since Asio tells those of their end later.
struct Stream::Impl {
  explicit Impl(Fd fd) : descriptor(Core::current().impl().context.get_executor()) {
    boost::system::error_code ignored;
    descriptor.assign(fd.release(), ignored);
    descriptor.native_non_blocking(true, ignored);
  }

  Descriptor descriptor;
  ReadListener* reader = nullptr;
  Writer* writer = nullptr;
  Wait* waiter = nullptr;
  OperationSlot read_slot;
  OperationSlot write_slot;
  int references = 0;

  friend void intrusive_ptr_add_ref(Impl* impl) { ++impl->references; }
  friend void intrusive_ptr_release(Impl* impl) {
    if (--impl->references == 0) delete impl;
  }

  struct ReadDone {
    boost::intrusive_ptr<Impl> impl;
    using allocator_type = SlotAllocator<void>;
    allocator_type get_allocator() const { return allocator_type(&impl->read_slot); }
    void operator()(const boost::system::error_code& error, std::size_t n) {
      const auto keep = std::move(impl);
      if (auto* listener = std::exchange(keep->reader, nullptr)) {
        listener->on_read(error ? 0 : n, error && error != asio::error::eof ? error.value() : 0);
      }
    }
  };
  struct ReadableDone {
    boost::intrusive_ptr<Impl> impl;
    using allocator_type = SlotAllocator<void>;
    allocator_type get_allocator() const { return allocator_type(&impl->read_slot); }
    void operator()(const boost::system::error_code&) {
      const auto keep = std::move(impl);
      if (auto* listener = std::exchange(keep->reader, nullptr)) listener->on_read(0, 0);
    }
  };
  struct WriteDone {
    boost::intrusive_ptr<Impl> impl;
    using allocator_type = SlotAllocator<void>;
    allocator_type get_allocator() const { return allocator_type(&impl->write_slot); }
    void operator()(const boost::system::error_code& error) {
      const auto keep = std::move(impl);
      if (auto* waiting = std::exchange(keep->writer, nullptr)) waiting->on_writable(error.value());
    }
  };
  struct WaitDone {
    boost::intrusive_ptr<Impl> impl;
    void operator()(const boost::system::error_code&) {
      const auto keep = std::move(impl);
      if (auto* waiting = std::exchange(keep->waiter, nullptr)) {
        waiting->waiting_ = false;
        waiting->handle_.resume();
      }
    }
  };
};

Stream::Stream(Fd fd) : impl_(fd ? new Impl(std::move(fd)) : nullptr) {
  if (impl_ != nullptr) intrusive_ptr_add_ref(impl_);
}
Stream::Stream(Stream&& other) noexcept : impl_(std::exchange(other.impl_, nullptr)) {}
Stream& Stream::operator=(Stream&& other) noexcept {
  if (this != &other) {
    close();
    impl_ = std::exchange(other.impl_, nullptr);
  }
  return *this;
}
Stream::~Stream() {
  close();
}

int Stream::fd() const {
  return impl_ == nullptr ? -1 : impl_->descriptor.native_handle();
}

void Stream::close() {
  auto* impl = std::exchange(impl_, nullptr);
  if (impl == nullptr) return;
  impl->reader = nullptr;
  impl->writer = nullptr;
  impl->waiter = nullptr;
  boost::system::error_code ignored;
  impl->descriptor.close(ignored);
  intrusive_ptr_release(impl);
}

Fd Stream::release() {
  auto* impl = std::exchange(impl_, nullptr);
  if (impl == nullptr) return Fd();
  Fd fd(impl->descriptor.release());
  intrusive_ptr_release(impl);
  return fd;
}

void Stream::arm_read(std::span<char> buffer, ReadListener& listener) {
  impl_->reader = &listener;
  impl_->descriptor.async_read_some(asio::buffer(buffer.data(), buffer.size()), Impl::ReadDone{impl_});
}

void Stream::arm_readable(ReadListener& listener) {
  impl_->reader = &listener;
  impl_->descriptor.async_wait(asio::posix::descriptor_base::wait_read, Impl::ReadableDone{impl_});
}

void Stream::disarm() {
  if (impl_ != nullptr) impl_->reader = nullptr;
}

ssize_t Stream::write_now(std::span<const iovec> pieces) {
  if (impl_ == nullptr) {
    errno = EBADF;
    return -1;
  }
  while (true) {
    const auto n = ::writev(fd(), pieces.data(), static_cast<int>(pieces.size()));
    if (n >= 0) return n;
    if (errno == EAGAIN) return 0;
    if (errno != EINTR) return -1;
  }
}

void Stream::arm_write(Writer& writer) {
  impl_->writer = &writer;
  impl_->descriptor.async_wait(asio::posix::descriptor_base::wait_write, Impl::WriteDone{impl_});
}

void Stream::disarm_write(Writer& writer) {
  if (impl_ != nullptr && impl_->writer == &writer) impl_->writer = nullptr;
}

void Stream::shutdown_write() {
  ::shutdown(fd(), SHUT_WR);
}

void Stream::reset_on_close() {
  const linger now{.l_onoff = 1, .l_linger = 0};
  ::setsockopt(fd(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
}

Result<std::size_t> Stream::Read::await_resume() {
  if (error_ != 0) return system_error("read", error_, Code::closed);
  return n_;
}

Stream::Write::Write(Stream& stream, std::span<const std::string_view> pieces) : stream_(stream) {
  for (const auto piece : pieces.first(std::min(pieces.size(), kPiecesMax))) {
    if (piece.empty()) continue;
    pieces_[count_++] = {.iov_base = const_cast<char*>(piece.data()), .iov_len = piece.size()};
  }
}

Stream::Write::~Write() {
  if (waiting_) stream_.disarm_write(*this);
}

bool Stream::Write::advance() {
  while (first_ < count_) {
    const auto n = stream_.write_now({pieces_ + first_, count_ - first_});
    if (n == 0) return false;
    if (n < 0) {
      error_ = errno;
      return true;
    }
    for (auto left = static_cast<std::size_t>(n); first_ < count_;) {
      auto& piece = pieces_[first_];
      const auto taken = std::min(left, piece.iov_len);
      piece.iov_base = static_cast<char*>(piece.iov_base) + taken;
      piece.iov_len -= taken;
      left -= taken;
      if (piece.iov_len > 0) break;
      ++first_;
    }
  }
  return true;
}

void Stream::Write::await_suspend(std::coroutine_handle<> handle) {
  handle_ = handle;
  waiting_ = true;
  stream_.arm_write(*this);
}

void Stream::Write::on_writable(int error) {
  if (error != 0) {
    error_ = error;
  } else if (!advance()) {
    stream_.arm_write(*this);
    return;
  }
  waiting_ = false;
  handle_.resume();
}

Result<void> Stream::Write::await_resume() {
  if (error_ != 0) return system_error("write", error_, Code::closed);
  return {};
}

Stream::Pass::~Pass() {
  if (waiting_) stream_.disarm_write(*this);
}

bool Stream::Pass::advance() {
  while (!before_.empty() || !copied_.empty() || source_.bytes > 0 || !after_.empty()) {
    const auto n = step();
    if (n > 0) continue;
    if (n == 0 || errno == EAGAIN) return ended_early_;
    if (errno == EINTR) continue;
    error_ = errno;
    return true;
  }
  return true;
}

// One system call that sends something: how much, 0 when the peer has no room, -1 with errno.
ssize_t Stream::Pass::step() {
  const bool more = source_.bytes > 0 || !after_.empty();
  if (!before_.empty()) return send_now(before_, more);
  if (!copied_.empty()) return send_now(copied_, more);
  if (source_.bytes == 0) return send_now(after_, false);
  if (!copy_) {
    const auto n = move_some();
    if (n >= 0 || !is_refusal(errno)) return n;
    copy_ = std::make_unique_for_overwrite<char[]>(kCopyBytes);
  }
  return copy_some() ? send_now(copied_, source_.bytes > 0 || !after_.empty()) : 0;
}

// `more`: what follows comes at once, so that no packet leaves half full.
ssize_t Stream::Pass::send_now(std::string_view& bytes, bool more) const {
  const auto n = ::send(stream_.fd(), bytes.data(), bytes.size(), MSG_NOSIGNAL | (more ? MSG_MORE : 0));
  if (n > 0) bytes.remove_prefix(static_cast<std::size_t>(n));
  return n;
}

ssize_t Stream::Pass::move_some() {
  const bool is_pipe = source_.offset < 0;
  const unsigned more = after_.empty() ? 0 : SPLICE_F_MORE;
  const auto n = is_pipe ? ::splice(source_.fd, nullptr, stream_.fd(), nullptr, source_.bytes,
                                    SPLICE_F_MOVE | SPLICE_F_NONBLOCK | more)
                         : ::sendfile(stream_.fd(), source_.fd, &source_.offset, source_.bytes);
  if (n > 0) source_.bytes -= static_cast<std::size_t>(n);
  // Whoever holds the other end of a pipe may have taken out of it what was there.
  const bool drained = n < 0 && errno == EAGAIN && is_pipe && bytes_ready(source_.fd) == 0;
  if (n < 0 && !drained) return n;
  if (n == 0 || drained) ended_early_ = true;
  return std::max<ssize_t>(n, 0);
}

// False: there is nothing left to copy.
bool Stream::Pass::copy_some() {
  const auto room = std::min(source_.bytes, kCopyBytes);
  ssize_t n = 0;
  do {
    n = source_.offset < 0 ? ::read(source_.fd, copy_.get(), room)
                           : ::pread(source_.fd, copy_.get(), room, source_.offset);
  } while (n < 0 && errno == EINTR);
  if (n <= 0) {
    ended_early_ = true;
    return false;
  }
  if (source_.offset >= 0) source_.offset += n;
  source_.bytes -= static_cast<std::size_t>(n);
  copied_ = {copy_.get(), static_cast<std::size_t>(n)};
  return true;
}

void Stream::Pass::await_suspend(std::coroutine_handle<> handle) {
  handle_ = handle;
  waiting_ = true;
  stream_.arm_write(*this);
}

void Stream::Pass::on_writable(int error) {
  if (error != 0) {
    error_ = error;
  } else if (!advance()) {
    stream_.arm_write(*this);
    return;
  }
  waiting_ = false;
  handle_.resume();
}

Result<void> Stream::Pass::await_resume() {
  if (ended_early_) return Error{Code::failed, Origin::machine, "what was to be sent ended early"};
  if (error_ != 0) return system_error("write", error_, Code::closed);
  return {};
}

Stream::Wait::~Wait() {
  if (waiting_ && stream_.impl_ != nullptr) stream_.impl_->waiter = nullptr;
}

void Stream::Wait::await_suspend(std::coroutine_handle<> handle) {
  using Base = asio::posix::descriptor_base;
  handle_ = handle;
  waiting_ = true;
  stream_.impl_->waiter = this;
  const auto what = what_ == For::readable   ? Base::wait_read
                    : what_ == For::writable ? Base::wait_write
                                             : Base::wait_error;
  stream_.impl_->descriptor.async_wait(what, Impl::WaitDone{stream_.impl_});
}

}  // namespace faas::net
