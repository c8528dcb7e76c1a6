# The HTTP server of both watchdogs: what it takes, what it refuses, how it frames its answers.
import base64
import contextlib
import time

import pytest

import processes
from wire import chunk, eventually, request_bytes

case = pytest.mark.case


@pytest.fixture(scope="module", params=["of", "serializing", "classic"])
def cat(request, start_once):
    """A watchdog around cat, in each mode that runs a process for a request."""
    if request.param == "classic":
        return start_once.classic("cat")
    return start_once.of({"fprocess": "cat", "mode": "streaming" if request.param == "of" else "serializing"})


@pytest.fixture(scope="module")
def env(start_once):
    return start_once.of("env -0")


def variables(answer):
    return dict(entry.split(b"=", 1) for entry in answer.body.split(b"\0") if entry)


def refused(watchdog, data, status, text, method="GET"):
    answer = watchdog.send_raw(data, method)
    assert answer.status == status, answer
    assert text.lower() in answer.text.lower(), answer
    assert answer.closed, f"the connection stayed open after {answer}"
    assert watchdog.running()
    return answer


@case(21)
def test_a_request_without_host_is_refused(cat):
    refused(cat, b"GET / HTTP/1.1\r\n\r\n", 400, "missing required Host header")


@case(22)
def test_two_hosts_are_refused(cat):
    refused(cat, b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400, "400 Bad Request")


@case(22)
def test_a_host_with_a_space_is_refused(cat):
    refused(cat, b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400, "malformed Host header")


def test_an_empty_host_is_taken(cat):
    assert cat.send_raw(b"POST / HTTP/1.1\r\nHost:\r\nContent-Length: 1\r\n\r\nx").body == b"x"


@case(23)
def test_http_1_0_is_answered_as_1_0_and_closed(cat):
    answer = cat.send_raw(b"POST / HTTP/1.0\r\nContent-Length: 5\r\n\r\nhello")
    assert (answer.version, answer.status, answer.body) == ("HTTP/1.0", 200, b"hello")
    assert answer.closed


@case(23)
def test_http_1_0_keep_alive_is_honoured_when_the_length_is_known(start):
    watchdog = start.classic("cat")
    with watchdog.connect() as connection:
        for word in (b"one", b"two"):
            connection.send(b"POST / HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 3\r\n\r\n" + word)
            answer = connection.response()
            assert (answer.version, answer.body, answer.framing) == ("HTTP/1.0", word, "length")
            assert answer.header("Connection").lower() == "keep-alive"


@case(24)
@pytest.mark.parametrize("version", ["HTTP/2.0", "HTTP/3.0", "HTTP/0.9"])
def test_other_versions_get_505(cat, version):
    refused(cat, f"GET / {version}\r\nHost: a\r\n\r\n".encode(), 505, "HTTP Version Not Supported")


@case(24)
def test_http_1_2_is_answered_as_1_1(cat):
    answer = cat.send_raw(b"POST / HTTP/1.2\r\nHost: a\r\nContent-Length: 1\r\n\r\nx")
    assert (answer.version, answer.status, answer.body) == ("HTTP/1.1", 200, b"x")


@pytest.mark.parametrize("line", [
    "GET /", "GET", "GET / http/1.1", "GET /a b HTTP/1.1", "GET a HTTP/1.1", "G@T / HTTP/1.1", "GET  / HTTP/1.1",
    "GET /%zz HTTP/1.1", "GET /\x01 HTTP/1.1"])
def test_a_malformed_request_line_is_refused(cat, line):
    refused(cat, f"{line}\r\nHost: a\r\n\r\n".encode("latin-1"), 400, "400 Bad Request")


@case(25)
@pytest.mark.parametrize("line", ["X Y: b", "X-Y : b", " X-Y: b", ": b", "X\x00Y: b", "X(Y): b"])
def test_an_invalid_header_name_is_refused(cat, line):
    refused(cat, f"GET / HTTP/1.1\r\n{line}\r\nHost: a\r\n\r\n".encode("latin-1"), 400, "400 Bad Request")


@case(25)
def test_the_refusal_of_a_header_name_says_so(cat):
    refused(cat, b"GET / HTTP/1.1\r\nHost: a\r\nX Y: b\r\n\r\n", 400, "invalid header name")


