#!/usr/bin/python3
"""Measures faas beside its peers, in one run. See README.md for what the rows mean.

Environment: FAAS_BIN and FAAS_BENCH_BIN (folders of the programs and of the peers), and for the programs to
compare with, each optional: FAAS_REFERENCE_OF_WATCHDOG, FAAS_REFERENCE_FWATCHDOG, FAAS_REFERENCE_GATEWAY.
"""

import argparse
import datetime
import json
import os
import shutil
import signal
import subprocess
import sys
import time

import capacity
import figures
import load
import procfs
import subjects
import syscalls
import transfers
from processes import Failed, Processes, find_program

HERE = os.path.dirname(os.path.abspath(__file__))
REFERENCES = ("FAAS_REFERENCE_OF_WATCHDOG", "FAAS_REFERENCE_FWATCHDOG", "FAAS_REFERENCE_GATEWAY")
SPAWN_CALLS_A_SECOND = 1000  # about as many as one core runs
SIZE_MAX = 3 * 2**20
BUSY_MAX = 0.10  # more of the machine than this in other hands, and the figures are not worth keeping


def arguments():
    parser = argparse.ArgumentParser(description="measure faas beside its peers, with CPU time per request")
    parser.add_argument("--quick", action="store_true", help="a smoke test: the figures are rough")
    parser.add_argument("--rounds", type=int, help="rounds over all subjects (5; 2 when quick)")
    parser.add_argument("--seconds", type=int, help="load per subject and round (3; 1 when quick)")
    parser.add_argument("--connections", type=int, default=64, help="keep-alive connections (64)")
    parser.add_argument("--only", metavar="SUBJECT[,SUBJECT]",
                        help="these, beside what they are compared with; an unknown one lists all")
    parser.add_argument("--strict", action="store_true", help="exit 1 when a target is missed")
    options = parser.parse_args()
    options.rounds = options.rounds or (2 if options.quick else 5)
    options.seconds = options.seconds or (1 if options.quick else 3)
    if min(options.rounds, options.seconds, options.connections) < 1:
        parser.error("--rounds, --seconds and --connections are at least 1")
    return options


def environment_paths():
    build = os.path.join(os.path.dirname(HERE), "build")
    folders = [
        os.path.abspath(os.environ.get(name) or os.path.join(build, default))
        for name, default in (("FAAS_BIN", "bin"), ("FAAS_BENCH_BIN", "bench"))
    ]
    references = []
    for name in REFERENCES:
        path = os.environ.get(name)
        if path and not os.access(path, os.X_OK):
            sys.exit(f"{name}={path}: there is no program there")
        references.append(os.path.abspath(path) if path else None)
    return folders, references


def choose(plan, only):
    if not only:
        return
    wanted = only.split(",")
    others = [*dict.fromkeys(row.subject for row in plan.transfers), "syscalls", *plan.held]
    unknown = set(wanted) - {subject.name for subject in plan.subjects} - set(others)
    if unknown:
        names = ", ".join([subject.name for subject in plan.subjects] + others)
        sys.exit(f"--only: there is no {', '.join(sorted(unknown))}; there are {names}")
    keep = set(wanted)
    for group in (plan.proxies, plan.forks):  # a base to compare with, where there is something to compare
        if any(row.subject in keep for row in group):
            keep.add(group[0].subject)
    plan.subjects[:] = [subject for subject in plan.subjects if subject.name in keep]
    for rows in (plan.proxies, plan.forks, plan.memory, plan.transfers):
        rows[:] = [row for row in rows if row.subject in keep]
    plan.held[:] = [subject for subject in plan.held if subject in keep]
    if "syscalls" not in keep:
        plan.counted.clear()


def pids_of(running):
    found = {part: pids() for part, pids in running.parts.items()}
    for part, pids in found.items():
        if not pids:
            raise Failed(f"no process of the {part} was found")
    return found


def total(read, pids):
    return {part: sum(read(pid) for pid in those) for part, those in pids.items()}


def lines_in(path):
    with open(path, "rb") as file:
        return sum(chunk.count(b"\n") for chunk in iter(lambda: file.read(1 << 20), b""))


