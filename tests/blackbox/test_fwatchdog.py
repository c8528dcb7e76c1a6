# The classic watchdog: one process a request, its whole output is the answer.
import base64
import json
import re

import pytest

from wire import chunk, eventually, request_bytes

case = pytest.mark.case


@pytest.fixture(scope="module")
def cat(start_once):
    return start_once.classic("cat")


@case(53)
def test_the_body_goes_through_the_process(cat):
    answer = cat.call("POST", "/", body=b"hello")
    assert (answer.status, answer.body) == (200, b"hello")
    assert re.fullmatch(r"\d+\.\d{6}", answer.header("X-Duration-Seconds")), answer
    cat.wait_for_log("Forking fprocess.")
    cat.wait_for_log("Wrote 5 Bytes - Duration: ")


@case(54)
def test_the_answer_has_the_type_of_the_request(start, cat):
    assert cat.call("POST", "/", {"Content-Type": "application/json"}, b"{}").header("Content-Type") == "application/json"
    forced = start.classic({"fprocess": "cat", "content_type": "x/y"})
    assert forced.call("POST", "/", {"Content-Type": "application/json"}, b"{}").header("Content-Type") == "x/y"


@case(54, 55)
@pytest.mark.parametrize("body,kind", [
    (b"hello", "text/plain; charset=utf-8"), (b"<html>", "text/html; charset=utf-8"),
    (b"%PDF-1.4", "application/pdf"), (b"\x89PNG\r\n\x1a\n", "image/png"), (b"\x1f\x8b\x08\0", "application/x-gzip"),
    (b"PK\x03\x04", "application/zip"), (b'{"a":1}', "text/plain; charset=utf-8"),
    (b"\0\1", "application/octet-stream")])
def test_without_a_type_it_is_told_by_the_content(cat, body, kind):
    assert cat.call("POST", "/", body=body).header("Content-Type") == kind
    assert cat.call("POST", "/", {"Content-Type": ""}, body).header("Content-Type") == kind


@case(56)
def test_no_output_is_an_empty_answer_without_a_type(start):
    answer = start.classic("true").call("GET", "/")
    assert (answer.status, answer.body, answer.header("Content-Length")) == (200, b"", "0")
    assert answer.header("Content-Type") is None


@case(57)
def test_a_failing_process_is_500_with_its_status_and_output(start, script):
    failing = script("echo out-line; echo err-line >&2; exit 3")
    answer = start.classic(str(failing)).call("GET", "/")
    assert (answer.status, answer.body) == (500, b"exit status 3\nout-line\nerr-line\n")
    apart = start.classic({"fprocess": failing, "combine_output": "false"})
    answer = apart.call("GET", "/")
    assert (answer.status, answer.body) == (500, b"exit status 3\nout-line\n")
    apart.wait_for_log("stderr: err-line")


def test_output_and_errors_share_the_answer_in_their_order(start, script):
    watchdog = start.classic(str(script("echo 1; echo 2 >&2; echo 3; echo 4 >&2")))
    assert watchdog.call("GET", "/").body == b"1\n2\n3\n4\n"


@case(58)
def test_a_missing_program_is_500_and_says_so(start):
    answer = start.classic("/no/such").call("GET", "/")
    assert (answer.status, answer.body) == (500, b"fork/exec /no/such: no such file or directory\n")
    assert answer.header("X-Duration-Seconds") is None
    answer = start.classic("no-such-program").call("GET", "/")
    assert (answer.status, answer.body) == (500, b'exec: "no-such-program": executable file not found in $PATH\n')


@case(58)
def test_a_script_without_an_interpreter_line_is_500(start, script):
    plain = script("echo hello", interpreter="")
    answer = start.classic(str(plain)).call("GET", "/")
    assert (answer.status, answer.text) == (500, f"fork/exec {plain}: exec format error\n")


@case(59)
def test_a_process_killed_by_a_signal_is_500_with_its_name(start, script):
    answer = start.classic(str(script("echo partial; kill -9 $$"))).call("GET", "/")
    assert (answer.status, answer.body) == (500, b"signal: killed\npartial\n")


@case(60)
@case(61, deviation="the whole process group is killed and 408 sent at once")
@pytest.mark.parametrize("text", ["exec sleep 600", "sleep 600; echo never", "sleep 600 & wait", "trap '' TERM; sleep 600"])
def test_at_exec_timeout_the_whole_group_is_killed_and_408_sent_at_once(start, script, text):
    watchdog = start.classic({"fprocess": script(text), "exec_timeout": "500ms"})
    answer = watchdog.call("GET", "/")
    assert (answer.status, answer.body) == (408, b"Killed process.\n")
    # that sleep 600 is gone is checked when the watchdog stops


@case(62)
def test_a_bad_chunk_is_400_and_starts_nothing(start, script):
    marker = script("").parent / "started"
    watchdog = start.classic(str(script(f"touch {marker}")))
    answer = watchdog.send_raw(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk(b"ok") + b"zz\r\n")
    assert (answer.status, answer.body) == (400, b"invalid byte in chunk length\n")
    assert not marker.exists()


@case(62)
def test_a_short_body_is_400(cat):
    with cat.connect() as connection:
        connection.send(request_bytes("POST", "/", {"Content-Length": "10"}) + b"short")
        connection.half_close()
        answer = connection.response()
    assert (answer.status, answer.body) == (400, b"unexpected EOF\n")


