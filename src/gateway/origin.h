// Where a request comes from as a browser tells it, and which paths are behind the login. Pure.
#pragma once

#include <string_view>

#include "http/message.h"

namespace faas::gateway {

/// Whether a raw path is /system, /ui or below, however it is written: "/%73ystem", "//system", "/./system",
/// "/system;x". Nobody is to find a spelling that is let in and means the same to somebody else.
[[nodiscard]] bool is_guarded_path(std::string_view path);

/// Whether a page of another origin made a browser send the request (Origin, RFC 6454 section 7;
/// Sec-Fetch-Site). One without an origin, "null", is another one as well: it is what a sandboxed page has.
/// `believed`: whether the peer is a proxy that may say, with X-Forwarded-Host, under which name it was
/// asked.
[[nodiscard]] bool comes_from_elsewhere(const http::RequestHead& request, bool believed);

}  // namespace faas::gateway
