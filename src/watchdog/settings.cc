#include "watchdog/settings.h"

#include <fmt/format.h>

#include <array>
#include <cstring>
#include <optional>
#include <span>
#include <variant>

namespace faas::watchdog {
namespace {

// How a value is read. What is invalid means the default, silently, unless said otherwise.
enum class Grammar {
  text,
  duration,         // "90" or "1m30s"
  integer_or_zero,  // invalid or empty is 0
  integer,          // at least 0
  integer_strict,   // invalid is an error
  truth,            // true for "true" and "1", false for anything else
  truth_word,       // true for "true", the default for nothing, false for anything else
  truth_any,        // 1 t T TRUE true True, 0 f F FALSE false False
  truth_strict,     // true and 1, false, 0 and nothing; anything else is an error
};

using Target =
    std::variant<std::string Settings::*, Duration Settings::*, std::int64_t Settings::*, bool Settings::*>;

struct Row {
  std::string_view names;  ///< the first that exists wins; of truths, any that is true
  Grammar grammar;
  Target target;
  std::string_view fallback;
  std::string_view help;
};

constexpr std::string_view kProcessHelp = "the command: a program and its arguments, split at single spaces";
constexpr std::string_view kReadHelp =
    "longest time to read a request, and to keep an idle connection; <= 0: no limit";
constexpr std::string_view kWriteHelp =
    "longest time until an answer begins (then 504), for one write to a client, and to drain after SIGTERM; "
    "<= 0: no limit";
constexpr std::string_view kExecHelp =
    "longest time of one call; then its processes are killed; <= 0: no limit";
constexpr std::string_view kHealthHelp = "how long to serve on after SIGTERM; default: write_timeout";
constexpr std::string_view kInflightHelp = "calls at once; one more is answered 429; <= 0: no limit";
constexpr std::string_view kLockHelp = "write no lock file";

constexpr Row kPort{"port", Grammar::integer_or_zero, &Settings::port, "8080",
                    "where to listen; 0: any free port"};

// Rows of both programs.
constexpr std::array kShared{
    Row{"jwt_auth", Grammar::truth_strict, &Settings::jwt_auth, "false",
        "answer only callers with a good token; needs the programs of-watchdog-jwt and fwatchdog-jwt"},
    Row{"jwt_auth_local", Grammar::truth, &Settings::jwt_auth_local, "false",
        "the issuer of tokens is at http://127.0.0.1:8000, not at http://gateway.openfaas:8080"},
    Row{"jwt_auth_authority", Grammar::text, &Settings::jwt_auth_authority, "",
        "the issuer of tokens is at this http:// URL, whatever jwt_auth_local says"},
    Row{"jwt_auth_debug", Grammar::truth, &Settings::jwt_auth_debug, "false",
        "log the issuer, where its keys are, and their ids"},
    Row{"jwt_auth_start_timeout", Grammar::duration, &Settings::jwt_auth_start_timeout, "30s",
        "how long to try to fetch the issuer's keys at the start; <= 0: once"},
    Row{"jwt_auth_refresh_interval", Grammar::duration, &Settings::jwt_auth_refresh_interval, "5m",
        "how often the keys are fetched anew; <= 0: only when a token names one that is not known"},
    Row{"OPENFAAS_NAME", Grammar::text, &Settings::function_name, "",
        "the function's name, which permissions in a token are for"},
    Row{"OPENFAAS_NAMESPACE", Grammar::text, &Settings::function_namespace, "",
        "its namespace; default: what Kubernetes tells a pod"},
    Row{"read_timeout", Grammar::duration, &Settings::read_timeout, "30s", kReadHelp},
    Row{"write_timeout", Grammar::duration, &Settings::write_timeout, "30s", kWriteHelp},
    Row{"healthcheck_interval", Grammar::duration, &Settings::healthcheck_interval, "", kHealthHelp},
    Row{"metrics_port", Grammar::integer_or_zero, &Settings::metrics_port, "8081",
        "where /metrics is served; 0: nowhere"},
    Row{"listen_tcp", Grammar::truth_any, &Settings::listen_tcp, "true",
        "false: neither port nor metrics_port are opened"},
    Row{"unix_socket", Grammar::text, &Settings::unix_socket, "", "listen on this Unix socket as well"},
    Row{"ready_fd", Grammar::integer_strict, &Settings::ready_fd, "-1",
        "a descriptor that is told \"ready\" and closed once calls are served"},
};

constexpr std::array kOfWatchdog{
    Row{"function_process fprocess", Grammar::text, &Settings::process, "", kProcessHelp},
    kPort,
    Row{"exec_timeout", Grammar::duration, &Settings::exec_timeout, "30s", kExecHelp},
    Row{"max_inflight", Grammar::integer_or_zero, &Settings::max_inflight, "0", kInflightHelp},
    Row{"content_type", Grammar::text, &Settings::content_type, "application/octet-stream",
        "Content-Type of answers, modes streaming and serializing"},
    Row{"suppress_lock", Grammar::truth, &Settings::suppress_lock, "false", kLockHelp},
    Row{"http_upstream_url upstream_url", Grammar::text, &Settings::upstream_url, "",
        "where the function listens, mode http: http://127.0.0.1:5000/prefix, unix:///run/f.sock:/prefix"},
    Row{"http_buffer_req_body buffer_http", Grammar::truth, &Settings::buffer_body, "false",
        "read a request's body whole before it is sent on, with its length, mode http"},
    Row{"static_path", Grammar::text, &Settings::static_path, "/home/app/public",
        "the folder that mode static serves"},
    Row{"prefix_logs", Grammar::truth_any, &Settings::prefix_logs, "true",
        "put time and stream name before what the function logs"},
    Row{"log_buffer_size", Grammar::integer_strict, &Settings::log_buffer_size, "65536",
        "longest log line; a longer one goes on in the next"},
    Row{"ready_path", Grammar::text, &Settings::ready_path, "", "ask the function at this path for /_/ready"},
    Row{"log_callid log_call_id", Grammar::truth_any, &Settings::log_call_id, "false",
        "add X-Call-Id to the log, mode http"},
};

constexpr std::array kClassic{
    Row{"fprocess", Grammar::text, &Settings::process, "", kProcessHelp},
    Row{"port", Grammar::integer, &Settings::port, "8080", kPort.help},
    Row{"exec_timeout", Grammar::duration, &Settings::exec_timeout, "0s", kExecHelp},
    Row{"max_inflight", Grammar::integer, &Settings::max_inflight, "0", kInflightHelp},
    Row{"content_type", Grammar::text, &Settings::content_type, "",
        "Content-Type of answers; default: the request's, or by content"},
    Row{"suppress_lock", Grammar::truth_word, &Settings::suppress_lock, "false", kLockHelp},
    Row{"cgi_headers", Grammar::truth_word, &Settings::cgi_headers, "true",
        "pass the request's headers as Http_..."},
    Row{"marshal_request", Grammar::truth_word, &Settings::marshal_request, "false",
        "pass headers and body as one JSON text"},
    Row{"combine_output", Grammar::truth_word, &Settings::combine_output, "true",
        "standard error is part of the answer"},
    Row{"write_debug", Grammar::truth_word, &Settings::write_debug, "false",
        "copy the function's output to standard output, and log more of each call"},
    Row{"debug_headers", Grammar::truth_word, &Settings::debug_headers, "false",
        "print the headers of requests and answers to standard output"},
};

struct ModeName {
  std::string_view name;
  Mode mode;
};
constexpr std::array kModes{ModeName{"streaming", Mode::streaming},
                            ModeName{"serializing", Mode::serializing}, ModeName{"http", Mode::http},
                            ModeName{"static", Mode::static_files}, ModeName{"afterburn", Mode::afterburn}};
constexpr std::string_view kModesHelp = "streaming, serializing, http, static or (deprecated) afterburn";
// Known from OpenFaaS; a way to embed the reference in a program.
constexpr std::array<std::string_view, 1> kUnsupportedModes{"inproc"};

std::span<const Row> rows_of(Program program) {
  if (program == Program::classic) return kClassic;
  return kOfWatchdog;
}

// Calls `visit(name)` for each of a row's names.
template <class Visit>
void each_name(std::string_view names, Visit visit) {
  while (!names.empty()) {
    const auto end = std::min(names.find(' '), names.size());
    visit(names.substr(0, end));
    names.remove_prefix(std::min(end + 1, names.size()));
  }
}

std::optional<std::string_view> value_of(const Row& row, Variables variables) {
  std::optional<std::string_view> value;
  each_name(row.names, [&](std::string_view name) {
    const char* found = find_variable(variables, name);
    if (found != nullptr && !value) value = found;
  });
  return value;
}

bool read_truth(Grammar grammar, std::string_view text, bool fallback) {
  if (grammar == Grammar::truth) return text == "true" || text == "1";
  if (grammar == Grammar::truth_word) return text.empty() ? fallback : text == "true";
  for (const std::string_view word : {"1", "t", "T", "TRUE", "true", "True"}) {
    if (text == word) return true;
  }
  for (const std::string_view word : {"0", "f", "F", "FALSE", "false", "False"}) {
    if (text == word) return false;
  }
  return fallback;
}

bool truth_of(const Row& row, Variables variables) {
  const bool fallback = row.fallback == "true";
  bool given = false;
  bool any = false;
  each_name(row.names, [&](std::string_view name) {
    const char* found = find_variable(variables, name);
    if (found == nullptr) return;
    given = true;
    any = any || read_truth(row.grammar, found, fallback);
  });
  return given ? any : fallback;
}

Result<std::int64_t> read_integer(const Row& row, std::string_view text, std::int64_t fallback) {
  const auto number = parse_integer(text);
  switch (row.grammar) {
    case Grammar::integer_or_zero:
      return number.value_or(0);
    case Grammar::integer:
      return number && *number >= 0 ? *number : fallback;
    default:
      if (number) return *number;
      return Error{
          Code::invalid, Origin::function,
          fmt::format("Error loading config: invalid {} value: {}, error: strconv.Atoi: parsing {}: invalid "
                      "syntax",
                      row.names, text, quoted(text))};
  }
}

// A word that is not understood must not leave open what somebody wanted to lock.
Result<bool> read_truth_strict(const Row& row, std::string_view text) {
  if (text == "true" || text == "1") return true;
  if (text == "false" || text == "0" || text.empty()) return false;
  return Error{Code::invalid, Origin::function,
               fmt::format("Error loading config: {} is {}: use true or false", row.names, quoted(text))};
}

Result<void> apply(const Row& row, Variables variables, Settings& settings) {
  const auto text = value_of(row, variables).value_or(row.fallback);
  if (const auto* target = std::get_if<std::string Settings::*>(&row.target)) {
    settings.*(*target) = text;
  } else if (const auto* duration = std::get_if<Duration Settings::*>(&row.target)) {
    auto value = parse_duration(text);
    if (!value) value = parse_duration(row.fallback);
    settings.*(*duration) =
        value.value_or(settings.write_timeout);  // only healthcheck_interval has no default
  } else if (const auto* number = std::get_if<std::int64_t Settings::*>(&row.target)) {
    TRY_ASSIGN(settings.*(*number), read_integer(row, text, parse_integer(row.fallback).value_or(0)));
  } else if (row.grammar == Grammar::truth_strict) {
    TRY_ASSIGN(settings.*std::get<bool Settings::*>(row.target), read_truth_strict(row, text));
  } else {
    settings.*std::get<bool Settings::*>(row.target) = truth_of(row, variables);
  }
  return {};
}

Error invalid(std::string text) {
  return {Code::invalid, Origin::function, std::move(text)};
}

Result<Mode> read_mode(std::string_view text) {
  if (text.empty()) return Mode::streaming;
  for (const auto& [name, mode] : kModes) {
    if (text == name) return mode;
  }
  for (const auto name : kUnsupportedModes) {
    if (text == name) {
      return invalid(fmt::format("watchdog mode {} is not supported: use {}", quoted(text), kModesHelp));
    }
  }
  return invalid(fmt::format("unknown watchdog mode: {}: use {}", quoted(text), kModesHelp));
}

Result<void> check(const Settings& settings) {
  if (settings.program == Program::classic) {
    if (settings.process.empty()) {
      return invalid("Provide a valid process via fprocess environmental variable.");
    }
    return {};
  }
  if (settings.process.empty() && settings.mode != Mode::static_files) {
    return invalid(
        "Error loading config: provide a \"function_process\" or \"fprocess\" environmental variable for "
        "your "
        "function");
  }
  if (settings.write_timeout == Duration::zero()) {
    return invalid("Error loading config: HTTP write timeout must be over 0s");
  }
  if (settings.static_path.empty() && settings.mode == Mode::static_files) {
    return invalid("For mode=static you must specify the \"static_path\" to serve");
  }
  return {};
}

}  // namespace

std::string_view name_of(Mode mode) {
  for (const auto& known : kModes) {
    if (known.mode == mode) return known.name;
  }
  return "classic";
}

const char* find_variable(Variables variables, std::string_view name) {
  const char* found = nullptr;
  for (; *variables != nullptr; ++variables) {
    if (std::strncmp(*variables, name.data(), name.size()) == 0 && (*variables)[name.size()] == '=') {
      found = *variables + name.size() + 1;
    }
  }
  return found;
}

std::string lock_folder(Variables variables) {
  const char* folder = find_variable(variables, "TMPDIR");
  return folder == nullptr || *folder == '\0' ? "/tmp" : folder;
}

Result<Settings> read_settings(Program program, Variables variables) {
  Settings settings;
  settings.program = program;
  for (const auto& row : rows_of(program)) {
    TRY(apply(row, variables, settings));
  }
  for (const auto& row : kShared) {
    TRY(apply(row, variables, settings));
  }
  settings.lock_folder = lock_folder(variables);
  settings.has_function_namespace = find_variable(variables, "OPENFAAS_NAMESPACE") != nullptr;
  const char* named = find_variable(variables, "mode");
  const auto mode =
      program == Program::classic ? Result<Mode>(Mode::classic) : read_mode(named == nullptr ? "" : named);
  settings.mode = mode ? *mode : Mode::streaming;
  TRY(check(settings));
  if (!mode) return mode.error();  // after the rest, in the reference's order
  return settings;
}

namespace {

// Each row once, with its names as people read them.
template <class Show>
void show_rows(Program program, Show show) {
  const auto add = [&show](std::string_view names, std::string_view fallback, std::string_view help) {
    std::string shown(names);
    if (const auto space = shown.find(' '); space != shown.npos) shown.replace(space, 1, ", ");
    show(shown, fallback, help);
  };
  if (program == Program::of_watchdog) add("mode", "streaming", kModesHelp);
  for (const auto& row : rows_of(program)) add(row.names, row.fallback, row.help);
  for (const auto& row : kShared) add(row.names, row.fallback, row.help);
}

}  // namespace

std::string describe_settings(Program program) {
  std::string text = "Settings (environment variables):\n";
  show_rows(program, [&text](const std::string& names, std::string_view fallback, std::string_view help) {
    text += fmt::format("  {:<36}{}{}\n", names, help,
                        fallback.empty() ? "" : fmt::format(" (default {})", fallback));
  });
  return text;
}

std::string document_settings(Program program) {
  std::string text = "| variable | default | what it does |\n| --- | --- | --- |\n";
  show_rows(program, [&text](const std::string& names, std::string_view fallback, std::string_view help) {
    text += fmt::format("| {} | {} | {} |\n", names, fallback, help);
  });
  return text;
}

std::string timeouts_line(const Settings& settings) {
  return fmt::format("Timeouts: read: {} write: {} hard: {} health: {}{}",
                     print_duration(settings.read_timeout), print_duration(settings.write_timeout),
                     print_duration(settings.exec_timeout), print_duration(settings.healthcheck_interval),
                     settings.program == Program::classic ? "." : "");
}

std::string timeouts_warning(const Settings& settings) {
  if (!answers_may_be_late(settings)) return {};
  const bool endless = settings.exec_timeout <= Duration::zero();
  // No limit is what classic comes with: nobody asked for it.
  if (endless && settings.program == Program::classic) return {};
  return fmt::format(
      "Warning: write_timeout ({}) is shorter than exec_timeout ({}): a call that has not begun to answer by "
      "then is ended with 504",
      print_duration(settings.write_timeout), endless ? "no limit" : print_duration(settings.exec_timeout));
}

std::string quoted(std::string_view text) {
  std::string result = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      result += '\\';
      result += c;
    } else if (c == '\n') {
      result += "\\n";
    } else if (c == '\t') {
      result += "\\t";
    } else if (c == '\r') {
      result += "\\r";
    } else if (byte < 0x20 || byte == 0x7f) {
      result += fmt::format("\\x{:02x}", byte);
    } else {
      result += c;
    }
  }
  return result + "\"";
}

}  // namespace faas::watchdog
