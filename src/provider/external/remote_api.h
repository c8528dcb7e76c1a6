// Asking a provider elsewhere over its REST API: one request and its answer, bounded in time and size.
//
// Source: OpenFaaS provider API (spec gateway 6). Redirects are not followed: what is asked for here carries
// a login.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/units.h"
#include "http/client_pool.h"
#include "http/upstream.h"
#include "net/core.h"
#include "net/socket.h"
#include "net/task.h"
#include "provider/external/base_url.h"

namespace faas::provider {

/// Gives "user:password", or "" where the provider asks for no login. Errors: names a file.
using ReadLogin = std::function<Result<std::string>()>;

struct RemoteRequest {
  std::string_view method = "GET";
  std::string path;  ///< "/system/functions?namespace=ns"
  std::string body;  ///< JSON; sent where it is not empty
  std::size_t answer_bytes_max = 1024 * 1024;
  Duration limit{};  ///< from the lookup of the name to the last byte; 0: no limit
};

class RemoteApi final {
 public:
  /// The login is read now and again when the provider refuses it: that is how a changed one is noticed.
  /// Errors: those of `login`.
  static Result<std::unique_ptr<RemoteApi>> open(net::Core& core, BaseUrl url, ReadLogin login);
  RemoteApi(const RemoteApi&) = delete;
  RemoteApi& operator=(const RemoteApi&) = delete;

  /// The body of an answer of 2xx.
  /// Errors, origin platform: of an answer 4xx or 5xx its status and text. 502: 401 and 407 (the login is
  /// wrong, which is no business of the caller's), redirects, what is not HTTP, breaks off or is larger than
  /// answer_bytes_max; 503: it cannot be reached; 504: `limit` is over. These name the provider's URL.
  [[nodiscard]] Task<Result<std::string>> ask(RemoteRequest request);

  /// The same without the body: for one that has no end. `limit` is for its head.
  [[nodiscard]] Task<Result<http::ClientPool::Lease>> open_stream(RemoteRequest request);

  /// Where the last connection led: "10.0.0.7:8080"; empty before the first.
  [[nodiscard]] const std::string& address() const { return address_.text(); }
  [[nodiscard]] const BaseUrl& url() const { return url_; }

 private:
  RemoteApi(net::Core& core, BaseUrl url, ReadLogin read_login, std::string login)
      : url_(std::move(url)), read_login_(std::move(read_login)), login_(std::move(login)), pool_(core) {}
  [[nodiscard]] Task<Result<http::ClientPool::Lease>> connect();
  [[nodiscard]] Task<Result<http::ClientPool::Lease>> begin(const RemoteRequest& request);
  [[nodiscard]] Task<Result<void>> converse(http::Upstream& upstream, const RemoteRequest& request);
  [[nodiscard]] Task<Result<http::ClientPool::Lease>> begin_well(const RemoteRequest& request);
  [[nodiscard]] Task<Result<http::ClientPool::Lease>> begin_logged_in(const RemoteRequest& request);
  void give_back(http::ClientPool::Lease lease);
  [[nodiscard]] Task<Result<std::string>> exchange(const RemoteRequest& request);
  [[nodiscard]] Error about(const RemoteRequest& request, Error error) const;
  [[nodiscard]] Error too_late(const RemoteRequest& request) const;

  BaseUrl url_;
  ReadLogin read_login_;
  std::string login_;
  http::ClientPool pool_;
  net::Address address_;
};

}  // namespace faas::provider