@case(62)
def test_a_body_that_stalls_is_400_at_read_timeout(start):
    watchdog = start.classic({"fprocess": "cat", "read_timeout": "1s"})
    with watchdog.connect() as connection:
        connection.send(request_bytes("POST", "/", {"Content-Length": "10"}) + b"short")
        answer = connection.response()
        assert (answer.status, answer.body) == (400, b"read_timeout: i/o timeout\n")
        assert connection.closed_by_peer()


@case(63)
@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "TRACE", "FOO"])
def test_other_methods_get_405(cat, method):
    answer = cat.call(method, "/")
    assert (answer.status, answer.body) == (405, b"")
    assert answer.header("Content-Length") == "0"


@case(63)
@pytest.mark.parametrize("method", ["GET", "DELETE", "PUT", "PATCH"])
def test_a_body_of_any_accepted_method_reaches_the_process(cat, method):
    assert cat.call(method, "/", body=b"body").body == b"body"
    assert cat.call(method, "/").body == b""


@case(64)
def test_marshal_request_wraps_headers_and_body(start):
    watchdog = start.classic({"fprocess": "cat", "marshal_request": "true"})
    body = b"\0\1\xff<&>"
    answer = watchdog.call("POST", "/", [("X-M", "1"), ("x-m", "2"), ("X-Html", "<&>"), ("Host", "h")], body)
    assert answer.status == 200
    told = json.loads(answer.body)
    assert base64.b64decode(told["body"]["raw"]) == body
    assert told["header"] == {"Content-Length": [str(len(body))], "X-Html": ["<&>"], "X-M": ["1", "2"]}
    assert b"\\u003c\\u0026\\u003e" in answer.body
    assert watchdog.call("GET", "/", {"Connection": "close"}).body == b'{"header":{"Connection":["close"]},"body":{"raw":""}}'


@case(64)
def test_marshal_request_replaces_invalid_utf8(start):
    watchdog = start.classic({"fprocess": "cat", "marshal_request": "true"})
    answer = watchdog.call("GET", "/", {"X-Bad": "a\xffb"})
    assert answer.body == b'{"header":{"X-Bad":["a\\ufffdb"]},"body":{"raw":""}}'


@case(65)
def test_write_debug_copies_the_output_and_logs_more(start, script):
    watchdog = start.classic({"fprocess": script("cat; [ \"$Http_Query\" != fail ] || exit 3"), "write_debug": "true"})
    assert watchdog.call("POST", "/some%20path?q=1", body=b"the output\n").status == 200
    watchdog.wait_for_log("Duration: 0.")
    assert watchdog.stdout() == "the output\n"
    said = [line[20:] for line in watchdog.log_lines()]
    begun = said.index("Forking fprocess.")
    assert said[begun + 1:begun + 3] == ["Query  q=1", "Path  /some path"]
    assert re.fullmatch(r"Duration: \d+\.\d{6}s", said[begun + 3]) and "Wrote" not in watchdog.stderr()
    assert watchdog.call("POST", "/?fail", body=b"half\n").body == b"exit status 3\nhalf\n"
    watchdog.wait_for_log("Success=false, Error=exit status 3\n")
    watchdog.wait_for_log("Out=half")


@case(65)
def test_write_debug_copies_a_large_output_whole(start):
    watchdog = start.classic({"fprocess": "head -c 3000000 /dev/zero", "write_debug": "true"})
    assert len(watchdog.call("GET", "/").body) == 3_000_000
    watchdog.wait_for_log("Duration: ")
    assert len(watchdog.stdout()) == 3_000_000


@case(66)
def test_debug_headers_prints_the_headers_of_both_sides(start):
    watchdog = start.classic({"fprocess": "cat", "debug_headers": "true"})
    answer = watchdog.call("POST", "/", [("x-m", "1"), ("Content-Type", "a/b"), ("X-M", "2"), ("Host", "h")], b"x")
    assert answer.status == 200
    eventually(lambda: "[out] X-Duration-Seconds=" in watchdog.stdout(), what=watchdog.stdout)
    assert watchdog.stdout().splitlines() == [
        "[in] X-M=[1 2]", "[in] Content-Type=[a/b]", "[in] Content-Length=[1]",
        "[out] Content-Type=[a/b]", f"[out] X-Duration-Seconds=[{answer.header('X-Duration-Seconds')}]"]


@case(67, deviation="500 and the reason: debugging changes no answer")
def test_write_debug_changes_nothing_for_a_missing_program(start):
    watchdog = start.classic({"fprocess": "/no/such", "write_debug": "true"})
    answer = watchdog.call("GET", "/")
    assert (answer.status, answer.body) == (500, b"fork/exec /no/such: no such file or directory\n")
    watchdog.wait_for_log("Success=false, Error=fork/exec /no/such: no such file or directory\n")
    assert watchdog.stdout() == ""


@case(68)
def test_a_process_that_does_not_read_its_input_is_fine(start):
    body = b"x" * 300_000
    assert start.classic("true").call("POST", "/", body=body).status == 200
    assert start.classic("head -c 10").call("POST", "/", body=body).body == b"x" * 10


@case(70)
def test_ready_is_an_ordinary_path_of_classic(start):
    assert start.classic("echo function").call("GET", "/_/ready").body == b"function\n"


def test_arguments_are_split_at_single_spaces_only(start, script):
    show = script('printf "[%s]" "$@"')
    watchdog = start.classic(f'{show} "a b"  c a=b ')
    assert watchdog.call("GET", "/").body == b'["a][b"][][c][a=b][]'
