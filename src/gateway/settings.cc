#include "gateway/settings.h"

#include <fmt/format.h>

#include <map>
#include <variant>

namespace faas::gateway {
namespace {

using Field =
    std::variant<std::int64_t Settings::*, std::string Settings::*, bool Settings::*, Duration Settings::*>;

struct Row {
  std::string_view name;
  Field field;
  std::string_view fallback;
  std::string_view help;
  std::int64_t least = 0;  // for numbers
  std::int64_t most = 0;
};

const Row kRows[] = {
    {"port", &Settings::port, "8080", "port of the API and of the functions", 0, 65535},
    {"metrics_port", &Settings::metrics_port, "8082", "port of /metrics and /healthz, without a login", 0,
     65535},
    {"listen_address", &Settings::listen_address, "127.0.0.1",
     "address of both ports; empty: every interface"},
    {"data_dir", &Settings::data_dir, "",
     "folder of the functions and of the password; default /var/lib/faas as root, else $XDG_STATE_HOME/faas"},
    {"functions_provider", &Settings::functions_provider, "local", "what runs the functions: local"},
    {"watchdog_path", &Settings::watchdog_path, "", "the of-watchdog program; default: beside this program"},
    {"basic_auth", &Settings::basic_auth, "true",
     "ask for a login at /system and /metrics; user admin, password in data_dir/basic-auth-password"},
    {"secret_mount_path", &Settings::secret_mount_path, "",
     "folder with basic-auth-user and basic-auth-password, instead of data_dir"},
    {"read_timeout", &Settings::read_timeout, "60s",
     "to read a request's body, and for an idle connection; 0: no limit"},
    {"write_timeout", &Settings::write_timeout, "60s",
     "for a client that does not read its answer; 0: no limit"},
    {"upstream_timeout", &Settings::upstream_timeout, "60s",
     "for a function's whole answer, waiting included; 0: no limit"},
    {"shutdown_timeout", &Settings::shutdown_timeout, "10s",
     "for calls under way when the gateway is stopped"},
    {"cores", &Settings::cores, "0", "threads that serve requests; 0: one a CPU", 0, 1024},
};

Error wrong(const Row& row, std::string_view value, std::string_view why) {
  return {.code = Code::invalid, .text = fmt::format("setting {} is \"{}\": {}", row.name, value, why)};
}

Result<void> assign(const Row& row, std::string_view value, Settings& out) {
  if (const auto* number = std::get_if<std::int64_t Settings::*>(&row.field)) {
    const auto parsed = parse_integer(value);
    if (!parsed || *parsed < row.least || *parsed > row.most) {
      return wrong(row, value, fmt::format("it must be a whole number from {} to {}", row.least, row.most));
    }
    out.** number = *parsed;
  } else if (const auto* flag = std::get_if<bool Settings::*>(&row.field)) {
    if (value != "true" && value != "false" && value != "1" && value != "0") {
      return wrong(row, value, "it must be true or false");
    }
    out.** flag = value == "true" || value == "1";
  } else if (const auto* duration = std::get_if<Duration Settings::*>(&row.field)) {
    const auto parsed = parse_duration(value);
    if (!parsed || *parsed < Duration::zero()) {
      return wrong(row, value, "it must be seconds or a duration such as 1m30s");
    }
    out.** duration = *parsed;
  } else if (const auto* text = std::get_if<std::string Settings::*>(&row.field)) {
    out.** text = value;
  }
  return {};
}

Result<std::map<std::string_view, std::string_view>> read_flags(std::span<const std::string_view> arguments) {
  std::map<std::string_view, std::string_view> flags;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    auto name = arguments[i];
    if (!name.starts_with("--")) {
      return Error{.code = Code::invalid, .text = fmt::format("\"{}\" is not a setting; see --help", name)};
    }
    name.remove_prefix(2);
    const auto equals = name.find('=');
    const auto given = name.substr(0, equals);
    const bool known = std::any_of(std::begin(kRows), std::end(kRows),
                                   [given](const Row& row) { return row.name == given; });
    if (!known)
      return Error{.code = Code::invalid, .text = fmt::format("unknown setting --{}; see --help", given)};
    if (equals != std::string_view::npos) {
      flags[given] = name.substr(equals + 1);
    } else if (i + 1 < arguments.size()) {
      flags[given] = arguments[++i];
    } else {
      return Error{.code = Code::invalid, .text = fmt::format("setting --{} needs a value", given)};
    }
  }
  return flags;
}

}  // namespace

Result<Settings> read_settings(std::span<const std::string_view> arguments, const Environment& environment) {
  Settings settings;
  TRY_ASSIGN(const auto flags, read_flags(arguments));
  for (const auto& row : kRows) {
    auto value = row.fallback;
    if (const auto flag = flags.find(row.name); flag != flags.end()) {
      value = flag->second;
    } else if (const char* variable = environment(std::string(row.name).c_str())) {
      value = variable;
    }
    TRY(assign(row, value, settings));
  }
  if (settings.functions_provider != "local") {
    return Error{.code = Code::invalid,
                 .text = fmt::format("setting functions_provider is \"{}\": it must be local",
                                     settings.functions_provider)};
  }
  return settings;
}

std::string describe_settings() {
  std::string out;
  for (const auto& row : kRows) {
    fmt::format_to(std::back_inserter(out), "  --{:<20} {}", row.name, row.help);
    if (!row.fallback.empty()) fmt::format_to(std::back_inserter(out), " (default {})", row.fallback);
    out += "\n";
  }
  return out;
}

std::string document_settings() {
  std::string out = "| setting | default | what it does |\n| --- | --- | --- |\n";
  for (const auto& row : kRows) {
    fmt::format_to(std::back_inserter(out), "| `{}` | {} | {} |\n", row.name,
                   row.fallback.empty() ? "" : fmt::format("`{}`", row.fallback), row.help);
  }
  return out;
}

}  // namespace faas::gateway
