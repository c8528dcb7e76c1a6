#include "provider/local/process_runtime.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "base/log.h"
#include "model/names.h"
#include "process/pipe.h"
#include "provider/local/environment.h"
#include "provider/local/image.h"
#include "provider/local/sandbox.h"

namespace faas::provider {
namespace {

namespace fs = std::filesystem;

constexpr int kReadyFd = 3;
// "/run/", an id of 16 digits, "/s" and the end of the string.
constexpr std::size_t kDataDirBytesMax = sizeof(sockaddr_un::sun_path) - (5 + 16 + 2 + 1);

std::vector<const char*> pointers(const std::vector<std::string>& texts) {
  std::vector<const char*> made;
  made.reserve(texts.size() + 1);
  for (const auto& text : texts) made.push_back(text.c_str());
  made.push_back(nullptr);
  return made;
}

// Whether exec would take it; otherwise `why` says what watchdogs would.
bool is_program(const fs::path& path, std::string_view& why) {
  struct stat found {};
  const bool there = ::stat(path.c_str(), &found) == 0;
  if (there && S_ISREG(found.st_mode) && ::access(path.c_str(), X_OK) == 0) return true;
  why = there || errno == EACCES ? "permission denied" : "no such file or directory";
  return false;
}

// Sockets and folders that a killed gateway could not remove; its processes died with it.
Result<void> clear_folder(const std::string& folder, mode_t mode) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) return system_error("make " + folder, error.value());
  if (::chmod(folder.c_str(), mode) != 0) return system_error("chmod " + folder, errno);
  std::vector<fs::path> left;
  for (const auto& entry : fs::directory_iterator(folder, error)) left.push_back(entry.path());
  for (const auto& path : left) fs::remove_all(path, error);
  if (error) return system_error("clear " + folder, error.value());
  return {};
}

}  // namespace

