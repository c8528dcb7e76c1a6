# of-watchdog, mode http, before an upstream that misbehaves: no answer of one call may reach another.
import threading

import pytest

from scripted_upstream import always, answer
from wire import chunk, request_bytes

OK = answer(headers=[("Content-Type", "text/plain")], body=b"fine")
EVIL = answer(body=b"evil")


@pytest.mark.parametrize("first", [
    answer(body=b"good") + EVIL, answer(body=b"good") + b"HTTP/1.1 200",
    b"HTTP/1.1 204 No Content\r\n\r\n" + EVIL, b"HTTP/1.1 304 Not Modified\r\n\r\n" + b"body of 304",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk(b"good") + b"0\r\n\r\n" + EVIL],
    ids=["whole", "part", "204", "304", "chunked"])
def test_bytes_behind_an_answer_are_never_taken_for_the_next(proxied, first):
    def handler(connection, number):
        connection.request()
        connection.send(first if number == 1 else OK)
        while True:
            connection.request()
            connection.send(OK)

    watchdog, _ = proxied(handler)
    with watchdog.connect() as connection:
        assert connection.ask("GET", "/").body in (b"good", b"")
        for _ in range(3):
            assert connection.ask("GET", "/").body == b"fine"
    assert watchdog.call("POST", "/", body=b"x").body == b"fine"


def test_a_body_sent_for_head_is_not_taken_for_the_next_answer(proxied):
    watchdog, _ = proxied(always(OK))  # which answers HEAD with a body
    with watchdog.connect() as connection:
        for method in ("HEAD", "GET", "HEAD", "GET"):
            reply = connection.ask(method, "/")
            assert (reply.status, reply.body) == (200, b"" if method == "HEAD" else b"fine")


def test_an_answer_before_the_end_of_the_upload_frees_no_connection(proxied):
    """The rest of an upload must not be read as the next request by an upstream that answered early."""
    def handler(connection, _number):
        while True:
            request = connection.request_head_only()
            connection.send(OK)
            if request.target == "/early":
                connection.rest()  # what comes here belongs to the first request, or nothing comes
                return
            connection.read_body(request)

    watchdog, upstream = proxied(handler)
    with watchdog.connect() as early:
        early.send(request_bytes("POST", "/early", {"Content-Length": "100000"}) + b"x" * 10)
        assert early.response().body == b"fine"
        for number in range(3):
            assert watchdog.call("POST", f"/{number}", body=b"y" * 100).body == b"fine"
    assert [r.target for r in upstream.requests] == ["/early", "/0", "/1", "/2"]


@pytest.mark.parametrize("data", [
    b"HTTP/1.1 099 Low\r\nContent-Length: 0\r\n\r\n", b"HTTP/1.1 1000 High\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 abc No\r\nContent-Length: 0\r\n\r\n", b"HTTP/1.1\r\n\r\n", b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    b"HTTP/1.1 200 OK\r\nBad Name: x\r\n\r\n", b"HTTP/1.1 200 OK\r\nX-Nul: a\0b\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nX-Big: " + b"v" * 3_000_000 + b"\r\n\r\n",
    b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n", b"\x16\x03\x01\x00\x02\x02\x0a"])
def test_an_answer_that_is_none_is_an_error_of_the_function(proxied, data):
    def handler(connection, _number):
        connection.request()
        connection.send(data)

    watchdog, _ = proxied(handler)
    with watchdog.connect() as connection:
        for _ in range(2):
            reply = connection.ask("GET", "/")
            assert reply.status in (500, 502), reply
    assert watchdog.call("GET", "/_/health").status == 200


def test_length_and_chunked_together_do_not_confuse_the_framing(proxied):
    def handler(connection, _number):
        connection.request()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"
                        + chunk(b"abcdef") + b"0\r\n\r\n")

    watchdog, _ = proxied(handler)
    with watchdog.connect() as connection:
        reply = connection.ask("GET", "/")
        assert reply.status in (500, 502) or reply.body == b"abcdef"


def test_a_bad_chunk_of_the_upstream_cuts_the_answer(proxied):
    def handler(connection, _number):
        connection.request()
        connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk(b"good") + b"zz\r\n")

    reply = proxied(handler)[0].call("GET", "/")
    assert reply.status in (500, 502) or (reply.body, reply.complete) == (b"good", False)


def test_an_answer_that_comes_byte_by_byte_is_whole(proxied):
    data = (b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n"
            + chunk(b"hello ") + b"5;x=y\r\nworld\r\n0\r\n\r\n")

    def handler(connection, _number):
        while True:
            connection.request()
            for byte in data:
                connection.send(bytes([byte]))

    watchdog, _ = proxied(handler)
    with watchdog.connect() as connection:
        for _ in range(3):
            reply = connection.ask("GET", "/")
            assert reply.complete and reply.body == b"hello world"


def test_a_thousand_interim_answers_are_dropped(proxied):
    watchdog, _ = proxied(always(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 1000 + OK))
    reply = watchdog.call("GET", "/")
    assert (reply.status, reply.body) in ((200, b"fine"),) or reply.status in (500, 502)


def test_large_fields_of_the_upstream_pass(proxied):
    value = "v" * 60_000
    watchdog, _ = proxied(always(answer(headers=[("X-Big", value)], body=b"fine")))
    assert watchdog.call("GET", "/").header("X-Big") == value


def test_a_field_cannot_be_used_to_add_another(proxied):
    watchdog, upstream = proxied(always(OK))
    watchdog.send_raw(b"GET /a HTTP/1.1\r\nHost: a\r\nX-A: b\r\n X-Injected: yes\r\n\r\n")
    for request in upstream.requests:
        assert request.header("X-Injected") is None


def test_an_upstream_that_dawdles_does_not_hinder_the_others(proxied):
    go = threading.Event()

    def handler(connection, _number):
        while True:
            request = connection.request()
            if request.target == "/slow":
                go.wait(20)
            connection.send(OK)

    watchdog, _ = proxied(handler)
    slow = [watchdog.connect() for _ in range(50)]
    try:
        for connection in slow:
            connection.send(request_bytes("GET", "/slow"))
        for _ in range(20):
            assert watchdog.call("GET", "/quick").body == b"fine"
        go.set()
        assert all(connection.response().body == b"fine" for connection in slow)
    finally:
        go.set()
        for connection in slow:
            connection.close()
