#include "gateway/settings.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <variant>

#include "gateway/forwarded.h"

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
  std::string_view choices = {};  // for texts that are one of a few words
};

const Row kRows[] = {
    {"port", &Settings::port, "8080", "port of the API and of the functions", 0, 65535},
    {"metrics_port", &Settings::metrics_port, "8082", "port of /metrics and /healthz, without a login", 0,
     65535},
    {"listen_address", &Settings::listen_address, "127.0.0.1",
     "address of both ports; empty: every interface"},
    {"data_dir", &Settings::data_dir, "",
     "folder of the functions and of the password; default /var/lib/faas as root, else $XDG_STATE_HOME/faas"},
    {"functions_provider", &Settings::functions_provider, "local", "what runs the functions: local", 0, 0,
     "local"},
    {"functions_provider_url", &Settings::functions_provider_url, "",
     "an OpenFaaS provider that runs the functions instead, such as http://faas-netes.openfaas:8081/"},
    {"functions_provider_secrets", &Settings::functions_provider_secrets, "",
     "folder with basic-auth-user and basic-auth-password for it; default: secret_mount_path, if that is "
     "set"},
    {"functions_provider_poll", &Settings::functions_provider_poll, "5s",
     "how often it is asked for its functions"},
    {"functions_provider_timeout", &Settings::functions_provider_timeout, "60s",
     "for one answer of its API; 0: no limit"},
    {"queue", &Settings::queue, "sqlite", "what keeps asynchronous calls: sqlite", 0, 0, "sqlite"},
    {"watchdog_path", &Settings::watchdog_path, "", "the of-watchdog program; default: beside this program"},
    {"basic_auth", &Settings::basic_auth, "true",
     "ask for a login at /system and /metrics; user admin, password in data_dir/basic-auth-password"},
    {"secret_mount_path", &Settings::secret_mount_path, "",
     "folder with basic-auth-user and basic-auth-password, instead of data_dir"},
    {"read_timeout", &Settings::read_timeout, "60s",
     "how long a request's body may stand still, and an idle connection stay; 0: no limit"},
    {"write_timeout", &Settings::write_timeout, "60s",
     "for a client that does not read its answer; 0: no limit"},
    {"upstream_timeout", &Settings::upstream_timeout, "60s",
     "from the end of a request to the end of its answer, event streams and upgrades excepted; 0: no limit"},
    {"shutdown_timeout", &Settings::shutdown_timeout, "10s",
     "for calls under way when the gateway is stopped"},
    {"trusted_proxies", &Settings::trusted_proxies, "127.0.0.0/8,::1",
     "networks of the reverse proxies whose X-Forwarded-* fields are believed; empty: nobody's"},
    {"function_pages", &Settings::function_pages, "sandbox",
     "pages that functions answer with: sandbox keeps them from using the login of the admin who opens them; "
     "same-origin lets them use cookies and storage too, for gateways whose admins log in elsewhere",
     0, 0, "sandbox same-origin"},
    {"access_log", &Settings::access_log, "text", "a line for each call: text, json or off", 0, 0,
     "text json off"},
    {"access_log_queries", &Settings::access_log_queries, "false", "show queries in it, with what they hold"},
    {"function_log_mib", &Settings::function_log_mib, "8",
     "MiB kept of what each function prints; the oldest go first", 1, 65536},
    {"metrics_long_buckets", &Settings::metrics_long_buckets, "false",
     "tell calls of more than 10 s apart too: buckets of 30, 60, 120 and 300 s"},
    {"cores", &Settings::cores, "0", "threads that serve requests; 0: one a CPU", 0, 1024},
};

Error wrong(const Row& row, std::string_view value, std::string_view why) {
  return {.code = Code::invalid, .text = fmt::format("setting {} is \"{}\": {}", row.name, value, why)};
}

// "sqlite", "text, json or off": for people.
std::string listed(std::string_view words) {
  std::string out(words);
  const auto last = out.rfind(' ');
  for (std::size_t i = out.size(); i-- > 0;) {
    if (out[i] == ' ') out.replace(i, 1, i == last ? " or " : ", ");
  }
  return out;
}

bool is_among(std::string_view words, std::string_view value) {
  while (!words.empty()) {
    const auto space = words.find(' ');
    if (words.substr(0, space) == value) return true;
    if (space == std::string_view::npos) break;
    words.remove_prefix(space + 1);
  }
  return false;
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
    if (!row.choices.empty() && !is_among(row.choices, value)) {
      return wrong(row, value, "it must be " + listed(row.choices));
    }
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
  if (const auto proxies = TrustedProxies::parse(settings.trusted_proxies); !proxies) {
    return proxies.error().within("setting trusted_proxies");
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
