// One client's connection: reads requests, runs the handler for each, writes answers.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "http/channel.h"
#include "http/exchange.h"
#include "http/parser.h"
#include "http/server.h"
#include "net/event.h"
#include "net/task_group.h"

// The compiler would make the frame of what is awaited a part of the frame that awaits it, which an idle
// connection keeps: 5.6 KB for each of ten thousand.
#define FAAS_OWN_FRAME __attribute__((noinline))

namespace faas::http {

struct Server::State {
  Handler& handler;
  ServerLimits limits;
  net::List<Connection> connections;
  std::size_t busy = 0;
  std::size_t large_heads_bytes = 0;
  bool draining = false;
  net::Event quiet;
  net::TaskGroup tasks;  // last: the connections use what stands above

  State(net::Core& core, Handler& h, ServerLimits l) : handler(h), limits(l), quiet(core) { quiet.set(); }
};

class Connection final : public net::Node, ChannelListener {
 public:
  Connection(Server& server, net::Stream stream);
  ~Connection();

  /// Serves until the connection ends.
  Task<> run();
  /// Ends it at once if it is between requests.
  void close_if_idle();
  void close_now();

 private:
  friend class Exchange;

  enum class After { next_request, close };
  Task<bool> read_head();
  bool hold_head(std::size_t bytes);
  FAAS_OWN_FRAME Task<After> serve_one();
  Task<> serve_itself(Exchange& exchange);
  FAAS_OWN_FRAME Task<> refuse(HeadError error);
  FAAS_OWN_FRAME Task<bool> drain_body();
  FAAS_OWN_FRAME Task<> linger();
  Task<Result<void>> write(std::string_view a, std::string_view b, std::string_view c, std::string_view d);
  Task<Result<void>> pass(std::string_view before, net::Source source, std::string_view after);
  template <class Writing>
  Task<Result<void>> finish_writing(Writing& writing);
  Task<Result<std::string_view>> read_body();
  Task<Result<void>> pass_body(net::Stream& pipe);
  Error cut_body(Wake wake);
  Result<std::string_view> take_body();
  [[nodiscard]] TimePoint body_deadline() const;
  void on_unasked(Wake wake) override;
  void probe_peer();
  Task<> watch_hangup();
  [[nodiscard]] bool more_body() const { return body_state_ == BodyState::more; }

  enum class BodyState { more, complete, broken };

  Server& server_;
  Server::State& state_;
  Channel channel_;
  Parser parser_;
  std::string peer_;
  std::string out_;  // the head being written
  RequestHead head_;
  std::size_t held_bytes_ = 0;  // our part of large_heads_bytes
  TimePoint head_at_;
  std::uint64_t body_left_ = 0;
  BodyState body_state_ = BodyState::complete;
  bool continue_owed_ = false;  // "100 Continue" was asked for and not sent
  bool idle_ = true;
  bool close_ = false;
  bool closing_ = false;

  Exchange* exchange_ = nullptr;
  net::Event hangup_;
  std::optional<net::Running<void>> hangup_watch_;
  std::size_t probed_bytes_ = 0;  // of the head or the next chunk's size, sent ahead to see who is there
  bool writing_ = false;
};

}  // namespace faas::http
