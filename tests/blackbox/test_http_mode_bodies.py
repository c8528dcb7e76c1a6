# of-watchdog, mode http: bodies, their framing and trailers on each hop, and the answers that come before the answer.
import hashlib
import random
import threading

import pytest

import processes
import programs
from scripted_upstream import always, answer
from wire import chunk, request_bytes

case = pytest.mark.case

OK = answer(headers=[("Content-Type", "text/plain")], body=b"fine")
CHUNKED = {"Transfer-Encoding": "chunked"}


# -- buffered ---------------------------------------------------------------------------------------


@case(93)
@pytest.mark.parametrize("name", ["http_buffer_req_body", "buffer_http"])
def test_a_buffered_body_has_a_length(proxied, name):
    watchdog, upstream = proxied(always(OK), **{name: "true"})
    watchdog.call("POST", "/", body=b"hello")
    watchdog.call("POST", "/", CHUNKED, chunk(b"o") + chunk(b"k") + b"0\r\nX-T: 1\r\n\r\n")
    watchdog.call("POST", "/", CHUNKED, b"0\r\n\r\n")
    watchdog.call("GET", "/")
    assert [(r.header("Content-Length"), r.framing, r.body) for r in upstream.requests] == [
        ("5", "length", b"hello"), ("2", "length", b"ok"), ("0", "length", b""), (None, "none", b"")]


@case(93)
def test_a_buffered_body_is_whole_before_the_function_is_asked(proxied):
    watchdog, upstream = proxied(always(OK), http_buffer_req_body="true")
    with watchdog.connect() as slow:
        slow.send(request_bytes("POST", "/slow", {"Content-Length": "6"}) + b"abc")
        for number in range(3):  # were the slow one passed on as it comes, it would be the first
            assert watchdog.call("GET", f"/{number}").body == b"fine"
        slow.send(b"def")
        assert slow.response().body == b"fine"
    assert [(r.target, r.body) for r in upstream.requests] == [("/0", b""), ("/1", b""), ("/2", b""),
                                                               ("/slow", b"abcdef")]


