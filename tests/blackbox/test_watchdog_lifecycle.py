# How a watchdog ends: refuses, drains, and leaves nothing.
import os
import signal
import threading

import pytest

import processes
import programs
from scripted_upstream import answer
from wire import Connection, eventually, request_bytes

case = pytest.mark.case


def refuses(watchdog):
    try:
        Connection(watchdog.port).close()
        return False
    except (ConnectionRefusedError, ConnectionResetError):
        return True


@case(123)
@pytest.mark.parametrize("name", ["of", "classic"])
def test_after_sigterm_it_is_unhealthy_at_once_and_serves_for_the_grace_period(start, name):
    watchdog = getattr(start, name)({"fprocess": "cat", "healthcheck_interval": "600s"})
    watchdog.process.send_signal(signal.SIGTERM)
    eventually(lambda: watchdog.call("GET", "/_/health").status == 503)
    assert not watchdog.lock.exists()
    assert watchdog.call("POST", "/", body=b"x").body == b"x"
    if name == "of":
        assert watchdog.call("GET", "/_/ready").status == 503
    watchdog.process.send_signal(signal.SIGINT)  # an impatient person ends the grace period
    assert watchdog.expect_exit() == 0
    said = [line[20:] for line in watchdog.log_lines()]
    assert said[said.index("SIGTERM: no new connections in 10m0s") + 1] == f"Removing lock-file : {watchdog.lock}"
    assert said[-2:] == ["No new connections allowed, draining: 0 requests", "Exiting. Active connections: 0"]


@case(123)
def test_a_lock_file_that_is_gone_already_is_told(start):
    watchdog = start.of("cat")
    watchdog.lock.unlink()
    watchdog.process.send_signal(signal.SIGTERM)
    assert watchdog.expect_exit() == 0
    assert f"Unable to mark server as unhealthy: remove {watchdog.lock}: " in watchdog.stderr()
    assert "no such file or directory" in watchdog.stderr().lower()


def test_a_second_sigterm_changes_nothing(start):
    watchdog = start.of({"fprocess": "cat", "healthcheck_interval": "600s"})
    for _ in range(2):
        watchdog.process.send_signal(signal.SIGTERM)
        eventually(lambda: watchdog.call("GET", "/_/health").status == 503)
        assert watchdog.call("POST", "/", body=b"x").body == b"x"
    watchdog.process.send_signal(signal.SIGINT)
    assert watchdog.expect_exit() == 0


@pytest.mark.parametrize("name", ["of", "classic"])
def test_signals_that_mean_nothing_are_ignored(start, name):
    watchdog = getattr(start, name)("cat")
    for number in (signal.SIGUSR1, signal.SIGUSR2, signal.SIGPIPE):
        watchdog.process.send_signal(number)
    assert watchdog.call("POST", "/", body=b"x").body == b"x"


@case(124)
@pytest.mark.parametrize("mode", ["streaming", "serializing", "classic"])
def test_a_running_request_is_finished_before_it_ends(start, script, mode):
    folder = script("").parent
    process = script(f"echo begun > {folder}/begun; while [ ! -e {folder}/go ]; do sleep 0.05; done; echo done")
    settings = {"fprocess": process, "healthcheck_interval": "100ms", "write_timeout": "20s", "exec_timeout": "0"}
    watchdog = start.classic(settings) if mode == "classic" else start.of({**settings, "mode": mode})
    with watchdog.connect() as connection:
        connection.send(request_bytes("GET", "/"))
        eventually((folder / "begun").exists)
        watchdog.process.send_signal(signal.SIGTERM)
        eventually(lambda: refuses(watchdog), what="new connections are refused")
        assert watchdog.running()
        (folder / "go").touch()
        reply = connection.response()
        assert reply.complete and reply.body == b"done\n"
        if mode != "streaming":  # its head may have gone out before
            assert reply.header("Connection").lower() == "close"
        assert connection.closed_by_peer()
    assert watchdog.expect_exit() == 0


@case(125)
def test_a_request_that_outlasts_write_timeout_is_given_up(start, script):
    watchdog = start.of({"fprocess": script("echo begun; sleep 600"), "healthcheck_interval": "100ms",
                         "write_timeout": "5s", "exec_timeout": "0"})
    with watchdog.connect() as connection:
        connection.send(request_bytes("GET", "/"))
        answer = connection.response_head()
        connection.body_until(answer, b"begun\n")
        watchdog.process.send_signal(signal.SIGTERM)
        assert watchdog.expect_exit() == 0  # and sleep 600 is gone
        assert not connection.finish(answer).complete
    said = [line[20:] for line in watchdog.log_lines()]
    drained = said.index("No new connections allowed, draining: 1 requests")
    assert said[drained + 1:drained + 3] == ["Error in Shutdown: context deadline exceeded",
                                             "Exiting. Active connections: 1"]


