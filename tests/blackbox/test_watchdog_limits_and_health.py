# How many at once, and who is told that it is full or going.
import concurrent.futures
import threading

import pytest

import processes
from conftest import needs_root
from programs import free_port, metric, parse_metrics
from scripted_upstream import always, answer as respond
import wire
from wire import Connection, call, eventually, request_bytes

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
        assert sorted((name.lower(), value) for name, value in answer.headers if name != "Date") == [
            ("content-length", str(len(FULL))), ("content-type", "text/plain"),
            ("x-openfaas-internal", "faas-middleware")]
        assert watchdog.call("OPTIONS", "/").status == 429  # before any other check
        assert watchdog.call("GET", "/_/health").status == 200
        if name == "of":
            ready = watchdog.call("GET", "/_/ready")
            assert (ready.status, ready.body) == (429, b"")
        busy.send(b"lo")
        assert busy.response().body == b"hello"
    eventually(lambda: watchdog.call("POST", "/", body=b"x").status == 200)
    if name == "of":
        assert watchdog.call("GET", "/_/ready").status == 200


def until_heard(action):
    """A client that is not quick enough for the 500 ms of /metrics tries again."""
    def attempt():
        try:
            return [action()]
        except (wire.Closed, ConnectionError):
            return None
    return eventually(attempt)[0]


def scraped(port):
    return parse_metrics(until_heard(lambda: call(port, "GET", "/metrics")).text)


class Places:
    """A function that is counted from inside: each call leaves a file in a folder until it is let go."""

    def __init__(self, folder):
        self.folder, self.gate = folder / "inside", folder / "go"
        self.folder.mkdir()
        self.script = (f"echo > {self.folder}/$$; ls {self.folder} | wc -l; "
                       f"while [ ! -e {self.gate} ]; do sleep 0.02; done; rm {self.folder}/$$")

    def inside(self):
        return len(list(self.folder.iterdir()))


@case(118)
@pytest.mark.parametrize("mode", ["streaming", "serializing", "classic", "http"])
def test_of_many_calls_at_the_same_moment_exactly_as_many_as_may_are_inside(start, script, mode):
    """Counted by the function itself. All of them wait inside until every other one has been refused."""
    most, callers = 5, 40
    places = Places(script("").parent)
    if mode == "http":
        def handler(connection, number):
            while True:
                connection.request()
                (places.folder / str(number)).touch()
                eventually(places.gate.exists, 30)
                (places.folder / str(number)).unlink()
                connection.send(respond(body=b"done"))
        settings = {"fprocess": "sleep 86400", "upstream_url": start.upstream(handler).url}
    else:
        settings = {"fprocess": script(places.script)}
    metrics = free_port()
    settings |= {"max_inflight": most, "exec_timeout": "0", "metrics_port": metrics, "mode": mode}
    watchdog = start.classic(settings) if mode == "classic" else start.of(settings)
    for _ in range(4):
        eventually(lambda: metric(scraped(metrics), "http_requests_in_flight") == 0)
        together, statuses = threading.Barrier(callers), []

        def one(_number):
            with watchdog.connect(timeout=60) as connection:
                together.wait()
                connection.send(request_bytes("POST", "/", body=b"x"))
                statuses.append(connection.response().status)

        with concurrent.futures.ThreadPoolExecutor(callers) as pool:
            calls = [pool.submit(one, number) for number in range(callers)]
            try:
                eventually(lambda: len(statuses) == callers - most, 30, lambda: f"{statuses}, {places.inside()} inside")
                eventually(lambda: places.inside() == most, 30, lambda: f"{places.inside()} inside")
                assert set(statuses) == {429}
            finally:
                places.gate.touch()
            for finished in calls:
                finished.result()
        assert (statuses.count(429), statuses.count(200)) == (callers - most, most)
        places.gate.unlink()
    assert metric(scraped(metrics), "http_requests_total", code="429", method="post") == 4 * (callers - most)


@case(118)
@pytest.mark.parametrize("mode", ["streaming", "serializing", "classic"])
def test_under_a_storm_of_short_calls_there_are_never_too_many_inside(start, script, mode):
    most, callers = 3, 12
    places = Places(script("").parent)
    places.gate.touch()
    settings = {"fprocess": script(places.script), "max_inflight": most, "mode": mode}
    watchdog = start.classic(settings) if mode == "classic" else start.of(settings)

    def one(_number):
        counts = []
        with watchdog.connect(timeout=60) as connection:
            for _ in range(25):
                answer = connection.ask("POST", "/", body=b"x")
                assert answer.status in (200, 429), answer
                if answer.status == 200:
                    counts.append(int(answer.body))
        return counts

    with concurrent.futures.ThreadPoolExecutor(callers) as pool:
        counts = [count for found in pool.map(one, range(callers)) for count in found]
    assert counts and max(counts) <= most


@pytest.mark.parametrize("value", ["0", "-1", "many"])
def test_without_a_limit_there_is_none(start, script, value):
    places = Places(script("").parent)
    watchdog = start.of({"fprocess": script(places.script), "max_inflight": value, "exec_timeout": "0"})
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        calls = [pool.submit(watchdog.call, "GET", "/") for _ in range(8)]
        try:
            eventually(lambda: places.inside() == 8, 30)
        finally:
            places.gate.touch()
        assert [finished.result().status for finished in calls] == [200] * 8


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


@case(119)
def test_classic_has_health_for_get_only(start):
    watchdog = start.classic("cat")
    for method in ("HEAD", "POST"):
        assert watchdog.call(method, "/_/health").status == 405


