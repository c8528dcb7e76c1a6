#include "gateway/api_secrets.h"

#include "gateway/api_answers.h"
#include "model/secret.h"

namespace faas::gateway {

Task<Result<Answer>> list_secrets(ApiCall& call) {
  CO_TRY_ASSIGN(const auto name_space, query_namespace(call));
  auto names = co_await ask<std::vector<SecretName>>(
      call, [name_space](Provider& provider) { return provider.secrets(name_space); });
  if (!names) co_return names.error();
  co_return Answer{.body = print_secret_names(*names)};
}

Task<Result<Answer>> create_secret(ApiCall& call) {
  CO_TRY_ASSIGN(const auto asked, query_namespace(call));
  auto body = co_await body_of(call);
  if (!body) co_return body.error();
  CO_TRY_ASSIGN(const auto secret, parse_secret(*body, asked));
  auto done = co_await ask<void>(call, [secret](Provider& p) { return p.create_secret(secret); });
  if (!done) co_return done.error();
  co_return Answer{.status = 201, .body = {}};
}

// OpenFaaS's client takes 200 and 202 for done and nothing else, also not 204 (spec cli 6.2).
Task<Result<Answer>> update_secret(ApiCall& call) {
  CO_TRY_ASSIGN(const auto asked, query_namespace(call));
  auto body = co_await body_of(call);
  if (!body) co_return body.error();
  CO_TRY_ASSIGN(const auto secret, parse_secret(*body, asked));
  auto done = co_await ask<void>(call, [secret](Provider& p) { return p.update_secret(secret); });
  if (!done) co_return done.error();
  co_return Answer{.status = 200, .body = {}};
}

Task<Result<Answer>> delete_secret(ApiCall& call) {
  CO_TRY_ASSIGN(const auto asked, query_namespace(call));
  auto body = co_await body_of(call);
  if (!body) co_return body.error();
  CO_TRY_ASSIGN(const auto name, parse_secret_name(*body, asked));
  auto done = co_await ask<void>(call, [name](Provider& p) { return p.remove_secret(name); });
  if (!done) co_return done.error();
  co_return Answer{.status = 200, .body = {}};
}

}  // namespace faas::gateway
