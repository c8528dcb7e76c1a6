#include "gateway/api_info.h"

#include <sys/utsname.h>

#include <boost/json.hpp>

#include "base/log.h"
#include "gateway/api.h"
#include "gateway/api_answers.h"
#include "gateway/openapi.h"
#include "gateway/scrape.h"

namespace faas::gateway {

Task<Result<Answer>> home(ApiCall&) {
  co_return Answer{.body = "faas " FAAS_VERSION ": call functions at /function/NAME\n",
                   .content_type = kPlain};
}

Task<Result<Answer>> health(ApiCall&) {
  co_return Answer{.body = "OK", .content_type = kPlain};
}

Task<Result<Answer>> scrape(ApiCall& call) {
  auto text = co_await call.source.metrics();
  co_await answer_scrape(call.exchange, std::move(text));
  co_return Answer{};
}

Task<Result<Answer>> info(ApiCall& call) {
  const auto provider = co_await ask<ProviderInfo>(call, [](Provider& p) { return p.info(); });
  utsname machine{};
  ::uname(&machine);
  boost::json::value of_provider;
  if (provider) {
    of_provider = {{"provider", provider->provider},
                   {"version", {{"sha", provider->sha}, {"release", provider->release}}},
                   {"orchestration", provider->orchestration}};
  } else {
    // The gateway's own version is asked for just then.
    log::print("GET /system/info: {}", provider.error().text);
  }
  const boost::json::object body{
      {"provider", of_provider},
      {"version", {{"commit_message", ""}, {"sha", "unknown"}, {"release", FAAS_VERSION}}},
      {"arch", machine.machine}};
  co_return Answer{.body = boost::json::serialize(body)};
}

Task<Result<Answer>> openapi(ApiCall&) {
  co_return Answer{.body = print_openapi(api_rows(), invoke_row())};
}

}  // namespace faas::gateway
