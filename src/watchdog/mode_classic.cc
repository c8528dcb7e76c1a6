// The classic watchdog: one process a call, its whole output is the answer.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <memory>
#include <span>
#include <vector>

#include "base/log.h"
#include "http/sniff.h"
#include "watchdog/call_log.h"
#include "watchdog/forked_call.h"
#include "watchdog/marshal.h"
#include "watchdog/mode.h"

namespace faas::watchdog {
namespace {

// All that content types are told by.
constexpr std::size_t kSniffBytes = 512;
// Of a failed function's output in the log; all of it is in the answer.
constexpr std::size_t kLoggedOutputBytes = 32 * 1024;
constexpr std::array<std::string_view, 5> kMethods{"GET", "POST", "PUT", "PATCH", "DELETE"};

// A text of ours, which ends in a newline, and the function's output after it.
struct Answer {
  int status = 200;
  std::string text;
  Spool output;
  [[nodiscard]] std::uint64_t size() const { return text.size() + output.size(); }
  bool ran = false;  ///< the process was started: it took some time
};

class Classic final : public FunctionMode {
 public:
  explicit Classic(Forker& forker) : forker_(forker), settings_(forker.settings()) {}
  Task<> serve(Call call) override;

 private:
  Task<Answer> run(const Call& call);
  Task<Answer> run_with(const Call& call, std::string_view input, int input_file);
  Task<Result<void>> marshal(const Call& call, std::string_view begun, Spool& into) const;
  [[nodiscard]] Spool spool() const { return Spool(settings_.lock_folder); }
  [[nodiscard]] Answer failure(int status, std::string text, bool ran = false) const {
    return {.status = status, .text = std::move(text), .output = spool(), .ran = ran};
  }
  [[nodiscard]] std::string_view content_type(const Call& call, const Answer& answer) const;
  void log_begin(const Call& call) const;
  void log_end(const Answer& answer, Duration took) const;

