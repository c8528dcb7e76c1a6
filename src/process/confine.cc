#include "process/confine.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/mount.h>
#include <linux/prctl.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <optional>
#include <utility>

namespace faas::process {
namespace {

// From <sys/mount.h>, which cannot be included beside <linux/mount.h>.
constexpr unsigned long kMountNoSuid = 2;
constexpr unsigned long kMountNoDev = 4;
constexpr unsigned long kMountNoExec = 8;
constexpr unsigned long kMountRecursive = 16384;
constexpr unsigned long kMountPrivate = 1UL << 18;
constexpr int kUnmountDetach = 2;

// A private folder in memory counts against the cgroup of who fills it; this bounds one without a cgroup.
constexpr const char* kTmpfsOptions = "mode=1777,size=256m";
constexpr const char* kDevOptions = "mode=755,size=64k";
constexpr const char* kShmOptions = "mode=1777,size=64m";
// Nobody may list or fill it, but whoever has a folder bound below it can get there.
constexpr const char* kHiddenOptions = "mode=111,size=64k";
constexpr std::size_t kPathBytesMax = 4096;

constexpr std::array kDeviceNames{"null", "zero", "full", "random", "urandom"};
constexpr std::array<std::pair<const char*, const char*>, 4> kDeviceLinks{
    {{"/proc/self/fd", "/dev/fd"},
     {"/proc/self/fd/0", "/dev/stdin"},
     {"/proc/self/fd/1", "/dev/stdout"},
     {"/proc/self/fd/2", "/dev/stderr"}}};

FAAS_IN_CHILD bool failed(StepFailure& failure, const char* step, const char* detail = nullptr) {
  failure = {.step = step, .detail = detail, .number = errno};
  return false;
}

FAAS_IN_CHILD bool write_file(const char* path, const char* text, std::size_t size, StepFailure& failure) {
  const long fd = ::syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CLOEXEC, 0);
  const bool written = fd >= 0 && ::syscall(SYS_write, fd, text, size) == static_cast<long>(size);
  if (!written) failed(failure, "isolation: write", path);
  if (fd >= 0) ::syscall(SYS_close, fd);
  return written;
}

FAAS_IN_CHILD bool map_user(const Confinement& confinement, StepFailure& failure) {
  if (!confinement.isolation.user) return true;
  return write_file("/proc/self/setgroups", "deny", 4, failure) &&
         write_file("/proc/self/uid_map", confinement.uid_map.data(), confinement.uid_map.size(), failure) &&
         write_file("/proc/self/gid_map", confinement.gid_map.data(), confinement.gid_map.size(), failure);
}

FAAS_IN_CHILD bool set_attributes(const char* path, unsigned flags, unsigned long long set,
                                  unsigned long long clear) {
  mount_attr attributes{};
  attributes.attr_set = set;
  attributes.attr_clr = clear;
  return ::syscall(SYS_mount_setattr, AT_FDCWD, path, flags, &attributes, sizeof attributes) == 0;
}

FAAS_IN_CHILD bool clone_tree(Confinement::Tree& tree, bool recursive, StepFailure& failure) {
  const unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (recursive ? AT_RECURSIVE : 0);
  const long fd = ::syscall(SYS_open_tree, AT_FDCWD, tree.host.c_str(), flags);
  if (fd < 0) return failed(failure, "isolation: open_tree", tree.host.c_str());
  tree.fd = static_cast<int>(fd);
  mount_attr attributes{};
  attributes.attr_set = MOUNT_ATTR_NOSUID;
  if (tree.read_only) attributes.attr_set |= MOUNT_ATTR_RDONLY;
  if (!tree.file) attributes.attr_set |= MOUNT_ATTR_NODEV;
  if (::syscall(SYS_mount_setattr, tree.fd, "", AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0), &attributes,
                sizeof attributes) != 0) {
    return failed(failure, "isolation: mount_setattr", tree.host.c_str());
  }
  return true;
}

