# of-watchdog, mode http: the function's process: when it is called, how it ends, and what it says.
import signal

import pytest

import processes
import programs
from scripted_upstream import always, answer
from wire import Closed, eventually, request_bytes

case = pytest.mark.case

OK = answer(headers=[("Content-Type", "text/plain")], body=b"fine")


def listening_later(start, **settings):
    """A watchdog whose function does not listen yet, and the port where it will."""
    port = programs.free_port()
    watchdog = start.of({"fprocess": "sleep 86400", "mode": "http", "upstream_url": f"http://127.0.0.1:{port}",
                         **settings}, wait=False)
    watchdog.wait_for_log("Listening on port")
    return watchdog, port


def test_before_the_function_listens_the_watchdog_is_not_ready(start):
    """Ours: the reference is healthy at once, and its first calls fail."""
    watchdog, port = listening_later(start)
    assert watchdog.call("GET", "/_/health").status == 503
    assert watchdog.call("GET", "/_/ready").status == 503
    assert not watchdog.lock.exists()
    start.upstream(always(OK), port=port)
    watchdog.wait_until_serving()
    assert watchdog.lock.exists()


def test_calls_that_come_before_the_function_listens_are_served(start):
    watchdog, port = listening_later(start)
    early = [watchdog.connect() for _ in range(20)]
    try:
        for number, connection in enumerate(early):
            connection.send(request_bytes("POST", f"/{number}", body=b"x"))
        watchdog.call("GET", "/_/health")  # the calls have arrived before this
        upstream = start.upstream(always(OK), port=port)
        assert all(connection.response().body == b"fine" for connection in early)
    finally:
        for connection in early:
            connection.close()
    assert sorted(int(r.target[1:]) for r in upstream.requests) == list(range(20))


@case(100)
def test_a_function_that_never_listens_is_500_at_exec_timeout(start):
    watchdog, _ = listening_later(start, exec_timeout="200ms")
    reply = watchdog.call("GET", "/")
    assert (reply.status, reply.body) == (500, b"") and reply.header("X-Duration-Seconds"), reply
    assert reply.header("X-OpenFaaS-Internal") == "of-watchdog"
    watchdog.wait_for_log("Connection refused")


def test_a_caller_that_waits_for_the_function_may_leave(start):
    watchdog, port = listening_later(start, exec_timeout="0")
    connection = watchdog.connect()
    connection.send(request_bytes("GET", "/left"))
    watchdog.call("GET", "/_/health")
    connection.reset()
    watchdog.wait_for_log("GET /left - 499 the client left")
    upstream = start.upstream(always(OK), port=port)
    watchdog.wait_until_serving()
    assert watchdog.call("GET", "/stayed").body == b"fine"
    assert [r.target for r in upstream.requests] == ["/stayed"]


@case(120)
@pytest.mark.parametrize("path,target", [("/am-i?deep=1", "/am-i?deep=1"), ("am-i", "/am-i")])
@pytest.mark.parametrize("prefix", ["", "/base"])
def test_ready_path_is_asked_of_the_function(start, path, target, prefix):
    upstream = start.upstream(always(OK))
    watchdog = start.of({"fprocess": "sleep 86400", "mode": "http", "upstream_url": upstream.url + prefix,
                         "ready_path": path})
    reply = watchdog.call("GET", "/_/ready", {"X-Probe": "1", "Host": "probe.test"})
    assert (reply.status, reply.body) == (200, b"fine")
    request = upstream.requests[0]
    assert (request.method, request.target, request.header("X-Probe")) == ("GET", prefix + target, "1")
    assert request.header("Host") == f"127.0.0.1:{upstream.port}"


@case(120)
@pytest.mark.parametrize("status", [200, 429, 500, 503])
def test_the_functions_word_on_its_readiness_counts(proxied, status):
    watchdog, _ = proxied(always(answer(f"{status} Whatever")), ready_path="/ready")
    assert watchdog.call("GET", "/_/ready").status == status


@case(121, deviation="the probe is an ordinary request without a body")
@pytest.mark.parametrize("buffered", ["true", "false"])
@pytest.mark.parametrize("headers,body", [({}, None), ({}, b"hello"), ({"Transfer-Encoding": "chunked"}, b"0\r\n\r\n"),
                                          ({"Connection": "Upgrade", "Upgrade": "websocket"}, None)])
def test_what_a_probe_sends_is_not_for_the_function(proxied, buffered, headers, body):
    watchdog, upstream = proxied(always(OK), ready_path="/ready", http_buffer_req_body=buffered)
    for _ in range(2):
        assert watchdog.call("GET", "/_/ready", headers, body).body == b"fine"
    for request in upstream.requests:
        assert request.framing == "none" and request.header("Upgrade") is None and request.body == b""


@case(122)
def test_a_probe_takes_nobodys_place(start):
    """While a probe waits for the function, a call still finds room."""
    asked = []

    def handler(connection, _number):
        while True:
            request = connection.request()
            asked.append(request.target)
            if request.target != "/ready":
                connection.send(OK)

    upstream = start.upstream(handler)
    watchdog = start.of({"fprocess": "sleep 86400", "mode": "http", "upstream_url": upstream.url,
                         "ready_path": "/ready", "max_inflight": "1"})
    with watchdog.connect() as probe:
        probe.send(request_bytes("GET", "/_/ready", {"User-Agent": "kube-probe/1.30"}))
        eventually(lambda: "/ready" in asked)
        assert watchdog.call("GET", "/call").body == b"fine"
    watchdog.wait_for_log("GET /call - 200")


