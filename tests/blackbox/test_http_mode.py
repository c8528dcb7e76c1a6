# of-watchdog, mode http: one child that serves HTTP itself. The child of most tests is a sleep, its HTTP
# server is played by the test.
import re
import threading
import time

import pytest

from scripted_upstream import always, answer
from wire import chunk, eventually, request_bytes

case = pytest.mark.case


OK = answer(headers=[("Content-Type", "text/plain")], body=b"fine")


@case(91)
def test_the_request_reaches_the_upstream_as_it_was(proxied):
    watchdog, upstream = proxied(always(OK))
    reply = watchdog.call("GET", "/a//b/../%2f%zz"[:-3] + "?x=%zz&;y", [
        ("Host", "h.test:99"), ("X-M", "1"), ("X-M", "2"), ("Authorization", "Bearer t"), ("Cookie", "a=b"),
        ("Cookie", "c=d"), ("User-Agent", "ua"), ("Accept-Encoding", "br"), ("Via", "v"), ("Forwarded", "for=x")])
    assert (reply.status, reply.body) == (200, b"fine")
    assert re.fullmatch(r"\d+\.\d{6}", reply.header("X-Duration-Seconds")), reply
    request = upstream.requests[0]
    assert (request.method, request.target) == ("GET", "/a//b/../%2f?x=%zz&;y")
    assert request.header("Host") == "h.test:99"
    assert request.all("X-M") == ["1", "2"]
    assert request.all("Cookie") == ["a=b", "c=d"]
    for name, value in (("Authorization", "Bearer t"), ("User-Agent", "ua"), ("Accept-Encoding", "br"), ("Via", "v"),
                        ("Forwarded", "for=x")):
        assert request.header(name) == value
    assert request.framing == "none"


@case(91, deviation="nothing is asked for that the client did not ask for: no User-Agent, no Accept-Encoding")
def test_nothing_is_added_to_the_request(proxied):
    watchdog, upstream = proxied(always(OK))
    watchdog.call("GET", "/")
    watchdog.call("GET", "/", {"User-Agent": "", "Range": "bytes=0-1"})
    plain, empty = upstream.requests
    assert [name for name, _ in plain.headers] == ["Host"]
    assert empty.all("User-Agent") == [""] and empty.header("Range") == "bytes=0-1"


@case(94, deviation="what belongs to one connection stays there, as RFC 9110 section 7.6.1 asks")
def test_fields_of_one_hop_stay_there(proxied):
    watchdog, upstream = proxied(always(OK))
    with watchdog.connect() as connection:
        for number in range(2):
            reply = connection.ask("GET", f"/{number}", [
                ("Connection", "keep-alive, X-Mine"), ("Keep-Alive", "timeout=5"), ("X-Mine", "1"), ("X-Other", "2"),
                ("Proxy-Authorization", "Basic eA=="), ("Proxy-Connection", "keep-alive"), ("TE", "gzip, trailers")])
            assert reply.status == 200
    watchdog.call("GET", "/close", {"Connection": "close"})
    first, _, close = upstream.requests
    assert sorted(first.headers) == [("Connection", "TE"), ("Host", "faas.test"), ("TE", "trailers"), ("X-Other", "2")]
    assert close.header("Connection") is None
    assert upstream.connections == 1, "the client's Connection: close ended the upstream's"


@case(92, deviation="each body keeps its framing: a known length stays known, and what is chunked stays chunked")
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "GET", "DELETE"])
def test_a_known_length_stays_known(proxied, method):
    watchdog, upstream = proxied(always(OK))
    watchdog.call(method, "/", body=b"hello")
    assert upstream.requests[0].all("Content-Length") == ["5"]
    assert upstream.requests[0].all("Transfer-Encoding") == []
    assert upstream.requests[0].body == b"hello"


@case(92)
@pytest.mark.parametrize("method,length", [("POST", ["0"]), ("PUT", ["0"]), ("PATCH", ["0"]), ("GET", []),
                                           ("DELETE", []), ("HEAD", [])])
def test_no_body_is_a_length_of_0_where_one_is_expected(proxied, method, length):
    watchdog, upstream = proxied(always(OK))
    watchdog.call(method, "/")
    assert (upstream.requests[0].all("Content-Length"), upstream.requests[0].all("Transfer-Encoding")) == (length, [])


@case(92, deviation="each body keeps its framing: a known length stays known, and what is chunked stays chunked")
def test_an_empty_body_and_a_chunked_body_keep_their_framing(proxied):
    watchdog, upstream = proxied(always(OK))
    watchdog.call("POST", "/", body=b"")
    watchdog.call("POST", "/", {"Transfer-Encoding": "chunked"}, chunk(b"hel") + chunk(b"lo") + b"0\r\n\r\n")
    empty, chunked = upstream.requests
    assert (empty.all("Content-Length"), empty.all("Transfer-Encoding")) == (["0"], [])
    assert (chunked.all("Content-Length"), chunked.framing, chunked.body) == ([], "chunked", b"hello")


