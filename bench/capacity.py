"""What the gateway holds: ten thousand functions, ten thousand connections, and what one call allocates.

Memory is resident memory, work is CPU time or a count: none of it is wall-clock time.
"""

import concurrent.futures
import contextlib
import dataclasses
import http.client
import json
import mmap
import os
import resource
import socket
import struct
import time
from statistics import median
from typing import Callable, Optional
from urllib.parse import urlsplit

import figures
import load
import procfs
import subjects
from processes import Failed

FEW, MANY = 10, 10_000
CONNECTIONS = 10_000
CLIENTS = 8  # that deploy at the same time
LISTINGS = 5
CALLS = 2000
PREPARE_SECONDS = 300.0
HALF_HEAD = 1024
GREAT_HEAD = 60 * 1024
QUICK_SHARE = 10  # a quick run holds a tenth


@dataclasses.dataclass(frozen=True)
class Figure:
    """One line of the table: at most `target` of `unit`."""

    subject: str  # what --only calls it
    name: str
    unit: str
    target: Optional[float] = None


FIGURES = [
    Figure("functions", "10,000 functions at zero replicas: resident", "MB", 64),
    Figure("functions", "a call among 10,000 functions, to one among 10", "times the CPU", 1.05),
    Figure("functions", "GET /system/functions of 10,000", "ms CPU", 100),
    Figure("functions", "one deployment of the 10,000", "ms CPU"),
    Figure("connections", "10,000 idle keep-alive connections: resident", "MB", 120),
    Figure("connections", "10,000 halves of a head of 1 KiB: peak", "MB", 120),
    Figure("connections", "10,000 halves of a head of 60 KiB: peak", "MB", 256),
    Figure("allocations", "a call", "allocations", 0.01),
]
SUBJECTS = tuple(dict.fromkeys(figure.subject for figure in FIGURES))


class Api:
    """One keep-alive connection to the gateway's API, logged in."""

    def __init__(self, server):
        parts = urlsplit(server.url)
        self.connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=60)
        self.headers = {"Authorization": subjects.authorization(server.folder), "Content-Type": "application/json"}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.connection.close()

    def ask(self, method, path, body=None):
        self.connection.request(method, path, None if body is None else json.dumps(body), self.headers)
        response = self.connection.getresponse()
        text = response.read()
        if response.status not in (200, 202):
            raise Failed(f"{method} {path} was answered with {response.status}: {text[:200]!r}")
        return text


def asleep(number):
    """A function as people deploy them, which waits for its first call."""
    return {
        "service": f"asleep-{number:05}", "image": "host", "envProcess": "/usr/bin/env node index.js",
        "envVars": {"mode": "http", "upstream_url": "http://127.0.0.1:3000", "write_timeout": "60s"},
        "labels": {"com.openfaas.scale.min": "0", "com.openfaas.scale.max": "20", "team": "payments"},
        "annotations": {"topic": "orders.created", "com.example/owner": "payments@example.com"},
    }


def deploy_all(server, count):
    """Beside the one that is called: `count` in all."""

    def some(first):
        with Api(server) as api:
            for number in range(first, count, CLIENTS):
                api.ask("POST", "/system/functions", asleep(number))

    with concurrent.futures.ThreadPoolExecutor(CLIENTS) as pool:
        for done in [pool.submit(some, 1 + client) for client in range(CLIENTS)]:
            done.result()


def pid_of(server):
    return server.processes[0].pid


def cpu_of(pid, work):
    """Seconds of CPU time that the process spent while `work()` ran."""
    before = procfs.cpu_clock(pid)
    work()
    return procfs.cpu_between_ns(before, procfs.cpu_clock(pid)) / 1e9


def megabytes(kib):
    return kib * 1024 / 1e6


def call_cost(server, options):
    """CPU seconds of the gateway for one call."""
    calls = 0

    def work():
        nonlocal calls
        result = load.wrk(server.url, options.connections, options.seconds, None)
        errors = load.errors_of(result)
        if errors:
            raise Failed("; ".join(errors))
        calls = result["requests"]

    seconds = cpu_of(pid_of(server), work)
    return seconds / calls


def costs_at_once(servers, options):
    """Of each, called at the same time: what else the machine does slows all alike."""
    with concurrent.futures.ThreadPoolExecutor(len(servers)) as pool:
        return list(pool.map(lambda server: call_cost(server, options), servers))


def ready(server):
    load.wait_until(lambda: load.right_answer(server.url, None), "no right answer", server.processes)


