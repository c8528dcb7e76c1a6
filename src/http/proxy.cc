#include "http/proxy.h"

#include <algorithm>
#include <array>
#include <memory>

#include "http/sniff.h"
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

// More than this is not an answer any more.
constexpr int kInterimMax = 8;
// One step of sending a stored body.
constexpr std::size_t kPieceBytes = 64 * 1024;

// A request without a body that may be repeated: doing it twice is doing it once (RFC 9110 section 9.2.2), or
// its sender says how to tell.
bool may_repeat(const RequestHead& request, bool has_body) {
  if (has_body) return false;
  const bool safe = request.method == Method::get || request.method == Method::head ||
                    request.method == Method::options || request.method == Method::trace;
  return safe || !request.value("Idempotency-Key").empty() || !request.value("X-Idempotency-Key").empty();
}

// HTTP/2 in clear text would hide further requests from everybody on the way.
bool wants_upgrade(const RequestHead& request, const ForwardOptions& options, bool has_body) {
  return request.upgrade && !has_body && !options.head_only &&
         !list_holds(request.value(FieldId::upgrade), "h2c");
}

bool is_endless(std::string_view content_type) {
  const auto type = content_type.substr(0, content_type.find_first_of("; \t"));
  return same_text(type, "text/event-stream") || same_text(type, "application/x-ndjson");
}

// Fields that frame, route or authenticate a message come before its body or never (RFC 9110 section 6.5.1).
bool fits_trailers(std::string_view name) {
  for (const std::string_view never :
       {"Content-Length", "Transfer-Encoding", "Host", "Connection", "Keep-Alive", "Proxy-Connection",
        "Proxy-Authenticate", "Proxy-Authorization", "TE", "Trailer", "Upgrade", "Authorization", "Cookie",
        "Set-Cookie", "Content-Type", "Content-Encoding", "Content-Range", "Expect"}) {
    if (same_text(name, never)) return false;
  }
  return true;
}

std::string passing_trailers(std::string_view lines) {
  std::string passing;
  while (!lines.empty()) {
    const auto line = lines.substr(0, std::min(lines.find('\n'), lines.size() - 1) + 1);
    if (fits_trailers(line.substr(0, line.find(':')))) passing.append(line);
    lines.remove_prefix(line.size());
  }
  return passing;
}

class Forwarding final : net::Timer {
 public:
  Forwarding(Exchange& exchange, ClientPool& pool, const net::Address& address, const ForwardOptions& options,
             HopEdits& edits)
      : Timer(net::Core::current()),
        exchange_(exchange),
        pool_(pool),
        address_(address),
        options_(options),
        edits_(edits),
        bounded_(options.answer_limit > Duration::zero()) {}

