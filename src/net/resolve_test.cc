#include "net/resolve.h"

#include <gmock/gmock.h>

#include <optional>
#include <string>

#include "net/core.h"

namespace faas::net {
namespace {

using ::testing::HasSubstr;

Task<> ask(Core& core, std::string_view authority, std::optional<Result<std::vector<Address>>>& out) {
  out = co_await resolve(authority);
  core.stop();
}

Result<std::vector<Address>> resolved(std::string_view authority) {
  Core core;
  std::optional<Result<std::vector<Address>>> out;
  core.spawn(ask(core, authority, out));
  core.run();
  return std::move(*out);
}

TEST(Resolve, TakesAddressesAsTheyAre) {
  EXPECT_EQ(resolved("127.0.0.1:80")->front().text(), "127.0.0.1:80");
  EXPECT_EQ(resolved("[::1]:80")->front().family(), AF_INET6);
  EXPECT_EQ(resolved("localhost:80")->front().family(), AF_INET);
}

TEST(Resolve, RefusesWhatIsNoNameWithoutAskingAnybody) {
  for (const auto* wrong : {"", "name", "name:", "name:x", "name:70000", ":x"}) {
    EXPECT_EQ(resolved(wrong).error().code, Code::invalid) << wrong;
  }
  for (const auto& wrong : {std::string("a b:80"), std::string("a/b:80"), std::string("[::g]:80"),
                            std::string(254, 'a') + ":80"}) {
    EXPECT_THAT(resolved(wrong).error().text, HasSubstr("no name of a host")) << wrong;
  }
}

}  // namespace
}  // namespace faas::net
