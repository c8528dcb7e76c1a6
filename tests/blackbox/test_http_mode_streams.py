# of-watchdog, mode http: what flows as it comes: events, upgrades, both directions at once.
import threading
import time

import pytest

from scripted_upstream import always, answer
from wire import Closed, chunk, request_bytes

case = pytest.mark.case


@case(109)
@pytest.mark.parametrize("kind", ["text/event-stream", "application/x-ndjson", "text/plain"])
@pytest.mark.parametrize("accept", [True, False])
def test_events_pass_as_they_come(proxied, kind, accept):
    go = threading.Semaphore(0)

    def handler(connection, _number):
        connection.request()
        connection.send(f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
        for number in range(3):
            assert go.acquire(timeout=20)
            connection.send(chunk(b"data: %d\n\n" % number))
        assert go.acquire(timeout=20)
        connection.send(b"0\r\n\r\n")

    watchdog, _ = proxied(handler)
    with watchdog.connect() as connection:
        connection.send(request_bytes("GET", "/", {"Accept": kind} if accept else {}))
        reply = connection.response_head()  # the head comes before the first event
        for number in range(3):
            go.release()
            connection.body_until(reply, b"data: %d\n\n" % number)
        go.release()
        connection.finish(reply)
        assert reply.complete and reply.header("Content-Type") == kind


@case(109)
def test_an_answer_that_ends_with_the_connection_passes_as_it_comes(proxied):
    go = threading.Event()

    def handler(connection, _number):
        connection.request()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nfirst")
        go.wait(20)
        connection.send(b" second")

    watchdog, _ = proxied(handler)
    with watchdog.connect() as connection:
        connection.send(request_bytes("GET", "/"))
        reply = connection.response_head()
        connection.body_until(reply, b"first")
        go.set()
        connection.finish(reply)
        assert reply.complete and reply.body == b"first second"


@case(109)
@pytest.mark.parametrize("kind", ["text/event-stream", "Text/Event-Stream; charset=utf-8", "application/x-ndjson"])
def test_an_event_stream_outlives_all_timeouts(proxied, kind):
    go = threading.Semaphore(0)

    def handler(connection, _number):
        connection.request()
        connection.send(f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
        for number in range(3):
            assert go.acquire(timeout=20)
            connection.send(chunk(b"event %d\n" % number))
        connection.send(b"0\r\n\r\n")

    watchdog, _ = proxied(handler, exec_timeout="500ms", read_timeout="500ms", write_timeout="500ms")
    with watchdog.connect() as connection:
        connection.send(request_bytes("GET", "/", {"X-Timeout": "400ms"}))
        reply = connection.response_head()
        for number in range(3):
            time.sleep(0.6)  # not a synchronisation: the limits must pass
            go.release()
            connection.body_until(reply, b"event %d\n" % number)
        connection.finish(reply)
        assert reply.complete


@case(110, deviation="an event stream that never begins is a 500")
def test_an_event_stream_that_never_begins_is_an_error(proxied):
    watchdog, _ = proxied(lambda connection, _number: connection.request())
    assert watchdog.call("GET", "/", {"Accept": "text/event-stream"}).status in (500, 502)


def upgrading(connection, _number):
    connection.request()
    connection.send(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
    while True:
        connection.send(connection.read_exactly(4))


@case(111, deviation="`Upgrade` is read without regard to case")
@pytest.mark.parametrize("upgrade,connection_field", [
    ("websocket", "Upgrade"), ("WebSocket", "upgrade"), ("websocket", "keep-alive, Upgrade")])
def test_a_websocket_passes_and_outlives_all_timeouts(proxied, upgrade, connection_field):
    watchdog, upstream = proxied(upgrading, exec_timeout="1s", read_timeout="1s", write_timeout="1s")
    with watchdog.connect() as connection:
        connection.send(request_bytes("GET", "/ws", {
            "Connection": connection_field, "Upgrade": upgrade, "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
            "Sec-WebSocket-Version": "13"}))
        reply = connection.response_head()
        assert reply.status == 101 and reply.header("Upgrade") == "websocket"
        assert "upgrade" in reply.header("Connection").lower()
        for number in range(4):
            connection.send(b"p%03d" % number)
            assert connection.read_exactly(4) == b"p%03d" % number
            time.sleep(0.6)  # not a synchronisation: the limits of 1 s must pass
    request = upstream.requests[0]
    assert request.header("Upgrade").lower() == "websocket"
    assert "upgrade" in request.header("Connection").lower()
    assert request.header("Sec-WebSocket-Key") == "dGhlIHNhbXBsZSBub25jZQ=="


@case(111)
def test_bytes_sent_right_behind_the_upgrade_are_not_lost(proxied):
    watchdog, _ = proxied(upgrading)
    with watchdog.connect() as connection:
        connection.send(request_bytes("GET", "/", {"Connection": "Upgrade", "Upgrade": "websocket"}) + b"ping")
        assert connection.response_head().status == 101
        assert connection.read_exactly(4) == b"ping"


@case(111)
def test_when_one_end_of_a_tunnel_leaves_the_other_is_told(proxied):
    told = threading.Event()

    def handler(connection, number):
        try:
            upgrading(connection, number)
        except Closed:
            told.set()

    watchdog, _ = proxied(handler)
    connection = watchdog.connect()
    connection.send(request_bytes("GET", "/", {"Connection": "Upgrade", "Upgrade": "websocket"}))
    assert connection.response_head().status == 101
    connection.close()
    assert told.wait(10)


@case(111)
@pytest.mark.parametrize("who", ["client", "upstream"])
@pytest.mark.parametrize("busy", [False, True])
def test_a_tunnel_that_is_reset_ends_for_both(proxied, who, busy):
    go, ended = threading.Event(), threading.Event()

    def handler(connection, _number):
        connection.request()
        connection.send(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        if busy:
            connection.send(b"x" * 100_000)
        if who == "upstream":
            go.wait(20)
            connection.reset()
            return
        try:
            connection.rest()
        finally:
            ended.set()

    watchdog, _ = proxied(handler)
    for _ in range(10):
        go.clear()
        ended.clear()
        with watchdog.connect() as connection:
            connection.send(request_bytes("GET", "/", {"Connection": "Upgrade", "Upgrade": "websocket"}))
            assert connection.response_head().status == 101
            if busy:
                connection.send(b"y" * 100_000)
            if who == "client":
                connection.reset()
                assert ended.wait(10)
            else:
                go.set()
                connection.rest()
    assert watchdog.call("GET", "/_/health").status == 200


@case(111)
def test_a_refused_upgrade_is_an_ordinary_answer(proxied):
    watchdog, _ = proxied(always(answer("403 Forbidden", body=b"no")))
    with watchdog.connect() as connection:
        connection.send(request_bytes("GET", "/", {"Connection": "Upgrade", "Upgrade": "websocket"}))
        reply = connection.response()
        assert (reply.status, reply.body) == (403, b"no")


@case(113, deviation="nothing of the body is lost")
@pytest.mark.parametrize("framing", ["length", "chunked"])
@pytest.mark.parametrize("accept", [{}, {"Accept": "text/event-stream"}])
def test_an_upstream_that_answers_while_it_reads_gets_all(proxied, framing, accept):
    def handler(connection, _number):
        while True:
            request = connection.request_head_only()
            connection.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n")
            for piece in connection.pieces(request):
                connection.send(chunk(piece))
            connection.send(b"0\r\n\r\n")

    watchdog, _ = proxied(handler)
    headers = {"Content-Length": "10000"} if framing == "length" else {"Transfer-Encoding": "chunked"}
    with watchdog.connect() as connection:
        for _ in range(2):
            connection.send(request_bytes("POST", "/", {**headers, **accept}))
            reply, expected = connection.response_head(), b""
            for letter in b"ABCDEFGHIJ":
                piece = bytes([letter]) * 1000
                connection.send(piece if framing == "length" else chunk(piece))
                expected += piece
                connection.body_until(reply, expected)
            connection.send(b"" if framing == "length" else b"0\r\n\r\n")
            connection.finish(reply)
            assert reply.complete and reply.body == expected


def test_an_early_refusal_reaches_a_client_that_still_uploads(proxied):
    def handler(connection, _number):
        connection.request_head_only()
        connection.send(answer("413 Too Large", [("Connection", "close")], b"too much"))
        connection.rest()

    watchdog, _ = proxied(handler)
    with watchdog.connect() as connection:
        connection.send(request_bytes("POST", "/", {"Content-Length": "3000000"}) + b"x" * 1000)
        reply = connection.response()
        assert (reply.status, reply.body) == (413, b"too much")
