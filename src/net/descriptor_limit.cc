#include "net/descriptor_limit.h"

#include <cerrno>
#include <string>

namespace faas::net {

Result<DescriptorLimit> raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return system_error("limit of open files", errno);
  const DescriptorLimit raised{.before = limit.rlim_cur, .now = limit.rlim_max};
  if (limit.rlim_cur == limit.rlim_max) return raised;
  limit.rlim_cur = limit.rlim_max;
  if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) {
    return system_error("the limit of open files stays at " + std::to_string(raised.before) +
                            ", raising it to " + std::to_string(raised.now),
                        errno);
  }
  return raised;
}

}  // namespace faas::net