  Task<ForwardOutcome> run() {
    auto done = co_await attempt();
    if (!done && late_) {
      outcome_.error = Error{Code::timeout, Origin::function, "no answer within the time limit"};
      outcome_.deadline = true;
    } else if (!done) {
      // Where the client broke off its body, the connection upstream was given up for that.
      outcome_.error = upload_failed_ ? *upload_failed_ : std::move(done).error();
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
        auto taken = co_await net::within(pool_.take(address_, true), connect_deadline());
        if (!taken) co_return Error{Code::timeout, Origin::function, "no connection within the time limit"};
        if (!*taken) co_return taken->error();
        lease_ = std::move(**taken);
      }
      // Only now is the body touched: a caller whose upstream refused may try another one.
      if (first) take_first_piece();
      const bool sent = send_request();
      Result<void> head;
      // One that hangs up at once may have said why.
      if (sent || fresh) head = co_await await_head();
      const bool answered = (sent || fresh) && head.has_value();
      if (answered) break;
      const bool nothing_came = !late_ && !interim_ && lease_->channel.data().empty() && !upload_failed_ &&
                                (!sent || head.error().code == Code::closed);
      if (!fresh && nothing_came && (!sent || may_repeat(exchange_.request(), has_body_))) {
        fresh = true;
        upload_.reset();
        lease_.reset();
        continue;
      }
      if (upload_failed_) co_return *upload_failed_;
      if (!sent && nothing_came) {
        co_return Error{Code::refused, Origin::function, "the connection was closed before the request"};
      }
      co_return head.error();
    }
    outcome_.status = lease_->head.status;
    if (lease_->head.status == 101) {
      auto tunnelled = co_await tunnel();
      co_return tunnelled;
    }
    auto answered = co_await relay_answer();
    co_return answered;
  }

  // The time for the answer is over: whoever waits for the upstream is told that the connection broke.
  void fire() override {
    late_ = true;
    if (lease_) lease_->channel.fail();
  }

  void count_from(TimePoint moment) {
    if (bounded_) start(deadline_after(moment, options_.answer_limit));
  }
  void count_from_now() {
    if (bounded_) count_from(Clock::now());
  }

  [[nodiscard]] TimePoint connect_deadline() const {
    return std::min(options_.deadline, deadline_after(exchange_.began(), options_.answer_limit));
  }

  void note_framing() {
    const auto& request = exchange_.request();
    const auto& framing = request.body;
    if (options_.stored_body != nullptr) {
      length_ = options_.stored_body->size();
      has_body_ = length_ > 0;
      says_length_ = true;
    } else if (!options_.head_only) {
      chunked_ = framing.kind == Framing::Kind::chunked;
      has_body_ = chunked_ || framing.length > 0;
      length_ = framing.length;
      says_length_ = framing.kind == Framing::Kind::length;
      // These have a body by their meaning, if an empty one (RFC 9110 section 8.6).
      const bool implied =
          request.method == Method::post || request.method == Method::put || request.method == Method::patch;
      if (!chunked_ && implied) says_length_ = true;
    }
    upgrade_ = wants_upgrade(request, options_, has_body_);
  }

  void take_first_piece() {
    if (!has_body_) return;
    if (options_.stored_body != nullptr) {
      at_hand_ = options_.stored_body->text();
    } else if (!exchange_.request().expect_continue) {
      at_hand_ = exchange_.body_at_hand();
    }
  }

  void write_head() {
    const auto& request = exchange_.request();
    auto& out = lease_->out;
    out.clear();
    HeadWriter writer(out);
    writer.request_line(request.method_text, options_.target, options_.prefix);
    writer.field("Host", options_.host.empty() ? request.host : options_.host);
    for (const auto& field : request.fields) {
      if (field.id == FieldId::host || field.id == FieldId::content_length || field.id == FieldId::expect)
        continue;
      const bool announces = chunked_ && field.id == FieldId::trailer;
      if (!announces && !passes_hop(request, field)) continue;
      if (!edits_.keep_request_field(field)) continue;
      writer.field(field.name, field.value);
    }
    const bool trailers = list_holds(request.value(FieldId::te), "trailers");
    if (trailers) writer.field("TE", "trailers");
    if (upgrade_) writer.field("Upgrade", request.value(FieldId::upgrade));
    if (upgrade_ || trailers) {
      writer.field("Connection", !upgrade_ ? "TE" : !trailers ? "Upgrade" : "Upgrade, TE");
    }
    edits_.add_request_fields(writer);
    if (chunked_) {
      writer.field("Transfer-Encoding", "chunked");
    } else if (says_length_) {
      writer.field("Content-Length", length_);
    }
    writer.end();
  }

  // The head and what is here of the body leave in one system call; the rest follows beside the answer, which
  // an upstream may give before it has read everything. False: not one byte of it was sent.
  bool send_request() {
    write_head();
    const auto& head = lease_->out;
    const auto bytes = [](std::string_view text) {
      return iovec{.iov_base = const_cast<char*>(text.data()), .iov_len = text.size()};
    };
    const std::array pieces{bytes(head), bytes(at_hand_)};
    const auto sent = lease_->channel.stream().write_now(pieces);
    if (sent < 0) return false;
    const auto whole = head.size() + at_hand_.size();
    const bool stored = options_.stored_body != nullptr;
    const bool more = has_body_ && (stored ? at_hand_.size() < length_ : !exchange_.body_complete());
    uploaded_ = static_cast<std::size_t>(sent) == whole && !more;
    if (stored || !uploaded_) {
      count_from_now();
    } else {
      count_from(exchange_.began());
    }
    if (!uploaded_) upload_.emplace(upload(static_cast<std::size_t>(sent), more));
    return true;
  }

  Task<> upload(std::size_t sent, bool more) {
    const std::string_view head(lease_->out);
    const auto of_head = std::min(sent, head.size());
    const std::array rest{head.substr(of_head), at_hand_.substr(sent - of_head)};
    auto wrote = co_await lease_->channel.stream().write(rest);
    // The upstream may have answered without wanting the rest: its answer is on the way.
    if (!wrote) co_return;
    uploaded_ = !more;
    count_from_now();
    if (more && options_.stored_body != nullptr) {
      co_await upload_stored();
    } else if (more) {
      co_await upload_stream();
    }
  }

  Task<> upload_stored() {
    const auto room = std::make_unique_for_overwrite<char[]>(kPieceBytes);
    for (std::uint64_t offset = at_hand_.size(); offset < length_;) {
      const auto n = options_.stored_body->read(offset, {room.get(), kPieceBytes});
      if (!n || *n == 0) {
        fail_upload(n ? Error{Code::failed, Origin::machine, "the stored body is shorter than it was"}
                      : n.error());
        co_return;
      }
      offset += *n;
      const std::string_view piece(room.get(), *n);
      auto wrote = co_await lease_->channel.stream().write(piece);
      if (!wrote) co_return;
    }
    uploaded_ = true;
  }

  Task<> upload_stream() {
    while (true) {
      // A client has its own limit.
      stop();
      auto piece = co_await exchange_.read_body();
      count_from_now();
      if (!piece) {
        fail_upload(piece.error());
        co_return;
      }
      const bool last = piece->empty();
      auto wrote = co_await upload_piece(*piece);
      if (!wrote || last || (!chunked_ && exchange_.body_complete())) {
        uploaded_ = wrote && exchange_.body_complete();
        count_from_now();
        co_return;
      }
    }
  }

  void fail_upload(Error error) {
    upload_failed_ = std::move(error);
    lease_->channel.fail();
  }

  Task<Result<void>> upload_piece(std::string_view piece) {
    auto& stream = lease_->channel.stream();
    if (!chunked_) {
      auto wrote = co_await stream.write(piece);
      co_return wrote;
    }
    if (piece.empty()) {
      const auto trailers = passing_trailers(exchange_.trailers());
      const std::array end{std::string_view("0\r\n"), std::string_view(trailers), std::string_view("\r\n")};
      auto wrote = co_await stream.write(end);
      co_return wrote;
    }
    const ChunkSize size(piece.size());
    const std::array pieces{size.line(), piece, std::string_view("\r\n")};
    auto wrote = co_await stream.write(pieces);
    co_return wrote;
  }

  Task<Result<void>> await_head() {
    const bool to_head = exchange_.request().method == Method::head;
    for (int interim = 0; interim <= kInterimMax; ++interim) {
      auto head = co_await lease_->read_head(to_head, options_.deadline);
      if (!head) co_return head.error();
      const auto status = lease_->head.status;
      if (status == 101 && (!upgrade_ || !uploaded_)) {
        co_return Error{Code::malformed, Origin::function,
                        "the answer is 101 though no upgrade was asked for"};
      }
      if (status == 101 || status >= 200) co_return Result<void>();
      interim_ = true;
      auto passed = co_await pass_interim();
      if (!passed) co_return passed.error();
    }
    co_return Error{Code::malformed, Origin::function,
                    "more than " + std::to_string(kInterimMax) + " interim answers"};
  }

  // "100 Continue" is between two hops: the client's wish for it was met when its body was read.
  Task<Result<void>> pass_interim() {
    const auto& head = lease_->head;
    if (head.status == 100) co_return Result<void>();
    std::string fields;
    HeadWriter writer(fields);
    for (const auto& field : head.fields) {
      const bool framing = field.id == FieldId::content_length;
      if (framing || !passes_hop(head, field) || !edits_.keep_response_field(field)) continue;
      writer.field(field.name, field.value);
    }
    auto passed = co_await exchange_.interim(head.status, fields);
    co_return passed;
  }

  void begin_answer(std::string_view first_piece) {
    const auto& head = lease_->head;
    const bool chunked = head.body.kind == Framing::Kind::chunked && exchange_.request().minor > 0;
    exchange_.head(head.status, reason_of(head.status).empty() ? std::string_view() : reason_of(head.status));
    for (const auto& field : head.fields) {
      if (field.id == FieldId::content_length) continue;
      const bool announces = chunked && field.id == FieldId::trailer;
      if (!announces && !passes_hop(head, field)) continue;
      if (!edits_.keep_response_field(field)) continue;
      exchange_.field(field.name, field.value);
    }
    if (says_no_type() && !first_piece.empty()) {
      exchange_.field("Content-Type", sniff_content_type(first_piece));
    }
    edits_.add_response_fields(exchange_, head);
  }

  [[nodiscard]] bool says_no_type() const {
    const auto& head = lease_->head;
    return options_.sniff_content_type && !head.has(FieldId::content_type) &&
           head.value("Content-Encoding").empty();
  }

  // Event streams and upgrades have no end that a deadline could wait for.
  void take_all_the_time() {
    bounded_ = false;
    stop();
  }

  Task<Result<void>> relay_answer() {
    auto& upstream = *lease_;
    const bool endless = is_endless(upstream.head.value(FieldId::content_type));
    const auto deadline = endless ? TimePoint::max() : options_.deadline;
    if (endless) take_all_the_time();
    const auto kind = upstream.head.body.kind;
    auto piece = upstream.take_body();
    const bool tells = says_no_type();
    while (tells && piece && piece->empty() && !upstream.body_complete()) {
      piece = co_await upstream.read_body(deadline);
    }
    if (!piece) co_return piece.error();
    begin_answer(*piece);
    if (kind == Framing::Kind::length) exchange_.length(upstream.head.body.length);
    // How long the answer to HEAD would be to GET is not known here when the upstream does not say it.
    if (upstream.body_complete() && kind != Framing::Kind::chunked && kind != Framing::Kind::none) {
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
    const auto trailers = passing_trailers(upstream.trailers());
    auto finished = co_await exchange_.finish(trailers);
    if (!finished) co_return finished.error();
    finish_upstream();
    co_return Result<void>();
  }

  void finish_upstream() {
    outcome_.complete = true;
    upload_.reset();
    if (uploaded_ && lease_->head.keep_alive) pool_.give_back(std::move(lease_));
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
    take_all_the_time();
    begin_answer({});
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
  std::string_view at_hand_;  // the beginning of the body, which leaves with the head
  std::uint64_t length_ = 0;
  bool has_body_ = false;
  bool says_length_ = false;
  bool chunked_ = false;
  bool upgrade_ = false;
  bool interim_ = false;
  bool uploaded_ = false;
  bool bounded_;
  bool late_ = false;
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
