// The system API: what OpenFaaS's clients ask of a gateway besides calling functions.
#pragma once

#include <functional>
#include <span>
#include <string>

#include "contract/provider.h"
#include "gateway/metrics.h"
#include "http/exchange.h"
#include "http/router.h"
#include "net/core.h"

namespace faas::gateway {

/// The rows: every path the gateway knows besides /function/.
[[nodiscard]] std::span<const http::Route> api_routes();
/// The rows as a Markdown table, for docs/.
[[nodiscard]] std::string document_routes();

/// Where the API gets what it tells. One for the whole gateway.
///
/// Threads: any serving core, except `provider`, which is called on `control`.
class ApiSource {
 public:
  virtual ~ApiSource() = default;
  virtual net::Core& control() = 0;
  virtual Provider& provider() = 0;
  /// Everything counted, of all cores.
  virtual Task<Meters> meters() = 0;
  /// The functions as last published; any core.
  virtual Task<std::shared_ptr<const Snapshot>> snapshot() = 0;
};

/// Threads: one serving core.
class Api final {
 public:
  explicit Api(ApiSource& source) : source_(source) {}
  [[nodiscard]] Task<> serve(http::Exchange& exchange, const http::Match& match);

 private:
  Task<> metrics(http::Exchange& exchange);
  Task<> info(http::Exchange& exchange);
  Task<> list(http::Exchange& exchange);
  Task<> status(http::Exchange& exchange, std::string_view name);
  Task<> put(http::Exchange& exchange, bool create);
  Task<> remove(http::Exchange& exchange);
  Task<> scale(http::Exchange& exchange, std::string_view name);

  ApiSource& source_;
};

/// 400 for invalid, 404 for not_found, ... and the error's text.
[[nodiscard]] Task<> answer_error(http::Exchange& exchange, const Error& error);

}  // namespace faas::gateway
