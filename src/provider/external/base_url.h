// Where an OpenFaaS provider listens: http://faas-netes.openfaas:8081/, http://10.0.0.7:8080/prefix
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace faas::provider {

struct BaseUrl {
  std::string authority;  ///< with a port: "faas-netes.openfaas:8081"
  std::string host;       ///< as written: the Host of requests
  std::string prefix;     ///< what comes before every path; never ends in '/'
  std::string shown;      ///< for people and logs
};

/// Errors: invalid: another scheme (https:// too), no host, a login, a query, a character that no URL has,
/// more than 2048 bytes. The text shows nothing of a URL with a login.
[[nodiscard]] Result<BaseUrl> parse_base_url(std::string_view text);

}  // namespace faas::provider