// Made while the host's /proc is still in view: without that, a user namespace may not have one of its own.
FAAS_IN_CHILD bool make_proc(Confinement& confinement, StepFailure& failure) {
  if (!confinement.isolation.pid) return true;
  const long context = ::syscall(SYS_fsopen, "proc", FSOPEN_CLOEXEC);
  long mounted = -1;
  if (context >= 0 && ::syscall(SYS_fsconfig, context, FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) == 0) {
    // Root without capabilities still owns /proc/sys: it must not be writable.
    const unsigned attributes = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
    mounted = ::syscall(SYS_fsmount, context, FSMOUNT_CLOEXEC, attributes);
  }
  if (mounted < 0) return failed(failure, "isolation: mount /proc");
  confinement.proc_fd = static_cast<int>(mounted);
  return true;
}

FAAS_IN_CHILD bool clone_host_parts(Confinement& confinement, StepFailure& failure) {
  for (auto& device : confinement.devices) {
    if (!clone_tree(device, false, failure)) return false;
  }
  for (auto& bind : confinement.binds) {
    if (!clone_tree(bind, true, failure)) return false;
  }
  for (auto& remade : confinement.remade) {
    for (auto& tree : remade.trees) {
      if (!clone_tree(tree, true, failure)) return false;
    }
  }
  return true;
}

FAAS_IN_CHILD bool attach(int fd, const char* path) {
  return ::syscall(SYS_move_mount, fd, "", AT_FDCWD, path, MOVE_MOUNT_F_EMPTY_PATH) == 0;
}

// The old root ends up on top of the new one, where it is taken away without a folder to put it in.
FAAS_IN_CHILD bool pivot_into(int tree, const char* name, StepFailure& failure) {
  if (::syscall(SYS_fchdir, tree) != 0) return failed(failure, "isolation: chdir", name);
  if (::syscall(SYS_pivot_root, ".", ".") != 0) return failed(failure, "isolation: pivot_root", name);
  if (::syscall(SYS_umount2, ".", kUnmountDetach) != 0)
    return failed(failure, "isolation: umount the old root");
  if (::syscall(SYS_chdir, "/") != 0) return failed(failure, "isolation: chdir /");
  return true;
}

// pivot_root wants a mount point: the folder is bound upon itself.
FAAS_IN_CHILD bool switch_root(const Confinement& confinement, StepFailure& failure) {
  const auto& root = confinement.isolation.root;
  if (root.empty() || root == "/") return true;
  const unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE;
  const long tree = ::syscall(SYS_open_tree, AT_FDCWD, root.c_str(), flags);
  if (tree < 0) return failed(failure, "isolation: open_tree", root.c_str());
  if (!attach(static_cast<int>(tree), root.c_str()))
    return failed(failure, "isolation: move_mount", root.c_str());
  return pivot_into(static_cast<int>(tree), root.c_str(), failure);
}

FAAS_IN_CHILD bool mount_tmpfs(const char* path, unsigned long flags, const char* options, bool required,
                               StepFailure& failure) {
  if (::syscall(SYS_mount, "tmpfs", path, "tmpfs", flags | kMountNoSuid | kMountNoDev, options) == 0)
    return true;
  if (!required && (errno == ENOENT || errno == ENOTDIR)) return true;
  return failed(failure, "isolation: mount tmpfs on", path);
}

