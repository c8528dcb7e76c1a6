"""What the operating system says about processes: CPU time, resident memory, descent, and the machine."""

import os
import platform
import re
import time

TICK_NS = 1_000_000_000 // os.sysconf("SC_CLK_TCK")


def _read(path):
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()


def _stat(pid):
    """The fields of /proc/PID/stat from the third on; the second is a name that may hold anything."""
    return _read(f"/proc/{pid}/stat").rpartition(")")[2].split()


def cpu_clock(pid):
    """CPU used so far by a process, without its children: ns of each thread, and ticks of all, dead too."""
    threads = {}
    for thread in os.listdir(f"/proc/{pid}/task"):
        try:
            threads[thread] = int(_read(f"/proc/{pid}/task/{thread}/schedstat").split()[0])
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended between the listing and the reading
    stat = _stat(pid)
    return {"threads": threads, "ticks": int(stat[11]) + int(stat[12])}


def cpu_between_ns(before, after):
    """The threads' clocks are exact, but a thread that ended took its own along: then the process's ticks."""
    if before["threads"].keys() == after["threads"].keys():
        return sum(after["threads"].values()) - sum(before["threads"].values())
    return (after["ticks"] - before["ticks"]) * TICK_NS


def resident_kib(pid):
    found = re.search(r"^VmRSS:\s+(\d+) kB", _read(f"/proc/{pid}/status"), re.MULTILINE)
    return int(found.group(1)) if found else 0


def peak_kib(pid):
    found = re.search(r"^VmHWM:\s+(\d+) kB", _read(f"/proc/{pid}/status"), re.MULTILINE)
    return int(found.group(1)) if found else 0


def name_of(pid):
    """The program's file name; of a replica's too, whose root is another. Else the kernel's short name."""
    try:
        path = os.readlink(f"/proc/{pid}/exe").removesuffix(" (deleted)")
        return os.path.basename(path).removeprefix("memfd:")
    except OSError:
        pass
    try:
        return _read(f"/proc/{pid}/comm").strip()
    except OSError:
        return ""


def alive(pid):
    try:
        return _stat(pid)[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def descendants(root):
    """Every living process below `root`, however deep."""
    children = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                stat = _stat(entry)
            except (FileNotFoundError, ProcessLookupError):
                continue
            if stat[0] not in "ZX":
                children.setdefault(int(stat[1]), []).append(int(entry))
    found, waiting = [], [root]
    while waiting:
        below = children.get(waiting.pop(), [])
        found += below
        waiting += below
    return found


def with_workers(pid):
    """A process and those below it that run the same program: the master and its workers."""
    name = name_of(pid)
    return [pid] + [child for child in descendants(pid) if name_of(child) == name]


def mounts_below(folder):
    """Mount points inside a folder, the deepest first."""
    points = [line.split()[4] for line in _read("/proc/self/mountinfo").splitlines()]
    return sorted((point for point in points if point.startswith(folder + "/")), key=len, reverse=True)


def busy_share(seconds):
    """How much of the machine's CPU other work takes, 0 to 1. Asked before anything of ours runs."""

    def times():
        fields = [int(field) for field in _read("/proc/stat").splitlines()[0].split()[1:9]]
        return sum(fields), fields[3] + fields[4]  # all, idle and waiting for disks

    total_before, idle_before = times()
    time.sleep(seconds)
    total_after, idle_after = times()
    total = total_after - total_before
    return 1 - (idle_after - idle_before) / total if total else 0.0


def machine():
    info = _read("/proc/cpuinfo")
    model = re.search(r"^(?:model name|Model)\s*:\s*(.+)$", info, re.MULTILINE)
    return {
        "kernel": platform.release(),
        "cpu": model.group(1) if model else platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
    }