@case(93)
@pytest.mark.parametrize("chunked", [False, True])
def test_a_large_buffered_body_costs_no_memory(proxied, chunked):
    """It goes through a file without a name in TMPDIR, in pieces."""
    size, piece = 32 * 1024 * 1024, random.Random(1).randbytes(1024 * 1024)
    received = []

    def handler(connection, _number):
        request = connection.request_head_only()
        digest = hashlib.sha256()
        for part in connection.pieces(request):
            digest.update(part)
        received.append((request.header("Content-Length"), digest.digest()))
        connection.send(OK)

    watchdog, _ = proxied(handler, http_buffer_req_body="true")
    with watchdog.connect() as connection:
        connection.send(request_bytes("POST", "/", CHUNKED if chunked else {"Content-Length": str(size)}))
        for _ in range(size // len(piece)):
            connection.send(chunk(piece) if chunked else piece)
        connection.send(b"0\r\n\r\n" if chunked else b"")
        assert connection.response().body == b"fine"
    assert received == [(str(size), hashlib.sha256(piece * 32).digest())]
    if not programs.is_sanitized("of-watchdog"):
        assert processes.memory_kib(watchdog.pid) < 16 * 1024


@case(93)
def test_a_buffered_body_that_is_cut_short_is_not_sent(proxied):
    watchdog, upstream = proxied(always(OK), http_buffer_req_body="true")
    with watchdog.connect() as connection:
        connection.send(request_bytes("POST", "/cut", {"Content-Length": "10"}) + b"abc")
        connection.half_close()
        assert connection.response().status == 400
    assert watchdog.call("GET", "/next").body == b"fine"
    assert [r.target for r in upstream.requests] == ["/next"]
    watchdog.wait_for_log("Error reading the request: ")


# -- trailers ---------------------------------------------------------------------------------------


@case(110)
def test_trailers_of_the_request_reach_the_upstream(proxied):
    watchdog, upstream = proxied(always(OK))
    watchdog.call("POST", "/", {**CHUNKED, "Trailer": "X-Sum, X-More"},
                  chunk(b"hello") + b"0\r\nX-Sum: 12\r\nX-More: a b\r\n\r\n")
    request = upstream.requests[0]
    assert (request.body, request.header("Trailer")) == (b"hello", "X-Sum, X-More")
    assert request.trailers == [("X-Sum", "12"), ("X-More", "a b")]


@case(110)
@pytest.mark.parametrize("accept", [{}, {"TE": "trailers"}, {"Accept": "text/event-stream"}])
def test_trailers_of_the_answer_reach_the_client(proxied, accept):
    watchdog, _ = proxied(always(b"HTTP/1.1 200 OK\r\nContent-Type: x/y\r\nTransfer-Encoding: chunked\r\n"
                                 b"Trailer: X-Sum\r\n\r\n" + chunk(b"hello") + b"0\r\nX-Sum: 12\r\n\r\n"))
    with watchdog.connect() as connection:
        for _ in range(2):
            reply = connection.ask("GET", "/", accept)
            assert (reply.body, reply.complete, reply.header("Trailer")) == (b"hello", True, "X-Sum")
            assert reply.trailers == [("X-Sum", "12")]


def test_a_client_of_http_1_0_gets_the_body_without_trailers(proxied):
    watchdog, _ = proxied(always(b"HTTP/1.1 200 OK\r\nContent-Type: x/y\r\nTransfer-Encoding: chunked\r\n"
                                 b"Trailer: X-Sum\r\n\r\n" + chunk(b"hello") + b"0\r\nX-Sum: 12\r\n\r\n"))
    reply = watchdog.call("GET", "/", version="HTTP/1.0")
    assert (reply.body, reply.header("Trailer"), reply.framing) == (b"hello", None, "close")


@pytest.mark.parametrize("name", ["Host", "Connection", "Authorization", "Content-Type", "set-cookie", "Trailer"])
def test_trailers_that_would_change_what_was_said_before_are_dropped(proxied, name):
    tail = chunk(b"hello") + f"0\r\nX-A: 1\r\n{name}: 2\r\nX-B: 3\r\n\r\n".encode()
    watchdog, upstream = proxied(always(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + tail))
    with watchdog.connect() as connection:
        for _ in range(2):
            reply = connection.ask("POST", "/", CHUNKED, tail)
            assert reply.trailers == [("X-A", "1"), ("X-B", "3")]
    assert [r.trailers for r in upstream.requests] == [[("X-A", "1"), ("X-B", "3")]] * 2


@pytest.mark.parametrize("name", ["Content-Length", "Transfer-Encoding"])
def test_framing_in_trailers_breaks_the_message_off(proxied, name):
    tail = chunk(b"hello") + f"0\r\n{name}: 2\r\n\r\n".encode()
    watchdog, upstream = proxied(always(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + tail))
    reply = watchdog.call("GET", "/")
    assert (reply.body, reply.complete) == (b"hello", False)
    assert watchdog.call("POST", "/", CHUNKED, tail).status == 400
    assert watchdog.call("GET", "/").body == b"hello"


# -- interim answers --------------------------------------------------------------------------------


@case(97, deviation="interim answers are passed on, as RFC 9110 section 15.2 asks, but to HTTP/1.0")
@pytest.mark.parametrize("count", [1, 8])
def test_early_hints_reach_the_client_before_the_answer(proxied, count):
    go = threading.Event()
    hint = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nKeep-Alive: x\r\n\r\n"

    def handler(connection, _number):
        connection.request()
        connection.send(b"HTTP/1.1 100 Continue\r\n\r\n" + hint * (count - 1))
        assert go.wait(20)
        connection.send(OK)

    watchdog, _ = proxied(handler)
    with watchdog.connect() as connection:
        connection.send(request_bytes("POST", "/", body=b"x"))
        for _ in range(count - 1):
            interim = connection.head()
            assert (interim.start_line, interim.headers) == ("HTTP/1.1 103 Early Hints", [("Link", "</a>")])
        go.set()
        assert connection.response().body == b"fine"


@case(97, deviation="interim answers are passed on, as RFC 9110 section 15.2 asks, but to HTTP/1.0")
def test_a_client_of_http_1_0_gets_the_answer_alone(proxied):
    watchdog, _ = proxied(always(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + OK))
    with watchdog.connect() as connection:
        connection.send(request_bytes("GET", "/", version="HTTP/1.0"))
        assert connection.head().start_line == "HTTP/1.0 200 OK"


@case(97, deviation="interim answers are passed on, as RFC 9110 section 15.2 asks, but to HTTP/1.0")
def test_early_hints_to_a_client_that_has_finished_sending(proxied):
    """It is told apart from one that left by the first bytes of an answer, sent ahead: they are not lost."""
    go = threading.Event()

    def handler(connection, _number):
        connection.request()
        assert go.wait(20)
        connection.send(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + OK)

    watchdog, upstream = proxied(handler)
    with watchdog.connect() as connection:
        connection.send(request_bytes("GET", "/"))
        connection.half_close()
        upstream.wait_for_requests(1)
        assert connection.read_exactly(7) == b"HTTP/1."
        connection.buffer = b"HTTP/1."
        go.set()
        assert connection.head().start_line == "HTTP/1.1 103 Early Hints"
        assert connection.response().body == b"fine"


def test_expect_is_met_here_and_not_sent_on(proxied):
    watchdog, upstream = proxied(always(b"HTTP/1.1 100 Continue\r\n\r\n" + OK))
    with watchdog.connect() as connection:
        for _ in range(2):
            connection.send(request_bytes("POST", "/", {"Expect": "100-continue", "Content-Length": "5"}))
            assert connection.head().start_line == "HTTP/1.1 100 Continue"
            connection.send(b"hello")
            reply = connection.response()
            assert (reply.body, reply.interim) == (b"fine", [])
    assert [(r.header("Expect"), r.body) for r in upstream.requests] == [(None, b"hello")] * 2


# -- answers before the end of the request ----------------------------------------------------------


@pytest.mark.parametrize("framing", ["length", "chunked"])
@pytest.mark.parametrize("leave", ["close", "reset", "read"])
def test_an_early_refusal_always_reaches_a_client_that_sends_everything_first(proxied, framing, leave):
    def handler(connection, _number):
        connection.request_head_only()
        connection.send(answer("413 Too Large", [("Connection", "close")], b"too much"))
        if leave == "reset":
            connection.reset()
        if leave == "read":
            connection.rest()

    watchdog, _ = proxied(handler)
    for _ in range(10):
        with watchdog.connect() as connection:
            headers = CHUNKED if framing == "chunked" else {"Content-Length": "10000000"}
            connection.send(request_bytes("POST", "/", headers))
            for _ in range(100):
                connection.send(chunk(b"x" * 100_000) if framing == "chunked" else b"x" * 100_000)
            connection.send(b"0\r\n\r\n" if framing == "chunked" else b"")
            reply = connection.response()
            assert (reply.status, reply.body) == (413, b"too much")


def test_an_upstream_that_reads_nothing_of_an_upload_is_504_in_time(proxied):
    done = threading.Event()
    watchdog, _ = proxied(lambda _connection, _number: done.wait(60), exec_timeout="1s")
    try:
        with watchdog.connect() as connection:
            connection.send(request_bytes("POST", "/", {"Content-Length": "100000000", "X-Big": "v" * 500_000})
                            + b"x" * 3_000_000)
            assert connection.response_head().status == 504
    finally:
        done.set()


def test_a_request_to_upgrade_with_a_body_is_an_ordinary_one(proxied):
    watchdog, upstream = proxied(always(OK))
    with watchdog.connect() as connection:
        for upgrade, body in (("websocket", b"x"), ("h2c", None), ("foo, h2c", None)):
            reply = connection.ask("POST", "/", [("Connection", "Upgrade, HTTP2-Settings"), ("Upgrade", upgrade),
                                                 ("HTTP2-Settings", "x")], body)
            assert (reply.status, reply.body) == (200, b"fine")
    for request in upstream.requests:
        assert [request.header(n) for n in ("Upgrade", "Connection", "HTTP2-Settings")] == [None] * 3