@case(122)
def test_what_kubernetes_asks_is_not_logged(proxied):
    watchdog, _ = proxied(always(OK), ready_path="/ready")
    watchdog.call("GET", "/_/ready", {"User-Agent": "kube-probe/1.30"})
    watchdog.call("GET", "/quiet", {"User-Agent": "kube-probe/1.30"})
    watchdog.call("GET", "/loud")
    watchdog.wait_for_log("GET /loud - 200 OK")
    assert "/quiet" not in watchdog.stderr() and "/ready -" not in watchdog.stderr()


@case(105)
@pytest.mark.parametrize("text", ["exit 1", "exit 3", "kill -9 $$"])
def test_when_the_child_fails_the_watchdog_ends_with_1(start, script, text):
    upstream = start.upstream(always(OK))
    watchdog = start.of({"fprocess": script(text), "mode": "http", "upstream_url": upstream.url}, wait=False)
    assert watchdog.expect_exit() == 1
    assert "Forked function has terminated" in watchdog.stderr()
    assert not watchdog.lock.exists()


@case(105)
def test_a_call_that_runs_when_the_child_fails_is_cut(start, script):
    go = script("").parent / "go"
    upstream = start.upstream(lambda connection, _number: connection.request() and connection.rest())
    watchdog = start.of({"fprocess": script(f"while [ ! -e {go} ]; do sleep 0.05; done; exit 3"), "mode": "http",
                         "upstream_url": upstream.url})
    with watchdog.connect() as connection:
        connection.send(request_bytes("GET", "/"))
        upstream.wait_for_requests(1)
        go.touch()
        with pytest.raises(Closed):
            connection.response()
    assert watchdog.expect_exit() == 1


@case(105, deviation="when the function has ended, so does the watchdog, with 0, after the calls that still run")
def test_when_the_child_is_done_the_watchdog_ends_too(start, script):
    upstream = start.upstream(always(OK))
    watchdog = start.of({"fprocess": script("exit 0"), "mode": "http", "upstream_url": upstream.url}, wait=False)
    assert watchdog.expect_exit() == 0
    assert "Forked function has terminated: exit status 0" in watchdog.stderr()
    assert not watchdog.lock.exists()


@case(105, deviation="when the function has ended, so does the watchdog, with 0, after the calls that still run")
def test_when_the_child_is_done_the_calls_that_run_are_finished(start, script):
    go = script("").parent / "go"

    def handler(connection, _number):
        connection.request()
        watchdog.wait_for_log("Forked function has terminated")
        connection.send(OK)

    upstream = start.upstream(handler)
    watchdog = start.of({"fprocess": script(f"while [ ! -e {go} ]; do sleep 0.05; done"), "mode": "http",
                         "upstream_url": upstream.url, "healthcheck_interval": "1h"})
    with watchdog.connect() as connection:
        connection.send(request_bytes("GET", "/"))
        upstream.wait_for_requests(1)
        go.touch()
        assert connection.response().body == b"fine"
    assert watchdog.expect_exit() == 0


@case(128, deviation="calls are finished before the function is told to end")
def test_a_child_that_ends_at_sigterm_by_itself_ends_the_grace_period(start, script):
    """As when the whole process group is told to end: nobody is left to serve for an hour."""
    upstream = start.upstream(always(OK))
    child = script("trap 'exit 0' TERM; while :; do sleep 0.05; done")
    watchdog = start.of({"fprocess": child, "mode": "http", "upstream_url": upstream.url,
                         "healthcheck_interval": "1h"})
    watchdog.process.send_signal(signal.SIGTERM)
    watchdog.wait_for_log("SIGTERM: no new connections in 1h0m0s")
    assert watchdog.call("GET", "/").body == b"fine"
    (child,) = [p.pid for p in processes.descendants(watchdog.pid) if p.parent == watchdog.pid]
    processes.kill(child, signal.SIGTERM)
    assert watchdog.expect_exit() == 0


@case(106)
def test_a_child_that_cannot_start_ends_the_watchdog_with_1(start):
    watchdog = start.of({"fprocess": "/no/such", "mode": "http", "upstream_url": "http://127.0.0.1:1"}, wait=False)
    assert watchdog.expect_exit() == 1
    assert "/no/such" in watchdog.stderr()


def test_the_childs_output_is_logged_line_by_line(start, script):
    upstream = start.upstream(always(OK))
    child = script("echo to stdout; echo to stderr >&2; exec sleep 86400")
    watchdog = start.of({"fprocess": child, "mode": "http", "upstream_url": upstream.url})
    eventually(lambda: "stdout: to stdout\n" in watchdog.stdout(), what=watchdog.stdout)
    watchdog.wait_for_log("stderr: to stderr\n")
    assert "Forking: " in watchdog.stderr()


def test_a_real_function_over_http(start):
    port = programs.free_port()
    watchdog = start.of({"fprocess": f"{programs.PYTHON} -u {programs.FUNCTIONS}/probe.py", "mode": "http",
                         "upstream_url": f"http://127.0.0.1:{port}", "PROBE_PORT": port})
    eventually(lambda: watchdog.call("GET", "/").status == 200, what=watchdog.log_tail)
