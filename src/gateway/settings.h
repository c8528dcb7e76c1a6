// What a gateway is told: one row a setting, from which parsing, --help and the documentation come.
//
// A setting is read from the flag of its name (--port 8081, --port=8081), else from the environment variable
// of its name (OpenFaaS's names where it has one), else it is the row's default.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/units.h"

namespace faas::gateway {

struct Settings {
  std::int64_t port = 0;
  std::int64_t metrics_port = 0;
  std::string listen_address;
  std::string data_dir;
  std::string functions_provider;
  std::string functions_provider_url;
  std::string functions_provider_secrets;
  Duration functions_provider_poll{};
  Duration functions_provider_timeout{};
  std::string watchdog_path;
  bool basic_auth = true;
  std::string secret_mount_path;
  Duration read_timeout{};
  Duration write_timeout{};
  Duration upstream_timeout{};
  Duration shutdown_timeout{};
  std::int64_t cores = 0;
  bool metrics_long_buckets = false;
  std::int64_t function_log_mib = 0;
  std::string queue;
  std::string trusted_proxies;
  std::string function_pages;
  std::string access_log;
  bool access_log_queries = false;
};

/// Gives the value of an environment variable, or null.
using Environment = std::function<const char*(const char*)>;

/// `arguments` without the program's name. Errors: invalid: names the setting, its value and what it may be.
[[nodiscard]] Result<Settings> read_settings(std::span<const std::string_view> arguments,
                                             const Environment& environment);

/// The table for --help.
[[nodiscard]] std::string describe_settings();
/// The same as a Markdown table, for docs/.
[[nodiscard]] std::string document_settings();

}  // namespace faas::gateway