@case(125, deviation="a call that has not begun its answer gets 504 before the drain is given up")
@pytest.mark.parametrize("name", ["of", "classic"])
def test_a_silent_request_is_answered_before_the_drain_is_given_up(start, name):
    watchdog = getattr(start, name)({"fprocess": "sleep 600", "healthcheck_interval": "100ms",
                                     "write_timeout": "1s", "exec_timeout": "0"})
    with watchdog.connect() as connection:
        connection.send(request_bytes("GET", "/"))
        watchdog.wait_for_log("Forking fprocess." if name == "classic" else "Started logging")
        watchdog.process.send_signal(signal.SIGTERM)
        assert connection.response().status == 504
    assert watchdog.expect_exit() == 0
    assert watchdog.log_lines()[-1].endswith("Exiting. Active connections: 0")


@case(126, deviation="it ends as soon as it is idle: no interval is an interval of 0")
@pytest.mark.parametrize("settings", [{"healthcheck_interval": "0"}, {"healthcheck_interval": "-5s"}])
@pytest.mark.parametrize("name", ["of", "classic"])
def test_without_a_grace_period_it_ends_as_soon_as_it_is_idle(start, name, settings):
    watchdog = getattr(start, name)({"fprocess": "cat", **settings})
    watchdog.process.send_signal(signal.SIGTERM)
    assert watchdog.expect_exit(5) == 0
    assert not watchdog.lock.exists()


@case(126, deviation="it ends as soon as it is idle: no interval is an interval of 0")
def test_classic_without_a_write_timeout_ends_too(start):
    watchdog = start.classic({"fprocess": "cat", "write_timeout": "0", "healthcheck_interval": None})
    watchdog.process.send_signal(signal.SIGTERM)
    assert watchdog.expect_exit(5) == 0


@case(127, deviation="ended as by SIGTERM: calls are finished and the lock file goes")
@pytest.mark.parametrize("name", ["of", "classic"])
def test_ctrl_c_ends_it_gracefully(start, name):
    watchdog = getattr(start, name)("cat")
    watchdog.process.send_signal(signal.SIGINT)
    assert watchdog.expect_exit() == 0
    assert not watchdog.lock.exists()


@pytest.mark.parametrize("name", ["of", "classic"])
def test_idle_connections_do_not_hold_it(start, name):
    watchdog = getattr(start, name)("cat")
    with watchdog.connect() as idle, watchdog.connect():
        assert idle.ask("POST", "/", body=b"x").body == b"x"
        watchdog.process.send_signal(signal.SIGTERM)
        assert watchdog.expect_exit(8) == 0


@case(128, deviation="calls are finished before the function is told to end")
def test_in_http_mode_it_drains_before_it_stops_the_child(start, script):
    """Ours: the reference tells the child first, and loses what runs."""
    def handler(connection, _number):
        connection.request()
        eventually((folder / "go").exists)
        connection.send(answer(body=b"done"))

    folder = script("").parent
    upstream = start.upstream(handler)
    child = script(f"trap 'touch {folder}/told; exit 0' TERM; while :; do sleep 0.05; done")
    watchdog = start.of({"fprocess": child, "mode": "http", "upstream_url": upstream.url,
                         "healthcheck_interval": "100ms", "write_timeout": "20s"})
    with watchdog.connect() as connection:
        connection.send(request_bytes("GET", "/"))
        upstream.wait_for_requests(1)
        watchdog.process.send_signal(signal.SIGTERM)
        eventually(lambda: refuses(watchdog), what="new connections are refused")
        assert not (folder / "told").exists()
        (folder / "go").touch()
        assert connection.response().body == b"done"
    assert watchdog.expect_exit() == 0
    assert (folder / "told").exists(), "the child was not asked to end"


@case(128, deviation="calls are finished before the function is told to end")
def test_in_http_mode_a_child_that_sigterm_kills_costs_no_call(proxied):
    go = threading.Event()

    def handler(connection, _number):
        connection.request()
        go.wait(30)
        connection.send(answer(body=b"done"))

    watchdog, upstream = proxied(handler, healthcheck_interval="100ms")
    with watchdog.connect() as connection:
        connection.send(request_bytes("GET", "/"))
        upstream.wait_for_requests(1)
        watchdog.process.send_signal(signal.SIGTERM)
        eventually(lambda: refuses(watchdog), what="new connections are refused")
        go.set()
        assert connection.response().body == b"done"
    assert watchdog.expect_exit() == 0
    assert "Forked function has terminated" not in watchdog.stderr()