def hold_functions(setting, options):
    """Two gateways side by side, so that a slow moment of the machine slows both."""
    many = MANY // QUICK_SHARE if options.quick else MANY
    with contextlib.ExitStack() as stack:
        few, full = (stack.enter_context(subjects.gateway(setting.bin + "/faas-gateway", alone=True)(setting))
                     for _ in range(2))
        ready(few)
        ready(full)
        deploy_all(few, FEW)
        deployed = cpu_of(pid_of(full), lambda: deploy_all(full, many)) / (many - 1)
        costs = [costs_at_once((few, full), options) for _ in range(options.rounds)]
        with Api(full) as api:
            found = json.loads(api.ask("GET", "/system/functions"))
            if len(found) != many:
                raise Failed(f"{len(found)} functions are listed, not {many}")
            listing = median(cpu_of(pid_of(full), lambda: api.ask("GET", "/system/functions"))
                             for _ in range(LISTINGS))
            api.ask("GET", "/metrics")
        return [megabytes(procfs.resident_kib(pid_of(full))), median(b / a for a, b in costs), listing * 1000,
                deployed * 1000]


@contextlib.contextmanager
def connections(server, count, first_bytes):
    """Each has sent `first_bytes`, all of it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < count + 100:
        raise Failed(f"the limit of open files is {hard}: {count} connections do not fit")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    parts = urlsplit(server.url)
    opened = []
    try:
        for _ in range(count):
            one = socket.create_connection((parts.hostname, parts.port), 30)
            opened.append(one)
            with contextlib.suppress(ConnectionError):  # one that was refused its memory
                one.sendall(first_bytes)
        yield opened
    finally:
        for one in opened:
            one.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def patient_gateway(setting):
    """One that does not close idle connections while the benchmark still opens others."""
    return subjects.gateway(setting.bin + "/faas-gateway", alone=True, env={"read_timeout": "600s"})(setting)


def hold_connections(setting, options):
    count = CONNECTIONS // QUICK_SHARE if options.quick else CONNECTIONS
    measured = []
    with patient_gateway(setting) as server:
        ready(server)
        with connections(server, count, b"GET /healthz HTTP/1.1\r\nHost: bench\r\n\r\n") as opened:
            for one in opened:
                if not one.recv(4096).startswith(b"HTTP/1.1 200 "):
                    raise Failed("a connection was not answered")
            measured.append(megabytes(procfs.resident_kib(pid_of(server))))
    for half in (HALF_HEAD, GREAT_HEAD):
        head = b"GET /healthz HTTP/1.1\r\nHost: bench\r\nX-Half: "
        with patient_gateway(setting) as server:
            ready(server)
            with connections(server, count, head + b"a" * (half - len(head))):
                ready(server)  # it still serves
                measured.append(megabytes(procfs.peak_kib(pid_of(server))))
    return measured


def call_many(url, count):
    parts = urlsplit(url)
    with contextlib.closing(http.client.HTTPConnection(parts.hostname, parts.port, timeout=30)) as connection:
        for _ in range(count):
            connection.request("GET", parts.path, headers={"User-Agent": "bench", "Accept": "*/*"})
            response = connection.getresponse()
            if (response.status, response.read()) != (200, load.ANSWER):
                raise Failed(f"it answered {response.status}")


def count_allocations(setting, options):
    """In the steady state, over one keep-alive connection: the difference between twice as many calls and once."""
    counter = os.path.join(setting.bench_bin, "libcount_allocations.so")
    if not os.path.exists(counter):
        raise Failed(f"{counter} is not built")
    with setting.processes.temporary_folder("allocations") as folder:
        path = os.path.join(folder, "count")
        with open(path, "wb") as file:
            file.write(bytes(8))
        env = {"LD_PRELOAD": counter, "COUNT_ALLOCATIONS": path}
        with subjects.gateway(setting.bin + "/faas-gateway", alone=True, env=env)(setting) as server:
            ready(server)
            call_many(server.url, CALLS)
            with open(path, "r+b") as file, mmap.mmap(file.fileno(), 8) as shared:
                counts = [struct.unpack("Q", shared[:])[0]]
                for calls in (CALLS, 2 * CALLS):
                    call_many(server.url, calls)
                    counts.append(struct.unpack("Q", shared[:])[0])
        first, second = counts[1] - counts[0], counts[2] - counts[1]
        if first + second == 0:
            raise Failed("nothing was counted")
        return [(second - first) / CALLS]


MEASURES = {"functions": hold_functions, "connections": hold_connections, "allocations": count_allocations}


def measure_all(wanted, setting, options, say):
    lines = []
    for subject in wanted:
        rows = [figure for figure in FIGURES if figure.subject == subject]
        try:
            values, error = MEASURES[subject](setting, options), None
        except (Failed, OSError, http.client.HTTPException) as failure:
            values, error = [None] * len(rows), str(failure)
        for row, value in zip(rows, values):
            line = {"name": row.name, "unit": row.unit, "target": row.target, "errors": [error] if error else []}
            if value is not None:
                line["value"] = value
                if row.target is not None:
                    line["holds"] = value <= row.target
            lines.append(line)
            say(f"{row.name:<50}{error or f'{value:.2f} {row.unit}'}")
    return lines


def table(lines):
    def cells(line):
        target = f"<= {line['target']:g}" if line["target"] is not None else ""
        value = f"{line['value']:.2f}" if "value" in line else "failed"
        return [line["name"], value, line["unit"], target, figures.verdict(line)]

    return figures.table(["faas-gateway", "measured", "of", "target", "holds"], [cells(line) for line in lines])