@case(25)
@pytest.mark.parametrize("byte", [b"\x01", b"\x00", b"\x7f", b"\x1f"])
def test_a_control_byte_in_a_value_is_refused(cat, byte):
    refused(cat, b"GET / HTTP/1.1\r\nHost: a\r\nX-Y: a" + byte + b"b\r\n\r\n", 400, "invalid header value")


def test_a_header_without_a_colon_is_refused(cat):
    refused(cat, b"GET / HTTP/1.1\r\nHost: a\r\nnonsense\r\n\r\n", 400, "400 Bad Request")


def test_bytes_above_127_in_a_value_pass(env):
    answer = env.send_raw(b"GET / HTTP/1.1\r\nHost: a\r\nX-Y: \xff\xc3\xa9\r\n\r\n")
    assert variables(answer)[b"Http_X_Y"] == b"\xff\xc3\xa9"


@case(26)
def test_a_folded_header_is_joined_with_one_space(env):
    answer = env.send_raw(b"GET / HTTP/1.1\r\nHost: a\r\nXy: a\r\n \t b\r\n\r\n")
    assert variables(answer)[b"Http_Xy"] == b"a b"


@case(26)
def test_bare_line_feeds_end_lines(cat):
    assert cat.send_raw(b"POST / HTTP/1.1\nHost: a\nContent-Length: 2\n\nok").body == b"ok"


@case(27)
def test_pipelined_requests_are_answered_in_order(cat):
    with cat.connect() as connection:
        connection.send(b"".join(request_bytes("POST", f"/{n}", body=b"body %d" % n) for n in range(5)))
        assert [connection.response().body for _ in range(5)] == [b"body %d" % n for n in range(5)]


def test_a_connection_is_kept_for_many_requests(cat):
    with cat.connect() as connection:
        for number in range(20):
            answer = connection.ask("POST", "/", body=b"%d" % number)
            assert (answer.status, answer.body) == (200, b"%d" % number)
            assert answer.header("Connection") is None


def test_connection_close_is_honoured_and_said(cat):
    answer = cat.send_raw(request_bytes("POST", "/", {"Connection": "close"}, b"x"))
    assert answer.body == b"x" and answer.closed
    assert answer.header("Connection").lower() == "close"


def test_answers_carry_a_date_and_no_server(cat):
    answer = cat.call("POST", "/", body=b"x")
    time.strptime(answer.header("Date"), "%a, %d %b %Y %H:%M:%S GMT")
    assert answer.header("Server") is None and answer.header("Keep-Alive") is None


@case(28, 29, deviation="the function gets the path as the client wrote it: a redirect loses the body of a POST")
@pytest.mark.parametrize("path", ["//a//b", "/a/./b", "/a/../b", "/a/..", "/a%2fb//c", "/%2e%2e/x"])
def test_no_path_is_redirected(env, path):
    """Ours: the path goes to the function as it was written (the reference answers 301)."""
    answer = env.call("GET", path + "?x=1")
    assert answer.status == 200
    decoded = path.replace("%2f", "/").replace("%2e", ".").encode()
    assert variables(answer)[b"Http_Path"] == decoded


@case(29, deviation="the function gets the path as the client wrote it: a redirect loses the body of a POST")
@pytest.mark.parametrize("path", ["//a", "/a/../b", "/%2e%2e/x"])
def test_a_post_to_any_path_keeps_its_body(cat, path):
    answer = cat.call("POST", path, body=b"kept")
    assert (answer.status, answer.body) == (200, b"kept")


@case(30, deviation="a path that only resembles the health check's is the function's: no path is changed")
def test_a_path_that_resembles_the_health_check_is_the_functions(env):
    for path in (b"/_//health", b"/_/./health", b"//_/health"):
        assert variables(env.call("GET", path.decode()))[b"Http_Path"] == path


@case(30)
def test_only_the_exact_health_path_is_the_watchdogs_own(env):
    assert env.call("GET", "/_/health?x=1").body == b"OK"
    assert b"Http_Path" in variables(env.call("GET", "/_/health/"))