Result<std::unique_ptr<ProcessRuntime>> ProcessRuntime::open(Options options, net::Event& changed) {
  if (options.data_dir.size() > kDataDirBytesMax) {
    return Error{
        .code = Code::invalid,
        .text = fmt::format("data_dir {} has {} bytes, the limit is {}: the kernel's limit for the path of "
                            "a Unix socket",
                            options.data_dir, options.data_dir.size(), kDataDirBytesMax)};
  }
  net::Fd watchdog(::open(options.watchdog_path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!watchdog) return system_error("the watchdog program " + options.watchdog_path, errno);
  TRY(clear_folder(options.data_dir + "/run", 0711));
  TRY(clear_folder(options.data_dir + "/mounted", 0700));
  if (options.path.empty()) options.path = kDefaultPath;
  return std::unique_ptr<ProcessRuntime>(
      new ProcessRuntime(std::move(options), std::move(watchdog), changed));
}

ProcessRuntime::ProcessRuntime(Options options, net::Fd watchdog, net::Event& changed)
    : options_(std::move(options)), watchdog_(std::move(watchdog)), changed_(changed) {}

ProcessRuntime::~ProcessRuntime() {
  close();
}

void ProcessRuntime::close() {
  while (!replicas_.empty()) forget(replicas_.begin()->first);
  std::error_code ignored;
  fs::remove(options_.data_dir + "/run", ignored);
  fs::remove(options_.data_dir + "/mounted", ignored);
}

std::string ProcessRuntime::run_folder(ReplicaId id) const {
  return fmt::format("{}/run/{:x}", options_.data_dir, id);
}

Task<Result<std::vector<Replica>>> ProcessRuntime::observe() {
  std::vector<Replica> seen;
  seen.reserve(replicas_.size());
  for (const auto& [id, kept] : replicas_) seen.push_back(kept.replica->observed());
  co_return seen;
}

Task<Result<void>> ProcessRuntime::start(const ReplicaPlan& plan) {
  if (replicas_.contains(plan.id)) co_return Result<void>();
  auto launched = launch(plan);
  if (!launched) {
    std::error_code ignored;
    fs::remove_all(run_folder(plan.id), ignored);
  }
  co_return launched;
}

void ProcessRuntime::stop(ReplicaId id, Stop how) {
  if (const auto found = replicas_.find(id); found != replicas_.end()) found->second.replica->stop(how);
}

void ProcessRuntime::forget(ReplicaId id) {
  replicas_.erase(id);
  std::error_code ignored;
  fs::remove_all(run_folder(id), ignored);
}

Result<void> ProcessRuntime::refresh(const SecretSpec& secret) {
  Result<void> all;
  for (const auto& [id, kept] : replicas_) {
    if (!kept.secrets) continue;
    auto written = kept.secrets->refresh(secret);
    if (!written && all) all = std::move(written);
  }
  return all;
}

Result<std::optional<MountedSecrets>> ProcessRuntime::mount_secrets(
    const ReplicaPlan& plan, std::optional<process::RunAs> owner) const {
  std::optional<MountedSecrets> mounted;
  if (plan.spec->secrets.empty() || options_.secrets == nullptr) return mounted;
  auto folder = fmt::format("{}/mounted/{:x}", options_.data_dir, plan.id);
  TRY_ASSIGN(auto made, MountedSecrets::make(std::move(folder), *plan.spec, *options_.secrets, owner));
  mounted.emplace(std::move(made));
  return mounted;
}

Result<void> ProcessRuntime::find_command(const FunctionSpec& spec) const {
  // With a PATH of its own, or in another root, only the replica itself can tell.
  if (spec.image != "host" || spec.env_vars.contains("PATH")) return {};
  const auto words = process::split_command(spec.env_process);
  const auto found =
      process::find_program(words.empty() ? std::string_view() : std::string_view(words.front()));
  std::string_view why;
  if (found && is_program("/" / fs::path(*found), why)) return {};  // replicas start in /
  auto error =
      found.has_error() ? found.error() : Error{.text = fmt::format("fork/exec {}: {}", *found, why)};
  error.code = Code::not_found;
  return error;
}

Result<std::string> ProcessRuntime::make_run_folder(ReplicaId id) const {
  auto folder = run_folder(id);
  if (::mkdir(folder.c_str(), 0700) != 0) return system_error("mkdir " + folder, errno);
  return folder;
}

process::Isolation ProcessRuntime::sandbox_of(const FunctionSpec& spec, const std::string& root,
                                              const std::string& run_folder) const {
  return make_sandbox({.root = root,
                       .command = spec.env_process,
                       .data_dir = options_.data_dir,
                       .run_folder = run_folder,
                       .user_namespace = options_.isolation.user,
                       .as_root = ::geteuid() == 0 && !options_.isolation.user});
}

Result<void> ProcessRuntime::launch(const ReplicaPlan& plan) {
  const auto& spec = *plan.spec;
  TRY_ASSIGN(const auto image, resolve_image(spec));
  TRY(prepare_image(spec, image));
  TRY(find_command(spec));
  TRY_ASSIGN(const auto folder, make_run_folder(plan.id));
  TRY_ASSIGN(auto ready, process::make_pipe());
  TRY_ASSIGN(auto output, process::make_pipe());

  const bool isolated = options_.isolation.possible;
  auto isolation = sandbox_of(spec, image.root, folder);
  const auto run_as = isolated ? isolation.run_as : std::nullopt;
  if (run_as && ::chown(folder.c_str(), run_as->uid, run_as->gid) != 0) {
    return system_error("chown " + folder, errno);
  }
  TRY_ASSIGN(auto secrets, mount_secrets(plan, run_as));
  if (secrets) show_secrets(secrets->folder(), isolation);
  const auto inside = isolated ? std::string(kRunFolderInside) : folder;
  const auto environment =
      make_environment(spec, {.socket_path = inside + "/s",
                              .path = options_.path,
                              .secrets_folder = secrets && !isolated ? secrets->folder() : std::string(),
                              .ready_fd = kReadyFd,
                              .listen_tcp = isolated});
  const auto envp = pointers(environment);
  const char* const argv[] = {"of-watchdog", nullptr};
  process::SpawnRequest request;
  request.program = options_.watchdog_path;
  request.program_fd = watchdog_.get();
  request.argv = argv;
  request.envp = envp.data();
  request.stdout_fd = output.write.get();
  request.stderr_fd = output.write.get();
  request.extra = {{ready.write.get(), kReadyFd}};
  request.die_with_parent = true;
  request.directory = "/";
  request.descriptors_max = options_.descriptors_max;
  request.isolation = isolated ? &isolation : nullptr;
  auto child = process::spawn(request);
  if (!child) return child.error();

  auto function = print_function_name(spec.name);
  auto instance = fmt::format("{:x}", plan.id);
  auto label = fmt::format("{} {}: ", function, instance);
  auto replica = std::make_unique<LocalReplica>(
      LocalReplica::Parts{.replica = {.id = plan.id,
                                      .function = std::move(function),
                                      .revision = plan.revision,
                                      .address = "unix:" + folder + "/s",
                                      .started = Clock::now()},
                          .label = std::move(label),
                          .log = options_.logs ? options_.logs->of(spec.name) : nullptr,
                          .instance = std::move(instance),
                          .child = std::move(*child),
                          .ready = std::move(ready.read),
                          .output = std::move(output.read)},
      changed_);
  replicas_.emplace(plan.id, Kept{.secrets = std::move(secrets), .replica = std::move(replica)});
  return {};
}

}  // namespace faas::provider
