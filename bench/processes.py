"""Everything the benchmark starts, so that everything is stopped: by pid, whatever happens."""

import contextlib
import ctypes
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import procfs

PR_SET_CHILD_SUBREAPER = 36
STOP_SECONDS = 2.0
CLEAN_UP_SECONDS = 0.5  # a killed process needs a moment to be gone
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Failed(Exception):
    """A subject that cannot be measured; the text says why."""


def find_program(name):
    return shutil.which(name, path=os.environ.get("PATH", "") + ":" + PATH)


def port_free(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("", port))
        except OSError:
            return False
    return True


def free_port():
    """Below the range the kernel takes for outgoing connections, so that wrk's cannot take it first."""
    for _ in range(1000):
        port = random.randint(20000, 31999)
        if port_free(port):
            return port
    raise Failed("no free port between 20000 and 32000")


class Process:
    """A program in a session of its own, in a folder of its own, with its output in a file."""

    def __init__(self, name, command, env, folder):
        self.name, self.folder = name, folder
        self.log = os.path.join(folder, "output.log")
        environment = {"PATH": PATH, "LANG": "C.UTF-8", "TMPDIR": folder, "HOME": folder, **env}
        with open(self.log, "wb") as log:
            self.popen = subprocess.Popen(
                command, env=environment, cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True)
        self.pid = self.popen.pid

    def check(self):
        code = self.popen.poll()
        if code is not None:
            raise Failed(f"{self.name} ended with {code}: {self.last_words()}")

    def last_words(self):
        with open(self.log, encoding="utf-8", errors="replace") as log:
            lines = [line.strip() for line in log.read()[-2000:].splitlines() if line.strip()]
        return lines[-1] if lines else "it said nothing"


class Processes:
    """Owns the run's temporary folder and its processes."""

    def __init__(self):
        # A child whose parent died comes to us instead of init: nothing escapes the clean-up.
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        self.folder = tempfile.mkdtemp(prefix="faas-bench-")
        self.running = []
        self.notes = []

    @contextlib.contextmanager
    def temporary_folder(self, name):
        folder = tempfile.mkdtemp(prefix=name + "-", dir=self.folder)
        try:
            yield folder
        finally:
            self._remove(folder)

    def start(self, name, command, env=None):
        folder = tempfile.mkdtemp(prefix=name + "-", dir=self.folder)
        process = Process(name, [str(word) for word in command], env or {}, folder)
        self.running.append(process)
        return process

    def stop(self, process, seconds=STOP_SECONDS, must_clean_up=False):
        """SIGTERM, then SIGKILL, then whatever it left. `must_clean_up`: a program that promises to."""
        if process not in self.running:
            return
        process.popen.terminate()
        try:
            process.popen.wait(seconds)
        except subprocess.TimeoutExpired:
            if must_clean_up:
                self._note(f"{process.name} did not stop within {seconds:.0f} s of SIGTERM")
            process.popen.kill()
            process.popen.wait()
        self.running.remove(process)
        left = self._kill_orphans(CLEAN_UP_SECONDS if must_clean_up else 0)
        if must_clean_up and left:
            self._note(f"{process.name} left behind: {', '.join(sorted(set(left)))}")
        self._remove(process.folder)

    def _orphans(self):
        """Those that were below a stopped process and are now below us."""
        kept = set()
        for process in self.running:
            kept.update([process.pid, *procfs.descendants(process.pid)])
        return [pid for pid in procfs.descendants(os.getpid()) if pid not in kept]

    def _kill_orphans(self, patience):
        """Names those that still live after `patience` seconds, kills them and waits until they are gone."""
        deadline = time.monotonic() + patience
        while self._orphans() and time.monotonic() < deadline:
            time.sleep(0.01)
        left = []
        deadline = time.monotonic() + STOP_SECONDS
        while (orphans := self._orphans()) and time.monotonic() < deadline:
            for pid in orphans:
                left.append(procfs.name_of(pid) or str(pid))
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.01)
        return left

    def _note(self, text):
        if text not in self.notes:
            self.notes.append(text)

    def _remove(self, folder):
        """Never follows a mount that was left inside: what it shows is not ours to delete."""
        for point in procfs.mounts_below(folder):
            self._note(f"mount left behind: {point}")
            subprocess.run(["umount", "--lazy", point], check=False, capture_output=True)
        if not procfs.mounts_below(folder):
            shutil.rmtree(folder, ignore_errors=True)

    def close(self):
        for process in reversed(list(self.running)):
            self.stop(process)
        self._kill_orphans(0)
        self._remove(self.folder)