@case(128, deviation="calls are finished before the function is told to end")
def test_in_http_mode_a_child_that_ignores_sigterm_is_killed(start, script):
    upstream = start.upstream(lambda connection, _number: None)
    child = script("trap '' TERM; while :; do sleep 0.05; done")
    watchdog = start.of({"fprocess": child, "mode": "http", "upstream_url": upstream.url, "write_timeout": "1s"})
    watchdog.process.send_signal(signal.SIGTERM)
    assert watchdog.expect_exit(25) == 0


def test_a_killed_watchdog_leaves_no_function_behind(start):
    """A forked function's pipes close with the watchdog; the child of http mode must go as well."""
    upstream = start.upstream(lambda connection, _number: None)
    watchdog = start.of({"fprocess": "sleep 86400", "mode": "http", "upstream_url": upstream.url})
    watchdog.remember_descendants()
    watchdog.process.kill()
    assert watchdog.expect_exit() == -signal.SIGKILL


@pytest.mark.parametrize("number", [signal.SIGQUIT, signal.SIGHUP])
@pytest.mark.parametrize("name", ["of", "classic"])
def test_other_signals_that_ask_for_the_end_are_answered_in_order_as_well(start, name, number):
    watchdog = getattr(start, name)("cat")
    assert watchdog.stop(number) == 0
    assert f"{number.name}: no new connections in 0s" in watchdog.stderr()
    assert not watchdog.lock.exists()


def test_a_hangup_cuts_the_grace_period_short_and_a_second_sigterm_does_not(start):
    watchdog = start.of({"fprocess": "cat", "healthcheck_interval": "1h"})
    watchdog.process.send_signal(signal.SIGTERM)
    watchdog.wait_for_log("SIGTERM: no new connections in 1h0m0s")
    watchdog.process.send_signal(signal.SIGTERM)
    assert watchdog.call("POST", "/", body=b"x").body == b"x"
    watchdog.process.send_signal(signal.SIGHUP)
    assert watchdog.expect_exit() == 0


def test_under_nohup_it_outlives_the_terminal(start):
    watchdog = start.of("cat", wrapper=["nohup"])
    watchdog.process.send_signal(signal.SIGHUP)
    assert watchdog.call("POST", "/", body=b"x").body == b"x"
    assert watchdog.stop() == 0 and "SIGHUP" not in watchdog.stderr()


SUBREAPER = ["/usr/bin/python3", "-c", "import ctypes, os, sys; ctypes.CDLL(None).prctl(36, 1, 0, 0, 0); "
             "os.execv(sys.argv[1], sys.argv[1:])"]
LEAVE_ONE_BEHIND = "sleep 86400 >/dev/null 2>&1 & echo $!"


@pytest.mark.parametrize("name", ["of", "classic"])
def test_a_subreaper_reaps_what_its_functions_leave(start, script, name):
    watchdog = getattr(start, name)({"fprocess": script(LEAVE_ONE_BEHIND)}, wrapper=SUBREAPER)
    left = [int(watchdog.call("GET", "/").body) for _ in range(5)]
    assert {processes.read(pid).parent for pid in left} == {watchdog.pid}
    for pid in left:
        processes.kill(pid)
    eventually(lambda: not any(map(processes.read, left)), what=lambda: processes.descendants(watchdog.pid))
    assert watchdog.call("GET", "/").status == 200
    for process in processes.descendants(watchdog.pid):
        processes.kill(process.pid)


@pytest.mark.parametrize("name", ["of", "classic"])
def test_an_ordinary_process_has_no_orphans_and_one_thread(start, script, name):
    watchdog = getattr(start, name)({"fprocess": script(LEAVE_ONE_BEHIND)})
    left = int(watchdog.call("GET", "/").body)
    assert processes.read(left).parent == os.getpid(), "what a function leaves goes past the watchdog, to us"
    assert len(os.listdir(f"/proc/{watchdog.pid}/task")) == 1 or programs.is_sanitized(watchdog.name)
    processes.kill(left)


@pytest.mark.parametrize("name", ["of", "classic"])
def test_where_no_lock_file_can_be_written_it_serves_and_says_so(start, name):
    """Ours: the reference ends; that a folder is read-only is no reason not to serve."""
    watchdog = getattr(start, name)({"fprocess": "cat", "TMPDIR": "/proc/self"})
    assert watchdog.call("POST", "/", body=b"x").body == b"x"
    assert watchdog.stderr().count("Warning: Cannot write /proc/self/.lock. To disable lock-file set env "
                                   "suppress_lock=true. Error: ") == 1
    watchdog.process.send_signal(signal.SIGTERM)
    assert watchdog.expect_exit() == 0
    assert "Unable to mark" not in watchdog.stderr()