@case(120)
def test_ready_path_is_passed_on_as_it_is(start):
    watchdog = start.of({"fprocess": "env -0", "mode": "streaming", "ready_path": "am-i?deep=1"})
    answer = watchdog.call("GET", "/_/ready?x=1", {"X-Mine": "1"}, b"not passed")
    found = dict(entry.split(b"=", 1) for entry in answer.body.split(b"\0") if entry)
    assert (found[b"Http_Method"], found[b"Http_Path"], found[b"Http_X_Mine"]) == (b"GET", b"am-i?deep=1", b"1")
    assert b"Http_Query" not in found


@case(120)
def test_ready_path_asks_the_upstream(proxied):
    def handler(connection, _number):
        while True:
            request = connection.request()
            status = "503 Not yet" if request.header("X-Not") else "200 OK"
            connection.send(respond(status, body=f"{request.method} {request.target}".encode()))
    watchdog, upstream = proxied(handler, ready_path="/am-i?deep=1")
    answer = watchdog.call("GET", "/_/ready")
    assert (answer.status, answer.body) == (200, b"GET /am-i?deep=1")
    assert upstream.requests[-1].header("Host") == upstream.url.removeprefix("http://")
    assert watchdog.call("GET", "/_/ready", {"X-Not": "1"}).status == 503


@case(121, deviation="asked as without it: a probe has an empty body")
def test_ready_path_can_be_used_together_with_buffered_bodies(proxied):
    watchdog, upstream = proxied(always(respond(body=b"ready")), ready_path="/am-i", http_buffer_req_body="true")
    answer = watchdog.call("GET", "/_/ready")
    assert (answer.status, answer.body) == (200, b"ready")
    assert upstream.requests[-1].target == "/am-i"
    assert watchdog.call("POST", "/", body=b"x").status == 200


@case(122)
@pytest.mark.parametrize("mode", ["streaming", "serializing"])
def test_a_probe_takes_nobodys_place_and_is_not_counted(start, script, mode):
    places = Places(script("").parent)
    metrics = free_port()
    watchdog = start.of({"fprocess": script(f'[ "$Http_Path" = / ] && exec echo served; {places.script}'), "mode": mode,
                         "max_inflight": 1, "ready_path": "/am-i", "metrics_port": metrics, "exec_timeout": "0"})
    with watchdog.connect() as probe:
        probe.send(request_bytes("GET", "/_/ready", {"User-Agent": "kube-probe/1.30"}))
        eventually(lambda: places.inside() == 1)
        assert watchdog.call("GET", "/").body == b"served\n"
        places.gate.touch()
        assert probe.response().status == 200
    assert metric(scraped(metrics), "http_requests_total", code="200", method="get") == 1
    assert "GET / - 200" in watchdog.stderr() and "/am-i" not in watchdog.stderr()


@case(120)
def test_ready_path_asks_the_function(start, script):
    watchdog = start.of({"fprocess": script('echo "$Http_Method $Http_Path"'), "mode": "serializing",
                         "ready_path": "/am-i"})
    answer = watchdog.call("GET", "/_/ready")
    assert (answer.status, answer.body) == (200, b"GET /am-i\n")
    failing = start.of({"fprocess": "false", "mode": "serializing", "ready_path": "/am-i"})
    assert failing.call("GET", "/_/ready").status >= 500


@case(132)
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
        answer = until_heard(lambda: ask(8081, "GET", "/metrics"))
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
    assert until_heard(lambda: ask(8081, "GET", "/")).status == 404


@pytest.fixture
def on_8081(start):
    """A watchdog whose metrics are where OpenFaaS has them, in a network of its own; calls run in there."""
    watchdog = start.of({"fprocess": "cat", "healthcheck_interval": "0"}, private_network=True, wait=False)
    watchdog.wait_for_log("Metrics listening on port: 8081\n")
    return lambda action: processes.in_network_of(watchdog.pid, lambda: until_heard(action))


@case(133)
@needs_root
def test_metrics_are_told_for_any_method_on_one_path(on_8081):
    for method in ("GET", "POST", "PUT", "FOO"):
        answer = on_8081(lambda method=method: call(8081, method, "/metrics?x=1"))
        assert answer.status == 200 and "http_requests_in_flight 0\n" in answer.text
        assert answer.header("Content-Type") == "text/plain; version=0.0.4; charset=utf-8"
    for path in ("/", "/metrics/", "/_/health"):
        answer = on_8081(lambda path=path: call(8081, "GET", path))
        assert (answer.status, answer.body) == (404, b"404 page not found\n")


@case(133)
@needs_root
def test_a_silent_client_of_metrics_is_closed(on_8081):
    def fresh():
        with Connection(8081) as connection:
            return connection.closed_by_peer()

    def used():
        with Connection(8081) as connection:
            return connection.ask("GET", "/metrics").status, connection.closed_by_peer()

    def stalled():
        with Connection(8081) as connection:
            connection.send(b"GET /metrics HTTP/1.1\r\nHo")
            return connection.response().status
    assert (on_8081(fresh), on_8081(used), on_8081(stalled)) == (True, (200, True), 400)


@case(132)
@needs_root
def test_metrics_tell_of_the_process_and_of_scrapes(on_8081):
    def scrape():
        return parse_metrics(call(8081, "GET", "/metrics").text)
    before = metric(on_8081(scrape), "promhttp_metric_handler_requests_total", code="200")
    found = on_8081(scrape)
    assert metric(found, "promhttp_metric_handler_requests_total", code="200") > before
    assert metric(found, "promhttp_metric_handler_requests_in_flight") == 1
    assert metric(found, "process_resident_memory_bytes") > 100_000
    assert metric(found, "process_max_fds") >= metric(found, "process_open_fds") > 3
    assert {name for name, _ in found if name.startswith("http_")} == {"http_requests_in_flight"}
    assert not any(name.startswith("go_") for name, _ in found)