  Forker& forker_;
  const Settings& settings_;
};

Task<Answer> Classic::run(const Call& call) {
  auto& exchange = call.exchange;
  auto body = spool();
  auto input = exchange.body_at_hand();
  if (settings_.marshal_request || !exchange.body_complete()) {
    Result<void> read;
    if (settings_.marshal_request) {
      read = co_await marshal(call, input, body);
    } else {
      read = co_await spool_body(exchange, input, body);
    }
    if (!read) co_return failure(status_of(read.error(), 400), read.error().text + "\n");
    input = body.text();
  }
  auto answer = co_await run_with(call, input, body.file());
  co_return answer;
}

Task<Result<void>> Classic::marshal(const Call& call, std::string_view begun, Spool& into) const {
  RequestMarshal marshal;
  std::string text;
  RequestMarshal::begin(call.facts.fields, text);
  marshal.body(begun, text);
  while (!call.exchange.body_complete()) {
    const auto piece = co_await call.exchange.read_body();
    if (!piece) co_return piece.error();
    marshal.body(*piece, text);
    CO_TRY(into.append(text));
    text.clear();
  }
  marshal.end(text);
  co_return into.append(text);
}

Task<Answer> Classic::run_with(const Call& call, std::string_view input, int input_file) {
  auto& environment = forker_.environment();
  const auto built = settings_.cgi_headers ? environment.build(call.facts) : environment.own();
  if (!built) co_return failure(500, built.error().text + "\n");
  using Errors = ForkedCall::Errors;
  ForkedCall forked(forker_);
  const auto started = forked.start({.environment = *built,
                                     .input = input,
                                     .input_file = input_file,
                                     .errors = settings_.combine_output ? Errors::combined : Errors::apart,
                                     .deadline = deadline_of(settings_, Clock::now())});
  if (!started) co_return failure(500, started.error().text + "\n");
  auto output = spool();
  const auto kept = co_await forked.whole_output(output);
  const auto status = co_await forked.finish();
  if (!forked.errors().empty()) {
    log::raw(2, log::timestamp());
    log::raw(2, "stderr: " + forked.errors() + (forked.errors().ends_with('\n') ? "" : "\n"));
  }
  if (forked.timed_out()) {
    log::print("Killing process: {}", settings_.process);
    co_return failure(408, "Killed process.\n", /*ran=*/true);
  }
  if (!kept) co_return failure(status_of(kept.error(), 500), kept.error().text + "\n", /*ran=*/true);
  Answer answer{.output = std::move(output), .ran = true};
  if (!status.success()) {
    answer.status = 500;
    answer.text = status.text() + "\n";
  }
  co_return answer;
}

// One line a name, as the reference prints them: [in] X-M=[1 2]
void print_headers(std::string_view direction, std::span<const http::Field> fields) {
  for (auto field = fields.begin(); field != fields.end(); ++field) {
    const auto same = [field](const http::Field& other) { return http::same_text(other.name, field->name); };
    if (field->id == http::FieldId::host || std::any_of(fields.begin(), field, same)) continue;
    std::string values(field->value);
    for (auto other = field + 1; other != fields.end(); ++other) {
      if (same(*other)) values.append(" ").append(other->value);
    }
    log::raw(1, fmt::format("[{}] {}=[{}]\n", direction, canonical_name(field->name), values));
  }
}

void print_all(const Spool& output) {
  const auto room = std::make_unique_for_overwrite<char[]>(Spool::kPieceBytes);
  for (std::uint64_t offset = 0;;) {
    const auto n = output.read(offset, {room.get(), Spool::kPieceBytes});
    if (!n || *n == 0) return;
    log::raw(1, {room.get(), *n});
    log::flush();
    offset += *n;
  }
}

std::string_view Classic::content_type(const Call& call, const Answer& answer) const {
  if (answer.status == 200) {
    if (answer.size() == 0) return {};
    if (!settings_.content_type.empty()) return settings_.content_type;
    const auto asked = call.exchange.request().value(http::FieldId::content_type);
    if (!asked.empty()) return asked;
  }
  return http::sniff_content_type(answer.text + beginning_of(answer.output, kSniffBytes));
}

Task<> Classic::serve(Call call) {
  auto& exchange = call.exchange;
  if (std::find(kMethods.begin(), kMethods.end(), call.facts.method) == kMethods.end()) {
    exchange.head(405);
    (void)co_await exchange.send({});
    co_return;
  }
  log_begin(call);
  const auto answer = co_await run(call);
  const auto took = call.took();
  exchange.head(answer.status);
  std::vector<http::Field> fields;
  const auto seconds = seconds_text(took);
  const auto type = content_type(call, answer);
  if (!type.empty()) fields.push_back({.name = "Content-Type", .value = type});
  if (answer.ran) fields.push_back({.name = "X-Duration-Seconds", .value = seconds});
  for (const auto& field : fields) exchange.field(field.name, field.value);
  if (settings_.debug_headers) print_headers("out", fields);
  (void)co_await send_spooled(exchange, answer.text, answer.output);
  log_end(answer, took);
}

void Classic::log_begin(const Call& call) const {
  log::line("Forking fprocess.");
  if (settings_.debug_headers) print_headers("in", call.facts.fields);
  if (!settings_.write_debug) return;
  if (!call.facts.query.empty()) log::print("Query  {}", call.facts.query);
  if (!call.facts.path.empty()) log::print("Path  {}", call.facts.path);
}

void Classic::log_end(const Answer& answer, Duration took) const {
  if (settings_.write_debug && answer.status != 200) {
    log::print("Success=false, Error={}", std::string_view(answer.text).substr(0, answer.text.size() - 1));
    if (answer.ran) log::print("Out={}", beginning_of(answer.output, kLoggedOutputBytes));
  }
  if (settings_.write_debug) {
    if (answer.status == 200) print_all(answer.output);
    log::print("Duration: {}s", seconds_text(took));
  } else if (answer.status == 200) {
    log::print("Wrote {} Bytes - Duration: {}s", answer.size(), seconds_text(took));
  }
}

}  // namespace

std::unique_ptr<FunctionMode> make_classic(Forker& forker) {
  return std::make_unique<Classic>(forker);
}

}  // namespace faas::watchdog
