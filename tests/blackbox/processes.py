# What /proc knows: who descends from whom, what is left, how big it is.
import ctypes
import os
import random
import signal
import threading

_libc = ctypes.CDLL(None, use_errno=True)
PR_SET_CHILD_SUBREAPER = 36
CLONE_NEWNET = 0x40000000


def adopt_orphans():
    """Makes this process the parent of whatever a program leaves behind, so that it can be seen."""
    _libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


class Process:
    """One line of the process table. `start` tells a reused pid apart."""

    def __init__(self, pid, state, parent, session, start):
        self.pid, self.state, self.parent, self.session, self.start = pid, state, parent, session, start

    @property
    def identity(self):
        return (self.pid, self.start)

    def __repr__(self):
        return f"<{self.pid} {self.state} parent={self.parent} {' '.join(command_line(self.pid))[:120]!r}>"


def read(pid):
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            text = file.read()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = text[text.rindex(b")") + 2:].split()
    return Process(int(pid), fields[0].decode(), int(fields[1]), int(fields[3]), int(fields[19]))


def table():
    found = (read(name) for name in os.listdir("/proc") if name.isdigit())
    return {process.pid: process for process in found if process}


def command_line(pid):
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return [part.decode("utf-8", "replace") for part in file.read().split(b"\0")[:-1]]
    except (FileNotFoundError, ProcessLookupError):
        return []


def environment(pid):
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            return file.read()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return b""


def descendants(pid):
    """Every live process below `pid`, zombies included."""
    processes = table()
    found, wave = [], {pid}
    while wave:
        below = [p for p in processes.values() if p.parent in wave]
        found += below
        wave = {p.pid for p in below}
    return found


def new_mark():
    """A number that no other process has in its command line; sleep takes it as a fraction."""
    return str(random.randrange(10**14, 10**15))


def with_argument(text):
    """Pids of live processes that have `text` in their command line (zombies have none)."""
    return [pid for pid in table() if any(text in part for part in command_line(pid)) and pid != os.getpid()]


def alive(identity):
    process = read(identity[0])
    if process is None or process.start != identity[1]:
        return False
    return process.state != "Z"


_started = set()


def started(pid):
    """Notes a child of ours that is waited for elsewhere."""
    _started.add(pid)


def reap_orphans():
    """Waits for what has ended and was left to us, as init would: until then its pid namespace lives on."""
    for process in table().values():
        if process.state == "Z" and process.parent == os.getpid() and process.pid not in _started:
            try:
                os.waitpid(process.pid, os.WNOHANG)
            except ChildProcessError:
                pass


def kill(pid, number=signal.SIGKILL):
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def owner(pid):
    return os.stat(f"/proc/{pid}").st_uid


def memory_kib(pid, field="VmHWM"):
    """VmRSS now, VmHWM at its peak."""
    with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as file:
        for line in file:
            if line.startswith(field + ":"):
                return int(line.split()[1])
    raise AssertionError(f"no {field} for {pid}")


def open_files(pid):
    found = []
    for name in os.listdir(f"/proc/{pid}/fd"):
        try:
            found.append(os.readlink(f"/proc/{pid}/fd/{name}"))
        except FileNotFoundError:
            pass
    return found


def bytes_written(pid):
    try:
        with open(f"/proc/{pid}/io", encoding="ascii") as file:
            return next(int(line.split()[1]) for line in file if line.startswith("wchar"))
    except (FileNotFoundError, ProcessLookupError, StopIteration):
        return None


def in_network_of(pid, action):
    """Runs `action()` in a thread that has entered the network namespace of `pid`, and returns its value."""
    outcome = {}

    def enter():
        descriptor = None
        try:
            descriptor = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY)
            if _libc.setns(descriptor, CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), "setns")
            outcome["value"] = action()
        except BaseException as error:  # handed over to the caller's thread
            outcome["error"] = error
        finally:
            if descriptor is not None:
                os.close(descriptor)

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    if "error" in outcome:
        raise outcome["error"]
    return outcome["value"]
