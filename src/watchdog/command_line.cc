#include "watchdog/command_line.h"

#include <fmt/format.h>

#include <array>
#include <optional>

#ifndef FAAS_COMMIT
#define FAAS_COMMIT "unknown"
#endif

namespace faas::watchdog {
namespace {

struct Flag {
  std::string_view name;
  Command::What what;
  std::string_view help;
};
constexpr std::array kFlags{
    Flag{"run-healthcheck", Command::What::healthcheck, "end with 0 if the lock file exists, with 1 if not"},
    Flag{"version", Command::What::version, "print the version and end"}};

std::string usage(Program program) {
  auto text = fmt::format("Usage of {}:\n", program == Program::classic ? "fwatchdog" : "of-watchdog");
  for (const auto& flag : kFlags) text += fmt::format("  -{}\n    \t{}\n", flag.name, flag.help);
  return text;
}

std::optional<bool> parse_truth(std::string_view text) {
  for (const std::string_view word : {"1", "t", "T", "true", "TRUE", "True"}) {
    if (text == word) return true;
  }
  for (const std::string_view word : {"0", "f", "F", "false", "FALSE", "False"}) {
    if (text == word) return false;
  }
  return std::nullopt;
}

Command leave(std::string text, int exit_code) {
  return {.what = Command::What::leave, .text = std::move(text), .exit_code = exit_code};
}

}  // namespace

Command parse_command_line(Program program, std::span<const char* const> arguments) {
  bool wanted[kFlags.size()]{};
  for (std::string_view argument : arguments) {
    if (!argument.starts_with('-') || argument == "-" || argument == "--") break;  // the rest is ignored
    argument.remove_prefix(argument.starts_with("--") ? 2 : 1);
    const auto equals = argument.find('=');
    const auto name = argument.substr(0, equals);
    if (name == "h" || name == "help") return leave(usage(program) + "\n" + describe_settings(program), 0);
    std::size_t i = 0;
    while (i < kFlags.size() && kFlags[i].name != name) ++i;
    if (i == kFlags.size()) {
      return leave(fmt::format("flag provided but not defined: -{}\n{}", name, usage(program)), 2);
    }
    const auto value = equals == argument.npos ? "true" : argument.substr(equals + 1);
    const auto truth = parse_truth(value);
    if (!truth) {
      return leave(fmt::format("invalid boolean value {} for -{}: parse error\n{}", quoted(value), name,
                               usage(program)),
                   2);
    }
    wanted[i] = *truth;
  }
  if (wanted[1]) return {.what = Command::What::version};
  if (wanted[0]) return {.what = Command::What::healthcheck};
  return {};
}

std::string version_line() {
  return "Version: " FAAS_VERSION "\tSHA: " FAAS_COMMIT;
}

}  // namespace faas::watchdog