def measure_server(subject, setting, options):
    """One round: start, one right answer, load, one right answer again."""
    with subject.running(setting) as running:
        load.wait_until(
            lambda: load.right_answer(running.url, subject.body), f"{subject.name} gave no right answer",
            running.processes)
        time.sleep(0.1)  # what a start leaves to do in the background is not the load's
        pids = pids_of(running)
        idle = total(procfs.resident_kib, pids)
        if not options.quick:
            load.wrk(running.url, options.connections, 1, subject.body)  # warm-up
        log_before = lines_in(running.log)
        before = {pid: procfs.cpu_clock(pid) for those in pids.values() for pid in those}
        result = load.wrk(running.url, options.connections, options.seconds, subject.body)
        for process in running.processes:
            process.check()
        cpu = total(lambda pid: procfs.cpu_between_ns(before[pid], procfs.cpu_clock(pid)), pids)
        loaded = total(procfs.resident_kib, pids)
        errors = load.errors_of(result)
        after = load.right_answer(running.url, subject.body)
        if after is not True:
            errors.append(f"after the load it answered {after}")
        requests = max(result["requests"], 1)
        return {
            "rps": result["requests"] / result["seconds"],
            "wrk": result,
            "errors": errors,
            "log_lines_per_request": (lines_in(running.log) - log_before) / requests,
            "parts": {
                part: {"cpu_us": ns / 1000 / requests, "idle_kib": idle[part], "loaded_kib": loaded[part]}
                for part, ns in cpu.items()
            },
        }


def measure(subject, setting, options):
    try:
        if subject.running is not None:
            return measure_server(subject, setting, options)
        cpu_us, wall_us = subjects.spawn_loop(setting, SPAWN_CALLS_A_SECOND * options.seconds)
        return {"rps": 1e6 / wall_us, "errors": [], "parts": {"spawn_loop": {"cpu_us": cpu_us}}}
    except (Failed, OSError) as error:  # OSError: a process of which we read ended meanwhile
        return {"rps": 0.0, "errors": [str(error)], "parts": {}}


def tell(line):
    print(line, file=sys.stderr, flush=True)


def say(which_round, name, sample):
    parts = [f"{part} {values['cpu_us']:.1f} us" for part, values in sample["parts"].items()]
    said = "; ".join([", ".join(parts)] * bool(parts) + sample["errors"])
    tell(f"{which_round}  {name:<24}{sample['rps']:>9,.0f}/s  {said}")


def measure_all(plan, setting, options):
    """Interleaved, every second round backwards: a drift of the machine falls on all alike."""
    samples = {subject.name: [] for subject in plan.subjects}
    for number in range(options.rounds):
        order = plan.subjects if number % 2 == 0 else plan.subjects[::-1]
        for subject in order:
            sample = measure(subject, setting, options)
            samples[subject.name].append(sample)
            say(f"round {number + 1}/{options.rounds}", subject.name, sample)
    return samples


def stripped_size(program, folder):
    strip = find_program("strip") or find_program("llvm-strip")
    if strip is None:
        return None
    copy = os.path.join(folder, "stripped")
    shutil.copyfile(program, copy)
    if subprocess.run([strip, copy], check=False, capture_output=True).returncode != 0:
        return None
    return os.path.getsize(copy)


def sizes(bin_folder, folder):
    lines = []
    for name in ("of-watchdog", "fwatchdog"):
        line = {"name": name, "target": SIZE_MAX}
        path = os.path.join(bin_folder, name)
        size = stripped_size(path, folder) if os.path.exists(path) else None
        if size is None:
            line["absent"] = "not built" if not os.path.exists(path) else "no strip here"
        else:
            line.update(bytes=size, holds=size <= SIZE_MAX)
        lines.append(line)
    return lines


def first_line(command):
    program = find_program(command[0])
    if program is None:
        return "not installed"
    done = subprocess.run([program, *command[1:]], capture_output=True, text=True, check=False, timeout=10)
    lines = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    return lines[0].strip() if lines else "unknown"


def commit():
    def git(*words):
        done = subprocess.run(["git", "-C", HERE, *words], capture_output=True, text=True, check=False)
        return done.stdout.strip()

    changed = "-changed" if git("status", "--porcelain", "--untracked-files=no") else ""
    return (git("rev-parse", "--short", "HEAD") or "unknown") + changed


def about(options, busy):
    versions = {"nginx": ["nginx", "-v"], "haproxy": ["haproxy", "-v"], "wrk": ["wrk", "-v"]}
    return {
        "date": datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
        "commit": commit(),
        **procfs.machine(),
        "busy_before": round(busy, 3),
        "versions": {name: first_line(command) for name, command in versions.items()},
        "references": {name: os.environ[name] for name in REFERENCES if os.environ.get(name)},
        "rounds": options.rounds, "seconds": options.seconds, "connections": options.connections,
    }


def notes_of(plan, samples, options, busy, notes):
    found = list(notes)
    if options.quick:
        found.append("a quick run proves that everything works; its figures are rough")
    if busy > BUSY_MAX:
        found.append(f"other work took {busy:.0%} of the machine before the run: do not keep these figures")
    for subject in plan.subjects:
        valid = [sample for _, sample in figures.good(samples[subject.name])]
        lines = [sample["log_lines_per_request"] for sample in valid if "log_lines_per_request" in sample]
        if lines and min(lines) < 0.99 and subject.name != "forwarder":
            found.append(f"{subject.name} wrote {min(lines):.2f} lines of access log a request: with one it "
                         "would cost more")
    return found


