# of-watchdog, mode serializing: whole request, whole answer, so failures have a status.
import re

import pytest

from wire import chunk, request_bytes

case = pytest.mark.case


def watchdog(start, process, **settings):
    return start.of({"fprocess": process, "mode": "serializing", **settings})


@pytest.fixture(scope="module")
def cat(start_once):
    return watchdog(start_once, "cat")


@case(84)
def test_the_body_goes_through_the_process(cat):
    answer = cat.call("POST", "/", body=b"hello")
    assert (answer.status, answer.body) == (200, b"hello")
    assert answer.header("Content-Type") == "application/octet-stream"
    assert re.fullmatch(r"\d+\.\d{6}", answer.header("X-Duration-Seconds"))
    answer = cat.call("POST", "/", {"Transfer-Encoding": "chunked"}, chunk(b"hel") + chunk(b"lo") + b"0\r\n\r\n")
    assert answer.body == b"hello"


@case(85)
def test_a_failing_process_is_500_with_its_status_alone(start, script):
    failing = watchdog(start, script("echo out; echo err >&2; exit 3"), content_type="text/html")
    answer = failing.call("GET", "/")
    assert (answer.status, answer.body) == (500, b"exit status 3")
    assert answer.header("Content-Type") == "text/html"
    assert answer.header("X-Duration-Seconds")
    failing.wait_for_log("err")


@case(86)
def test_a_missing_program_is_500_and_says_so(start):
    answer = watchdog(start, "/no/such").call("GET", "/")
    assert (answer.status, answer.body) == (500, b"fork/exec /no/such: no such file or directory")


@case(85)
@pytest.mark.parametrize("number,word", [
    ("TERM", "terminated"), ("INT", "interrupt"), ("HUP", "hangup"), ("ALRM", "alarm clock"), ("PIPE", "broken pipe"),
    ("ABRT", "aborted"), ("SEGV", "segmentation fault"), ("USR1", "user defined signal 1"), ("QUIT", "quit")])
def test_a_signal_has_its_name(start, script, number, word):
    answer = watchdog(start, script(f"ulimit -c 0; kill -{number} $$")).call("GET", "/")
    assert (answer.status, answer.text.removesuffix(" (core dumped)")) == (500, f"signal: {word}")


@case(86)
@pytest.mark.parametrize("process,text", [
    (" cat", "exec: no command"), ("no-such-program", 'exec: "no-such-program": executable file not found in $PATH'),
    ("./no/such", "fork/exec ./no/such: no such file or directory"), ("/tmp", "fork/exec /tmp: permission denied")])
def test_why_nothing_could_be_started(start, process, text):
    answer = watchdog(start, process).call("GET", "/")
    assert (answer.status, answer.text) == (500, text)
    assert answer.header("X-Duration-Seconds")


@case(86)
def test_a_missing_interpreter_is_told_of_the_script(start, script):
    path = script("echo", interpreter="#!/no/such/interpreter\n")
    assert watchdog(start, path).call("GET", "/").text == f"fork/exec {path}: no such file or directory"


@case(86)
def test_the_path_is_searched_anew_for_each_call(start, script):
    folder = script("").parent
    late = watchdog(start, "late-function", PATH=f"{folder}:/usr/bin:/bin")
    assert late.call("GET", "/").status == 500
    script("echo here", name="late-function")
    assert late.call("GET", "/").body == b"here\n"


@case(87)
@pytest.mark.parametrize("text", ["exec sleep 600", "sleep 600 & wait", "echo out; sleep 600; echo never"])
def test_at_exec_timeout_the_whole_group_is_killed_and_500_sent_at_once(start, script, text):
    limited = watchdog(start, script(text), exec_timeout="500ms")
    answer = limited.call("GET", "/")
    assert (answer.status, answer.body) == (500, b"signal: killed")


@case(88)
def test_a_short_body_is_500(cat):
    with cat.connect() as connection:
        connection.send(request_bytes("POST", "/", {"Content-Length": "10"}) + b"short")
        connection.half_close()
        answer = connection.response()
    assert (answer.status, answer.body) == (500, b"unexpected EOF")


@case(88)
def test_a_stalled_body_is_500_at_read_timeout(start):
    limited = watchdog(start, "cat", read_timeout="1s")
    with limited.connect() as connection:
        connection.send(request_bytes("POST", "/", {"Content-Length": "10"}) + b"short")
        answer = connection.response()
        assert (answer.status, answer.body) == (500, b"read_timeout: i/o timeout")
        assert connection.closed_by_peer()


@case(88)
def test_a_bad_chunk_is_500(cat):
    answer = cat.send_raw(request_bytes("POST", "/", {"Transfer-Encoding": "chunked"}) + chunk(b"ok") + b"zz\r\n")
    assert (answer.status, answer.body) == (500, b"invalid byte in chunk length")


@case(84, 85, deviation="the log tells the status that was sent")
def test_calls_are_logged_with_their_status(start, script):
    odd = watchdog(start, script("read n; echo out; exit $n"))
    odd.call("POST", "/fine?q=1", body=b"0\n")
    odd.call("POST", "/wrong", body=b"3\n")
    odd.wait_for_log("Started logging: stderr from function.\n", count=2)
    odd.wait_for_log("POST /fine?q=1 - 200 - ContentLength: 4B (")
    odd.wait_for_log("POST /wrong - 500 - ContentLength: 13B (")
    odd.wait_for_log("exit status 3\n")


@case(89, deviation="always 200: not to read one's input is no failure")
def test_a_process_that_does_not_read_its_input_is_always_200(start):
    idle = watchdog(start, "true")
    with idle.connect() as connection:
        assert [connection.ask("POST", "/", body=b"x" * 300_000).status for _ in range(30)] == [200] * 30


def test_failures_and_successes_share_a_connection(start, script):
    odd = watchdog(start, script("read n; exit $n"))
    with odd.connect() as connection:
        statuses = [connection.ask("POST", "/", body=b"%d\n" % n).status for n in (0, 1, 0, 2, 0)]
    assert statuses == [200, 500, 200, 500, 200]
