"""What is measured: how each program is started, and which of its processes are counted.

A subject's `running` yields a Running: the URL to load, and for each part the processes whose CPU time
and memory are its own. Every configuration gives the peer its best case for this load: keep-alive on both
sides without a limit on requests per connection, one worker, and an access log of one line a request.
"""

import base64
import contextlib
import dataclasses
import json
import os
import re
import subprocess
from typing import Callable, Optional

import load
import procfs
from figures import Memory, Row
from processes import Failed, find_program, free_port, port_free

MIB = 1024  # in KiB
GATEWAY_STOP_SECONDS = 20.0
FUNCTION_PORT = 5000  # inside the replica's own network

NGINX_CONFIG = """
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log stderr error;
{user}
events {{ worker_connections 4096; }}
http {{
  access_log {folder}/access.log;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  keepalive_requests 1000000000;
  upstream origin {{ server 127.0.0.1:{origin}; keepalive 256; keepalive_requests 1000000000; }}
  server {{
    listen 127.0.0.1:{port};
    location / {{ proxy_pass http://origin; proxy_http_version 1.1; proxy_set_header Connection ""; }}
  }}
}}
"""

HAPROXY_CONFIG = """
global
  nbthread 1
  maxconn 4096
  log stdout format raw local0
defaults
  mode http
  log global
  option httplog
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  http-reuse always
frontend front
  bind 127.0.0.1:{port}
  default_backend origin
backend origin
  server origin 127.0.0.1:{origin}
"""


@dataclasses.dataclass
class Setting:
    """What a subject is given to start with."""

    processes: object  # processes.Processes
    bin: str
    bench_bin: str
    origin_port: int


@dataclasses.dataclass
class Running:
    url: str
    parts: dict  # name -> the function that lists its pids
    log: str  # the file that gets the access log
    processes: list  # what must stay alive meanwhile
    folder: str = ""  # the gateway's data


@dataclasses.dataclass(frozen=True)
class Subject:
    name: str
    program: Optional[str]  # the file it needs; None when not installed
    running: Callable  # (Setting) -> context manager of a Running
    absent: str = "not built"
    body: Optional[bytes] = None  # POSTed and expected back; else GET


def own(process):
    return lambda: procfs.with_workers(process.pid)


def below(process, name):
    return lambda: [pid for pid in procfs.descendants(process.pid) if procfs.name_of(pid) == name]


def write_config(folder, name, text):
    path = os.path.join(folder, name)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


@contextlib.contextmanager
def started(setting, name, command, env=None, stop_seconds=None, must_clean_up=False):
    process = setting.processes.start(name, command, env)
    try:
        yield process
    finally:
        if stop_seconds is None:
            setting.processes.stop(process)
        else:
            setting.processes.stop(process, stop_seconds, must_clean_up)


@contextlib.contextmanager
def nginx(setting):
    port = free_port()
    user = "user root;" if os.geteuid() == 0 else ""  # a worker of another user cannot reach the folder
    with setting.processes.temporary_folder("nginx-files") as folder:
        config = NGINX_CONFIG.format(folder=folder, user=user, port=port, origin=setting.origin_port)
        path = write_config(folder, "nginx.conf", config)
        command = [find_program("nginx"), "-p", folder, "-e", "stderr", "-c", path]
        with started(setting, "nginx", command) as process:
            url = f"http://127.0.0.1:{port}/"
            yield Running(url, {"nginx": own(process)}, f"{folder}/access.log", [process])


@contextlib.contextmanager
def haproxy(setting):
    port = free_port()
    with setting.processes.temporary_folder("haproxy-files") as folder:
        config = HAPROXY_CONFIG.format(port=port, origin=setting.origin_port)
        command = [find_program("haproxy"), "-db", "-f", write_config(folder, "haproxy.cfg", config)]
        with started(setting, "haproxy", command) as process:
            yield Running(f"http://127.0.0.1:{port}/", {"haproxy": own(process)}, process.log, [process])


@contextlib.contextmanager
def forwarder(setting):
    port = free_port()
    command = [os.path.join(setting.bench_bin, "forwarder"), port, setting.origin_port]
    with started(setting, "forwarder", command) as process:
        yield Running(f"http://127.0.0.1:{port}/", {"forwarder": own(process)}, process.log, [process])


@contextlib.contextmanager
def origin(setting):
    """The upstream of every subject, started once."""
    setting.origin_port = free_port()
    command = [os.path.join(setting.bench_bin, "origin"), setting.origin_port]
    if not os.access(command[0], os.X_OK):
        raise Failed(f"{command[0]} is not built: ./dev build, or set FAAS_BENCH_BIN")
    with started(setting, "origin", command) as process:
        url = f"http://127.0.0.1:{setting.origin_port}/"
        load.wait_until(lambda: load.right_answer(url, None), "origin gave no right answer", [process])
        yield


