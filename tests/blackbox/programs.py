# The programs under test: started on free loopback ports, with a private folder, and looked after until
# they and everything they started are gone.
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid

import processes
import wire
from wire import eventually

HERE = pathlib.Path(__file__).resolve().parent
REPOSITORY = HERE.parent.parent
BIN = pathlib.Path(os.environ.get("FAAS_BIN", REPOSITORY / "build" / "bin")).resolve()
PYTHON = "/usr/bin/python3"
MARK = "FAAS_BLACKBOX_MARK"
SANITIZERS = ("ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS", "LSAN_OPTIONS")
REPORTS = ("ERROR: AddressSanitizer", "ERROR: LeakSanitizer", "WARNING: ThreadSanitizer", "runtime error: ")


def program_path(name):
    return BIN / name


def is_sanitized(name):
    """Whether the program was built with a sanitizer, which multiplies its memory."""
    data = program_path(name).read_bytes()
    return b"__asan_init" in data or b"__tsan_init" in data


def free_port():
    """A port below the ephemeral range, so that no client's own port takes it before the program does."""
    while True:
        port = random.randint(12000, 31999)
        with socket.socket() as probe, socket.socket(socket.AF_INET6) as probe6:
            probe6.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            try:
                probe.bind(("", port))
                probe6.bind(("", port))
                return port
            except OSError:
                continue


def _function_folder():
    """Functions run with a private /tmp: a checkout below it would be invisible to them."""
    if not str(HERE).startswith(("/tmp/", "/dev/shm/")):
        return HERE / "functions", None
    copy = pathlib.Path(tempfile.mkdtemp(prefix="faas-blackbox-", dir="/var/tmp"))
    copy.chmod(0o755)
    shutil.copytree(HERE / "functions", copy / "functions")
    return copy / "functions", copy


FUNCTIONS, FUNCTIONS_COPY = _function_folder()


class Program:
    """One running program. Use stop() or expect_exit(); both check that nothing is left."""

    def __init__(self, name, arguments=(), environment=None, *, private_network=False, umask=0o022,
                 wrapper=(), folder=None, argv=None):
        """`argv`, a function, says what is run instead of the program itself."""
        self.name = name
        self.folder = pathlib.Path(folder or tempfile.mkdtemp(prefix="faas-t-"))
        self.owns_folder = folder is None
        self.tmp = self.folder / "tmp"
        self.tmp.mkdir(exist_ok=True)
        self.mark = uuid.uuid4().hex
        self.environment = {
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": str(self.folder), "TMPDIR": str(self.tmp), "TZ": "UTC", MARK: self.mark,
        }
        self.environment.update({name: os.environ[name] for name in SANITIZERS if name in os.environ})
        for key, value in (environment or {}).items():
            if value is None:
                self.environment.pop(key, None)
            else:
                self.environment[key] = str(value)
        argv = argv() if argv else [*wrapper, str(program_path(name)), *map(str, arguments)]
        if private_network:
            argv = ["unshare", "-n", "sh", "-c", 'ip link set lo up; exec "$@"', "sh", *argv]
        self.stderr_path = self.folder / f"{name}-{self.mark[:8]}.stderr"
        self.stdout_path = self.folder / f"{name}-{self.mark[:8]}.stdout"
        self.seen = set()
        self.checked = False
        self.started_at = time.monotonic()
        with open(self.stderr_path, "wb") as err, open(self.stdout_path, "wb") as out:
            self.process = subprocess.Popen(
                argv, env=self.environment, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=out, stderr=err,
                start_new_session=True, umask=umask)
        self.pid = self.process.pid
        processes.started(self.pid)

    def stderr(self):
        return self.stderr_path.read_bytes().decode("utf-8", "replace")

    def stdout(self):
        return self.stdout_path.read_bytes().decode("utf-8", "replace")

    def log_tail(self):
        """The end of the log, for messages."""
        return self.stderr()[-4000:]

    def log_lines(self):
        return self.stderr().splitlines()

    def running(self):
        return self.process.poll() is None

    def wait_for_log(self, text, within=wire.PATIENCE, count=1):
        eventually(lambda: self.stderr().count(text) >= count, within,
                   lambda: f"{text!r} in the log of {self.name}:\n{self.log_tail()}")

    def remember_descendants(self):
        self.seen |= {p.identity for p in processes.descendants(self.pid)}

    def left_behind(self):
        """What the ended program has left: processes of its session, with its mark, or seen below it."""
        processes.reap_orphans()
        left = []
        for process in processes.table().values():
            if process.pid == self.pid:
                continue
            ours = (process.session == self.pid or process.identity in self.seen
                    or self.mark.encode() in processes.environment(process.pid))
            if ours and processes.alive(process.identity):
                left.append(process)
        return left

    def expect_exit(self, within=wire.PATIENCE):
        """Waits for the program to end by itself; returns its code (negative: the signal)."""
        try:
            code = self.process.wait(within)
        except subprocess.TimeoutExpired:
            self.remember_descendants()
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"{self.name} still ran after {within} s; its log:\n{self.log_tail()}") from None
        self.check_nothing_left()
        return code

    def check_nothing_left(self, within=wire.PATIENCE):
        # A killed process is there until the kernel has taken its namespaces apart: seconds, for many at once.
        self.checked = True
        for report in REPORTS:
            assert report not in self.stderr(), self.stderr()[self.stderr().index(report):][:6000]
        deadline = time.monotonic() + within
        while left := self.left_behind():
            if time.monotonic() > deadline:
                for process in left:
                    processes.kill(process.pid)
                raise AssertionError(f"{self.name} left processes behind: {left}; its log:\n{self.log_tail()}")
            time.sleep(0.02)

    def stop(self, number=signal.SIGTERM, within=wire.PATIENCE):
        if self.running():
            self.remember_descendants()
            self.process.send_signal(number)
        return self.expect_exit(within)

    def dispose(self):
        """The end of a fixture: stopped, checked, folder removed."""
        try:
            if self.running():
                self.stop()
            elif not self.checked:
                self.check_nothing_left()
        finally:
            for process in self.left_behind():
                processes.kill(process.pid)
            if self.owns_folder:
                shutil.rmtree(self.folder, ignore_errors=True)


