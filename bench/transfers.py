"""Large bodies: a file goes through a function that gives it back, curl up and down at once.

What counts is the watchdog's own CPU time and its peak memory; the throughput is read beside the reference's of
the same round, since curl and the function share the machine with it.
"""

import dataclasses
import os
import subprocess
import time
from statistics import median
from typing import Callable, Optional

import figures
import load
import procfs
import subjects
from processes import Failed, find_program, free_port

FULL_MIB = 1024
QUICK_MIB = 64
CURL_SECONDS = 600


@dataclasses.dataclass(frozen=True)
class Transfer:
    """One row. Targets are for 1 GiB."""

    name: str
    subject: str  # what --only calls it
    program: str
    settings: dict
    chunked: bool = False
    cpu_seconds_max: Optional[float] = None
    peak_mib_max: Optional[int] = None
    reference: Optional[str] = None  # the row whose throughput is to be beaten
    speedup_min: Optional[float] = None
    around: Callable = lambda running: running  # what must hold while it runs


def ours(bin_folder):
    of, fw = (os.path.join(bin_folder, name) for name in ("of-watchdog", "fwatchdog"))
    streaming, http = {"mode": "streaming", "fprocess": "cat"}, {"mode": "http"}
    return [
        Transfer("of-watchdog, streaming", "transfer-streaming", of, streaming, cpu_seconds_max=0.5, peak_mib_max=8,
                 reference="reference of-watchdog, streaming", speedup_min=2.0),
        Transfer("of-watchdog, streaming, chunked up", "transfer-chunked", of, streaming, chunked=True,
                 peak_mib_max=8),
        Transfer("of-watchdog, serializing", "transfer-serializing", of, {"mode": "serializing", "fprocess": "cat"},
                 peak_mib_max=24),
        Transfer("fwatchdog", "transfer-classic", fw, {"fprocess": "cat"}, peak_mib_max=24),
        Transfer("of-watchdog, http", "transfer-http", of, http, peak_mib_max=24),
    ]


def references(of, fw):
    """The Go programs where their paths are given. Their fixed port admits one at a time."""
    found = []
    if of:
        streaming = {"mode": "streaming", "fprocess": "cat"}
        found += [
            Transfer("reference of-watchdog, streaming", "transfer-streaming", of, streaming),
            Transfer("reference of-watchdog, serializing", "transfer-serializing", of,
                     {"mode": "serializing", "fprocess": "cat"}),
            Transfer("reference of-watchdog, http", "transfer-http", of, {"mode": "http"}),
        ]
    if fw:
        found.append(Transfer("reference fwatchdog", "transfer-classic", fw, {"fprocess": "cat"}))
    return [dataclasses.replace(row, around=lambda running: subjects.needs_port(8081, running)) for row in found]


def curl(url, path, chunked):
    """Seconds for the file to go up and come back."""
    command = [find_program("curl"), "-s", "-o", os.devnull, "-w", "%{http_code} %{size_download}", "-H", "Expect:",
               "--max-time", str(CURL_SECONDS), "-X", "POST", "-T", "-" if chunked else path]
    if chunked:
        command += ["-H", "Transfer-Encoding: chunked"]
    began = time.monotonic()
    with open(path, "rb") as file:
        done = subprocess.run([*command, url], stdin=file, capture_output=True, text=True, check=False)
    seconds = time.monotonic() - began
    wanted = f"200 {os.path.getsize(path)}"
    if done.returncode != 0 or done.stdout != wanted:
        raise Failed(f"curl ended with {done.returncode} and {done.stdout!r}, not {wanted!r}")
    return seconds


def measure(row, setting, path):
    """One round of one row: a fresh process, one small call, then the file."""
    settings = {**row.settings, "read_timeout": "600s", "write_timeout": "600s", "exec_timeout": "600s"}
    if settings.get("mode") == "http":
        behind = free_port()
        settings.update(fprocess=f"env mode=streaming fprocess=cat port={behind} {setting.bin}/of-watchdog",
                        upstream_url=f"http://127.0.0.1:{behind}")
    running = row.around(subjects.watchdog(row.subject, row.program, lambda _: settings))
    with running(setting) as server:
        process = server.processes[0]
        load.wait_until(lambda: load.right_answer(server.url, load.ANSWER), "no right answer", server.processes)
        before = procfs.cpu_clock(process.pid)
        seconds = curl(server.url, path, row.chunked)
        cpu = procfs.cpu_between_ns(before, procfs.cpu_clock(process.pid)) / 1e9
        gib = os.path.getsize(path) / 2**30
        return {"cpu_s": cpu / gib, "gib_per_s": gib / seconds, "peak_kib": procfs.peak_kib(process.pid)}