def watchdog(name, program, env):
    """A watchdog on its own. `env` is a function of the setting."""

    @contextlib.contextmanager
    def running(setting):
        port = free_port()
        with started(setting, name, [program], {"port": str(port), **env(setting)}) as process:
            yield Running(f"http://127.0.0.1:{port}/", {"watchdog": own(process)}, process.log, [process])

    return running


def http_mode(setting):
    url = f"http://127.0.0.1:{setting.origin_port}"
    return {"mode": "http", "fprocess": "sleep 3600", "upstream_url": url}


def needs_port(number, running):
    """For the Go programs, which end when a port of theirs that cannot be changed is taken."""

    @contextlib.contextmanager
    def checked(setting):
        if not port_free(number):
            raise Failed(f"port {number}, which it cannot do without, is in use")
        with running(setting) as result:
            yield result

    return checked


def authorization(folder):
    with open(os.path.join(folder, "basic-auth-password"), encoding="utf-8") as file:
        return "Basic " + base64.b64encode(f"admin:{file.read().strip()}".encode()).decode()


def deploy(url, folder, command):
    function = {
        "service": "bench", "image": "host", "envProcess": command,
        "envVars": {"mode": "http", "upstream_url": f"http://127.0.0.1:{FUNCTION_PORT}"},
    }
    headers = {"Authorization": authorization(folder), "Content-Type": "application/json"}
    status, answer = load.call(url + "system/functions", json.dumps(function).encode(), headers)
    if status not in (200, 202):
        raise Failed(f"the gateway answered the deployment with {status}: {answer[:200]!r}")


def gateway(program, alone=False, env=None):
    """The gateway with one function, on one core as nginx has one worker and HAProxy one thread. Its replica is
    an of-watchdog in http mode in front of origin or, `alone`, origin itself. `env`: further settings."""

    @contextlib.contextmanager
    def running(setting):
        port = free_port()
        url = f"http://127.0.0.1:{port}/"
        origin = os.path.join(setting.bench_bin, "origin")
        with contextlib.ExitStack() as stack:
            folder = stack.enter_context(setting.processes.temporary_folder("gateway-data"))
            settings = {
                "listen_address": "127.0.0.1", "port": str(port), "metrics_port": str(free_port()),
                "data_dir": folder, "cores": "1", **(env or {}),
            }
            if alone:
                settings["watchdog_path"] = origin
            process = stack.enter_context(
                started(setting, "faas-gateway", [program], settings, GATEWAY_STOP_SECONDS, must_clean_up=True))
            load.wait_until(lambda: load.call(url + "healthz")[0] == 200, "no health", [process])
            deploy(url, folder, f"{origin} {FUNCTION_PORT}")
            parts = {"gateway": own(process)}
            if not alone:
                parts["watchdog"] = below(process, "of-watchdog")
            yield Running(url + "function/bench", parts, process.log, [process], folder)

    return running


def reference_gateway(program, watchdog_program):
    """The Go gateway before the Go watchdog when there is one, else before origin. Its ports are fixed."""

    @contextlib.contextmanager
    def running(setting):
        with contextlib.ExitStack() as stack:
            parts, started_here, provider = {}, [], setting.origin_port
            if watchdog_program:
                provider = free_port()
                env = {"port": str(provider), **http_mode(setting)}
                behind = stack.enter_context(started(setting, "behind", [watchdog_program], env))
                url = f"http://127.0.0.1:{provider}/"
                load.wait_until(lambda: load.right_answer(url, None), "no right answer behind it", [behind])
                parts["watchdog"] = own(behind)
                started_here.append(behind)
            env = {
                "functions_provider_url": f"http://127.0.0.1:{provider}/", "basic_auth": "false",
                "faas_prometheus_host": "127.0.0.1", "faas_prometheus_port": "1",
            }
            process = stack.enter_context(started(setting, "reference-gateway", [program], env))
            parts["gateway"] = own(process)
            started_here.append(process)
            yield Running("http://127.0.0.1:8080/function/bench", parts, process.log, started_here)

    return needs_port(8080, needs_port(8082, needs_port(8081, running) if watchdog_program else running))


def spawn_loop(setting, calls):
    """The floor of the forking modes measures itself: there is no server to load."""
    command = [os.path.join(setting.bench_bin, "spawn_loop"), str(calls), "cat"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, start_new_session=True)
    found = re.match(r"calls=\d+ own_cpu_us=([\d.]+) wall_us=([\d.]+)", done.stdout)
    if done.returncode != 0 or not found:
        raise Failed(f"spawn_loop ended with {done.returncode}: {done.stderr.strip()}")
    return float(found.group(1)), float(found.group(2))