@case(95)
def test_the_answer_reaches_the_client_as_it_was(proxied):
    data = answer("201 Made", [("Set-Cookie", "a=b"), ("Set-Cookie", "c=d"), ("Date", "Mon, 01 Jan 2001 00:00:00 GMT"),
                               ("Server", "mine"), ("X-Duration-Seconds", "9"), ("Content-Type", "x/y")], b"body")
    reply = proxied(always(data))[0].call("GET", "/")
    assert (reply.status, reply.body, reply.framing) == (201, b"body", "length")
    assert reply.all("Set-Cookie") == ["a=b", "c=d"]
    assert reply.all("Date") == ["Mon, 01 Jan 2001 00:00:00 GMT"]
    assert reply.all("Server") == ["mine"] and reply.all("Content-Type") == ["x/y"]
    assert len(reply.all("X-Duration-Seconds")) == 1 and reply.header("X-Duration-Seconds") != "9"


@case(96)
def test_the_upstreams_connection_close_is_its_own_affair(proxied):
    def handler(connection, _number):
        connection.request()
        connection.send(answer(headers=[("Connection", "close")], body=b"bye"))

    watchdog, upstream = proxied(handler)
    with watchdog.connect() as connection:
        for _ in range(3):
            reply = connection.ask("POST", "/", body=b"x")
            assert (reply.status, reply.body, reply.header("Connection")) == (200, b"bye", None)
    assert len(upstream.requests) == 3


@case(97)
@pytest.mark.parametrize("status,framing", [(302, "length"), (204, "none"), (304, "none"), (404, "length"), (503, "length")])
def test_any_status_passes(proxied, status, framing):
    head = f"{status} Whatever"
    data = (answer(head, [("Location", "http://elsewhere/")], b"body") if framing == "length"
            else f"HTTP/1.1 {head}\r\nLocation: http://elsewhere/\r\n\r\n".encode())
    watchdog, _ = proxied(always(data))
    with watchdog.connect() as connection:
        for _ in range(2):
            reply = connection.ask("GET", "/")
            assert (reply.status, reply.framing, reply.header("Location")) == (status, framing, "http://elsewhere/")


@case(97)
def test_an_unknown_status_gets_the_usual_words(proxied):
    reply = proxied(always(answer("599 Odd", body=b"x")))[0].call("GET", "/")
    assert (reply.status, reply.reason) == (599, "status code 599")


@case(97)
def test_the_answer_to_head_keeps_its_length_and_has_no_body(proxied):
    watchdog, upstream = proxied(always(b"HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n"))
    with watchdog.connect() as connection:
        for _ in range(2):
            reply = connection.ask("HEAD", "/")
            assert (reply.status, reply.header("Content-Length")) == (200, "1234")
    assert upstream.requests[0].method == "HEAD"


@case(97)
def test_the_answer_to_head_has_no_length_when_the_upstream_names_none(proxied):
    watchdog, _ = proxied(always(b"HTTP/1.1 200 OK\r\nX-A: b\r\n\r\n"))
    with watchdog.connect() as connection:
        for _ in range(2):
            reply = connection.ask("HEAD", "/")
            assert (reply.status, reply.header("X-A")) == (200, "b")
            assert reply.all("Content-Length") == [] == reply.all("Transfer-Encoding")


@case(98)
@pytest.mark.parametrize("body,kind", [(b"hello", "text/plain; charset=utf-8"), (b"<html>", "text/html; charset=utf-8"),
                                       (b"%PDF-1", "application/pdf"), (b"", None)])
@pytest.mark.parametrize("chunked", [False, True])
def test_an_answer_without_a_type_is_told_by_its_content(proxied, body, kind, chunked):
    data = answer(body=body)
    if chunked:
        pieces = b"".join(chunk(body[i:i + 100]) for i in range(0, len(body), 100))
        data = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + pieces + b"0\r\n\r\n"
    watchdog, _ = proxied(always(data), content_type="x/forced")
    reply = watchdog.call("GET", "/")
    assert (reply.all("Content-Type"), reply.body, reply.complete) == ([kind] if kind else [], body, True)


@case(98)
def test_an_encoded_or_typed_answer_is_not_looked_into(proxied):
    watchdog, _ = proxied(always(answer(headers=[("Content-Encoding", "br")], body=b"<html>")))
    assert watchdog.call("GET", "/").header("Content-Type") is None
    watchdog, _ = proxied(always(answer(headers=[("Content-Type", "")], body=b"<html>")))
    assert watchdog.call("GET", "/").all("Content-Type") == [""]


