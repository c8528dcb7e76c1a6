#include "provider/local/sandbox.h"

#include <sys/stat.h>

#include <algorithm>
#include <filesystem>

#include "model/secret.h"
#include "process/spawn.h"

namespace faas::provider {
namespace {

constexpr process::RunAs kNobody{.uid = 65534, .gid = 65534};
// Where sockets of the host's services live, some open to everybody.
constexpr const char* kRun = "/run";
constexpr const char* kTmp = "/tmp";

bool is_below(std::string_view path, std::string_view folder) {
  return path.starts_with(folder) && (path.size() == folder.size() || path[folder.size()] == '/');
}

}  // namespace

std::vector<std::string> files_of(const std::string& command) {
  std::vector<std::string> files;
  const auto add = [&files](const std::string& path) {
    files.push_back(path);
    std::error_code error;
    const auto real = std::filesystem::canonical(path, error).string();
    if (!error && real != path) files.push_back(real);
  };
  const auto words = process::split_command(command);
  if (words.empty()) return files;
  const auto program = process::find_program(words.front());
  if (program) add(*program);
  for (const auto& word : words) {
    if (word.starts_with('/')) add(word);
  }
  return files;
}

bool readable_by_all(const std::string& path) {
  std::filesystem::path prefix;
  for (const auto& part : std::filesystem::path(path)) {
    prefix /= part;
    struct stat found {};
    if (::stat(prefix.c_str(), &found) != 0) return true;  // not there: nobody is kept out
    const mode_t needed = S_ISDIR(found.st_mode) ? S_IXOTH : S_IROTH;
    if ((found.st_mode & needed) == 0) return false;
  }
  return true;
}

process::Isolation make_sandbox(const SandboxRequest& request) {
  process::Isolation isolation;
  isolation.user = request.user_namespace;
  isolation.root = request.root;
  isolation.binds.push_back({.host = request.run_folder, .inside = kRunFolderInside, .read_only = false});
  if (!request.root.empty()) {
    if (request.as_root) isolation.run_as = kNobody;
    return isolation;
  }
  isolation.hidden = {kRun, request.data_dir};
  const auto files = files_of(request.command);
  for (const auto& file : files) {
    // A program of the host's /tmp or /run would vanish behind what stands there inside.
    const auto folder = std::filesystem::path(file).parent_path().string();
    const bool covered = is_below(folder, kTmp) || is_below(folder, kRun);
    if (!covered || folder == kTmp || folder == kRun) continue;
    if (std::ranges::find(isolation.binds, folder, &process::Bind::inside) != isolation.binds.end()) continue;
    // What is shown again must not show the gateway's folder with it.
    if (is_below(folder, request.data_dir) || is_below(request.data_dir, folder)) continue;
    isolation.binds.push_back({.host = folder, .inside = folder, .read_only = true});
  }
  // Root without capabilities still owns root's files: keys, passwords, sockets. Another user does not. But
  // a program kept below /root can be run by nobody else.
  if (request.as_root && std::ranges::all_of(files, readable_by_all)) isolation.run_as = kNobody;
  return isolation;
}

void show_secrets(const std::string& folder, process::Isolation& isolation) {
  const std::string inside(kSecretsFolder);
  // A folder image has been given the place; the host's own tree is left as it is.
  if (isolation.root.empty()) isolation.mount_points.push_back(inside);
  isolation.binds.push_back({.host = folder, .inside = inside, .read_only = true});
}

}  // namespace faas::provider