FAAS_IN_CHILD bool make_devices(Confinement& confinement, StepFailure& failure) {
  if (!confinement.isolation.devices) return true;
  if (::syscall(SYS_mount, "tmpfs", "/dev", "tmpfs", kMountNoSuid | kMountNoExec, kDevOptions) != 0) {
    // A root without /dev (one static program, say) goes without.
    return errno == ENOENT || failed(failure, "isolation: mount tmpfs on", "/dev");
  }
  for (const auto& device : confinement.devices) {
    const char* path = device.inside.c_str();
    const bool made = ::syscall(SYS_mknodat, AT_FDCWD, path, S_IFREG | 0666, 0) == 0;
    if (!made || !attach(device.fd, path)) return failed(failure, "isolation: make", path);
  }
  for (const auto& [target, path] : kDeviceLinks) {
    if (::syscall(SYS_symlinkat, target, AT_FDCWD, path) != 0)
      return failed(failure, "isolation: symlink", path);
  }
  if (::syscall(SYS_mkdirat, AT_FDCWD, "/dev/shm", 0755) != 0)
    return failed(failure, "isolation: mkdir /dev/shm");
  if (!mount_tmpfs("/dev/shm", kMountNoExec, kShmOptions, true, failure)) return false;
  return set_attributes("/dev", 0, MOUNT_ATTR_RDONLY, 0) ||
         failed(failure, "isolation: mount_setattr", "/dev");
}

// Makes the folders of a path. One that exists already, or stands on a read-only file system, is left alone:
// what is really missing shows when something is attached to it.
FAAS_IN_CHILD void make_folders(const char* path) {
  char prefix[kPathBytesMax];
  for (std::size_t i = 0; path[i] != '\0' && i + 1 < sizeof prefix; ++i) {
    prefix[i] = path[i];
    if (i > 0 && (path[i + 1] == '/' || path[i + 1] == '\0')) {
      prefix[i + 1] = '\0';
      ::syscall(SYS_mkdirat, AT_FDCWD, prefix, 0755);
    }
  }
}

FAAS_IN_CHILD bool remake(const Confinement::Remade& remade, StepFailure& failure) {
  const char* folder = remade.folder.c_str();
  if (!mount_tmpfs(folder, kMountNoExec, kDevOptions, true, failure)) return false;
  for (const auto& tree : remade.trees) {
    const char* path = tree.inside.c_str();
    const long made = tree.file ? ::syscall(SYS_mknodat, AT_FDCWD, path, S_IFREG | 0644, 0)
                                : ::syscall(SYS_mkdirat, AT_FDCWD, path, 0755);
    if (made != 0 || !attach(tree.fd, path)) return failed(failure, "isolation: show again", path);
  }
  for (const auto& link : remade.links) {
    if (::syscall(SYS_symlinkat, link.target.c_str(), AT_FDCWD, link.path.c_str()) != 0) {
      return failed(failure, "isolation: symlink", link.path.c_str());
    }
  }
  make_folders(remade.mount_point.c_str());
  return set_attributes(folder, 0, MOUNT_ATTR_RDONLY, 0) ||
         failed(failure, "isolation: mount_setattr", folder);
}

FAAS_IN_CHILD bool furnish(Confinement& confinement, StepFailure& failure) {
  const auto& isolation = confinement.isolation;
  unsigned long long attributes = MOUNT_ATTR_NOSUID;
  if (isolation.devices) attributes |= MOUNT_ATTR_NODEV;  // only those of the new /dev open
  if (isolation.read_only) attributes |= MOUNT_ATTR_RDONLY;
  if (!set_attributes("/", AT_RECURSIVE, attributes, 0)) {
    return failed(failure, "isolation: make / read-only (mount_setattr)");
  }
  if (confinement.proc_fd >= 0 && !attach(confinement.proc_fd, "/proc") && errno != ENOENT) {
    return failed(failure, "isolation: mount /proc");
  }
  if (!make_devices(confinement, failure)) return false;
  for (const auto& remade : confinement.remade) {
    if (!remake(remade, failure)) return false;
  }
  for (const auto& path : isolation.tmpfs) {
    if (!mount_tmpfs(path.c_str(), 0, kTmpfsOptions, false, failure)) return false;
  }
  for (const auto& path : isolation.hidden) {
    if (!mount_tmpfs(path.c_str(), kMountNoExec, kHiddenOptions, false, failure)) return false;
  }
  for (const auto& bind : confinement.binds) {
    if (isolation.read_only) make_folders(bind.inside.c_str());  // never into a root that is still writable
    if (!attach(bind.fd, bind.inside.c_str())) return failed(failure, "isolation: bind", bind.inside.c_str());
  }
  for (const auto& path : isolation.hidden) {
    const bool sealed = set_attributes(path.c_str(), 0, MOUNT_ATTR_RDONLY, 0);
    // The folder was never there.
    if (!sealed && errno != EINVAL && errno != ENOENT)
      return failed(failure, "isolation: hide", path.c_str());
  }
  return true;
}

