// Who may call: asked before a call takes a place or reaches the function.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "http/message.h"
#include "net/core.h"
#include "net/task.h"
#include "watchdog/settings.h"

namespace faas::watchdog {

/// Threads: one core. Lifetime: outlives the calls it is asked about.
class Authentication {
 public:
  virtual ~Authentication() = default;

  /// Ends when calls can be judged.
  /// Errors: the text is a whole line that says why they never can; the watchdog then ends.
  virtual Task<Result<void>> prepare() = 0;

  struct Refusal {
    int status = 401;
    std::string text;  ///< a line without its end
  };
  /// nullopt: the caller may call. May wait for newer keys.
  virtual Task<std::optional<Refusal>> check(const http::RequestHead& request) = 0;
};

/// Null where a program holds no way to authenticate. Errors: invalid: what a setting lacks, as a whole line.
/// Lifetime: core and settings outlive what is made.
using MakeAuthentication = Result<std::unique_ptr<Authentication>> (*)(net::Core& core,
                                                                       const Settings& settings);

}  // namespace faas::watchdog
