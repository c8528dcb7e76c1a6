#include "gateway/api_answers.h"

#include "model/names.h"

namespace faas::gateway {
namespace {

constexpr std::size_t kBodyBytesMax = 1024 * 1024;

int status_of(const Error& error) {
  if (error.status != 0) return error.status;
  switch (error.code) {
    case Code::invalid:
    case Code::malformed:
      return 400;
    case Code::not_found:
      return 404;
    case Code::already_exists:
      return 409;
    case Code::too_large:
      return 413;
    case Code::unavailable:
      return 503;
    case Code::timeout:
      return error.origin == Origin::client ? 408 : 504;
    default:
      return 500;
  }
}

}  // namespace

Task<> answer_error(http::Exchange& exchange, const Error& error) {
  const int status = status_of(error);
  auto line = error.text + "\n";
  exchange.head(status).field("Content-Type", kPlain);
  if (status == 503) exchange.field("Retry-After", "1");
  auto sent = co_await exchange.send(line);
  (void)sent;
}

Task<Result<std::string>> body_of(ApiCall& call) {
  auto body = co_await call.exchange.whole_body(kBodyBytesMax);
  co_return body;
}

Result<std::string> query_namespace(const ApiCall& call) {
  auto name_space = http::query_value(call.exchange.request().query(), "namespace");
  if (!name_space.empty()) {
    TRY(check_name("namespace", name_space));
  }
  return name_space;
}

}  // namespace faas::gateway
