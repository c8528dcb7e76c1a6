// What a watchdog is told: environment variables, one row each, from which parsing and --help come.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "base/units.h"

namespace faas::watchdog {

enum class Program { of_watchdog, classic };
enum class Mode { streaming, serializing, http, static_files, afterburn, classic };
/// Whether one process of the function serves all calls: it is ours from start to end.
[[nodiscard]] constexpr bool keeps_process(Mode mode) {
  return mode == Mode::http || mode == Mode::afterburn;
}
[[nodiscard]] std::string_view name_of(Mode mode);

struct Settings {
  Program program = Program::of_watchdog;
  Mode mode = Mode::streaming;
  std::string process;

  // where it listens, and who is told that it does
  std::int64_t port = 8080;
  std::int64_t metrics_port = 8081;  ///< <= 0: none
  bool listen_tcp = true;            ///< false: neither of the two
  std::string unix_socket;
  std::int64_t ready_fd = -1;
  std::string lock_folder;  ///< TMPDIR, where large bodies are spooled as well
  bool suppress_lock = false;
  std::string ready_path;

  Duration read_timeout{};
  Duration write_timeout{};
  Duration exec_timeout{};
  Duration healthcheck_interval{};
  std::int64_t max_inflight = 0;

  // the function
  std::string content_type;
  bool prefix_logs = true;
  std::int64_t log_buffer_size = 65536;  ///< < 0: the longest line the log knows

  // http mode
  std::string upstream_url;
  bool buffer_body = false;
  bool log_call_id = false;

  // static mode
  std::string static_path;

  // who may call
  bool jwt_auth = false;
  bool jwt_auth_local = false;
  bool jwt_auth_debug = false;
  std::string jwt_auth_authority;  ///< empty: OpenFaaS's gateway
  Duration jwt_auth_start_timeout{};
  Duration jwt_auth_refresh_interval{};
  std::string function_name;       ///< OPENFAAS_NAME
  std::string function_namespace;  ///< OPENFAAS_NAMESPACE
  bool has_function_namespace = false;

  // classic
  bool cgi_headers = true;
  bool marshal_request = false;
  bool combine_output = true;
  bool write_debug = false;
  bool debug_headers = false;
};

/// The environment as the kernel hands it over: null-terminated "NAME=value".
using Variables = const char* const*;
/// A variable's value; null when there is none.
[[nodiscard]] const char* find_variable(Variables variables, std::string_view name);

/// Reads the settings, in the grammar and with the words of the reference (spec watchdogs 1).
/// Errors: invalid: what to print before ending with 1 (the text is a whole line).
[[nodiscard]] Result<Settings> read_settings(Program program, Variables variables);

/// The rows as people read them: one variable a line.
[[nodiscard]] std::string describe_settings(Program program);

/// The same as a Markdown table, for docs/.
[[nodiscard]] std::string document_settings(Program program);

/// Where the lock file's folder is: TMPDIR or /tmp.
[[nodiscard]] std::string lock_folder(Variables variables);

/// "Timeouts: read: 30s write: 30s hard: 30s health: 30s".
[[nodiscard]] std::string timeouts_line(const Settings& settings);

/// Whether write_timeout may pass before exec_timeout ends a call. Where both are equal, as they are by
/// default, exec_timeout is the one that answers.
[[nodiscard]] constexpr bool answers_may_be_late(const Settings& settings) {
  return settings.mode != Mode::static_files && settings.write_timeout > Duration::zero() &&
         (settings.exec_timeout <= Duration::zero() || settings.exec_timeout > settings.write_timeout);
}
/// What to say of that at the start; empty where there is nothing to say.
[[nodiscard]] std::string timeouts_warning(const Settings& settings);

/// A text in double quotes, with escapes: how a command appears in the log.
[[nodiscard]] std::string quoted(std::string_view text);

}  // namespace faas::watchdog
