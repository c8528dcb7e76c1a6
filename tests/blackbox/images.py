# Images as people ship them, and containers that run them: with runc where there is a /proc, with nothing but
# namespaces and chroot where there is none, since no OCI runtime starts without it.
import json
import os
import pathlib
import shutil
import signal
import subprocess
import uuid

import processes
import programs
import wire
from wire import eventually

# What Docker's default seccomp profile refuses to a container without capabilities.
REFUSED_BY_DOCKER = """
acct add_key bpf clock_adjtime clock_settime create_module delete_module finit_module get_kernel_syms init_module
io_uring_enter io_uring_register io_uring_setup ioperm iopl kcmp kexec_file_load kexec_load keyctl lookup_dcookie
mount mount_setattr move_mount move_pages name_to_handle_at nfsservctl open_by_handle_at open_tree perf_event_open
pivot_root process_vm_readv process_vm_writev query_module quotactl reboot request_key setns settimeofday swapoff
swapon sysfs umount umount2 unshare uselib userfaultfd ustat vmsplice
""".split()
# What the profiles of engines of 2020 refuse as well, because they do not know it.
UNKNOWN_TO_OLD_ENGINES = "close_range openat2 faccessat2 epoll_pwait2 pidfd_getfd".split()


def compiled(source, into, compiler="clang", options=("-static",)):
    """Builds a function of functions/languages; a warning is an error."""
    subprocess.run([compiler, "-O1", "-Wall", "-Werror", *options, "-o", into,
                    programs.FUNCTIONS / "languages" / source], check=True)
    return into


def libraries_of(program):
    """The files that a program needs beside itself: none, unless it was built with a sanitizer."""
    found = subprocess.run(["ldd", program], capture_output=True, text=True)  # fails for a static one
    return [word for word in found.stdout.split() if word.startswith("/")]


class Image:
    """A root file system in a folder."""

    def __init__(self, folder):
        self.root = pathlib.Path(folder)
        self.root.mkdir(parents=True)
        self.root.chmod(0o755)
        self.mounts = []

    def add(self, source, path):
        target = self.root / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target)
        target.chmod(0o755)


def with_watchdogs(folder, function):
    image = Image(folder)
    for name in ("of-watchdog", "fwatchdog"):
        image.add(programs.program_path(name), f"/{name}")
    image.add(function, "/function")
    return image


def scratch(folder, function):
    """FROM scratch, and two COPY lines."""
    image = with_watchdogs(folder, function)
    for path in libraries_of(programs.program_path("of-watchdog")):
        image.add(path, path)
    return image


def alpine(folder, function):
    """One program that is every tool, a shell among them, and no C library."""
    image = scratch(folder, function)
    image.add("/bin/busybox", "/bin/busybox")
    for applet in subprocess.run(["/bin/busybox", "--list"], check=True, capture_output=True, text=True).stdout.split():
        if applet != "busybox":
            (image.root / "bin" / applet).symlink_to("busybox")
    for name in ("tmp", "etc", "home/app"):
        (image.root / name).mkdir(parents=True)
    (image.root / "tmp").chmod(0o1777)
    (image.root / "etc/passwd").write_text("root:x:0:0::/:/bin/sh\napp:x:1000:1000::/home/app:/bin/sh\n")
    return image


def debian(folder, function):
    """This machine's own system, read-only below the image's root."""
    image = with_watchdogs(folder, function)
    for name in ("usr", "etc"):
        (image.root / name).mkdir()
        image.mounts.append({"destination": f"/{name}", "type": "none", "source": f"/{name}",
                             "options": ["rbind", "ro", "nosuid", "nodev"]})
    for name in ("bin", "lib", "lib64", "sbin"):
        (image.root / name).symlink_to(f"usr/{name}")
    (image.root / "tmp").mkdir()
    (image.root / "tmp").chmod(0o1777)
    return image


class Container(programs.Program):
    """A watchdog as PID 1 in a network of its own, on the ports that people use."""

    port = 8080

    def __init__(self, image, name, settings, *, wait=True, **options):
        self.image = image
        # As Program does for the others; the folder is named before there is a process.
        folder = pathlib.Path(f"/tmp/faas-t-{uuid.uuid4().hex[:12]}")
        folder.mkdir()
        self.id = f"faas-test-{folder.name[-12:]}"
        self.pid_file = folder / "pid"
        self.init = None
        environment = {"healthcheck_interval": "0s", "TMPDIR": None, "HOME": None, **settings}
        super().__init__(name, environment=environment, folder=folder,
                         argv=lambda: self.command(name, folder, **options))
        self.owns_folder = True
        if wait:
            self.wait_until_serving()

    def call(self, *arguments, **options):
        return processes.in_network_of(self.init, lambda: wire.call(self.port, *arguments, **options))

    def connect(self):
        return processes.in_network_of(self.init, lambda: wire.Connection(self.port))

    def find_init(self):
        raise NotImplementedError

    def wait_until_serving(self, status=200):
        def serves():
            assert self.running(), f"it ended with {self.process.returncode}:\n{self.log_tail()}"
            try:
                self.init = self.find_init()
                return self.init and self.call("GET", "/_/health", timeout=5).status == status
            except (OSError, wire.WireError):
                return False
        eventually(serves, 30, lambda: f"{self.name} serves; its log:\n{self.log_tail()}")

    def inside(self):
        """Every process of the container but PID 1, zombies included."""
        return processes.descendants(self.init)

    def stop(self, number=signal.SIGTERM, within=30.0):
        """Sends PID 1 a signal, as `docker stop` does; returns the container's exit code."""
        self.remember_descendants()
        self.init = self.init or self.find_init()
        processes.kill(self.init or self.pid, number if self.init else signal.SIGKILL)
        return self.expect_exit(within)

    def lines(self):
        """What the watchdog said, without the time."""
        return [line[20:] if line[4:5] == "/" else line for line in self.log_lines()]


