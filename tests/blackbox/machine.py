# What a program could leave on the machine beside processes: mounts, named namespaces, files, cgroups.
import os
import pathlib

FOLDERS = ("/run", "/run/lock", "/run/user/0", "/dev/shm", "/var/lib", "/var/run", "/var/tmp", "/tmp", "/etc/netns")


def _mounts():
    with open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as file:
        return {("mount", *line.split()[4:5], line.split(" - ")[1].split()[0]) for line in file}


def _ours(name):
    return "faas" in name.lower() or "watchdog" in name.lower()


def _files():
    """Entries of the usual folders that look like ours. What tests and builds make has its own prefixes."""
    own = ("faas-t-", "faas-g-", "faas-s-", "faas-blackbox-")
    for folder in FOLDERS:
        try:
            names = os.listdir(folder)
        except OSError:
            continue
        yield from (("file", f"{folder}/{name}") for name in names if _ours(name) and not name.startswith(own))


def _cgroups():
    for folder, names, _ in os.walk("/sys/fs/cgroup"):
        yield from (("cgroup", f"{folder}/{name}") for name in names if _ours(name))


def _namespaces():
    names = pathlib.Path("/run/netns")
    return {("namespace", str(p)) for p in names.iterdir()} if names.is_dir() else set()


def traces():
    """A set of everything outside a program's own folder that it might leave."""
    return _mounts() | set(_files()) | set(_cgroups()) | _namespaces()
