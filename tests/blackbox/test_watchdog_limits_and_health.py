# How many at once, and who is told that it is full or going.
import pytest

import processes
from conftest import needs_root
from programs import metric, parse_metrics
from wire import call, eventually, request_bytes

case = pytest.mark.case
FULL = b"Concurrent request limit exceeded. Max concurrent requests: 1\n"


@case(118)
@pytest.mark.parametrize("name", ["of", "classic"])
def test_above_max_inflight_429_is_sent_and_health_stays(start, name):
    watchdog = getattr(start, name)({"fprocess": "cat", "max_inflight": "1", "exec_timeout": "0"})
    with watchdog.connect() as busy:
        busy.send(request_bytes("POST", "/", {"Content-Length": "5"}) + b"hel")
        eventually(lambda: watchdog.call("POST", "/", body=b"x").status == 429)
        answer = watchdog.call("POST", "/", body=b"x")
        assert (answer.status, answer.body) == (429, FULL)
        assert answer.header("Content-Type").startswith("text/plain")
        assert watchdog.call("GET", "/_/health").status == 200
        if name == "of":
            ready = watchdog.call("GET", "/_/ready")
            assert (ready.status, ready.body) == (429, b"")
        busy.send(b"lo")
        assert busy.response().body == b"hello"
    eventually(lambda: watchdog.call("POST", "/", body=b"x").status == 200)
    if name == "of":
        assert watchdog.call("GET", "/_/ready").status == 200


def test_a_client_that_leaves_frees_its_place(start):
    watchdog = start.of({"fprocess": "sleep 600", "max_inflight": "1", "exec_timeout": "0"})
    busy = watchdog.connect()
    busy.send(request_bytes("GET", "/"))
    eventually(lambda: watchdog.call("GET", "/").status == 429)
    busy.reset()
    with watchdog.connect() as second:
        def taken():
            second.send(request_bytes("GET", "/"))
            return not second.readable(1) or second.response().status != 429
        eventually(taken)


@case(119)
def test_health_and_ready_take_get_only(start):
    watchdog = start.of("cat")
    for path in ("/_/health", "/_/ready"):
        assert watchdog.call("GET", path).status == 200
        for method in ("HEAD", "POST", "get"):
            answer = watchdog.call(method, path)
            assert (answer.status, answer.body) == (405, b""), (method, path)


@case(119)
@pytest.mark.parametrize("name", ["of", "classic"])
def test_without_its_lock_file_the_watchdog_is_unhealthy_but_serves(start, name):
    watchdog = getattr(start, name)("cat")
    watchdog.lock.unlink()
    answer = watchdog.call("GET", "/_/health")
    assert (answer.status, answer.body) == (503, b"")
    assert watchdog.call("POST", "/", body=b"x").body == b"x"
    if name == "of":
        assert watchdog.call("GET", "/_/ready").status == 503
    watchdog.lock.touch()
    assert watchdog.call("GET", "/_/health").body == b"OK"


@case(120)
def test_ready_path_asks_the_function(start, script):
    watchdog = start.of({"fprocess": script('echo "$Http_Method $Http_Path"'), "mode": "serializing",
                         "ready_path": "/am-i"})
    answer = watchdog.call("GET", "/_/ready")
    assert (answer.status, answer.body) == (200, b"GET /am-i\n")
    failing = start.of({"fprocess": "false", "mode": "serializing", "ready_path": "/am-i"})
    assert failing.call("GET", "/_/ready").status >= 500


@case(11, 132)
@needs_root
def test_metrics_count_what_was_answered(start):
    watchdog = start.of({"fprocess": "cat", "mode": "serializing"}, private_network=True, wait=False)

    def ask(port, method, target, **options):
        return processes.in_network_of(watchdog.pid, lambda: call(port, method, target, **options))

    def serves():
        try:
            return ask(watchdog.port, "GET", "/_/health").status == 200
        except OSError:
            return False

    def scrape():
        answer = ask(8081, "GET", "/metrics")
        assert answer.status == 200 and answer.header("Content-Type").startswith("text/plain; version=0.0.4")
        return parse_metrics(answer.text)

    eventually(serves, what=watchdog.log_tail)
    fresh = scrape()
    assert metric(fresh, "http_requests_in_flight") == 0
    assert not any(name == "http_requests_total" for name, _ in fresh)
    for _ in range(3):
        ask(watchdog.port, "POST", "/", body=b"x")
    ask(watchdog.port, "GET", "/%00")
    ask(watchdog.port, "FOO", "/")
    ask(watchdog.port, "GET", "/_/health")
    found = eventually(lambda: (lambda m: m if metric(m, "http_requests_total", code="200", method="unknown") else None)(scrape()))
    assert metric(found, "http_requests_total", code="200", method="post") == 3
    assert metric(found, "http_requests_total", code="500", method="get") == 1
    assert metric(found, "http_requests_total", code="200", method="get") is None
    buckets = [dict(labels)["le"] for name, labels in found if name == "http_request_duration_seconds_bucket"
               and dict(labels)["code"] == "200" and dict(labels)["method"] == "post"]
    assert sorted(map(float, buckets)) == [.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, float("inf")]
    assert metric(found, "http_request_duration_seconds_count", code="200", method="post") == 3
    assert ask(8081, "GET", "/").status == 404
