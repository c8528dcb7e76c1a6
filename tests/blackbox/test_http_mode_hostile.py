# of-watchdog, mode http, before an upstream that misbehaves, or a client that does: no answer of one call may reach
# another, and nobody makes the watchdog hold more than a bounded amount.
import threading

import pytest

import processes
import programs
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


@pytest.mark.parametrize("fields", [
    b"Content-Length: 3\r\nTransfer-Encoding: chunked", b"Transfer-Encoding: chunked\r\nContent-Length: 3",
    b"Transfer-Encoding: gzip, chunked", b"Transfer-Encoding: chunked, chunked", b"Transfer-Encoding: identity",
    b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", b"Transfer-Encoding: xchunked",
    b"Content-Length: 2, 2", b"Content-Length: +2", b"Content-Length: 0x2", b"Content-Length: 2\r\nContent-Length: 3",
    b"Content-Length: 99999999999999999999", b"Content-Length: 18446744073709551617", b"Content-Length: 2 2",
    b"X-A: b\rContent-Length: 2", b"X-A: b\r\r\nContent-Length: 2", b"X-A : b\r\nContent-Length: 2",
    b"\x00X-A: b\r\nContent-Length: 2", b": b\r\nContent-Length: 2"])
def test_an_answer_that_two_readers_could_frame_differently_is_refused(proxied, fields):
    def handler(connection, number):
        connection.request()
        if number > 1 or connection.upstream.requests[-1].target == "/next":
            connection.send(OK)
            return
        connection.send(b"HTTP/1.1 200 OK\r\n" + fields + b"\r\n\r\n" + chunk(b"abcdef") + b"0\r\n\r\n" + EVIL)

    watchdog, _ = proxied(handler)
    with watchdog.connect() as connection:
        assert connection.ask("GET", "/").status == 500
        assert connection.ask("GET", "/next").body == b"fine"


@pytest.mark.parametrize("line", [b"HTTP/2.0 200 OK", b"HTTP/0.9 200 OK", b"ICY 200 OK", b"HTTP/1.1 20 OK", b"HTTP/1.1 2000 OK",
                                  b"HTTP/1.1  200 OK", b" HTTP/1.1 200 OK", b"http/1.1 200 OK", b"HTTP/1.1 200 O\x01K",
                                  b"GET / HTTP/1.1"])
def test_a_status_line_that_is_none_is_refused(proxied, line):
    watchdog, _ = proxied(always(line + b"\r\nContent-Length: 2\r\n\r\nok"))
    assert watchdog.call("GET", "/").status == 500


def test_a_folded_field_of_the_upstream_is_one_line(proxied):
    watchdog, _ = proxied(always(b"HTTP/1.1 200 OK\r\nX-A: b\r\n  c\r\nContent-Length: 4\r\n\r\nfine"))
    reply = watchdog.call("GET", "/")
    assert (reply.header("X-A"), reply.body) == ("b c", b"fine")


def test_a_shorter_length_than_the_body_hides_nothing_in_the_next_answer(proxied):
    def handler(connection, number):
        connection.request()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood" + EVIL if number == 1 else OK)
        connection.request()
        connection.send(EVIL if number == 1 else OK)

    watchdog, _ = proxied(handler)
    with watchdog.connect() as connection:
        assert connection.ask("GET", "/").body == b"good"
        assert connection.ask("GET", "/").body == b"fine"


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


def test_a_thousand_interim_answers_are_too_many(proxied):
    watchdog, _ = proxied(always(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 1000 + OK))
    reply = watchdog.call("GET", "/")
    assert reply.status == 500 and len(reply.interim) < 10


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


# -- without an end ---------------------------------------------------------------------------------

ENOUGH = 64 * 1024 * 1024


def endless(connection, piece, most=ENOUGH):
    """Sends until the watchdog hangs up or takes no more; returns how much it took."""
    connection.sock.settimeout(3)
    taken = 0
    while taken < most:
        try:
            taken += connection.sock.send(piece)
        except OSError:  # closed, or full
            break
    return taken


def check_memory(watchdog):
    if not programs.is_sanitized("of-watchdog"):
        assert processes.memory_kib(watchdog.pid) < 16 * 1024


@pytest.mark.parametrize("begin,piece,statuses", [
    (b"", b"HTTP/1.1 200 OK and on" * 3000, [500]), (b"HTTP/1.1 200 OK\r\n", b"X-A: b\r\n" * 6000, [500]),
    (b"HTTP/1.1 200 OK\r\nX-A: ", b"x" * 60_000, [500]), (b"", b"\r\n" * 30_000, [500]),
    (b"", b"HTTP/1.1 102 Processing\r\n\r\n" * 2000, [500]), (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 2000, [500]),
    (b"HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nTransfer-Encoding: chunked\r\n\r\n4\r\ngood\r\n0\r\n", b"X-A: b\r\n" * 6000, [200]),
    (b"HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nTransfer-Encoding: chunked\r\n\r\n4\r\ngood\r\n4;", b"x" * 60_000, [200]),
    (b"HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nTransfer-Encoding: chunked\r\n\r\n4\r\ngood\r\n", b"0" * 60_000, [200])],
    ids=["line", "fields", "value", "blank", "102", "100", "trailers", "extension", "size"])
