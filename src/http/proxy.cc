#include "http/proxy.h"

#include <array>

#include "http/upstream.h"

namespace faas::http {
namespace {

// Fields named by Connection belong to this hop as well (RFC 9110 section 7.6.1).
bool named_by_connection(const Head& head, std::string_view name) {
  if (!head.connection_tokens) return false;
  for (const auto& field : head.fields) {
    if (field.id == FieldId::connection && list_holds(field.value, name)) return true;
  }
  return false;
}

bool passes_hop(const Head& head, const Field& field) {
  return !is_hop_by_hop(field.id) && !named_by_connection(head, field.name);
}

// A request without a body that may be repeated, since doing it twice is doing it once (RFC 9110 9.2.2).
bool may_repeat(const RequestHead& request, bool has_body) {
  if (has_body) return false;
  return request.method == Method::get || request.method == Method::head ||
         request.method == Method::options || request.method == Method::trace;
}

class Forwarding final {
 public:
  Forwarding(Exchange& exchange, ClientPool& pool, const net::Address& address, const ForwardOptions& options,
             HopEdits& edits)
      : exchange_(exchange), pool_(pool), address_(address), options_(options), edits_(edits) {}

  Task<ForwardOutcome> run() {
    auto done = co_await attempt();
    if (!done) {
      outcome_.error = std::move(done).error();
      outcome_.deadline = outcome_.error->code == Code::timeout && outcome_.error->origin == Origin::function;
    }
    co_return std::move(outcome_);
  }

 private:
  Task<Result<void>> attempt() {
    note_framing();
    lease_ = pool_.take_idle(address_);
    bool fresh = lease_ == nullptr;
    for (bool first = true;; first = false) {
      if (!lease_) {
        auto taken = co_await net::within(pool_.take(address_, true), options_.deadline);
        if (!taken) co_return Error{Code::timeout, Origin::function, "no connection within the time limit"};
        if (!*taken) co_return taken->error();
        lease_ = std::move(**taken);
      }
      // Only now is the body touched: a caller whose upstream refused may try another one.
      if (first && has_body_) {
        auto ready = co_await prepare_body();
        if (!ready) co_return ready.error();
      }
      auto sent = co_await send_request();
      Result<void> head;
      if (sent) head = co_await await_head();
      const bool nothing_came = !sent || (!head && head.error().code == Code::closed &&
                                          lease_->channel.data().empty() && !upload_failed_);
      const bool again = !fresh && nothing_came && (!sent || may_repeat(exchange_.request(), has_body_)) &&
                         exchange_.body_complete();
      if (again) {
        fresh = true;
        upload_.reset();
        lease_.reset();
        continue;
      }
      if (!sent) co_return sent.error();
      if (upload_failed_) co_return *upload_failed_;
      if (!head) co_return head.error();
      break;
    }
    outcome_.status = lease_->head.status;
    if (lease_->head.status == 101) {
      auto tunnelled = co_await tunnel();
      co_return tunnelled;
    }
    auto answered = co_await relay_answer();
    co_return answered;
  }

  void note_framing() {
    const auto& framing = exchange_.request().body;
    chunked_ = framing.kind == Framing::Kind::chunked;
    has_body_ = chunked_ || framing.length > 0;
    length_ = framing.length;
  }

  Task<Result<void>> prepare_body() {
    if (options_.buffer_body) {
      auto whole = co_await exchange_.whole_body(options_.buffer_bytes_max);
      if (!whole) co_return whole.error();
      buffered_ = std::move(*whole);
      at_hand_ = buffered_;
      length_ = buffered_.size();
      chunked_ = false;
      has_body_ = length_ > 0;
    } else if (!exchange_.request().expect_continue) {
      at_hand_ = exchange_.body_at_hand();
    }
    co_return Result<void>();
  }

  void write_head() {
    const auto& request = exchange_.request();
    auto& out = lease_->out;
    out.clear();
    HeadWriter writer(out);
    writer.request_line(request.method_text, options_.target);
    writer.field("Host", options_.host.empty() ? request.host : options_.host);
    for (const auto& field : request.fields) {
      if (field.id == FieldId::host || field.id == FieldId::content_length || field.id == FieldId::expect)
        continue;
      if (!passes_hop(request, field) || !edits_.keep_request_field(field)) continue;
      writer.field(field.name, field.value);
    }
    if (request.upgrade) {
      writer.field("Connection", "Upgrade");
      writer.field("Upgrade", request.value(FieldId::upgrade));
    }
    if (list_holds(request.value(FieldId::te), "trailers")) {
      writer.field("TE", "trailers");
      if (!request.upgrade) writer.field("Connection", "TE");
    }
    edits_.add_request_fields(writer);
    if (chunked_) {
      writer.field("Transfer-Encoding", "chunked");
    } else if (has_body_ || request.body.kind == Framing::Kind::length) {
      writer.field("Content-Length", length_);
    }
    writer.end();
  }

  // The head and what is here of the body leave in one system call; the rest of the body follows beside the
  // answer. Fails only while nothing can have been understood by the upstream.
  Task<Result<void>> send_request() {
    write_head();
    const std::array pieces{std::string_view(lease_->out), at_hand_};
    auto wrote = co_await lease_->channel.stream().write(pieces);
    if (!wrote)
      co_return Error{Code::closed, Origin::function, "the connection broke while the request was sent"};
    const bool rest = has_body_ && !options_.buffer_body && !exchange_.body_complete();
    if (rest) upload_.emplace(upload());
    co_return Result<void>();
  }

