#include "gateway/api_wait.h"

#include <fmt/format.h>

#include "gateway/api_answers.h"
#include "model/json.h"
#include "model/names.h"
#include "net/event.h"

namespace faas::gateway {
namespace {

Task<> wait_for(net::Event& event) {
  co_await event.wait();
}

bool is_done(const FunctionEntry& entry) {
  return entry.ready_wanted >= entry.replicas && entry.available <= entry.replicas;
}

bool is_hopeless(const FunctionEntry& entry, std::uint32_t before) {
  return entry.setbacks >= before + (entry.startable ? kHopelessSetbacks : 1);
}

std::string standing(const FunctionEntry& entry) {
  auto text = fmt::format("{} of {} replicas are ready", entry.ready_wanted, entry.replicas);
  return entry.setback.empty() ? text : text + ": " + entry.setback;
}

}  // namespace

Result<Duration> wait_limit(const ApiCall& call) {
  const auto text = http::query_value(call.exchange.request().query(), "wait");
  if (text.empty()) return Duration::zero();
  const auto limit = parse_duration(text);
  if (!limit || *limit < Duration::zero() || *limit > kWaitMax) {
    return invalid_request(
        fmt::format("wait must be a duration from 0s to {}, such as 30s", print_duration(kWaitMax)));
  }
  return *limit;
}

Task<Result<Answer>> tell_status(ApiCall& call, FunctionName name) {
  auto status =
      co_await ask<FunctionStatus>(call, [name](Provider& provider) { return provider.status(name); });
  if (!status) co_return status.error();
  status->invocation_count = co_await call.source.invocations(print_function_name(name));
  co_return Answer{.body = print_function_status(*status)};
}

std::uint32_t setbacks_of(const ApiCall& call, const FunctionName& name) {
  const auto function = call.table.find(print_function_name(name));
  return function ? function->entry->setbacks : 0;
}

Task<Result<Answer>> await_ready(ApiCall& call, FunctionName name, Duration limit, std::uint32_t setbacks) {
  const auto deadline = Clock::now() + limit;
  const auto printed = print_function_name(name);
  for (;;) {
    // The change was published before it was answered, so that this core knows of it already.
    const auto function = call.table.find(printed);
    if (!function) {
      co_return Error{.code = Code::not_found,
                      .origin = Origin::client,
                      .text = fmt::format("{} was deleted while it was waited for", printed)};
    }
    const auto entry = function->entry;
    if (is_done(*entry)) break;
    if (is_hopeless(*entry, setbacks)) {
      co_return Error{
          .code = Code::failed,
          .origin = Origin::function,
          .text = fmt::format("{} is stored, but does not become ready: {}", printed, standing(*entry))};
    }
    auto woken = wait_for(call.table.changed());
    const bool in_time = co_await net::within(std::move(woken), deadline);
    if (!in_time) {
      co_return Error{.code = Code::timeout,
                      .origin = Origin::function,
                      .text = fmt::format("{} is stored, but not ready after wait={}: {}", printed,
                                          print_duration(limit), standing(*entry))};
    }
  }
  auto answer = co_await tell_status(call, name);
  co_return answer;
}

}  // namespace faas::gateway
