# of-watchdog, mode http: where the function is found, and the connections to it.
import threading
import time

import pytest

from scripted_upstream import always, answer
from wire import basic, eventually, request_bytes

case = pytest.mark.case

OK = answer(headers=[("Content-Type", "text/plain")], body=b"fine")
LINE = 'For "mode=http" you must specify a valid URL for "http_upstream_url", error: parse '


@case(107)
def test_a_connection_the_upstream_closed_meanwhile_is_replaced(proxied):
    closed = threading.Semaphore(0)

    def handler(connection, _number):
        connection.request()
        connection.send(OK)
        connection.close()
        closed.release()

    watchdog, upstream = proxied(handler)
    with watchdog.connect() as connection:
        for _ in range(5):
            assert connection.ask("POST", "/", body=b"x").status == 200
            assert closed.acquire(timeout=10)
    assert len(upstream.requests) == 5


@case(107)
def test_a_post_that_was_sent_is_never_sent_again(proxied):
    def handler(connection, number):
        connection.request()
        connection.send(OK)
        connection.request()  # the second on this connection is read and dropped

    watchdog, upstream = proxied(handler)
    with watchdog.connect() as connection:
        assert connection.ask("POST", "/1", body=b"x").status == 200
        assert connection.ask("POST", "/2", body=b"x").status == 500
    assert [r.target for r in upstream.requests] == ["/1", "/2"]


def test_connections_to_the_upstream_are_reused(proxied):
    watchdog, upstream = proxied(always(OK))
    for _ in range(10):
        assert watchdog.call("POST", "/", body=b"x").status == 200
    assert upstream.connections <= 2, "each call opened a connection"


def closing_at(*targets):
    """Drops a connection that is asked for one of the targets for the first time."""
    dropped = set()

    def handler(connection, _number):
        while True:
            request = connection.request()
            if request.target in targets and request.target not in dropped:
                dropped.add(request.target)
                return
            connection.send(OK)
    return handler


@case(107)
@pytest.mark.parametrize("method,headers", [("GET", {}), ("HEAD", {}), ("OPTIONS", {}), ("TRACE", {}),
                                            ("POST", {"Idempotency-Key": "1"}), ("DELETE", {"X-Idempotency-Key": "1"})])
def test_a_repeatable_request_is_sent_again_when_a_kept_connection_breaks(proxied, method, headers):
    watchdog, upstream = proxied(closing_at("/again"))
    assert watchdog.call("GET", "/first").status == 200
    assert watchdog.call(method, "/again", headers).status == 200
    assert [r.target for r in upstream.requests] == ["/first", "/again", "/again"]


@case(107)
@pytest.mark.parametrize("method,headers,body", [("POST", {}, None), ("DELETE", {}, None), ("PUT", {}, b"x"),
                                                 ("GET", {}, b"x"), ("POST", {"Idempotency-Key": "1"}, b"x")])
def test_no_other_request_is_sent_again(proxied, method, headers, body):
    watchdog, upstream = proxied(closing_at("/once"))
    assert watchdog.call("GET", "/first").status == 200
    assert watchdog.call(method, "/once", headers, body).status == 500
    assert [r.target for r in upstream.requests] == ["/first", "/once"]


@case(107)
def test_on_a_new_connection_nothing_is_sent_again(proxied):
    def handler(connection, number):
        connection.request()
        if number == 1:
            connection.send(answer(headers=[("Connection", "close")], body=b"bye"))

    watchdog, upstream = proxied(handler)
    assert watchdog.call("GET", "/first").body == b"bye"
    assert watchdog.call("GET", "/once").status == 500
    assert [r.target for r in upstream.requests] == ["/first", "/once"]


@case(107, deviation="an idle connection is kept for two minutes, and dropped the moment the upstream closes it")
def test_a_connection_survives_quiet_periods(proxied):
    watchdog, upstream = proxied(always(OK))
    for _ in range(3):
        assert watchdog.call("POST", "/", body=b"x").status == 200
        time.sleep(0.8)  # not a synchronisation: longer than the reference keeps one
    assert upstream.connections == 1


def test_a_kept_connection_that_speaks_unasked_is_not_used(proxied):
    said = threading.Event()

    def handler(connection, number):
        connection.request()
        connection.send(OK)
        if number == 1:
            connection.send(answer("408 Request Timeout", [("Connection", "close")]))
            said.set()
        connection.request()
        connection.send(OK)

    watchdog, upstream = proxied(handler)
    assert watchdog.call("POST", "/1", body=b"x").body == b"fine"
    assert said.wait(20)
    assert watchdog.call("POST", "/2", body=b"x").body == b"fine"


# -- where the function is found --------------------------------------------------------------------


@pytest.mark.parametrize("suffix,target", [("", "/a?b=1"), (":/base", "/base/a?b=1"), (":/base/", "/base/a?b=1"),
                                           (":/", "/a?b=1")])
def test_a_function_on_a_unix_socket(start, script, suffix, target):
    path = script("").parent / "f.sock"
    upstream = start.upstream(always(OK), path=path)
    watchdog = start.of({"fprocess": "sleep 86400", "mode": "http", "upstream_url": upstream.url + suffix})
    assert watchdog.call("POST", "/a?b=1", {"Host": "h.test"}, b"x").body == b"fine"
    assert watchdog.call("GET", "/old", version="HTTP/1.0", headers=[("Host", "")]).status == 200
    assert (upstream.requests[0].target, upstream.requests[0].header("Host")) == (target, "h.test")
    assert upstream.requests[1].header("Host") == "localhost"
    assert upstream.connections == 1