FAAS_IN_CHILD bool raise_loopback(const Confinement& confinement, StepFailure& failure) {
  if (!confinement.isolation.network) return true;
  const long fd = ::syscall(SYS_socket, AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  ifreq request{};
  request.ifr_name[0] = 'l';
  request.ifr_name[1] = 'o';
  request.ifr_flags = IFF_UP | IFF_RUNNING;
  const bool up = fd >= 0 && ::syscall(SYS_ioctl, fd, SIOCSIFFLAGS, &request) == 0;
  if (!up) failed(failure, "isolation: bring the loopback up");
  if (fd >= 0) ::syscall(SYS_close, fd);
  return up;
}

FAAS_IN_CHILD bool change_user(const Confinement& confinement, StepFailure& failure) {
  const auto& isolation = confinement.isolation;
  if (!isolation.run_as || isolation.user) return true;  // a user namespace has it in its map
  const auto [uid, gid] = *isolation.run_as;
  // libc's wrappers would ask every thread of the parent to change with us.
  if (::syscall(SYS_setgroups, 0, nullptr) != 0) return failed(failure, "isolation: setgroups");
  if (::syscall(SYS_setresgid, gid, gid, gid) != 0) return failed(failure, "isolation: setgid");
  if (::syscall(SYS_setresuid, uid, uid, uid) != 0) return failed(failure, "isolation: setuid");
  return true;
}

FAAS_IN_CHILD bool drop_bounding_set(StepFailure& failure) {
  for (unsigned long capability = 0;; ++capability) {
    if (::syscall(SYS_prctl, PR_CAPBSET_DROP, capability, 0, 0, 0) == 0) continue;
    // EINVAL: beyond the last one this kernel knows.
    return errno == EINVAL || failed(failure, "isolation: drop the bounding set");
  }
}

FAAS_IN_CHILD bool drop_capabilities(StepFailure& failure) {
  if (::syscall(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
    return failed(failure, "isolation: no_new_privs");
  }
  ::syscall(SYS_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3]{};
  if (::syscall(SYS_capset, &header, none) != 0) return failed(failure, "isolation: capset");
  return true;
}

}  // namespace

namespace {

// Reads what the nearest folder above `path` holds; nothing when `path` is there. What cannot be read or lies
// in "/" itself shows in the child, when something is attached to the place that is missing.
std::optional<Confinement::Remade> prepare_remade(const std::string& path) {
  namespace fs = std::filesystem;
  std::error_code error;
  if (fs::is_directory(path, error)) return std::nullopt;
  fs::path folder(path);
  while (folder.has_relative_path() && !fs::is_directory(folder, error)) folder = folder.parent_path();
  if (!folder.has_relative_path()) return std::nullopt;
  Confinement::Remade remade{.folder = folder.string(), .mount_point = path, .trees = {}, .links = {}};
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    const auto name = entry.path().string();
    // In the way of what is to be made: it is no folder, or the loop above had gone on.
    if (path.starts_with(name + "/")) continue;
    if (entry.is_symlink(error)) {
      remade.links.push_back({.target = fs::read_symlink(entry, error).string(), .path = name});
    } else {
      const bool file = !entry.is_directory(error);
      remade.trees.push_back({.host = name, .inside = name, .read_only = true, .file = file, .fd = -1});
    }
  }
  return remade;
}

}  // namespace

