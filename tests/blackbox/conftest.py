# Fixtures: programs that are started for a test or a module, and stopped and checked at its end.
import os
import pathlib
import shutil
import signal
import stat
import subprocess
import tempfile

import pytest

import processes
import programs
import scripted_upstream


def pytest_configure(config):
    processes.adopt_orphans()
    # Ignored signals are inherited: under nohup every function would ignore this one.
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def pytest_unconfigure(config):
    if programs.FUNCTIONS_COPY:
        shutil.rmtree(programs.FUNCTIONS_COPY, ignore_errors=True)


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: network namespaces")


def _need(name):
    if not programs.program_path(name).exists():
        pytest.fail(f"{programs.program_path(name)} is missing: ./dev build makes it, FAAS_BIN names its folder")


class Starter:
    """Starts programs and disposes of them, the latest first."""

    def __init__(self):
        self.started = []

    def of(self, settings=None, **options):
        return self._watchdog("of-watchdog", settings, options)

    def classic(self, settings=None, **options):
        return self._watchdog("fwatchdog", settings, options)

    def _watchdog(self, name, settings, options):
        _need(name)
        if isinstance(settings, str):
            settings = {"fprocess": settings}
        return self.keep(programs.Watchdog, name, settings or {}, **options)

    def gateway(self, settings=None, **options):
        _need("faas-gateway")
        _need("of-watchdog")
        return self.keep(programs.Gateway, settings, **options)

    def gateway_as_nobody(self):
        """A gateway without root, in user namespaces; skips where only root gets those."""
        as_nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
        if subprocess.run([*as_nobody, "unshare", "-Un", "true"], capture_output=True, check=False).returncode:
            pytest.skip("this machine gives user namespaces to root only")
        folder = tempfile.mkdtemp(prefix="faas-g-")
        os.mkdir(f"{folder}/tmp")
        for path in (folder, f"{folder}/tmp"):
            os.chown(path, 65534, 65534)
        return self.gateway(folder=folder, wrapper=as_nobody)

    def program(self, name, arguments=(), environment=None, **options):
        _need(name)
        return self.keep(programs.Program, name, arguments, environment, **options)

    def keep(self, kind, *arguments, **options):
        wait = options.pop("wait", kind is not programs.Program)
        if kind is not programs.Program:
            options["wait"] = False
        program = kind(*arguments, **options)
        self.started.append(program)
        if wait:
            program.wait_until_serving()
        return program

    def upstream(self, handler, **where):
        upstream = scripted_upstream.Upstream(handler, **where)
        upstream.dispose = upstream.close
        self.started.append(upstream)
        return upstream

    def dispose(self):
        failures = []
        while self.started:
            try:
                self.started.pop().dispose()
            except Exception as error:  # the others are still stopped
                failures.append(error)
        if failures:
            raise failures[0]


@pytest.fixture
def start():
    starter = Starter()
    yield starter
    starter.dispose()


@pytest.fixture(scope="module")
def start_once():
    """As `start`, for what a whole module shares."""
    starter = Starter()
    yield starter
    starter.dispose()


@pytest.fixture
def script():
    """Writes a shell script and returns its path: script("echo out; exit 3")."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="faas-s-"))

    def write(text, name="f.sh", interpreter="#!/bin/sh\n"):
        path = folder / name
        path.write_text(interpreter + text + "\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
        return path

    yield write
    shutil.rmtree(folder)


@pytest.fixture
def proxied(start):
    """proxied(handler, **settings): a watchdog before a scripted upstream; returns both."""
    def make(handler, **settings):
        upstream = start.upstream(handler)
        watchdog = start.of({"fprocess": "sleep 86400", "mode": "http", "upstream_url": upstream.url, **settings})
        return watchdog, upstream
    return make


def pytest_sessionfinish(session, exitstatus):
    """Whatever the programs under test left to us would be a child of ours now."""
    left = [p for p in processes.table().values() if p.parent == os.getpid() and p.state != "Z"]
    if left:
        print(f"\nprocesses left at the end of the tests: {left}")
        session.exitstatus = 1