@case(99, deviation="an answer is passed on as it is: nobody asks for gzip on the client's behalf")
@pytest.mark.parametrize("accept", [{}, {"Accept-Encoding": "gzip"}])
def test_an_encoded_answer_is_passed_on_untouched(proxied, accept):
    data = answer(headers=[("Content-Encoding", "gzip"), ("Content-Type", "x/y")], body=b"\x1f\x8bnot really")
    watchdog, upstream = proxied(always(data))
    reply = watchdog.call("GET", "/", accept)
    assert upstream.requests[0].header("Accept-Encoding") == accept.get("Accept-Encoding")
    assert (reply.header("Content-Encoding"), reply.body) == ("gzip", b"\x1f\x8bnot really")


@case(100)
@pytest.mark.parametrize("how", ["eof", "reset", "garbage", "half"])
def test_an_upstream_that_breaks_off_is_500(proxied, how):
    def handler(connection, _number):
        connection.request()
        if how == "reset":
            connection.reset()
        elif how == "garbage":
            connection.send(b"nonsense\r\n\r\n")
        elif how == "half":
            connection.send(b"HTTP/1.1 200 OK\r\nContent-")

    watchdog, _ = proxied(handler)
    with watchdog.connect() as connection:
        for _ in range(2):
            reply = connection.ask("POST", "/", body=b"x")
            assert reply.status == 500 and reply.header("X-Duration-Seconds"), reply
            assert reply.header("X-OpenFaaS-Internal") == "of-watchdog"


@case(100)
def test_an_upstream_that_refuses_is_500(proxied):
    watchdog, upstream = proxied(always(answer(headers=[("Connection", "close")])))
    upstream.stop_listening()
    replies = [watchdog.call("POST", "/", body=b"x") for _ in range(3)]
    for reply in replies[1:]:  # the connection that found the upstream listening may have served one
        assert (reply.status, reply.body) == (500, b"") and reply.header("X-Duration-Seconds"), reply
        assert reply.header("X-OpenFaaS-Internal") == "of-watchdog"
    watchdog.wait_for_log('Upstream HTTP request error: Post "http://127.0.0.1:')
    watchdog.wait_for_log("Connection refused")


@case(101)
@pytest.mark.parametrize("head", [b"Content-Length: 100", b"Transfer-Encoding: chunked"])
def test_a_cut_answer_is_cut_for_the_client_too(proxied, head):
    piece = b"part" if head.startswith(b"Content") else chunk(b"part")

    def handler(connection, _number):
        connection.request()
        connection.send(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n\r\n" + piece)

    watchdog, _ = proxied(handler)
    with watchdog.connect() as connection:
        connection.send(request_bytes("GET", "/"))
        reply = connection.response()
    assert (reply.status, reply.body, reply.complete) == (200, b"part", False)


@pytest.mark.parametrize("body", [b"short", b""])
@pytest.mark.parametrize("headers", [{"Content-Length": "10"}, {"Transfer-Encoding": "chunked"}])
@pytest.mark.parametrize("leave", ["half_close", "close", "reset"])
def test_a_client_that_breaks_off_its_body_breaks_nothing_else(proxied, headers, body, leave):
    watchdog, _ = proxied(always(OK))
    if body and "Transfer-Encoding" in headers:
        body = b"ff\r\n" + body
    for _ in range(10):
        with watchdog.connect() as connection:
            connection.send(request_bytes("POST", "/", headers) + body)
            getattr(connection, leave)()
            if leave == "half_close":
                said = connection.rest()
                assert said == b"" or int(said[9:12]) >= 400, said
        assert watchdog.call("POST", "/", body=b"x").body == b"fine"


@pytest.mark.parametrize("data", [b"zz\r\n", b"5\r\nhelloXX", b"-1\r\n", b"fffffffffffffffff\r\n", b"5;" + b"x" * 100_000],
                         ids=["word", "behind", "negative", "overflow", "extension"])
def test_a_bad_chunk_breaks_nothing_else(proxied, data):
    watchdog, _ = proxied(always(OK))
    for _ in range(10):
        with watchdog.connect() as connection:
            connection.send(request_bytes("POST", "/", {"Transfer-Encoding": "chunked"}) + data)
            connection.half_close()
            said = connection.rest()
            assert said == b"" or int(said[9:12]) >= 400, said
        assert watchdog.call("POST", "/", body=b"x").body == b"fine"


@case(102)
def test_an_upstream_slower_than_exec_timeout_is_504(proxied):
    done = threading.Event()

    def handler(connection, _number):
        connection.request()
        done.wait(60)

    watchdog, _ = proxied(handler, exec_timeout="1s")
    try:
        reply = watchdog.call("GET", "/")
        assert reply.status == 504 and reply.header("X-Duration-Seconds")
        assert reply.header("X-OpenFaaS-Internal") == "of-watchdog"
        watchdog.wait_for_log("exec_timeout")
    finally:
        done.set()


@case(102)
def test_an_answer_still_running_at_exec_timeout_is_cut(proxied):
    done = threading.Event()

    def handler(connection, _number):
        connection.request()
        connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk(b"part"))
        done.wait(60)

    watchdog, _ = proxied(handler, exec_timeout="1s")
    try:
        reply = watchdog.call("GET", "/")
        assert (reply.status, reply.body, reply.complete) == (200, b"part", False)
    finally:
        done.set()


