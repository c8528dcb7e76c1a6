// Names of hosts to addresses, without the C library's resolver: that one loads modules, which a static
// program in an empty image cannot.
#pragma once

#include <string_view>
#include <vector>

#include "base/result.h"
#include "net/socket.h"
#include "net/task.h"

namespace faas::net {

/// "host:port" to addresses, the best first. What Address::parse() reads needs no question; other names are
/// looked up in /etc/hosts, then asked of the name servers in /etc/resolv.conf, with its search list
/// (c-ares). Errors: invalid; unavailable (origin machine): "no address for gateway.openfaas: Domain name not
/// found". Waits seconds where no server answers: give it a deadline with within(). Threads: one core.
/// Cancel: destroying the task ends the lookup.
[[nodiscard]] Task<Result<std::vector<Address>>> resolve(std::string_view authority);

}  // namespace faas::net
