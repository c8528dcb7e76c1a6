// The function of mode afterburn: one process that answers HTTP requests on its standard input, one after the
// other, on its standard output.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "http/upstream.h"
#include "process/spawn.h"
#include "watchdog/environment.h"
#include "watchdog/line_log.h"
#include "watchdog/settings.h"
#include "watchdog/spool.h"

namespace faas::watchdog {

/// One request as the function reads it.
struct PipedRequest {
  std::string head;
  Spool body;
  bool chunked = false;
  bool to_head = false;  ///< HEAD: the answer has no body
};

/// A request's head: the line in origin form, Host, User-Agent, the body's framing, then all other fields by
/// name. What belongs to the client's connection is left out.
[[nodiscard]] std::string print_piped_head(const CallFacts& facts, const http::RequestHead& request,
                                           std::string_view target);

/// One answer, whole.
struct PipedAnswer {
  int status = 200;
  std::string reason;
  std::vector<std::pair<std::string, std::string>> fields;  ///< of each name the first
  std::optional<std::uint64_t> length;                      ///< as the function announced it
  Spool body;
};

/// Lifetime: destroying it kills the process and its group.
class PipedFunction final {
 public:
  /// Starts the process with our own environment; its standard error goes to the log.
  /// Errors: those of process::spawn(), machine: no pipe.
  [[nodiscard]] static Result<std::unique_ptr<PipedFunction>> start(const Settings& settings);

  /// One request, one answer. After an error, or when usable() says so, it has lost its place in the
  /// conversation and is of no more use. Destroying the task has the same effect.
  /// Errors (origin function): timeout: the deadline; closed: it ended or closed its output; malformed: what
  /// it says is no answer, or none whose end can be told. Those of Spool::append().
  [[nodiscard]] Task<Result<PipedAnswer>> ask(const PipedRequest& request, TimePoint deadline);
  /// Whether it runs and waits for a request.
  [[nodiscard]] bool usable();

  /// Kills it, or with `grace` asks it first (SIGTERM and the end of its input), and logs its last lines.
  [[nodiscard]] Task<process::ExitStatus> end(Duration grace = Duration::zero());

 private:
  PipedFunction(const Settings& settings, process::Child child, net::Fd input, net::Fd output,
                std::unique_ptr<LogPipe> errors);
  Task<> feed(const PipedRequest& request);
  Task<bool> write_piece(std::string_view piece, bool chunked);
  Task<Result<void>> expect_answer(TimePoint deadline);
  Task<Result<void>> read_head(bool to_head, TimePoint deadline);
  Task<Result<void>> read_body(Spool& body, TimePoint deadline);
  Task<Error> explain(Error error);
  [[nodiscard]] PipedAnswer copy_head() const;

  const Settings& settings_;
  process::Child child_;
  net::Stream input_;
  http::Upstream output_;
  std::unique_ptr<LogPipe> errors_;
  bool in_step_ = true;
};

}  // namespace faas::watchdog