class Watchdog(Program):
    """An of-watchdog or fwatchdog that serves. `settings` are its environment variables."""

    def __init__(self, name, settings, *, wait=True, **options):
        self.port = free_port()
        environment = {"port": self.port, "healthcheck_interval": "0s", "write_timeout": "60s",
                       "read_timeout": "60s"}
        environment.update(settings)
        super().__init__(name, environment=environment, **options)
        self.lock = self.tmp / ".lock"
        if wait:
            self.wait_until_serving()

    def wait_until_serving(self, status=200):
        def serves():
            if not self.running():
                raise AssertionError(f"{self.name} ended with {self.process.returncode}:\n{self.log_tail()}")
            try:
                return self.call("GET", "/_/health", timeout=5).status == status
            except (OSError, wire.WireError):
                return False
        eventually(serves, what=lambda: f"{self.name} serves; its log:\n{self.log_tail()}")

    def call(self, *arguments, **options):
        return wire.call(self.port, *arguments, **options)

    def connect(self, **options):
        return wire.Connection(self.port, **options)

    def send_raw(self, data, method="GET"):
        return wire.send_raw(self.port, data, method)

    def dispose(self):
        clean_end = self.running()
        try:
            super().dispose()
        finally:
            if clean_end and self.process.returncode == 0:
                assert not self.lock.exists(), "the lock file was left"


