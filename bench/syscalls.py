"""What one forked call asks of the kernel: the watchdog's own system calls, and those of its child until the
function's program takes its place. Counted by strace; time plays no part."""

import dataclasses
import http.client
import os
import re
import subprocess
import time
from typing import Callable, Optional
from urllib.parse import urlsplit

import figures
import load
import subjects
from processes import Failed, find_program

CALLS = 50
ATTACH_SECONDS = 10.0
LINE = re.compile(r"(\d+)\s+(?:\d+\.\d+\s+)?(\w+)\(")  # a call begins; "<... resumed>" lines are its end


@dataclasses.dataclass(frozen=True)
class Counted:
    """One row: a subject of the load whose calls are counted."""

    name: str
    running: Callable
    target: Optional[int] = None


def ours(bin_folder):
    of, fw = (os.path.join(bin_folder, name) for name in ("of-watchdog", "fwatchdog"))
    cat = {"fprocess": "cat"}
    return [
        Counted("of-watchdog, streaming", subjects.watchdog("streaming", of, lambda _: {"mode": "streaming", **cat}), 60),
        Counted("fwatchdog", subjects.watchdog("fwatchdog", fw, lambda _: cat), 60),
    ]


def references(of, fw):
    cat, found = {"fprocess": "cat"}, []
    if of:
        streaming = subjects.watchdog("streaming", of, lambda _: {"mode": "streaming", **cat})
        found.append(Counted("reference of-watchdog, streaming", subjects.needs_port(8081, streaming)))
    if fw:
        classic = subjects.watchdog("fwatchdog", fw, lambda _: cat)
        found.append(Counted("reference fwatchdog", subjects.needs_port(8081, classic)))
    return found


def count_lines(text, own):
    """System calls in strace's output by the threads in `own`, and by others until they have become a program."""
    count, running = 0, set(own)
    for line in text.splitlines():
        found = LINE.match(line)
        if not found:
            continue
        thread, name = int(found.group(1)), found.group(2)
        if thread in own:
            count += 1
        elif thread not in running:
            count += 1
            # A search in PATH tries several times; only what succeeded ends it.
            if name in ("execve", "execveat") and "= -1" not in line:
                running.add(thread)
    return count


def call_many(url, count):
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=30)
    try:
        for _ in range(count):
            connection.request("POST", "/", load.ANSWER)
            response = connection.getresponse()
            if (response.status, response.read()) != (200, load.ANSWER):
                raise Failed(f"it answered {response.status}")
    finally:
        connection.close()


def trace(pid, folder, work):
    """What strace writes about `pid` and its children while `work()` runs."""
    path = os.path.join(folder, "strace.txt")
    words = [find_program("strace"), "-f", "-e", "signal=none", "-o", path, "-p", str(pid)]
    strace = subprocess.Popen(words, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, start_new_session=True)
    try:
        deadline = time.monotonic() + ATTACH_SECONDS
        tracer = 0
        while not tracer:
            if strace.poll() is not None or time.monotonic() > deadline:
                raise Failed("strace does not get hold of it")
            with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as file:
                tracer = int(re.search(r"^TracerPid:\s+(\d+)", file.read(), re.MULTILINE).group(1))
        work()
    finally:
        strace.terminate()
        strace.communicate()
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()


def measure(row, setting):
    """System calls per call, in the steady state: what does not grow with the number of calls is not counted."""
    if find_program("strace") is None:
        raise Failed("strace is not installed")
    with row.running(setting) as server:
        process = server.processes[0]
        load.wait_until(lambda: load.right_answer(server.url, load.ANSWER), "no right answer", server.processes)
        counts = []
        for calls in (CALLS, 2 * CALLS):
            text = trace(process.pid, process.folder, lambda n=calls: call_many(server.url, n))
            threads = {int(name) for name in os.listdir(f"/proc/{process.pid}/task")}
            counts.append(count_lines(text, threads))
        return {"calls": (counts[1] - counts[0]) / CALLS}


def measure_all(rows, setting, say):
    lines = []
    for row in rows:
        line = {"name": row.name, "target": row.target, "errors": []}
        try:
            line.update(measure(row, setting))
            if row.target is not None:
                line["holds"] = line["calls"] <= row.target
            say(f"{row.name:<36}{line['calls']:.1f} system calls a call")
        except (Failed, OSError) as error:
            line["errors"].append(str(error))
            say(f"{row.name:<36}{error}")
        lines.append(line)
    return lines


def table(lines):
    def cells(line):
        target = f"<= {line['target']}" if line["target"] is not None else ""
        count = f"{line['calls']:.1f}" if "calls" in line else "failed"
        return [line["name"], count, target, figures.verdict(line)]

    return figures.table(["cat, 12 bytes", "system calls/call", "target", "holds"], [cells(line) for line in lines])