def test_a_function_that_makes_its_unix_socket_late(start, script):
    path = script("").parent / "f.sock"
    watchdog = start.of({"fprocess": "sleep 86400", "mode": "http", "upstream_url": f"unix://{path}"}, wait=False)
    watchdog.wait_for_log("Listening on port")
    with watchdog.connect() as early:
        early.send(request_bytes("POST", "/early", body=b"x"))
        assert watchdog.call("GET", "/_/health").status == 503
        upstream = start.upstream(always(OK), path=path)
        assert early.response().body == b"fine"
    watchdog.wait_until_serving()
    assert [r.target for r in upstream.requests] == ["/early"]


@case(100, 107)
def test_a_unix_socket_breaks_and_is_called_again_as_tcp_is(start, script):
    path = script("").parent / "f.sock"
    upstream = start.upstream(closing_at("/again", "/once"), path=path)
    watchdog = start.of({"fprocess": "sleep 86400", "mode": "http", "upstream_url": upstream.url})
    assert watchdog.call("GET", "/again").status == 200
    assert watchdog.call("POST", "/once", body=b"x").status == 500
    assert [r.target for r in upstream.requests] == ["/again", "/again", "/once"]
    upstream.stop_listening()
    assert watchdog.call("GET", "/").status == 500
    watchdog.wait_for_log(f'Upstream HTTP request error: Get "unix://{path}/"')


def test_a_unix_socket_that_is_slow_to_accept_refuses_nobody(start, script):
    """Its backlog is full: where TCP would wait by itself, a Unix socket says so at once."""
    path = script("").parent / "f.sock"
    upstream = start.upstream(always(OK), path=path, backlog=0, paused=True)
    watchdog = start.of({"fprocess": "sleep 86400", "mode": "http", "upstream_url": upstream.url})
    calls = [watchdog.connect() for _ in range(8)]
    try:
        for number, connection in enumerate(calls):
            connection.send(request_bytes("POST", f"/{number}", body=b"x"))
        watchdog.call("GET", "/_/health")  # the calls have arrived before this
        upstream.resume()
        assert all(connection.response().body == b"fine" for connection in calls)
    finally:
        for connection in calls:
            connection.close()


@pytest.mark.parametrize("userinfo,user,password", [("u:p", "u", "p"), ("u", "u", ""), ("a%40b:c%3Ad", "a@b", "c:d")])
def test_a_user_in_upstream_url_is_basic_authentication(start, userinfo, user, password):
    upstream = start.upstream(always(OK))
    watchdog = start.of({"fprocess": "sleep 86400", "mode": "http",
                         "upstream_url": f"http://{userinfo}@127.0.0.1:{upstream.port}/base"})
    watchdog.call("GET", "/")
    watchdog.call("GET", "/", {"Authorization": "Bearer mine"})
    ours, theirs = upstream.requests
    assert (ours.target, ours.all("Authorization")) == ("/base/", [basic(user, password)])
    assert theirs.all("Authorization") == ["Bearer mine"]


@case(13)
@pytest.mark.parametrize("url,why", [
    ("https://127.0.0.1:5000", "https is not spoken"), ("http://127.0.0.1:5000/?q=1", "must not hold a query"),
    ("http://", "names no host"), ("http://function:5000", "neither an IP address nor localhost"),
    ("http://127.0.0.1:99999", "port"), ("unix://f.sock", "must begin with /"), ("unix:///" + "x" * 108, "107 bytes"),
    ("ftp://127.0.0.1", "must begin with http:// or unix://"), ("http://u:secret@", "names no host")])
def test_an_upstream_url_that_cannot_be_called_stops_the_start(start, url, why):
    watchdog = start.of({"fprocess": "sleep 86400", "mode": "http", "upstream_url": url}, wait=False)
    assert watchdog.expect_exit() == 1
    assert LINE in watchdog.stderr() and why in watchdog.stderr()
    assert "secret" not in watchdog.stderr()


@case(3, 104)
def test_http_upstream_url_wins(start):
    upstream = start.upstream(always(OK))
    watchdog = start.of({"fprocess": "sleep 86400", "mode": "http", "upstream_url": "http://127.0.0.1:1",
                         "http_upstream_url": upstream.url})
    assert watchdog.call("GET", "/").body == b"fine"


def test_proxies_of_the_environment_are_not_asked(start):
    upstream, proxy = start.upstream(always(OK)), start.upstream(always(OK))
    watchdog = start.of({"fprocess": "sleep 86400", "mode": "http", "upstream_url": upstream.url,
                         "HTTP_PROXY": proxy.url, "http_proxy": proxy.url})
    assert watchdog.call("GET", "/").body == b"fine"
    assert (len(upstream.requests), proxy.connections) == (1, 0)


def test_a_target_in_absolute_form_becomes_a_path(start):
    upstream = start.upstream(always(OK))
    watchdog = start.of({"fprocess": "sleep 86400", "mode": "http", "upstream_url": upstream.url + "/base"})
    for target in ("http://other.test/a?b=c", "http://other.test?b=c", "http://other.test"):
        assert watchdog.send_raw(f"GET {target} HTTP/1.1\r\nHost: h.test\r\n\r\n".encode()).body == b"fine"
    assert [(r.target, r.header("Host")) for r in upstream.requests] == [
        ("/base/a?b=c", "other.test"), ("/base/?b=c", "other.test"), ("/base/", "other.test")]