@case(103)
def test_a_caller_may_ask_for_a_shorter_limit(proxied):
    done = threading.Event()

    def handler(connection, _number):
        connection.request()
        done.wait(60)

    watchdog, _ = proxied(handler, exec_timeout="50s")
    try:
        assert watchdog.call("GET", "/", {"X-Timeout": "100ms"}).status == 504
    finally:
        done.set()


@case(103, deviation="`0` and less are ignored as well: no caller lifts the function's limit")
@pytest.mark.parametrize("value", ["1", "abc", "10m", "0", "0s", "-1s", ""])
def test_another_limit_of_a_caller_is_ignored(proxied, value):
    done = threading.Event()

    def handler(connection, _number):
        connection.request()
        done.wait(60)

    watchdog, _ = proxied(handler, exec_timeout="1s")
    try:
        assert watchdog.call("GET", "/", {"X-Timeout": value}).status == 504
    finally:
        done.set()


@case(104)
@pytest.mark.parametrize("suffix,target", [("/base", "/base/a?b=1"), ("/base#x", "/base/a?b=1")])
def test_a_path_in_upstream_url_comes_first(start, suffix, target):
    calls_below(start, suffix, target)


@case(104, deviation="a slash at the end of the URL is not doubled")
@pytest.mark.parametrize("suffix,target", [("/", "/a?b=1"), ("/base/", "/base/a?b=1"), ("/#x", "/a?b=1")])
def test_a_slash_at_the_end_of_upstream_url_is_not_doubled(start, suffix, target):
    calls_below(start, suffix, target)


def calls_below(start, suffix, target):
    upstream = start.upstream(always(OK))
    watchdog = start.of({"fprocess": "sleep 86400", "mode": "http", "upstream_url": upstream.url + suffix})
    assert watchdog.call("GET", "/a?b=1").status == 200
    assert upstream.requests[0].target == target


@case(108, deviation="a client that has only finished sending still gets its answer")
def test_a_client_that_half_closes_still_gets_its_answer(proxied):
    go = threading.Event()

    def handler(connection, _number):
        connection.request()
        go.wait(20)
        connection.send(OK)

    watchdog, upstream = proxied(handler)
    with watchdog.connect() as connection:
        connection.send(request_bytes("POST", "/", body=b"x"))
        upstream.wait_for_requests(1)
        connection.half_close()
        time.sleep(0.3)  # not a synchronisation: time for the watchdog to make the mistake
        go.set()
        assert connection.response().body == b"fine"


def test_a_client_that_leaves_takes_its_call_to_the_upstream_along(proxied):
    gone = threading.Event()

    def handler(connection, _number):
        connection.request()
        if connection.closed_by_peer(20):
            gone.set()

    watchdog, upstream = proxied(handler)
    connection = watchdog.connect()
    connection.send(request_bytes("POST", "/", body=b"x"))
    upstream.wait_for_requests(1)
    connection.reset()
    assert gone.wait(20)
    watchdog.wait_for_log("POST / - 499 the client left")
    assert "exec_timeout" not in watchdog.stderr()


def test_health_is_the_watchdogs_and_needs_no_upstream_request(proxied):
    watchdog, upstream = proxied(always(OK))
    assert watchdog.call("GET", "/_/health").body == b"OK"
    assert upstream.requests == []


@case(112)
def test_requests_are_logged_and_the_call_id_when_asked_for(proxied):
    watchdog, _ = proxied(always(OK), log_callid="1")
    watchdog.call("GET", "/x?q=1", {"X-Call-Id": "abc-1"})
    watchdog.wait_for_log("GET /x?q=1 - 200 OK - ContentLength: 4B (")
    watchdog.wait_for_log("[abc-1]")
    watchdog.call("GET", "/")
    watchdog.wait_for_log("[none]")


@case(112)
def test_without_log_callid_the_id_is_not_logged(proxied):
    watchdog, _ = proxied(always(OK), log_call_id="false")
    watchdog.call("GET", "/", {"X-Call-Id": "abc-1"})
    watchdog.wait_for_log("GET / - 200 OK - ContentLength: 4B (")
    assert "abc-1" not in watchdog.stderr()