@case(31)
def test_options_of_the_whole_server_starts_nothing(start, script):
    marker = script("").parent / "started"
    watchdog = start.of(str(script(f"touch {marker}")))
    with watchdog.connect() as connection:
        answer = connection.ask("OPTIONS", "*")
        assert (answer.status, answer.header("Content-Length")) == (200, "0")
    refused(watchdog, b"GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400, "400 Bad Request")
    assert not marker.exists()


@case(32)
def test_an_absolute_target_counts_from_its_path(env):
    seen = variables(env.call("GET", "http://other.test:1/a/b?c=d", {"Host": "a"}))
    assert (seen[b"Http_Path"], seen[b"Http_Query"]) == (b"/a/b", b"c=d")


@case(32)
def test_the_host_of_an_absolute_target_counts(start):
    watchdog = start.classic("env -0")
    seen = variables(watchdog.call("GET", "http://other.test:1/a/b?c=d", {"Host": "a"}))
    assert (seen[b"Http_Path"], seen[b"Http_Query"], seen[b"Http_Host"]) == (b"/a/b", b"c=d", b"other.test:1")


@case(33)
def test_an_equal_content_length_twice_is_taken(cat):
    data = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok"
    assert cat.send_raw(data).body == b"ok"


@case(33)
@pytest.mark.parametrize("lines", [
    "Content-Length: 2\r\nContent-Length: 3", "Content-Length: 2, 2", "Content-Length: -2", "Content-Length: +2",
    "Content-Length: abc", "Content-Length: 0x2", "Content-Length: 99999999999999999999"])
def test_a_bad_content_length_is_refused(cat, lines):
    refused(cat, f"POST / HTTP/1.1\r\nHost: a\r\n{lines}\r\n\r\nok".encode(), 400, "400 Bad Request")


@case(34, deviation="400: two framings in one request are how requests are smuggled")
def test_content_length_with_chunked_is_refused(cat):
    """Ours: 400, for it is how requests are smuggled."""
    data = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    refused(cat, data, 400, "400 Bad Request")
    data = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n0\r\n\r\n"
    refused(cat, data, 400, "400 Bad Request")


@case(35)
@pytest.mark.parametrize("coding", ["gzip", "identity", "gzip, chunked", "chunked\r\nTransfer-Encoding: chunked",
                                    "chunked, chunked", "xchunked"])
def test_other_transfer_codings_get_501(cat, coding):
    data = f"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: {coding}\r\n\r\n0\r\n\r\n".encode()
    refused(cat, data, 501, "Unsupported transfer encoding")


@case(36)
def test_a_transfer_coding_of_http_1_0_is_ignored_with_its_body(cat):
    answer = cat.send_raw(b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n")
    assert answer.closed
    assert (answer.status, answer.body) == (200, b"")


def test_chunked_input_in_odd_pieces_arrives_whole(cat):
    with cat.connect() as connection:
        data = (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n"
                b"3;name=value\r\nabc\r\n000a\r\n0123456789\r\n0\r\nX-Trailer: y\r\n\r\n")
        for n in range(0, len(data), 7):
            connection.send(data[n:n + 7])
        assert connection.response().body == b"abc0123456789"
        assert connection.ask("POST", "/", body=b"next").body == b"next"


def test_a_request_that_comes_byte_by_byte_is_answered(cat):
    with cat.connect() as connection:
        for byte in request_bytes("POST", "/a?b=c", {"X-Long": "v" * 40}, b"hello"):
            connection.send(bytes([byte]))
        assert connection.response().body == b"hello"


@case(37)
def test_an_unknown_expectation_gets_417(cat):
    answer = cat.send_raw(request_bytes("POST", "/", {"Expect": "foo"}, b"x"))
    assert (answer.status, answer.header("Content-Length"), answer.header("Connection")) == (417, "0", "close")
    assert answer.header("Date") and answer.closed


@case(37)
def test_100_continue_is_sent_before_the_body_is_read(cat):
    with cat.connect() as connection:
        connection.send(request_bytes("POST", "/", {"Expect": "100-continue", "Content-Length": "5"}))
        assert connection.head().start_line.startswith("HTTP/1.1 100")
        connection.send(b"hello")
        assert connection.response().body == b"hello"


@case(38)
def test_a_refused_request_is_not_asked_for_its_body(start):
    answer = start.classic("cat").send_raw(
        request_bytes("OPTIONS", "/", {"Expect": "100-continue", "Content-Length": "5"}), "OPTIONS")
    assert (answer.status, answer.interim, answer.header("Connection")) == (405, [], "close"), answer
    assert answer.closed


@case(39)
def test_a_megabyte_of_headers_passes_and_more_gets_431(start):
    # No environment variable can be that long: when the head is taken, exec refuses.
    watchdog = start.of({"fprocess": "cat", "mode": "serializing"})
    head, end = b"GET / HTTP/1.1\r\nHost: a\r\nX-Big: ", b"\r\n\r\n"
    answer = watchdog.send_raw(head + b"v" * 1_052_500 + end)
    assert answer.status == 500 and "argument list too long" in answer.text, answer
    refused(watchdog, head + b"v" * 1_053_000 + end, 431, "431 Request Header Fields Too Large")


@case(40)
def test_a_client_that_stalls_in_its_head_gets_400(start):
    watchdog = start.of({"fprocess": "cat", "read_timeout": "1s"})
    with watchdog.connect() as connection:
        connection.send(b"GET / HTTP/1.1\r\nHost: a\r\n")
        answer = connection.response()
        assert (answer.status, answer.body) == (400, b"400 Bad Request") and connection.closed_by_peer()


@case(40)
def test_a_silent_client_is_closed_without_a_word(start):
    watchdog = start.of({"fprocess": "cat", "read_timeout": "3s"})
    with watchdog.connect() as connection:
        assert connection.closed_by_peer()
    with watchdog.connect() as connection:  # idle after a request
        assert connection.ask("POST", "/", body=b"x").body == b"x"
        assert connection.closed_by_peer()


@case(41, deviation="a length wherever it is known when the answer begins, at any size")
def test_a_whole_answer_has_a_length_and_a_flowing_one_is_chunked(start, script):
    for watchdog in (start.of({"fprocess": "cat", "mode": "serializing"}), start.classic("cat")):
        for size in (2048, 2049, 300_000):
            assert watchdog.call("POST", "/", body=b"x" * size).header("Content-Length") == str(size)
    streaming = start.of("cat")
    with streaming.connect() as connection:
        connection.send(request_bytes("POST", "/", {"Content-Length": "2"}) + b"x")
        answer = connection.response_head()
        connection.body_until(answer, b"x")
        assert answer.framing == "chunked"
        connection.send(b"y")
        assert connection.finish(answer).body == b"xy"
    with streaming.connect() as connection:
        connection.send(request_bytes("POST", "/", {"Content-Length": "2"}, version="HTTP/1.0") + b"x")
        answer = connection.response_head()
        connection.body_until(answer, b"x")
        assert (answer.framing, answer.version) == ("close", "HTTP/1.0")
        connection.send(b"y")
        assert connection.finish(answer).body == b"xy"


@case(42, deviation="504 when no answer has begun by then and the function is ended; an answer that flows goes on")
@pytest.mark.parametrize("mode", ["streaming", "serializing", "classic", "http", "afterburn"])
def test_a_call_that_has_not_begun_its_answer_at_write_timeout_is_504(start, script, mode):
    silent = start.upstream(lambda connection, _number: (connection.request(), connection.rest()))
    mark = processes.new_mark()
    settings = {"fprocess": f"sleep 86400.{mark}", "write_timeout": "1s", "exec_timeout": "600s", "mode": mode,
                "upstream_url": silent.url}
    watchdog = start.classic(settings) if mode == "classic" else start.of(settings)
    assert "Warning: write_timeout (1s) is shorter than exec_timeout (10m0s)" in watchdog.stderr()
    with watchdog.connect() as connection:
        answer = connection.ask("GET", "/slow")
        assert (answer.status, answer.body) == (504, b"write_timeout: no answer for 1s\n")
        if mode not in ("http", "afterburn"):
            eventually(lambda: not processes.with_argument(mark), what="the function is gone")
        assert connection.ask("GET", "/_/health").body == b"OK"  # on the same connection
    watchdog.wait_for_log("GET /slow - 504 - write_timeout: no answer for 1s")


@case(42, deviation="504 when no answer has begun by then and the function is ended; an answer that flows goes on")
def test_an_answer_that_has_begun_is_not_cut_at_write_timeout(start, script):
    folder = script("").parent
    process = script(f"[ $Http_Path = / ] && echo begun; while [ ! -e {folder}/go ]; do sleep 0.05; done; echo done")
    watchdog = start.of({"fprocess": process, "write_timeout": "5s", "exec_timeout": "0"})
    with watchdog.connect() as connection:
        connection.send(request_bytes("GET", "/"))
        answer = connection.response_head()
        connection.body_until(answer, b"begun\n")
        # A call that begins now has the same limit, and later: when that is over, so is the first one's.
        assert watchdog.call("GET", "/silent").status == 504
        (folder / "go").touch()
        assert connection.finish(answer).complete and answer.body == b"begun\ndone\n"


@case(42, deviation="504 when no answer has begun by then and the function is ended; an answer that flows goes on")
def test_after_that_504_the_rest_of_the_body_is_no_request(start, script):
    process = script("cat > /dev/null; [ $Http_Path = /slow ] || echo next")
    settings = {"fprocess": process, "write_timeout": "5s", "exec_timeout": "600s"}
    bodies = [({"Content-Length": "10"}, b"GET /", b" HTTP"),
              ({"Transfer-Encoding": "chunked"}, chunk(b"GET /"), chunk(b" HTTP") + b"0\r\n\r\n")]
    stalled = []
    with contextlib.ExitStack() as stack:
        for watchdog in (start.of(settings), start.of({**settings, "mode": "serializing"}), start.classic(settings)):
            for headers, begin, end in bodies:
                connection = stack.enter_context(watchdog.connect())
                connection.send(request_bytes("POST", "/slow", headers) + begin)
                stalled.append((connection, end))
        for connection, _ in stalled:
            assert connection.response().status == 504
        for connection, end in stalled:
            connection.send(end)
            answer = connection.ask("POST", "/", body=b"x")
            assert (answer.status, answer.body) == (200, b"next\n")


@case(41)
@pytest.mark.parametrize("size", [0, 1, 2048, 2049, 70_000, 1_000_000])
def test_an_answer_of_any_size_arrives_whole(cat, size):
    body = bytes(n % 251 for n in range(size))
    with cat.connect() as connection:
        connection.send(request_bytes("POST", "/", body=body))
        answer = connection.response()
        assert answer.body == body and answer.complete and answer.framing in ("length", "chunked")
    old = cat.send_raw(request_bytes("POST", "/", body=body, version="HTTP/1.0"))
    assert old.body == body


def test_the_answer_to_head_has_no_body(start):
    watchdog = start.of({"fprocess": "echo hello", "mode": "serializing"})
    with watchdog.connect() as connection:
        answer = connection.ask("HEAD", "/")
        assert answer.status == 200 and answer.body == b""
        assert connection.ask("GET", "/").body == b"hello\n"


@case(43)
def test_any_method_reaches_the_function_of_of_watchdog(env):
    for method in ("get", "FOO", "OPTIONS", "TRACE", "PATCH", "M-SEARCH"):
        assert variables(env.call(method, "/"))[b"Http_Method"] == method.encode()


@case(43)
def test_classic_refuses_a_lower_case_method(start):
    answer = start.classic("cat").call("get", "/")
    assert (answer.status, answer.body) == (405, b"")


def test_a_small_unread_body_does_not_spoil_the_connection(start):
    watchdog = start.classic("cat")
    with watchdog.connect() as connection:
        assert connection.ask("PROPFIND", "/", body=b"x" * 10_000).status == 405
        assert connection.ask("POST", "/", body=b"next").body == b"next"


def test_garbage_is_refused_and_the_watchdog_lives(cat):
    for data in (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 40 + b"\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
                 b"\r\n\r\nGET", base64.b64encode(b"x" * 600) + b"\r\n\r\n"):
        with cat.connect() as connection:
            connection.send(data)
            connection.half_close()
            said = connection.rest()
            assert said == b"" or said.startswith((b"HTTP/1.1 400", b"HTTP/1.1 505")), said
    assert cat.call("POST", "/", body=b"x").body == b"x"


def test_a_bad_chunk_ends_the_connection(cat):
    with cat.connect() as connection:
        connection.send(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk(b"ok") + b"zz\r\n")
        answer = connection.response()
        assert answer.status in (200, 400, 500)
        assert connection.closed_by_peer()
