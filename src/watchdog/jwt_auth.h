// JWT authentication (spec watchdogs 8): callers bring a token that the cluster's OpenID issuer has signed,
// with a permission for this function in it.
#pragma once

#include "watchdog/authentication.h"

namespace faas::watchdog {

/// The issuer's keys are fetched by prepare(), again and again for as long as `jwt_auth_start_timeout`;
/// afterwards every `jwt_auth_refresh_interval`, and when a token names a key that is not known, at most
/// every ten seconds. A fetch that fails leaves the keys as they are. Errors: invalid: OPENFAAS_NAME or the
/// namespace is missing, or jwt_auth_authority is no http:// URL.
[[nodiscard]] Result<std::unique_ptr<Authentication>> make_jwt_auth(net::Core& core,
                                                                    const Settings& settings);

}  // namespace faas::watchdog