@dataclasses.dataclass
class Plan:
    """Who is measured and what the tables say of them. The first row of each group is its base."""

    subjects: list
    proxies: list
    forks: list
    memory: list
    transfers: list = dataclasses.field(default_factory=list)  # transfers.Transfer
    counted: list = dataclasses.field(default_factory=list)  # syscalls.Counted
    held: list = dataclasses.field(default_factory=list)  # of capacity.SUBJECTS


def ours(bin_folder, bench_bin):
    def built(folder, name):
        return os.path.join(folder, name)

    of, fw, gw = (built(bin_folder, name) for name in ("of-watchdog", "fwatchdog", "faas-gateway"))
    cat = {"fprocess": "cat"}
    streaming = watchdog("streaming", of, lambda _: {"mode": "streaming", **cat})
    subjects = [
        Subject("nginx", find_program("nginx"), nginx, "not installed"),
        Subject("haproxy", find_program("haproxy"), haproxy, "not installed"),
        Subject("forwarder", built(bench_bin, "forwarder"), forwarder),
        Subject("of-watchdog", of, watchdog("of-watchdog", of, http_mode)),
        Subject("faas-gateway", gw, gateway(gw, alone=True)),
        Subject("in a row", gw, gateway(gw)),
        Subject("spawn_loop", built(bench_bin, "spawn_loop"), None),
        Subject("streaming", of, streaming, body=load.ANSWER),
        Subject("fwatchdog", fw, watchdog("fwatchdog", fw, lambda _: cat), body=load.ANSWER),
    ]
    proxies = [
        Row("nginx", "nginx", ("nginx",)),
        Row("HAProxy", "haproxy", ("haproxy",)),
        Row("forwarder (bytes only)", "forwarder", ("forwarder",)),
        Row("of-watchdog, http", "of-watchdog", ("watchdog",), 1.0),
        Row("faas-gateway", "faas-gateway", ("gateway",), 1.05),
        Row("in a row: gateway", "in a row", ("gateway",)),
        Row("in a row: of-watchdog", "in a row", ("watchdog",)),
        Row("both in a row", "in a row", ("gateway", "watchdog")),
    ]
    forks = [
        Row("spawn_loop", "spawn_loop", ("spawn_loop",)),
        Row("of-watchdog, streaming", "streaming", ("watchdog",), 1.5),
        Row("fwatchdog", "fwatchdog", ("watchdog",)),
    ]
    memory = [
        Memory("of-watchdog, http", "of-watchdog", "watchdog", 3 * MIB),
        Memory("of-watchdog, streaming", "streaming", "watchdog", 3 * MIB),
        Memory("fwatchdog", "fwatchdog", "watchdog", 3 * MIB),
        Memory("faas-gateway, 1 function", "in a row", "gateway", 16 * MIB),
        Memory("nginx, master and worker", "nginx", "nginx"),
        Memory("HAProxy", "haproxy", "haproxy"),
    ]
    return Plan(subjects, proxies, forks, memory)


def add_references(plan, of, fw, gw):
    """The Go programs, each measured when its path is given."""
    cat = {"fprocess": "cat"}
    if of:
        http = watchdog("reference-of-watchdog", of, http_mode)
        streaming = watchdog("reference-streaming", of, lambda _: {"mode": "streaming", **cat})
        plan.subjects += [
            Subject("reference-of-watchdog", of, needs_port(8081, http)),
            Subject("reference-streaming", of, needs_port(8081, streaming), body=load.ANSWER),
        ]
        plan.proxies.append(Row("reference of-watchdog, http", "reference-of-watchdog", ("watchdog",)))
        plan.forks.append(Row("reference of-watchdog, streaming", "reference-streaming", ("watchdog",)))
        plan.memory.append(Memory("reference of-watchdog, http", "reference-of-watchdog", "watchdog"))
    if fw:
        running = needs_port(8081, watchdog("reference-fwatchdog", fw, lambda _: cat))
        plan.subjects.append(Subject("reference-fwatchdog", fw, running, body=load.ANSWER))
        plan.forks.append(Row("reference fwatchdog", "reference-fwatchdog", ("watchdog",)))
        plan.memory.append(Memory("reference fwatchdog", "reference-fwatchdog", "watchdog"))
    if gw:
        plan.subjects.append(Subject("reference-gateway", gw, reference_gateway(gw, of)))
        plan.proxies.append(Row("reference gateway", "reference-gateway", ("gateway",)))
        if of:
            plan.proxies.append(Row("reference both in a row", "reference-gateway", ("gateway", "watchdog")))
        plan.memory.append(Memory("reference gateway", "reference-gateway", "gateway"))
