#include "http/client_pool.h"

#include <algorithm>
#include <unordered_map>

#include "http/upstream.h"
#include "net/event.h"

namespace faas::http {
namespace {

constexpr std::size_t kSmallBytes = 8192;

Error broken_off(Wake wake, bool some) {
  if (wake == Wake::deadline) return {Code::timeout, Origin::function, "no answer within the time limit"};
  return {Code::closed, Origin::function,
          some ? "the connection broke off in the middle of an answer"
               : "the connection was closed without an answer"};
}

}  // namespace

Upstream::Upstream(net::Core& core, net::Stream stream, std::string where, std::size_t head_bytes_max)
    : channel(core, std::move(stream), kSmallBytes),
      address(std::move(where)),
      head_bytes_max_(head_bytes_max) {
  channel.listen(this);
}

// An idle connection that says something is over: the peer closed it, or it speaks out of turn.
void Upstream::on_unasked(Wake) {
  if (idle_) delete this;
}

Task<Result<void>> Upstream::read_head(bool to_head, TimePoint deadline) {
  std::size_t searched = 0;
  while (true) {
    const auto bytes = channel.data();
    const auto size = bytes.empty() ? 0 : find_head_end(bytes, searched);
    if (size > head_bytes_max_ || (size == 0 && bytes.size() > head_bytes_max_)) {
      co_return Error{Code::malformed, Origin::function,
                      "the head of the answer is larger than " + std::to_string(head_bytes_max_) + " bytes"};
    }
    if (size == 0) {
      const auto wake = co_await channel.more(deadline);
      if (wake != Wake::data) co_return broken_off(wake, !channel.data().empty());
      continue;
    }
    auto wrong = parser.response(const_cast<char*>(bytes.data()), size, to_head, head);
    channel.consume(size);
    if (wrong) co_return Error{Code::malformed, Origin::function, std::string(wrong->text)};
    const bool interim = head.status / 100 == 1 && head.status != 101;
    if (!interim) begin_body(to_head);
    co_return Result<void>();
  }
}

void Upstream::begin_body(bool to_head) {
  channel.pin();
  const bool bodiless = to_head || head.status == 204 || head.status == 304 || head.status / 100 == 1;
  const auto kind = head.body.kind;
  body_left_ = kind == Framing::Kind::length ? head.body.length : 0;
  complete_ = bodiless || kind == Framing::Kind::none || (kind == Framing::Kind::length && body_left_ == 0);
}

Result<std::string_view> Upstream::take_body() {
  if (complete_) return std::string_view();
  switch (head.body.kind) {
    case Framing::Kind::length: {
      const auto here = channel.data();
      const auto piece =
          here.substr(0, static_cast<std::size_t>(std::min<std::uint64_t>(body_left_, here.size())));
      channel.consume(piece.size());
      body_left_ -= piece.size();
      complete_ = body_left_ == 0;
      return piece;
    }
    case Framing::Kind::until_close: {
      const auto piece = channel.data();
      channel.consume(piece.size());
      return piece;
    }
    default:
      break;
  }
  while (true) {
    const auto step = parser.chunk(channel.data());
    if (step.bad) return Error{Code::malformed, Origin::function, "a chunk of the answer is malformed"};
    channel.consume(step.consumed);
    complete_ = step.done;
    if (step.done || step.need_more || !step.data.empty()) return step.data;
  }
}

Task<Result<std::string_view>> Upstream::read_body(TimePoint deadline) {
  auto piece = take_body();
  while (piece && piece->empty() && !complete_) {
    channel.expect_bulk();
    const auto wake = co_await channel.more(deadline);
    if (wake == Wake::data) {
      piece = take_body();
      continue;
    }
    if (wake == Wake::end && head.body.kind == Framing::Kind::until_close) {
      complete_ = true;
      co_return std::string_view();
    }
    co_return broken_off(wake, true);
  }
  co_return piece;
}

struct ClientPool::State final : net::Timer {
  State(net::Core& on_core, PoolLimits l) : Timer(on_core), core(on_core), limits(l) {}
  ~State() {
    for (auto& [address, list] : by_address) {
      while (auto* upstream = list.first()) delete upstream;
    }
  }

  void fire() override {
    const auto oldest = Clock::now() - limits.idle_timeout;
    bool some = false;
    for (auto entry = by_address.begin(); entry != by_address.end();) {
      auto& list = entry->second;
      // In the order they became idle; the most recent one, used next, is at the end.
      while (auto* upstream = list.first()) {
        if (upstream->idle_since > oldest) break;
        delete upstream;
      }
      const bool empty = list.empty();
      some = some || !empty;
      entry = empty ? by_address.erase(entry) : std::next(entry);
    }
    if (some) start(Clock::now() + limits.idle_timeout / 2);
  }

  net::Core& core;
  PoolLimits limits;
  std::unordered_map<std::string, net::List<Upstream>> by_address;
};

void ClientPool::Close::operator()(Upstream* upstream) const {
  delete upstream;
}

ClientPool::ClientPool(net::Core& core, PoolLimits limits) : state_(std::make_unique<State>(core, limits)) {}
ClientPool::~ClientPool() = default;

ClientPool::Lease ClientPool::take_idle(const net::Address& address) {
  const auto entry = state_->by_address.find(address.text());
  if (entry == state_->by_address.end() || entry->second.empty()) return nullptr;
  auto& upstream = entry->second.back();
  upstream.unlink();
  upstream.idle_ = false;
  upstream.reused = true;
  return Lease(&upstream);
}

Task<Result<ClientPool::Lease>> ClientPool::take(const net::Address& address, bool fresh) {
  if (!fresh) {
    if (auto idle = take_idle(address)) co_return idle;
  }
  auto connected = co_await net::within(net::connect(address), Clock::now() + state_->limits.connect_timeout);
  if (!connected) {
    co_return Error{Code::refused, Origin::function, "connect to " + address.text() + ": no answer in time"};
  }
  if (!*connected) co_return connected->error();
  co_return Lease(
      new Upstream(state_->core, std::move(**connected), address.text(), state_->limits.head_bytes_max));
}

void ClientPool::give_back(Lease lease) {
  if (lease->channel.ended() || !lease->channel.data().empty()) return;
  auto& idle = state_->by_address[lease->address];
  auto* upstream = lease.release();
  upstream->channel.unpin();
  upstream->idle_ = true;
  upstream->idle_since = Clock::now();
  idle.push_back(*upstream);
  upstream->channel.arm_idle();
  if (!state_->running()) state_->start(upstream->idle_since + state_->limits.idle_timeout);
}

void ClientPool::forget(const net::Address& address) {
  const auto entry = state_->by_address.find(address.text());
  if (entry == state_->by_address.end()) return;
  while (auto* upstream = entry->second.first()) delete upstream;
  state_->by_address.erase(entry);
}

}  // namespace faas::http