class Bare(Container):
    """Only namespaces and chroot: no /proc, no /dev, whatever the image lacks."""

    def command(self, name, folder, user=None, arguments=()):
        options = ["--setgid", str(user), "--setuid", str(user)] if user else []
        if programs.is_sanitized(name):  # its runtime asks /proc where its memory is
            (self.image.root / "proc").mkdir(exist_ok=True)
            options.append("--mount-proc=/proc")
        return ["unshare", "-n", "sh", "-c", 'ip link set lo up; exec "$@"', "sh",
                "unshare", "-m", "-p", "-i", "-u", "--fork", "--kill-child", "-R", str(self.image.root), *options,
                f"/{name}", *arguments]

    def find_init(self):
        below = [p.pid for p in processes.table().values() if p.parent == self.pid]
        return next((pid for pid in below if processes.command_line(pid)[:1] == [f"/{self.name}"]), None)


class Runc(Container):
    """A real OCI runtime, with what Docker gives: /proc, /dev, its capabilities, its seccomp profile."""

    # What Docker leaves to root.
    CAPABILITIES = [f"CAP_{name}" for name in """CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID SETFCAP
                    SETPCAP NET_BIND_SERVICE SYS_CHROOT KILL AUDIT_WRITE""".split()]

    def command(self, name, folder, user=0, read_only=False, mounts=(), refused=REFUSED_BY_DOCKER, limits=None,
                memory=None, arguments=()):
        capabilities = self.CAPABILITIES if user == 0 else []
        config = {
            "ociVersion": "1.0.2",
            "process": {
                "terminal": False, "user": {"uid": user, "gid": user}, "cwd": "/", "args": [f"/{name}", *arguments],
                "env": [f"{key}={value}" for key, value in self.environment.items()], "noNewPrivileges": True,
                "capabilities": {kind: capabilities for kind in ("bounding", "effective", "permitted")},
                "rlimits": [{"type": f"RLIMIT_{key}", "soft": value, "hard": value}
                            for key, value in (limits or {}).items()],
            },
            "root": {"path": str(self.image.root), "readonly": read_only},
            "mounts": [
                {"destination": "/proc", "type": "proc", "source": "proc"},
                {"destination": "/dev", "type": "tmpfs", "source": "tmpfs",
                 "options": ["nosuid", "strictatime", "mode=755", "size=64k"]},
                *self.image.mounts, *mounts],
            "linux": {
                "cgroupsPath": f"/{self.id}",
                "resources": {"memory": {"limit": memory}} if memory else {},
                "namespaces": [{"type": kind} for kind in ("pid", "network", "ipc", "uts", "mount")],
                "maskedPaths": ["/proc/kcore", "/proc/keys", "/proc/timer_list"],
                "readonlyPaths": ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"],
                "seccomp": {"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_NATIVE"],
                            "syscalls": [{"names": refused, "action": "SCMP_ACT_ERRNO", "errnoRet": 1},
                                         {"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38}]},
            },
        }
        if os.uname().machine == "x86_64":
            config["linux"]["seccomp"]["architectures"] = ["SCMP_ARCH_X86_64"]
        else:
            config["linux"]["seccomp"]["architectures"] = ["SCMP_ARCH_AARCH64"]
        (folder / "config.json").write_text(json.dumps(config))
        self.runtime = ["runc", "--root", str(folder / "state")]
        return [*self.runtime, "run", "--bundle", str(folder), "--pid-file", str(self.pid_file), self.id]

    def find_init(self):
        return int(self.pid_file.read_text() or 0) if self.pid_file.exists() else None

    def execute(self, *arguments):
        """Runs a program in the container, as a HEALTHCHECK does."""
        return subprocess.run([*self.runtime, "exec", self.id, *arguments], capture_output=True, text=True)

    def dispose(self):
        try:
            super().dispose()
        finally:
            subprocess.run([*self.runtime, "delete", "--force", self.id], capture_output=True)
            shutil.rmtree(self.folder, ignore_errors=True)  # even to delete nothing, runc makes its folder anew
