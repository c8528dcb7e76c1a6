#include "gateway/api_namespaces.h"

#include "gateway/api_answers.h"
#include "model/names.h"
#include "model/namespaces.h"

namespace faas::gateway {

Task<Result<Answer>> list_namespaces(ApiCall& call) {
  auto specs = co_await ask<std::vector<NamespaceSpec>>(call, [](Provider& p) { return p.namespaces(); });
  if (!specs) co_return specs.error();
  co_return Answer{.body = print_namespace_names(*specs)};
}

Task<Result<Answer>> get_namespace(ApiCall& call) {
  CO_TRY(check_name("name", call.match.name));
  auto spec =
      co_await ask<NamespaceSpec>(call, [name = call.match.name](Provider& p) { return p.name_space(name); });
  if (!spec) co_return spec.error();
  co_return Answer{.body = print_namespace(*spec)};
}

Task<Result<Answer>> create_namespace(ApiCall& call) {
  auto body = co_await body_of(call);
  if (!body) co_return body.error();
  CO_TRY_ASSIGN(const auto spec, parse_namespace(*body, call.match.name));
  auto done = co_await ask<void>(call, [spec](Provider& p) { return p.create_namespace(spec); });
  if (!done) co_return done.error();
  co_return Answer{.status = 201, .body = {}};
}

Task<Result<Answer>> update_namespace(ApiCall& call) {
  auto body = co_await body_of(call);
  if (!body) co_return body.error();
  CO_TRY_ASSIGN(const auto spec, parse_namespace(*body, call.match.name));
  auto done = co_await ask<void>(call, [spec](Provider& p) { return p.update_namespace(spec); });
  if (!done) co_return done.error();
  co_return accepted();
}

Task<Result<Answer>> delete_namespace(ApiCall& call) {
  CO_TRY(check_name("name", call.match.name));
  auto done =
      co_await ask<void>(call, [name = call.match.name](Provider& p) { return p.remove_namespace(name); });
  if (!done) co_return done.error();
  co_return accepted();
}

}  // namespace faas::gateway
