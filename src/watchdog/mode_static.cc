// Mode static: the function is a folder of files.
#include "base/log.h"
#include "http/static_files.h"
#include "watchdog/mode.h"

namespace faas::watchdog {
namespace {

// No line is logged for a call, as in the reference: a page is dozens of them. exec_timeout does not apply,
// since no process runs; a client that does not read ends with write_timeout.
class Static final : public FunctionMode {
 public:
  explicit Static(const Settings& settings) : files_(settings.static_path) {
    log::print("Serving files at: {}", settings.static_path);
    if (!files_.ready()) log::print("Warning: there is no folder {} yet", settings.static_path);
  }

  Task<> serve(Call call) override {
    // A probe's target is not the request's.
    http::RequestHead asked;
    asked.target = call.target;
    return files_.answer(call.exchange, asked.path(), asked.query());
  }

 private:
  http::StaticFiles files_;
};

}  // namespace

std::unique_ptr<FunctionMode> make_static(const Settings& settings) {
  return std::make_unique<Static>(settings);
}

}  // namespace faas::watchdog