Confinement::Confinement(const Isolation& wanted) : isolation(wanted) {
  namespaces = CLONE_NEWNS;
  if (wanted.user) namespaces |= CLONE_NEWUSER;
  if (wanted.pid) namespaces |= CLONE_NEWPID;
  if (wanted.network) namespaces |= CLONE_NEWNET;
  if (wanted.ipc) namespaces |= CLONE_NEWIPC;
  if (wanted.uts) namespaces |= CLONE_NEWUTS;
  if (wanted.user) {
    const auto as = wanted.run_as.value_or(RunAs{.uid = 0, .gid = 0});
    uid_map = std::to_string(as.uid) + " " + std::to_string(::geteuid()) + " 1";
    gid_map = std::to_string(as.gid) + " " + std::to_string(::getegid()) + " 1";
  }
  if (wanted.devices) {
    for (const auto* name : kDeviceNames) {
      const auto path = std::string("/dev/") + name;
      devices.push_back({.host = path, .inside = path, .read_only = false, .file = true});
    }
  }
  for (const auto& path : wanted.mount_points) {
    if (auto folder = prepare_remade(path)) remade.push_back(std::move(*folder));
  }
  for (const auto& path : wanted.writable) binds.push_back({.host = path, .inside = path});
  for (const auto& bind : wanted.binds) {
    binds.push_back({.host = bind.host, .inside = bind.inside, .read_only = bind.read_only});
  }
}

namespace {

FAAS_IN_CHILD bool make_private() {
  return ::syscall(SYS_mount, nullptr, "/", nullptr, kMountRecursive | kMountPrivate, nullptr) == 0;
}

// In a chroot "/" is a folder and no mount, so that nothing can be said of its mount. Entering our own mount
// namespace once more leads out to its real root; from there the folder becomes a mount and the root again.
FAAS_IN_CHILD bool make_chroot_a_root(StepFailure& failure) {
  const long root = ::syscall(SYS_openat, AT_FDCWD, "/", O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
  const long own = ::syscall(SYS_openat, AT_FDCWD, "/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC, 0);
  if (root < 0 || own < 0) return failed(failure, "isolation: open /proc/self/ns/mnt");
  if (::syscall(SYS_setns, own, CLONE_NEWNS) != 0) return failed(failure, "isolation: leave the chroot");
  if (!make_private()) return failed(failure, "isolation: make mounts private");
  const unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE | AT_EMPTY_PATH;
  const long tree = ::syscall(SYS_open_tree, root, "", flags);
  constexpr unsigned both_empty = MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH;
  if (tree < 0 || ::syscall(SYS_move_mount, tree, "", root, "", both_empty) != 0) {
    return failed(failure, "isolation: make the chroot a mount");
  }
  if (!pivot_into(static_cast<int>(tree), "/", failure)) return false;
  ::syscall(SYS_close, tree);
  ::syscall(SYS_close, own);
  ::syscall(SYS_close, root);
  return true;
}

}  // namespace

FAAS_IN_CHILD bool confine(Confinement& confinement, StepFailure& failure) {
  if (!map_user(confinement, failure)) return false;
  // Nothing that is mounted from now on may show on the host.
  if (!make_private()) {
    if (errno != EINVAL) return failed(failure, "isolation: make mounts private");
    if (!make_chroot_a_root(failure)) return false;
  }
  if (!make_proc(confinement, failure)) return false;
  if (!clone_host_parts(confinement, failure)) return false;
  if (!switch_root(confinement, failure)) return false;
  // New folders must not depend on our umask: they are gone before the program runs.
  const long umask = ::syscall(SYS_umask, 0);
  const bool furnished = furnish(confinement, failure);
  ::syscall(SYS_umask, umask);
  if (!furnished || !raise_loopback(confinement, failure)) return false;
  const bool drop = confinement.isolation.drop_capabilities;
  if (drop && !drop_bounding_set(failure)) return false;
  if (!change_user(confinement, failure)) return false;
  return !drop || drop_capabilities(failure);
}

}  // namespace faas::process
