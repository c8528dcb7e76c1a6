# of-watchdog, mode afterburn: one process answers HTTP requests on its standard input, one after the other.
# Deprecated in OpenFaaS; a deadline, a restart, and a guard against answers without length are ours.
import contextlib
import os
import signal
import threading
import time

import processes
import programs
import pytest
from wire import chunk, eventually, request_bytes

case = pytest.mark.case
WAITING_MAX = 512
FUNCTION = f"{programs.PYTHON} {programs.FUNCTIONS / 'piped.py'}"


def afterburn(start, process=FUNCTION, **settings):
    return start.of({"fprocess": process, "mode": "afterburn", **settings})


@pytest.fixture(scope="module")
def function(start_once):
    return afterburn(start_once)


def pid_of(watchdog):
    return int(watchdog.call("GET", "/pid").body)


@case(139)
def test_the_request_text(function):
    headers = [("Host", "h:80"), ("x-b", "2"), ("User-Agent", "curl/8"), ("Accept", "*/*"), ("X-B", "1"),
               ("Connection", "keep-alive, X-Hop"), ("X-Hop", "1")]
    answer = function.call("POST", "/p%20q?a=b", headers, b"hello")
    assert answer.status == 200
    assert answer.body == (b"POST /p%20q?a=b HTTP/1.1\r\nHost: h:80\r\nUser-Agent: curl/8\r\nContent-Length: 5\r\n"
                           b"Accept: */*\r\nX-B: 2\r\nX-B: 1\r\n\r\nhello")
    answer = function.call("PUT", "/", [("Host", "h"), ("Transfer-Encoding", "chunked")],
                           chunk(b"hello") + b"0\r\n\r\n")
    assert answer.body == (b"PUT / HTTP/1.1\r\nHost: h\r\nUser-Agent: Go-http-client/1.1\r\n"
                           b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n")
    assert function.call("GET", "/", [("Host", "h")]).body == (
        b"GET / HTTP/1.1\r\nHost: h\r\nUser-Agent: Go-http-client/1.1\r\n\r\n")


@case(139)
def test_the_answer_has_the_first_value_of_each_header(function):
    answer = function.call("GET", "/raw")
    assert (answer.status, answer.reason, answer.body) == (202, "Mine", b"abc")
    assert answer.all("X-A") == ["1"] and answer.header("Content-Type") == "text/x"
    assert answer.header("Content-Length") == "3" and answer.header("X-Duration-Seconds") is None
    function.wait_for_log("GET /raw - 202 Mine - ContentLength: -1")


def test_standard_error_is_logged_and_the_content_type_is_told_by_the_content(function):
    answer = function.call("GET", "/log")
    assert answer.header("Content-Type") == "text/html; charset=utf-8"
    function.wait_for_log("stderr: a line")
    function.wait_for_log("GET /log - 200 OK - ContentLength: 6")


def test_head_has_no_body_but_the_length(function):
    answer = function.call("HEAD", "/")
    assert (answer.status, answer.header("Content-Length"), answer.body) == (200, "7", b"")
    assert function.call("GET", "/pid").status == 200


def test_the_function_has_the_environment_of_the_watchdog_alone(function):
    text = function.call("GET", "/environment", {"X-Mine": "1"}).text
    assert "mode=afterburn" in text and "Http_" not in text


def test_all_calls_are_answered_by_one_process(function):
    with function.connect() as connection:
        assert len({connection.ask("GET", "/pid").body for _ in range(50)}) == 1
    assert pid_of(function) in [p.pid for p in processes.descendants(function.pid)]


def test_large_bodies_and_answers_pass(start):
    watchdog = afterburn(start)
    assert watchdog.call("POST", "/size", body=bytes(20 << 20)).body == b"%d" % (20 << 20)
    answer = watchdog.call("GET", f"/large/{40 << 20}")
    assert len(answer.body) == 40 << 20
    if not programs.is_sanitized(watchdog.name):
        assert processes.memory_kib(watchdog.pid) < 24 * 1024


@case(140)
def test_calls_are_served_strictly_one_after_the_other(start):
    watchdog = afterburn(start)
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(watchdog.call("GET", "/sleep/0.5"))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [a.status for a in answers] == [200] * 3 and len({a.body for a in answers}) == 1


@case(140,
      deviation="`exec_timeout` counts, a dead function is started again, and an answer without a length is a 500")
def test_exec_timeout_is_504_and_the_function_is_started_again(start):
    watchdog = afterburn(start, exec_timeout="500ms")
    before = pid_of(watchdog)
    answer = watchdog.call("GET", "/sleep/600")
    assert (answer.status, answer.body) == (504, b"exec_timeout: no answer for 500ms")
    assert not processes.read(before) or processes.read(before).state == "Z"
    assert pid_of(watchdog) != before


@case(140)
def test_a_call_waits_for_its_turn_at_most_exec_timeout_and_costs_nobody_the_process(start):
    watchdog = afterburn(start, exec_timeout="1s")
    before = pid_of(watchdog)
    with watchdog.connect() as first, watchdog.connect() as second, watchdog.connect() as third:
        for connection in (first, second, third):
            connection.send(request_bytes("GET", "/sleep/0.7"))
            time.sleep(0.05)
        answers = [connection.response() for connection in (first, second, third)]
    assert [a.status for a in answers] == [200, 200, 503]
    assert answers[2].body == b"exec_timeout: busy with other calls for 1s" and answers[2].header("Retry-After") == "1"
    assert pid_of(watchdog) == before


@case(140,
      deviation="`exec_timeout` counts, a dead function is started again, and an answer without a length is a 500")
@pytest.mark.parametrize("path, text", [
    ("/exit/3", "unexpected EOF: the function ended: exit status 3"),
    ("/cut", "unexpected EOF: the function ended: exit status 0"),
    ("/nonsense", 'malformed HTTP response "nonsense"'),
    ("/nonsense/2", "malformed answer"),
    ("/endless", "the answer has neither Content-Length nor Transfer-Encoding: chunked, so its end cannot be told"),
])
def test_what_is_no_answer_is_500_at_once_and_the_next_call_is_served(start, path, text):
    watchdog = afterburn(start)
    before = pid_of(watchdog)
    answer = watchdog.call("GET", path)
    assert (answer.status, answer.text) == (500, text)
    assert answer.header("Content-Type") == "text/plain; charset=utf-8"
    assert watchdog.call("GET", "/_/health").status == 200
    assert pid_of(watchdog) != before
    watchdog.wait_for_log(text)
    watchdog.wait_for_log(f"GET {path} - 500 Internal Server Error - ContentLength: {len(text)}")


@case(140,
      deviation="`exec_timeout` counts, a dead function is started again, and an answer without a length is a 500")
def test_a_function_killed_between_calls_is_replaced_without_a_failure(start):
    watchdog = afterburn(start)
    for _ in range(3):
        before = pid_of(watchdog)
        processes.kill(before)
        eventually(lambda: processes.read(before) is None or processes.read(before).state == "Z")
        assert pid_of(watchdog) != before
    watchdog.wait_for_log("The function has ended: signal: killed", count=3)


def test_a_function_that_ends_always_answers_500_each_time(start, script):
    """How long it pauses between the starts is for the unit test of `restart_pause`."""
    watchdog = afterburn(start, script("exit 1"))
    assert [watchdog.call("GET", "/").status for _ in range(4)] == [500] * 4
    watchdog.wait_for_log("The function has ended: exit status 1", count=4)


def test_bytes_that_nobody_asked_for_are_thrown_away(start):
    watchdog = afterburn(start)
    assert watchdog.call("GET", "/extra").body == b"ok"
    time.sleep(0.1)
    assert watchdog.call("GET", "/pid").status == 200
    watchdog.wait_for_log("nobody asked for")


def test_a_client_that_leaves_costs_nobody_the_process(start):
    watchdog = afterburn(start)
    before = pid_of(watchdog)
    with watchdog.connect() as serving, watchdog.connect() as waiting:
        serving.send(request_bytes("GET", "/sleep/0.5"))
        waiting.send(request_bytes("GET", "/sleep/600"))
        time.sleep(0.2)
        serving.reset()
        waiting.reset()
    assert pid_of(watchdog) == before  # the one that waited was never begun: it would sleep beyond all patience


def test_a_slow_client_holds_up_nobody(start):
    watchdog = afterburn(start)
    with watchdog.connect() as slow:
        slow.send(request_bytes("POST", "/size", {"Content-Length": "10"}) + b"half")
        assert watchdog.call("GET", "/pid").status == 200
        slow.send(b"whole!")
        assert slow.response().body == b"10"


def test_a_function_that_answers_without_reading_does_not_mix_up_calls(start, script):
    text = r"head -c 1 >/dev/null; printf 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'; sleep 60"
    watchdog = afterburn(start, script(text))
    answers = [watchdog.call("POST", "/", body=bytes(1 << 20)) for _ in range(2)]
    assert [(a.status, a.body) for a in answers] == [(200, b"ok")] * 2


def test_the_queue_has_an_end(start):
    watchdog = afterburn(start)
    with contextlib.ExitStack() as stack:
        connections = [stack.enter_context(watchdog.connect()) for _ in range(1 + WAITING_MAX + 8)]
        connections[0].send(request_bytes("GET", "/sleep/3"))
        time.sleep(0.3)
        for connection in connections[1:]:
            connection.send(request_bytes("GET", "/pid"))
        statuses = [connection.response().status for connection in connections]
    assert (statuses.count(200), statuses.count(503)) == (1 + WAITING_MAX, 8)


def test_a_missing_program_ends_the_watchdog(start):
    watchdog = start.of({"fprocess": "/no/such", "mode": "afterburn"}, wait=False)
    assert watchdog.expect_exit() == 1
    assert "fork/exec /no/such: no such file or directory" in watchdog.stderr()


def test_sigterm_drains_first_and_then_ends_the_function(start):
    watchdog = afterburn(start)
    function = pid_of(watchdog)
    with watchdog.connect() as connection:
        connection.send(request_bytes("GET", "/sleep/1"))
        time.sleep(0.2)
        os.kill(watchdog.pid, signal.SIGTERM)
        assert connection.response().body == b"%d" % function
    assert watchdog.expect_exit() == 0
    assert processes.read(function) is None


def test_a_readiness_probe_asks_the_function(start):
    watchdog = afterburn(start, ready_path="/pid")
    assert watchdog.call("GET", "/_/ready").body == b"%d" % pid_of(watchdog)
