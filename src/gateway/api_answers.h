// What the handlers of the system API have in common: asking the provider, reading a body, saying no.
#pragma once

#include <string>
#include <utility>

#include "base/result.h"
#include "gateway/api_call.h"
#include "net/on.h"

namespace faas::gateway {

/// 400 for invalid, 404 for not_found, ... and the error's text as one line.
[[nodiscard]] Task<> answer_error(http::Exchange& exchange, const Error& error);

/// Accepted: 202 without a body.
[[nodiscard]] inline Answer accepted() {
  return {.status = 202, .body = {}};
}

/// The whole body. Errors: too_large above 1 MiB; as Exchange::whole_body().
[[nodiscard]] Task<Result<std::string>> body_of(ApiCall& call);

/// `?namespace=`; empty when there is none. Errors: invalid: names `namespace`.
[[nodiscard]] Result<std::string> query_namespace(const ApiCall& call);

/// Calls the provider on its own core. Whatever the call needs is in `call_it` itself: it goes on when the
/// client hangs up.
template <class T, class CallIt>
Task<Result<T>> ask(ApiCall& call, CallIt call_it) {
  auto* provider = &call.source.provider();
  auto result =
      co_await net::on<Result<T>>(call.source.control(), [provider, call_it] { return call_it(*provider); });
  co_return result;
}

}  // namespace faas::gateway
