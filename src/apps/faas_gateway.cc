// faas-gateway: reads the environment, names concrete things, wires.
#include <fmt/format.h>
#include <malloc.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <vector>

#include "base/log.h"
#include "gateway/gateway.h"
#include "net/descriptor_limit.h"
#include "net/signals.h"
#include "provider/external/external_provider.h"
#include "provider/local/local_provider.h"

namespace {

using namespace faas;

// Ten thousand connections and what else is open beside them.
constexpr rlim_t kDescriptorsWanted = 12'000;

int fail(const Error& error) {
  fmt::print(stderr, "faas-gateway: {}\n", error.text);
  return 1;
}

std::string default_data_dir() {
  if (::geteuid() == 0) return "/var/lib/faas";
  if (const char* state = std::getenv("XDG_STATE_HOME"); state != nullptr && *state != '\0') {
    return std::string(state) + "/faas";
  }
  const char* home = std::getenv("HOME");
  return std::string(home == nullptr ? "/tmp" : home) + "/.local/state/faas";
}

// Errors name the setting. A folder of ours is for us alone: the password is in it.
Result<std::string> prepare_data_dir(const std::string& wanted) {
  const auto path =
      std::filesystem::absolute(wanted.empty() ? default_data_dir() : wanted).lexically_normal();
  std::error_code error;
  const bool created = std::filesystem::create_directories(path, error);
  if (!error && created) std::filesystem::permissions(path, std::filesystem::perms::owner_all, error);
  if (error) return Error{.text = fmt::format("setting data_dir: {}: {}", path.string(), error.message())};
  if (::access(path.c_str(), W_OK | X_OK) != 0)
    return system_error("setting data_dir: " + path.string(), errno);
  auto text = path.string();
  if (text.size() > 1 && text.ends_with('/')) text.pop_back();
  return text;
}

std::string beside_this_program(std::string_view name) {
  return (std::filesystem::read_symlink("/proc/self/exe").parent_path() / name).string();
}

// Replicas find their programs where the gateway does.
std::string search_path() {
  const char* path = std::getenv("PATH");
  return path == nullptr ? "" : path;
}

// What programs that we start should have; 0: what we have.
unsigned long raise_limits() {
  const auto limit = net::raise_descriptor_limit();
  if (!limit) {
    log::line(limit.error().text);
    return 0;
  }
  if (limit->now < kDescriptorsWanted) {
    log::print("open files are limited to {} (ulimit -Hn), and so are connections", limit->now);
  }
  return limit->before;
}

std::uint64_t mebibytes(std::int64_t count) {
  return static_cast<std::uint64_t>(count) * 1024 * 1024;
}

struct Parts {
  gateway::Settings settings;
  std::optional<gateway::Credentials> credentials;
};

Result<Parts> prepare(std::span<const std::string_view> arguments) {
  Parts parts;
  TRY_ASSIGN(parts.settings,
             gateway::read_settings(arguments, [](const char* name) { return std::getenv(name); }));
  TRY_ASSIGN(parts.settings.data_dir, prepare_data_dir(parts.settings.data_dir));
  if (parts.settings.watchdog_path.empty()) parts.settings.watchdog_path = beside_this_program("of-watchdog");
  if (parts.settings.basic_auth) {
    TRY_ASSIGN(parts.credentials,
               gateway::load_credentials(parts.settings.secret_mount_path, parts.settings.data_dir));
  }
  return parts;
}

// The login for a provider elsewhere, read whenever it is asked for: it may change.
provider::ReadLogin login_for(const gateway::Settings& settings) {
  const bool shared = settings.functions_provider_secrets.empty() && settings.basic_auth;
  const auto& folder = shared ? settings.secret_mount_path : settings.functions_provider_secrets;
  // A password that was generated here is nobody else's business.
  if (folder.empty()) return [] { return Result<std::string>(std::string()); };
  return [folder]() -> Result<std::string> {
    auto login = gateway::load_credentials(folder, {});
    if (!login) return std::move(login).error().within("login for the provider");
    return login->user + ":" + login->password;
  };
}

// A gateway that asked itself would do so without end.
bool is_ours(const provider::BaseUrl& url, const gateway::Settings& settings) {
  const auto port = ":" + std::to_string(settings.port);
  if (!url.authority.ends_with(port)) return false;
  const auto host = std::string_view(url.authority).substr(0, url.authority.size() - port.size());
  return host == "localhost" || host == "127.0.0.1" || host == "[::1]" || host == settings.listen_address;
}

Result<std::unique_ptr<Provider>> open_external(const gateway::Settings& settings, SnapshotListener& listener,
                                                net::Core& control) {
  auto url = provider::parse_base_url(settings.functions_provider_url);
  if (url && is_ours(*url, settings)) url = Error{.text = "it is this gateway's own address"};
  if (!url) return std::move(url).error().within("setting functions_provider_url");
  TRY_ASSIGN(auto provider,
             provider::ExternalProvider::open({.url = std::move(*url),
                                               .login = login_for(settings),
                                               .poll_interval = settings.functions_provider_poll,
                                               .timeout = settings.functions_provider_timeout},
                                              listener, control));
  return std::unique_ptr<Provider>(std::move(provider));
}

Result<std::unique_ptr<Provider>> open_provider(const gateway::Settings& settings,
                                                unsigned long descriptors_max, SnapshotListener& listener,
                                                net::Core& control) {
  if (!settings.functions_provider_url.empty()) return open_external(settings, listener, control);
  TRY_ASSIGN(auto provider,
             provider::LocalProvider::open({.data_dir = settings.data_dir,
                                            .watchdog_path = settings.watchdog_path,
                                            .path = search_path(),
                                            .release = FAAS_VERSION,
                                            .sha = "unknown",
                                            .descriptors_max = descriptors_max,
                                            .log_bytes_max = mebibytes(settings.function_log_mib)},
                                           listener, control));
  return std::unique_ptr<Provider>(std::move(provider));
}

// Runs until SIGTERM or SIGINT; a second one ends everything at once.
Task<> live(net::Core& control, gateway::Gateway& gateway, Provider& provider, Duration limit) {
  net::Signals signals({SIGTERM, SIGINT});
  const int signal = co_await signals.next();
  log::print("{}: no new connections, calls under way have {}", signal == SIGINT ? "SIGINT" : "SIGTERM",
             print_duration(limit));
  const auto wind_down = [](gateway::Gateway& g, Provider& p, Duration time) -> Task<> {
    const auto cut = co_await g.drain(time);
    if (cut > 0) log::print("{} calls did not end in time and are cut off", cut);
    co_await p.shutdown(time);
  };
  net::Event again(control);
  const auto impatient = [](net::Signals& more, net::Event& event) -> Task<> {
    co_await more.next();
    event.set();
  };
  net::Running<void> listening(impatient(signals, again));
  co_await net::race(wind_down(gateway, provider, limit), again);
  control.stop();
}

int serve(std::span<const std::string_view> arguments) {
  auto parts = prepare(arguments);
  if (!parts) return fail(parts.error());
  net::block_signals({SIGTERM, SIGINT});
  const auto descriptors_before = raise_limits();
  net::Core control;
  gateway::Gateway gateway(control, parts->settings, parts->credentials);
  if (auto listening = gateway.listen(); !listening) return fail(listening.error());
  auto provider = open_provider(parts->settings, descriptors_before, gateway, control);
  if (!provider) return fail(provider.error());
  gateway.start(**provider);
  (*provider)->start();
  if (parts->credentials) log::print("The admin's password is in {}", parts->credentials->password_file);
  control.spawn(live(control, gateway, **provider, parts->settings.shutdown_timeout));
  control.run();
  gateway.stop();
  log::line("Stopped");
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  // Threads that allocate little need no arenas of their own: this keeps idle memory small.
  ::mallopt(M_ARENA_MAX, 2);
  const std::vector<std::string_view> arguments(argv + 1, argv + argc);
  for (const auto argument : arguments) {
    if (argument == "--help" || argument == "-h") {
      fmt::print(
          "faas-gateway {}: the API, the functions and what runs them\n\n"
          "Each setting is a flag or an environment variable of the same name:\n{}",
          FAAS_VERSION, gateway::describe_settings());
      return 0;
    }
    if (argument == "--version") {
      fmt::print("faas-gateway {}\n", FAAS_VERSION);
      return 0;
    }
  }
  return serve(arguments);
}
