// One call's part of a hop: its headers, its place in the metrics and its line in the access log, whichever
// way it ends.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "gateway/access_log.h"
#include "gateway/admin_login.h"
#include "gateway/call_id.h"
#include "gateway/forwarded.h"
#include "gateway/function_table.h"
#include "http/proxy.h"

namespace faas::gateway {

/// What an access log and the metrics call a call whose client went away.
inline constexpr int kClientGone = 499;

struct CallOptions {
  Duration upstream_timeout = std::chrono::seconds(60);
  const TrustedProxies* proxies = nullptr;  ///< outlives the calls; null: nobody is believed
  bool sandbox_pages = false;               ///< functions' pages get an origin of their own
  AccessOptions access;
};

/// Lifetime: on the stack of the call it is of; counts and logs it when it is destroyed.
class Call final : public http::HopEdits {
 public:
  /// `admin`: the login that is not passed on; null where there is none.
  Call(http::Exchange& exchange, CallIds& ids, AdminLogin* admin, const CallOptions& options);
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;
  ~Call() override;

  /// `table`: of this core.
  void begin(FunctionTable& table, std::shared_ptr<LocalFunction> function);
  [[nodiscard]] LocalFunction& function() { return *function_; }
  /// How it ended; one that does not say counts as left by its client.
  void ended(int code) { code_ = code; }

  /// How long the answer may take from the end of the request on: upstream_timeout, or what the caller asked
  /// for with X-Timeout, if that is shorter. Zero: no limit.
  [[nodiscard]] Duration limit() const { return limit_; }
  /// Its name, for texts: "upstream_timeout, 1m0s".
  [[nodiscard]] std::string limit_text() const;

  bool keep_request_field(const http::Field& field) override;
  void add_request_fields(http::HeadWriter& head) override;
  bool keep_response_field(const http::Field& field) override;
  void add_response_fields(http::Exchange& exchange, const http::ResponseHead& head) override;

  /// An answer of the gateway's own: one line that names the cause.
  [[nodiscard]] Task<> refuse(int status, std::string line);

 private:
  [[nodiscard]] std::string_view start() const { return {start_, start_size_}; }
  void read_limit();
  void add_forwarded(http::HeadWriter& head);

  http::Exchange& exchange_;
  AdminLogin* admin_;
  const CallOptions& options_;
  std::shared_ptr<LocalFunction> function_;
  std::string_view id_;
  CallIds::Id made_id_{};
  Duration limit_;
  char start_[24];
  std::size_t start_size_ = 0;
  int code_ = kClientGone;
  bool asked_limit_ = false;
  bool believed_ = false;  // whether the peer may say whom it speaks for
};

/// Whether a browser may show an answer of this type as a page, with scripts: HTML, anything XML, and what it
/// is left to guess. `types`: how many Content-Type fields there are.
[[nodiscard]] bool may_be_page(std::string_view content_type, std::size_t types);

}  // namespace faas::gateway
