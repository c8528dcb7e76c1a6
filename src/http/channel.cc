#include "http/channel.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace faas::http {
namespace {

constexpr std::size_t kBulkBytes = 64 * 1024;
// Below this much room a read for a body is not worth its system call.
constexpr std::size_t kBulkRoomMin = 16 * 1024;

}  // namespace

Channel::Channel(net::Core& core, net::Stream stream, std::size_t small_bytes)
    : Timer(core),
      core_(core),
      stream_(std::move(stream)),
      chunk_(std::make_unique_for_overwrite<char[]>(small_bytes)),
      small_(small_bytes),
      size_(small_bytes) {}

Channel::~Channel() {
  stream_.close();
}

void Channel::unpin() {
  pinned_ = false;
  bulk_ = false;
  pinned_chunk_.reset();
}

// Not while a read is armed: it writes into the chunk it was given.
void Channel::replace_chunk(std::size_t size) {
  auto chunk = std::make_unique_for_overwrite<char[]>(size);
  std::memcpy(chunk.get(), chunk_.get() + begin_, end_ - begin_);
  if (pinned_ && !pinned_chunk_) pinned_chunk_ = std::move(chunk_);
  chunk_ = std::move(chunk);
  size_ = size;
  end_ -= begin_;
  begin_ = 0;
}

void Channel::arm() {
  if (armed_ || ended()) return;
  const bool movable = !pinned_ || pinned_chunk_ != nullptr;
  if (movable && begin_ == end_) begin_ = end_ = 0;
  if (movable && begin_ == end_ && !bulk_ && size_ > small_) replace_chunk(small_);
  if (bulk_ && size_ - end_ < kBulkRoomMin) {
    replace_chunk(std::max(kBulkBytes, 2 * (end_ - begin_)));
  } else if (end_ == size_) {
    if (movable && begin_ > size_ / 2) {
      std::memmove(chunk_.get(), chunk_.get() + begin_, end_ - begin_);
      end_ -= begin_;
      begin_ = 0;
    } else {
      replace_chunk(std::max(small_, 2 * (end_ - begin_)));
    }
  }
  start_read();
}

void Channel::arm_behind() {
  if (!armed_ && !ended() && end_ < size_) start_read();
}

void Channel::arm_readable() {
  if (armed_ || ended()) return;
  armed_ = true;
  watching_ = true;
  stream_.arm_readable(*this);
}

void Channel::start_read() {
  armed_ = true;
  stream_.arm_read({chunk_.get() + end_, size_ - end_}, *this);
}

void Channel::on_read(std::size_t n, int error) {
  armed_ = false;
  if (std::exchange(watching_, false)) {
    if (waiter_ != nullptr && !waiter_->reads_) return wake(Wake::data);
    return arm();  // who waited has gone; from now on it is a read that is armed
  }
  end_ += n;
  if (error != 0) {
    state_ = Wake::broken;
  } else if (n == 0) {
    state_ = Wake::end;
  }
  wake(state_);
}

void Channel::fire() {
  wake(Wake::deadline);
}

void Channel::wake(Wake wake) {
  if (auto* waiter = std::exchange(waiter_, nullptr)) {
    stop();
    waiter->result_ = wake;
    waiter->handle_.resume();
  } else if (listener_ != nullptr) {
    listener_->on_unasked(wake);
  }
}

void Channel::fail() {
  if (ended()) return;
  state_ = Wake::broken;
  auto* waiter = std::exchange(waiter_, nullptr);
  if (waiter == nullptr) return;
  stop();
  waiter->result_ = Wake::broken;
  waiter->resumption_.handle = waiter->handle_;
  core_.resume_soon(waiter->resumption_);
}

}  // namespace faas::http