class Gateway(Program):
    """A faas-gateway with the local provider. Its folder can be reused to start it again."""

    def __init__(self, settings=None, *, folder=None, wait=True, arguments=(), wrapper=(), data_dir=None):
        folder = pathlib.Path(folder or tempfile.mkdtemp(prefix="faas-g-"))
        self.port, self.metrics_port = free_port(), free_port()
        self.data_dir = pathlib.Path(data_dir or folder / "data")
        environment = {"port": self.port, "metrics_port": self.metrics_port, "listen_address": "127.0.0.1",
                       "data_dir": self.data_dir, "functions_provider": "local", "read_timeout": "60s",
                       "write_timeout": "60s", "upstream_timeout": "60s",
                       "XDG_STATE_HOME": folder / "state", "XDG_RUNTIME_DIR": folder / "run"}
        environment.update(settings or {})
        for variable, attribute in (("port", "port"), ("metrics_port", "metrics_port")):
            try:
                setattr(self, attribute, int(environment[variable]))
            except (TypeError, ValueError):
                pass
        super().__init__("faas-gateway", arguments, environment, folder=folder, wrapper=wrapper)
        self.owns_folder = True
        if wait:
            self.wait_until_serving()

    def wait_until_serving(self):
        def serves():
            if not self.running():
                raise AssertionError(f"the gateway ended with {self.process.returncode}:\n{self.log_tail()}")
            try:
                return wire.call(self.port, "GET", "/healthz", timeout=5).status == 200
            except (OSError, wire.WireError):
                return False
        eventually(serves, what=lambda: f"the gateway serves; its log:\n{self.log_tail()}")

    @property
    def password(self):
        return (self.data_dir / "basic-auth-password").read_text().strip()

    @property
    def authorization(self):
        return wire.basic("admin", self.password)

    def call(self, *arguments, **options):
        return wire.call(self.port, *arguments, **options)

    def connect(self, **options):
        return wire.Connection(self.port, **options)

    def api(self, method, path, body=None, headers=(), **options):
        """A call of the system API as admin; `body` is JSON unless it is bytes."""
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        return self.call(method, path, [("Authorization", self.authorization), *dict(headers).items()], body,
                         **options)

    def deploy(self, service, process=None, *, ready=True, env=None, **fields):
        spec = {"service": service, "image": "host", **fields}
        if process is not None:
            spec["envProcess"] = process
        if env:
            spec["envVars"] = env
        answer = self.api("POST", "/system/functions", spec)
        assert answer.status == 202, answer
        if ready:
            self.wait_available(service)
        return spec

    def deploy_probe(self, service, *, env=None, **fields):
        """Deploys functions/probe.py in http mode: a function that does what the caller's headers say."""
        variables = {"mode": "http", "upstream_url": "http://127.0.0.1:5000", "PROBE_PORT": "5000"}
        variables.update(env or {})
        return self.deploy(service, f"{PYTHON} -u {FUNCTIONS}/probe.py", env=variables, **fields)

    def status(self, service):
        answer = self.api("GET", f"/system/function/{service}")
        assert answer.status == 200, answer
        return json.loads(answer.body)

    def wait_available(self, service, count=1, within=wire.PATIENCE):
        last = {}

        def available():
            last["status"] = self.status(service)
            return last["status"].get("availableReplicas", 0) == count

        eventually(available, within,
                   lambda: f"{service} has {count} replicas: {last.get('status')}; log:\n{self.log_tail()}", 0.05)

    def scale(self, service, count):
        answer = self.api("POST", f"/system/scale-function/{service}",
                          {"serviceName": service, "replicas": count})
        assert answer.status == 202, answer
        self.wait_available(service, count)

    def remove(self, service):
        answer = self.api("DELETE", "/system/functions", {"functionName": service})
        assert answer.status == 202, answer

    def replicas(self, service):
        """Pids of the watchdogs that serve a function."""
        name = f"OPENFAAS_NAME={service}\0".encode()
        found = {p.pid: p.parent for p in processes.descendants(self.pid)
                 if p.state != "Z" and "watchdog" in "".join(processes.command_line(p.pid)[:1])
                 and name in processes.environment(p.pid) + b"\0"}
        return sorted(pid for pid, parent in found.items() if parent not in found)

    def metrics(self, port=None):
        answer = wire.call(port or self.metrics_port, "GET", "/metrics")
        assert answer.status == 200, answer
        return parse_metrics(answer.text)


def parse_metrics(text):
    """Prometheus text to {(name, frozenset of (label, value))): number}."""
    found = {}
    for line in text.splitlines():
        if not line or line.startswith("#"):
            continue
        series, value = line.rsplit(" ", 1)
        name, _, rest = series.partition("{")
        labels = []
        rest = rest.rstrip("}").rstrip(",")
        while rest:
            label, _, rest = rest.partition('="')
            content, _, rest = rest.partition('"')
            labels.append((label, content))
            rest = rest.lstrip(",")
        key = (name, frozenset(labels))
        assert key not in found, f"series {series} appears twice"
        found[key] = float(value)
    return found


def metric(found, name, **labels):
    return found.get((name, frozenset(labels.items())))