def test_what_never_ends_is_given_up_after_a_bounded_amount(proxied, begin, piece, statuses):
    taken = []
    given_up = threading.Event()

    def handler(connection, _number):
        connection.request()
        connection.send(begin)
        taken.append(endless(connection, piece))
        given_up.set()

    watchdog, _ = proxied(handler)
    reply = watchdog.call("GET", "/")
    assert reply.status in statuses and (reply.status == 500 or (reply.body, reply.complete) == (b"good", False))
    assert given_up.wait(30)
    assert taken[0] < ENOUGH  # what fills the buffers of two sockets
    check_memory(watchdog)
    assert watchdog.call("GET", "/_/health").status == 200


@pytest.mark.parametrize("head", [b"Content-Length: 99999999999", b"Transfer-Encoding: chunked", b"X-Until: the end"])
def test_an_endless_answer_to_a_client_that_does_not_read_waits(proxied, head):
    taken = []
    full = threading.Event()

    def handler(connection, _number):
        connection.request()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Type: a/b\r\n" + head + b"\r\n\r\n")
        taken.append(endless(connection, chunk(b"x" * 50_000)))
        full.set()

    watchdog, _ = proxied(handler)
    with watchdog.connect(rcvbuf=4096) as connection:
        connection.send(request_bytes("GET", "/"))
        connection.response_head()
        assert full.wait(60)
        assert taken[0] < ENOUGH
        check_memory(watchdog)


def test_an_endless_upload_to_an_upstream_that_does_not_read_waits(proxied):
    done = threading.Event()

    def handler(connection, _number):
        connection.request_head_only()
        done.wait(60)

    watchdog, _ = proxied(handler)
    try:
        with watchdog.connect() as connection:
            connection.send(request_bytes("POST", "/", {"Transfer-Encoding": "chunked"}))
            assert endless(connection, chunk(b"x" * 50_000)) < ENOUGH
            check_memory(watchdog)
    finally:
        done.set()


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_large_bodies_pass_both_ways_in_little_memory(proxied, framing):
    piece, count = bytes(range(256)) * 1024, 256

    def handler(connection, _number):
        request = connection.request_head_only()
        if framing == "length":
            connection.send(f"HTTP/1.1 200 OK\r\nContent-Length: {len(piece) * count}\r\n\r\n".encode())
        else:
            connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for part in connection.pieces(request):
            connection.send(part if framing == "length" else chunk(part))
        connection.send(b"" if framing == "length" else b"0\r\n\r\n")

    watchdog, _ = proxied(handler)
    with watchdog.connect() as connection:
        headers = {"Content-Length": str(len(piece) * count)} if framing == "length" else {"Transfer-Encoding": "chunked"}
        connection.send(request_bytes("POST", "/", headers))

        def upload():
            for _ in range(count):
                connection.send(piece if framing == "length" else chunk(piece))
            connection.send(b"" if framing == "length" else b"0\r\n\r\n")

        sender = threading.Thread(target=upload)
        sender.start()
        reply, got = connection.response_head(), 0
        for part in connection.pieces(reply):
            begin = got % len(piece)
            assert part == (piece * (2 + len(part) // len(piece)))[begin:begin + len(part)]
            got += len(part)
        sender.join()
        assert reply.complete and got == len(piece) * count
    check_memory(watchdog)


# -- clients ----------------------------------------------------------------------------------------


def test_a_body_longer_than_its_length_is_not_a_part_of_it(proxied):
    watchdog, upstream = proxied(always(OK))
    with watchdog.connect() as connection:
        connection.send(request_bytes("POST", "/", {"Content-Length": "5"}) + b"helloGET /evil HTTP/9.9\r\n\r\n")
        assert connection.response().body == b"fine"
        assert connection.response().status in (400, 505)
    assert [(r.target, r.body) for r in upstream.requests] == [("/", b"hello")]


@pytest.mark.parametrize("fields", [b"Content-Length: 5\r\nTransfer-Encoding: chunked",
                                    b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
                                    b"Content-Length: 5\r\nContent-Length: 6", b"Transfer-Encoding: gzip"])
def test_a_request_that_two_readers_could_frame_differently_never_reaches_the_function(proxied, fields):
    watchdog, upstream = proxied(always(OK))
    reply = watchdog.send_raw(b"POST / HTTP/1.1\r\nHost: a\r\n" + fields + b"\r\n\r\n0\r\n\r\nGET /evil HTTP/1.1\r\n\r\n")
    assert reply.status in (400, 501)
    assert watchdog.call("GET", "/next").body == b"fine"
    assert [r.target for r in upstream.requests] == ["/next"]


def test_an_upload_that_comes_byte_by_byte_is_whole(proxied):
    watchdog, upstream = proxied(always(OK))
    data = chunk(b"hello ") + b"5;x=y\r\nworld\r\n0\r\nX-Sum: 1\r\n\r\n"
    with watchdog.connect() as connection:
        for byte in request_bytes("POST", "/", {"Transfer-Encoding": "chunked"}) + data:
            connection.send(bytes([byte]))
        assert connection.response().body == b"fine"
    assert (upstream.requests[0].body, upstream.requests[0].trailers) == (b"hello world", [("X-Sum", "1")])
