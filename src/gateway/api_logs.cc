#include "gateway/api_logs.h"

#include <utility>
#include <vector>

#include "gateway/api_answers.h"
#include "model/json.h"
#include "model/names.h"
#include "model/requests.h"

namespace faas::gateway {
namespace {

constexpr std::string_view kNdjson = "application/x-ndjson";
// A replica's name in hexadecimal has 16; other providers have names of their own.
constexpr std::size_t kInstanceBytesMax = 253;

using Lines = std::vector<LogLine>;

// A reader lives on the control core: its end is carried there, whichever way its client's task ends.
class Reading final {
 public:
  Reading(net::Core& control, std::shared_ptr<LogReader> reader)
      : control_(control), reader_(std::move(reader)) {}
  Reading(const Reading&) = delete;
  Reading& operator=(const Reading&) = delete;
  ~Reading() {
    control_.post([reader = std::move(reader_)] { reader->stop(); });
  }

  [[nodiscard]] Task<Lines> next() {
    const auto ask = [](std::shared_ptr<LogReader> reader) -> Task<Lines> {
      auto lines = co_await reader->next();
      co_return lines;
    };
    co_return co_await net::on<Lines>(control_, [ask, reader = reader_] { return ask(reader); });
  }

 private:
  net::Core& control_;
  std::shared_ptr<LogReader> reader_;
};

// As Go reads a truth, which OpenFaaS's clients write.
std::optional<bool> parse_truth(std::string_view text) {
  for (const auto yes : {"1", "t", "T", "true", "TRUE", "True"}) {
    if (text == yes) return true;
  }
  for (const auto no : {"", "0", "f", "F", "false", "FALSE", "False"}) {
    if (text == no) return false;
  }
  return std::nullopt;
}

Task<Result<void>> send_lines(http::Exchange& exchange, Reading& reading) {
  while (true) {
    const auto lines = co_await reading.next();
    if (lines.empty()) break;
    std::string text;
    for (const auto& line : lines) text += print_log_line(line);
    auto wrote = co_await exchange.write(text);
    if (!wrote) co_return wrote;
  }
  auto finished = co_await exchange.finish();
  co_return finished;
}

}  // namespace

Result<LogQuery> parse_log_query(std::string_view query) {
  LogQuery wanted;
  const auto name = http::query_value(query, "name");
  if (name.empty()) return invalid_request("name must be a function's name");
  const auto name_space = http::query_value(query, "namespace");
  if (!name_space.empty()) {
    TRY(check_name("namespace", name_space));
  }
  auto function = parse_function_name(name, name_space);
  if (!function) return std::move(function).error().within("name");
  TRY(check_name("name", function->name));
  wanted.function = std::move(*function);

  wanted.instance = http::query_value(query, "instance");
  if (wanted.instance.size() > kInstanceBytesMax) {
    return invalid_request("instance must be a replica's name, at most 253 bytes");
  }
  if (const auto text = http::query_value(query, "tail"); !text.empty()) {
    const auto tail = parse_integer(text);
    if (!tail) return invalid_request("tail must be a whole number of lines; 0 or less: all");
    if (*tail > 0) wanted.tail = static_cast<std::uint64_t>(*tail);
  }
  if (const auto text = http::query_value(query, "since"); !text.empty()) {
    wanted.since = parse_log_time(text);
    if (!wanted.since) {
      return invalid_request("since must be a time as RFC 3339 has it, such as 2026-11-23T06:45:00Z");
    }
  }
  const auto follow = parse_truth(http::query_value(query, "follow"));
  if (!follow) return invalid_request("follow must be true or false");
  wanted.follow = *follow;
  return wanted;
}

Task<Result<Answer>> function_logs(ApiCall& call) {
  CO_TRY_ASSIGN(const auto query, parse_log_query(call.exchange.request().query()));
  auto reader = co_await call.source.open_logs(query);
  if (!reader) co_return reader.error();
  Reading reading(call.source.control(), std::move(*reader));
  call.exchange.head(200).field("Content-Type", kNdjson).field("X-Content-Type-Options", "nosniff");
  // At once: a client that follows wants to know that it is heard before the function says anything.
  auto began = co_await call.exchange.write({});
  const bool head_only = call.exchange.request().method == http::Method::head;
  if (began && head_only) began = co_await call.exchange.finish();
  if (began && !head_only) began = co_await send_lines(call.exchange, reading);
  // What could not be sent had no client any more.
  (void)began;
  co_return Answer{};
}

}  // namespace faas::gateway