  Task<> upload() {
    while (true) {
      auto piece = co_await exchange_.read_body();
      if (!piece) {
        upload_failed_ = piece.error();
        lease_->channel.fail();
        co_return;
      }
      const bool last = piece->empty();
      auto wrote = co_await upload_piece(*piece);
      // The upstream may have answered without wanting the rest: its answer is on the way.
      if (!wrote || last || (!chunked_ && exchange_.body_complete())) {
        uploaded_ = wrote && exchange_.body_complete();
        co_return;
      }
    }
  }

  Task<Result<void>> upload_piece(std::string_view piece) {
    auto& stream = lease_->channel.stream();
    if (!chunked_) {
      auto wrote = co_await stream.write(piece);
      co_return wrote;
    }
    if (piece.empty()) {
      auto wrote = co_await stream.write("0\r\n\r\n");
      co_return wrote;
    }
    const ChunkSize size(piece.size());
    const std::array pieces{size.line(), piece, std::string_view("\r\n")};
    auto wrote = co_await stream.write(pieces);
    co_return wrote;
  }

  Task<Result<void>> await_head() {
    const bool to_head = exchange_.request().method == Method::head;
    auto head = co_await lease_->read_head(to_head, options_.deadline);
    if (!head) co_return head.error();
    if (lease_->head.status == 101 && !exchange_.request().upgrade) {
      co_return Error{Code::malformed, Origin::function, "the answer is 101 though no upgrade was asked for"};
    }
    co_return Result<void>();
  }

  void begin_answer() {
    const auto& head = lease_->head;
    exchange_.head(head.status, reason_of(head.status).empty() ? std::string_view() : reason_of(head.status));
    for (const auto& field : head.fields) {
      if (field.id == FieldId::content_length) continue;
      if (!passes_hop(head, field) || !edits_.keep_response_field(field)) continue;
      exchange_.field(field.name, field.value);
    }
    edits_.add_response_fields(exchange_, head);
  }

  // Event streams have no end that a deadline could wait for.
  TimePoint body_deadline() const {
    const auto type = lease_->head.value(FieldId::content_type);
    return type.starts_with("text/event-stream") ? TimePoint::max() : options_.deadline;
  }

  Task<Result<void>> relay_answer() {
    begin_answer();
    auto& upstream = *lease_;
    const auto deadline = body_deadline();
    if (upstream.head.body.kind == Framing::Kind::length) exchange_.length(upstream.head.body.length);
    auto piece = upstream.take_body();
    if (piece && upstream.body_complete() && upstream.head.body.kind != Framing::Kind::chunked) {
      auto sent = co_await exchange_.send(*piece);
      if (!sent) co_return sent.error();
      finish_upstream();
      co_return Result<void>();
    }
    // The head leaves as soon as it is here, even when the body lets itself be waited for.
    bool first = true;
    while (piece) {
      if (first || !piece->empty()) {
        auto wrote = co_await exchange_.write(*piece);
        if (!wrote) co_return wrote.error();
      }
      first = false;
      if (upstream.body_complete()) break;
      piece = co_await upstream.read_body(deadline);
    }
    if (!piece) co_return piece.error();
    auto finished = co_await exchange_.finish(upstream.trailers());
    if (!finished) co_return finished.error();
    finish_upstream();
    co_return Result<void>();
  }

  void finish_upstream() {
    outcome_.complete = true;
    const bool sent_all = !upload_ || uploaded_;
    upload_.reset();
    if (sent_all && lease_->head.keep_alive) pool_.give_back(std::move(lease_));
  }

  static Task<> pump(Channel& from, Channel& to, std::uint64_t& bytes) {
    while (true) {
      const auto here = from.data();
      if (here.empty()) {
        from.expect_bulk();
        const auto wake = co_await from.more(TimePoint::max());
        if (wake == Wake::data) continue;
        if (wake == Wake::end) to.stream().shutdown_write();
        if (wake == Wake::broken) to.fail();
        co_return;
      }
      auto wrote = co_await to.stream().write(here);
      if (!wrote) {
        from.fail();
        to.fail();
        co_return;
      }
      bytes += here.size();
      from.consume(here.size());
    }
  }

  Task<Result<void>> tunnel() {
    begin_answer();
    exchange_.field("Connection", "Upgrade");
    const auto protocol = lease_->head.value(FieldId::upgrade);
    exchange_.field("Upgrade", protocol.empty() ? exchange_.request().value(FieldId::upgrade) : protocol);
    auto upgraded = co_await exchange_.upgrade();
    if (!upgraded) co_return upgraded.error();
    std::uint64_t up = 0;
    std::uint64_t down = 0;
    net::Running<void> upstream_pump(pump(upgraded->channel, lease_->channel, up));
    co_await pump(lease_->channel, upgraded->channel, down);
    // When the upstream has ended the tunnel, what the client still says has nowhere to go.
    outcome_.complete = true;
    co_return Result<void>();
  }

  Exchange& exchange_;
  ClientPool& pool_;
  const net::Address& address_;
  const ForwardOptions& options_;
  HopEdits& edits_;
  ClientPool::Lease lease_;
  ForwardOutcome outcome_;
  std::string buffered_;
  std::string_view at_hand_;
  std::uint64_t length_ = 0;
  bool has_body_ = false;
  bool chunked_ = false;
  bool uploaded_ = false;
  std::optional<Error> upload_failed_;
  std::optional<net::Running<void>> upload_;  // last: it ends before what it uses
};

}  // namespace

Task<ForwardOutcome> forward(Exchange& exchange, ClientPool& pool, const net::Address& address,
                             const ForwardOptions& options, HopEdits& edits) {
  Forwarding forwarding(exchange, pool, address, options, edits);
  auto outcome = co_await forwarding.run();
  co_return outcome;
}

}  // namespace faas::http