def report(meta, tables, notes):
    """The Markdown: what was measured where, the tables, and what to know before believing them."""
    proxies, forks, transferred, counted, held, memory, size = tables
    versions = "; ".join(meta["versions"].values())
    parts = [
        f"# faas {meta['commit']}, {meta['date']}",
        f"{meta['cpu']}, {meta['cores']} cores, Linux {meta['kernel']}. {versions}.",
        f"Load: {meta['connections']} keep-alive connections, rounds: {meta['rounds']}, {meta['seconds']} s each. "
        "Figures are medians, a ratio is the median of the rounds' ratios.",
    ]
    sections = (
        ("Proxies: a 12-byte answer", proxies, lambda lines: figures.cpu_table(lines, "nginx")),
        ("One process per request: cat, 12 bytes", forks, lambda lines: figures.cpu_table(lines, "spawn_loop")),
        ("A large body there and back", transferred, transfers.table),
        ("System calls per forked call", counted, syscalls.table),
        ("What the gateway holds", held, capacity.table),
        ("Resident memory", memory, figures.memory_table),
        ("Size", size, figures.size_table),
    )
    parts += [f"## {title}\n\n{table(lines)}" for title, lines, table in sections if lines]
    failing = proxies + forks + transferred + counted + held
    errors = [f"{line['name']}: {error}" for line in failing for error in line["errors"]]
    missed = [name for lines in tables for name in figures.missed(lines)]
    for title, items in (("Errors", errors), ("Targets missed", missed), ("Notes", notes)):
        if items:
            parts.append(f"## {title}\n\n" + "\n".join(f"- {item}" for item in items))
    return "\n\n".join(parts) + "\n", bool(errors), bool(missed)


def save(name, text, data):
    folder = os.path.join(HERE, "results")
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, name)
    with open(path + ".md", "w", encoding="utf-8") as file:
        file.write(text)
    with open(path + ".json", "w", encoding="utf-8") as file:
        json.dump(data, file, indent=1)
    return path


def run(options, processes):
    (bin_folder, bench_bin), references = environment_paths()
    plan = subjects.ours(bin_folder, bench_bin)
    subjects.add_references(plan, *references)
    plan.transfers = transfers.ours(bin_folder) + transfers.references(*references[:2])
    plan.counted = syscalls.ours(bin_folder) + syscalls.references(*references[:2])
    plan.held = list(capacity.SUBJECTS)
    choose(plan, options.only)
    absent = {s.name: s.absent for s in plan.subjects if not (s.program and os.access(s.program, os.X_OK))}
    plan.subjects[:] = [subject for subject in plan.subjects if subject.name not in absent]
    busy = procfs.busy_share(1.0)
    meta = about(options, busy)

    setting = subjects.Setting(processes, bin_folder, bench_bin, origin_port=0)
    with subjects.origin(setting):
        samples = measure_all(plan, setting, options)
    transferred = transfers.measure_all(plan.transfers, setting, options, tell)
    tables = (
        [figures.evaluate(row, plan.proxies[0], samples, absent) for row in plan.proxies],
        [figures.evaluate(row, plan.forks[0], samples, absent) for row in plan.forks],
        [transfers.evaluate(row, transferred) for row in plan.transfers],
        syscalls.measure_all(plan.counted, setting, tell),
        capacity.measure_all(plan.held, setting, options, tell),
        [figures.evaluate_memory(row, samples, absent) for row in plan.memory],
        sizes(bin_folder, processes.folder),
    )
    notes = notes_of(plan, samples, options, busy, processes.notes)
    text, failed, missed = report(meta, tables, notes)
    stamp = datetime.datetime.now().strftime("%Y-%m-%d-%H%M%S")
    names = ("proxies", "forks", "transfers", "syscalls", "held", "memory", "size")
    data = dict(zip(names, tables), about=meta, notes=notes, samples=samples, transferred=transferred)
    path = save(f"{stamp}-{meta['commit']}", text, data)
    print("\n" + text + f"\nwritten to {os.path.relpath(path)}.md and .json")
    return 1 if failed or (missed and options.strict) else 0


def interrupted(number, _frame):
    raise KeyboardInterrupt(signal.Signals(number).name)


def main():
    options = arguments()
    if find_program("wrk") is None:
        sys.exit("wrk is not installed: apt-get install wrk nginx-light haproxy")
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupted)
    processes = Processes()
    try:
        return run(options, processes)
    except Failed as error:
        sys.exit(f"bench: {error}")
    except KeyboardInterrupt:
        print("bench: interrupted", file=sys.stderr)
        return 130
    finally:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)  # nothing cuts the clean-up short
        processes.close()


if __name__ == "__main__":
    sys.exit(main())