def make_file(folder, mib):
    path = os.path.join(folder, "body")
    with open(path, "wb") as file:  # its zeros are read like any bytes, and take no room on the disk
        file.truncate(mib * 2**20)
    return path


def measure_all(rows, setting, options, say):
    """Interleaved like the load: row name -> one sample a round, with `error` where it failed."""
    path = make_file(setting.processes.folder, QUICK_MIB if options.quick else FULL_MIB)
    samples = {row.name: [] for row in rows}
    for number in range(options.rounds):
        for row in rows if number % 2 == 0 else rows[::-1]:
            try:
                sample = measure(row, setting, path)
                text = f"{sample['gib_per_s']:.2f} GiB/s  {sample['cpu_s']:.2f} s CPU/GiB  {sample['peak_kib']} KiB"
            except (Failed, OSError) as error:
                sample = {"error": str(error)}
                text = str(error)
            samples[row.name].append(sample)
            say(f"round {number + 1}/{options.rounds}  {row.name:<36}{text}")
    os.remove(path)
    return samples


def speedup(row, samples):
    """The median over the rounds of how much faster than the reference it was."""
    pairs = zip(samples.get(row.name, []), samples.get(row.reference, []))
    ratios = [ours["gib_per_s"] / theirs["gib_per_s"] for ours, theirs in pairs
              if "error" not in ours and "error" not in theirs]
    return median(ratios) if ratios else None


def evaluate(row, samples):
    """The row as values; `holds` is about those targets that could be measured."""
    line = {"name": row.name, "errors": [], "cpu_s_max": row.cpu_seconds_max, "peak_mib_max": row.peak_mib_max,
            "speedup_min": row.speedup_min}
    for sample in samples.get(row.name, []):
        if "error" in sample and sample["error"] not in line["errors"]:
            line["errors"].append(sample["error"])
    good = [sample for sample in samples.get(row.name, []) if "error" not in sample]
    if not good:
        return line
    line.update(
        cpu_s=median(sample["cpu_s"] for sample in good),
        gib_per_s=median(sample["gib_per_s"] for sample in good),
        peak_mib=max(sample["peak_kib"] for sample in good) / 1024,
        speedup=speedup(row, samples),
    )
    checks = [
        row.cpu_seconds_max is None or line["cpu_s"] <= row.cpu_seconds_max,
        row.peak_mib_max is None or line["peak_mib"] <= row.peak_mib_max,
        row.speedup_min is None or line["speedup"] is None or line["speedup"] >= row.speedup_min,
    ]
    if any(target is not None for target in (row.cpu_seconds_max, row.peak_mib_max, row.speedup_min)):
        line["target"] = True
        line["holds"] = all(checks)
    return line


def table(lines):
    def number(line, key, form):
        return form.format(line[key]) if line.get(key) is not None else "-"

    def limit(line, key, form):
        return form.format(line[key]) if line.get(key) is not None else ""

    def cells(line):
        if "cpu_s" not in line:
            return [line["name"], "failed", "", "", "", "", "", "", figures.verdict(line)]
        return [
            line["name"], number(line, "gib_per_s", "{:.2f}"), number(line, "speedup", "{:.2f}"),
            limit(line, "speedup_min", ">= {:g}"), number(line, "cpu_s", "{:.2f}"),
            limit(line, "cpu_s_max", "<= {:g}"), number(line, "peak_mib", "{:.2f}"),
            limit(line, "peak_mib_max", "<= {}"), figures.verdict(line),
        ]

    head = ["1 GiB up and down", "GiB/s", "to reference", "target", "CPU s", "target", "peak MiB", "target", "holds"]
    return figures.table(head, [cells(line) for line in lines])
