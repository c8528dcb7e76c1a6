#include "watchdog/piped_function.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>

#include "base/log.h"
#include "net/event.h"
#include "process/pipe.h"

namespace faas::watchdog {
namespace {

constexpr std::size_t kHeadBytesMax = 256 * 1024;
// A function may answer before it has read all of its request; the next one must not come before that.
constexpr Duration kLeftoverLimit = std::chrono::seconds(1);
// Between the end of its output and its own end.
constexpr Duration kEndPause = std::chrono::milliseconds(200);
constexpr Duration kKillLimit = std::chrono::seconds(1);
constexpr std::string_view kAnswerStart = "HTTP/1.";
// Answers before the answer (100, 103): nobody is told, but they must end.
constexpr int kInterimMax = 8;
// Of what is not an answer, this much is shown.
constexpr std::size_t kShownBytes = 80;
// What the reference calls itself when a client has no name.
constexpr std::string_view kDefaultAgent = "Go-http-client/1.1";

bool named_by_connection(const http::RequestHead& request, std::string_view name) {
  if (!request.connection_tokens) return false;
  return std::any_of(request.fields.begin(), request.fields.end(), [name](const http::Field& field) {
    return field.id == http::FieldId::connection && http::list_holds(field.value, name);
  });
}

bool is_passed(const http::RequestHead& request, const http::Field& field) {
  switch (field.id) {
    case http::FieldId::host:
    case http::FieldId::user_agent:
    case http::FieldId::content_length:
    case http::FieldId::expect:
      return false;
    default:
      return !http::is_hop_by_hop(field.id) && !named_by_connection(request, field.name);
  }
}

// Of the three methods that usually have a body, its absence is told.
bool expects_body(std::string_view method) {
  return method == "POST" || method == "PUT" || method == "PATCH";
}

std::string origin_form(const http::RequestHead& request, std::string_view target) {
  if (target != request.target || target.starts_with('/')) return std::string(target);
  std::string text(request.path());
  if (!request.query().empty()) text.append("?").append(request.query());
  return text;
}

std::string_view first_line(std::string_view text) {
  text = text.substr(0, kShownBytes);
  return text.substr(0, text.find_first_of("\r\n"));
}

}  // namespace

std::string print_piped_head(const CallFacts& facts, const http::RequestHead& request,
                             std::string_view target) {
  std::string out;
  http::HeadWriter writer(out);
  writer.request_line(facts.method, origin_form(request, target));
  writer.field("Host", facts.host.empty() ? request.host : facts.host);
  const auto agent = request.value(http::FieldId::user_agent);
  writer.field("User-Agent", agent.empty() ? kDefaultAgent : agent);
  if (facts.body.kind == http::Framing::Kind::chunked) {
    writer.field("Transfer-Encoding", "chunked");
  } else if (facts.body.kind == http::Framing::Kind::length || expects_body(facts.method)) {
    writer.field("Content-Length", facts.body.length);
  }
  std::vector<std::pair<std::string, std::string_view>> others;
  for (const auto& field : facts.fields) {
    if (is_passed(request, field)) others.emplace_back(canonical_name(field.name), field.value);
  }
  std::stable_sort(others.begin(), others.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  for (const auto& [name, value] : others) writer.field(name, value);
  writer.end();
  return out;
}

Result<std::unique_ptr<PipedFunction>> PipedFunction::start(const Settings& settings) {
  const auto words = process::split_command(settings.process);
  std::vector<const char*> argv;
  for (const auto& word : words) argv.push_back(word.c_str());
  argv.push_back(nullptr);
  const auto line_bytes = settings.log_buffer_size < 0 ? LineCutter::kLineBytesMax
                                                       : static_cast<std::size_t>(settings.log_buffer_size);
  TRY_ASSIGN(auto input, process::make_pipe());
  TRY_ASSIGN(auto output, process::make_pipe());
  TRY_ASSIGN(auto errors, LogPipe::make({.name = "stderr",
                                         .to_fd = STDERR_FILENO,
                                         .prefix = settings.prefix_logs,
                                         .line_bytes_max = line_bytes}));
  TRY_ASSIGN(auto child, process::spawn({.program = words.front(),
                                         .argv = argv.data(),
                                         .stdin_fd = input.read.get(),
                                         .stdout_fd = output.write.get(),
                                         .stderr_fd = errors->write_fd(),
                                         .die_with_parent = true}));
  errors->close_write();
  log::line("Started logging: stderr from function.");
  return std::unique_ptr<PipedFunction>(new PipedFunction(settings, std::move(child), std::move(input.write),
                                                          std::move(output.read), std::move(errors)));
}

PipedFunction::PipedFunction(const Settings& settings, process::Child child, net::Fd input, net::Fd output,
                             std::unique_ptr<LogPipe> errors)
    : settings_(settings),
      child_(std::move(child)),
      input_(std::move(input)),
      output_(net::Core::current(), net::Stream(std::move(output)), "", kHeadBytesMax),
      errors_(std::move(errors)) {
  output_.channel.arm_idle();
}

bool PipedFunction::usable() {
  return in_step_ && !output_.channel.ended() && !child_.ended();
}

Task<bool> PipedFunction::write_piece(std::string_view piece, bool chunked) {
  std::string size;
  if (chunked) size = fmt::format("{:x}\r\n", piece.size());
  const std::array pieces{std::string_view(size), piece, std::string_view(chunked ? "\r\n" : "")};
  const auto wrote = co_await input_.write(pieces);
  co_return wrote.has_value();
}

// A function that does not read its input says in its own way what became of the request.
Task<> PipedFunction::feed(const PipedRequest& request) {
  const auto begun = co_await input_.write(request.head);
  if (!begun) co_return;
  const auto room = std::make_unique_for_overwrite<char[]>(Spool::kPieceBytes);
  for (std::uint64_t offset = 0; offset < request.body.size();) {
    const auto n = request.body.read(offset, {room.get(), Spool::kPieceBytes});
    if (!n || *n == 0) {
      input_.close();  // never less than was announced, and then another request
      co_return;
    }
    offset += *n;
    const std::string_view piece(room.get(), *n);
    const bool wrote = co_await write_piece(piece, request.chunked);
    if (!wrote) co_return;
  }
  if (request.chunked) (void)co_await input_.write("0\r\n\r\n");
}

// Whatever is no answer is refused at its first bytes: its end might never come.
Task<Result<void>> PipedFunction::expect_answer(TimePoint deadline) {
  auto& channel = output_.channel;
  while (true) {
    const auto here = channel.data();
    const auto begun = here.substr(0, kAnswerStart.size());
    if (begun != kAnswerStart.substr(0, begun.size())) {
      co_return Error{Code::malformed, Origin::function,
                      "malformed HTTP response " + quoted(first_line(here))};
    }
    if (begun.size() == kAnswerStart.size()) co_return Result<void>();
    const auto wake = co_await channel.more(deadline);
    if (wake == http::Wake::deadline) {
      co_return Error{Code::timeout, Origin::function, "no answer within the time limit"};
    }
    if (wake != http::Wake::data) {
      co_return Error{Code::closed, Origin::function, "unexpected EOF"};
    }
  }
}

Task<Result<void>> PipedFunction::read_head(bool to_head, TimePoint deadline) {
  for (int interim = 0;; ++interim) {
    auto expected = co_await expect_answer(deadline);
    if (!expected) co_return expected.error();
    auto read = co_await output_.read_head(to_head, deadline);
    if (!read) co_return read.error();
    if (output_.head.status / 100 != 1 || output_.head.status == 101) break;
    if (interim == kInterimMax) {
      co_return Error{Code::malformed, Origin::function,
                      "more than " + std::to_string(kInterimMax) + " interim answers"};
    }
  }
  if (output_.head.status == 101) {
    co_return Error{Code::malformed, Origin::function, "the answer is 101, but nothing can be upgraded here"};
  }
  const bool endless = output_.head.body.kind == http::Framing::Kind::until_close;
  if (endless && !output_.body_complete()) {
    co_return Error{Code::malformed, Origin::function,
                    "the answer has neither Content-Length nor Transfer-Encoding: chunked, so its end cannot "
                    "be told"};
  }
  co_return Result<void>();
}

Task<Result<void>> PipedFunction::read_body(Spool& body, TimePoint deadline) {
  while (!output_.body_complete()) {
    const auto piece = co_await output_.read_body(deadline);
    if (!piece) co_return piece.error();
    CO_TRY(body.append(*piece));
  }
  co_return Result<void>();
}

PipedAnswer PipedFunction::copy_head() const {
  const auto& head = output_.head;
  PipedAnswer answer{.status = head.status,
                     .reason = std::string(head.reason),
                     .fields = {},
                     .length = std::nullopt,
                     .body = Spool(settings_.lock_folder)};
  if (head.body.kind == http::Framing::Kind::length) answer.length = head.body.length;
  for (const auto& field : head.fields) {
    if (field.id == http::FieldId::content_length || http::is_hop_by_hop(field.id)) continue;
    const auto same = [&field](const auto& other) { return http::same_text(other.first, field.name); };
    if (std::none_of(answer.fields.begin(), answer.fields.end(), same)) {
      answer.fields.emplace_back(field.name, field.value);
    }
  }
  return answer;
}

// Why the conversation broke off: mostly because the function ended.
Task<Error> PipedFunction::explain(Error error) {
  if (error.code != Code::closed) co_return error;
  const auto status = co_await net::within(child_.wait(), Clock::now() + kEndPause);
  error.text = status ? "unexpected EOF: the function ended: " + status->text()
                      : "unexpected EOF: the function closed its standard output";
  co_return error;
}

Task<Result<PipedAnswer>> PipedFunction::ask(const PipedRequest& request, TimePoint deadline) {
  in_step_ = false;
  auto& channel = output_.channel;
  channel.unpin();
  if (const auto unasked = channel.data().size(); unasked > 0) {
    log::print("The function said {} bytes that nobody asked for: they are thrown away", unasked);
    channel.consume(unasked);
  }
  net::Running<void> feeder(feed(request));
  auto begun = co_await read_head(request.to_head, deadline);
  if (!begun) {
    auto why = co_await explain(std::move(begun).error());
    co_return why;
  }
  auto answer = copy_head();
  auto read = co_await read_body(answer.body, deadline);
  if (!read) {
    auto why = co_await explain(std::move(read).error());
    co_return why;
  }
  if (!feeder.done()) {
    const auto fed = [](net::Running<void>& running) -> Task<> { co_await running.join(); };
    (void)co_await net::within(fed(feeder), std::min(deadline, Clock::now() + kLeftoverLimit));
  }
  in_step_ = feeder.done() && input_;
  channel.unpin();
  channel.arm_idle();
  co_return answer;
}

Task<process::ExitStatus> PipedFunction::end(Duration grace) {
  in_step_ = false;
  if (grace > Duration::zero()) {
    input_.close();
    child_.kill(SIGTERM);
    const auto by_itself = co_await net::within(child_.wait(), Clock::now() + grace);
    if (!by_itself) log::print("The function still runs {} after SIGTERM: killing it", print_duration(grace));
  }
  child_.kill(SIGKILL);  // also what it left behind in its group
  const auto status = co_await net::within(child_.wait(), Clock::now() + kKillLimit);
  errors_->drain(/*nobody_writes=*/true);
  co_return status.value_or(process::ExitStatus{.signalled = true, .core_dumped = false, .code = SIGKILL});
}

}  // namespace faas::watchdog
