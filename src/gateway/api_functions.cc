#include "gateway/api_functions.h"

#include <malloc.h>

#include "gateway/api_answers.h"
#include "gateway/api_wait.h"
#include "model/names.h"
#include "model/requests.h"

namespace faas::gateway {
namespace {

constexpr std::size_t kLargeAnswerBytes = 1024 * 1024;

Task<Result<Answer>> put_function(ApiCall& call, bool create) {
  CO_TRY_ASSIGN(const auto limit, wait_limit(call));
  auto body = co_await body_of(call);
  if (!body) co_return body.error();
  CO_TRY_ASSIGN(const auto spec, parse_function_spec(*body));
  auto done = co_await ask<void>(call, [create, spec](Provider& provider) {
    return create ? provider.deploy(spec) : provider.update(spec);
  });
  if (!done) co_return done.error();
  if (limit == Duration::zero()) co_return accepted();
  co_return co_await await_ready(call, spec.name, limit, 0);
}

}  // namespace

Task<Result<Answer>> list_functions(ApiCall& call) {
  CO_TRY_ASSIGN(const auto name_space, query_namespace(call));
  auto statuses = co_await ask<std::vector<FunctionStatus>>(
      call, [name_space](Provider& provider) { return provider.list(name_space); });
  if (!statuses) co_return statuses.error();
  const auto counts = co_await call.source.invocations();
  for (auto& status : *statuses) {
    const auto count = counts.find(print_function_name(status.spec.name));
    if (count != counts.end()) status.invocation_count = count->second;
  }
  auto body = print_function_statuses(*statuses);
  statuses = std::vector<FunctionStatus>();
  // What thousands of statuses held lies scattered between what stays.
  if (body.size() > kLargeAnswerBytes) ::malloc_trim(0);
  co_return Answer{.body = std::move(body)};
}

Task<Result<Answer>> deploy_function(ApiCall& call) {
  return put_function(call, true);
}

Task<Result<Answer>> update_function(ApiCall& call) {
  return put_function(call, false);
}

Task<Result<Answer>> delete_function(ApiCall& call) {
  CO_TRY_ASSIGN(const auto asked, query_namespace(call));
  auto body = co_await body_of(call);
  if (!body) co_return body.error();
  CO_TRY_ASSIGN(const auto request, parse_delete_request(*body));
  auto name =
      parse_function_name(request.function_name, request.name_space.empty() ? asked : request.name_space);
  if (!name) co_return std::move(name).error().within("functionName");
  CO_TRY(check_name("functionName", name->name));
  auto done = co_await ask<void>(call, [name = *name](Provider& provider) { return provider.remove(name); });
  if (!done) co_return done.error();
  co_return accepted();
}

Task<Result<Answer>> function_status(ApiCall& call) {
  CO_TRY_ASSIGN(const auto asked, query_namespace(call));
  CO_TRY_ASSIGN(const auto name, parse_function_name(call.match.name, asked));
  auto answer = co_await tell_status(call, name);
  co_return answer;
}

Task<Result<Answer>> scale_function(ApiCall& call) {
  CO_TRY_ASSIGN(const auto limit, wait_limit(call));
  CO_TRY_ASSIGN(const auto asked, query_namespace(call));
  auto body = co_await body_of(call);
  if (!body) co_return body.error();
  CO_TRY_ASSIGN(const auto request, parse_scale_request(*body));
  CO_TRY_ASSIGN(
      const auto name,
      parse_function_name(call.match.name, request.name_space.empty() ? asked : request.name_space));
  const auto setbacks = setbacks_of(call, name);
  auto done = co_await ask<void>(call, [name, replicas = request.replicas](Provider& provider) {
    return provider.scale(name, replicas);
  });
  if (!done) co_return done.error();
  if (limit == Duration::zero()) co_return accepted();
  co_return co_await await_ready(call, name, limit, setbacks);
}

}  // namespace faas::gateway
