# of-watchdog, mode streaming: one process a request, both directions flow while it runs.
import contextlib
import threading

import pytest

from wire import chunk, request_bytes

case = pytest.mark.case


@pytest.fixture(scope="module")
def cat(start_once):
    return start_once.of("cat")


@case(71)
def test_the_body_goes_through_the_process(cat):
    answer = cat.call("POST", "/", body=b"hello")
    assert (answer.status, answer.body) == (200, b"hello")
    assert answer.header("Content-Type") == "application/octet-stream"
    assert answer.header("X-Duration-Seconds") is None
    cat.wait_for_log("POST / - 200 - ContentLength: 5B (")


@case(72, deviation="500 and the reason: an empty 200 hides the failure")
def test_a_program_that_cannot_start_is_500(start, script):
    """Ours: the reference answers 200 with nothing."""
    not_executable = script("echo x", name="plain")
    not_executable.chmod(0o644)
    no_interpreter = script("echo x", name="bare", interpreter="")
    for process, why in (("/no/such", "no such file or directory"), (not_executable, "permission denied"),
                         (no_interpreter, "exec format error"), ("no-such-program", "executable file not found")):
        watchdog = start.of(str(process))
        answer = watchdog.call("GET", "/")
        assert answer.status == 500, answer
        watchdog.wait_for_log(why)
        assert watchdog.call("GET", "/_/health").status == 200


@case(73)
def test_output_before_a_failure_arrives_and_the_failure_is_logged(start, script):
    watchdog = start.of(str(script("echo output; exit 3")))
    answer = watchdog.call("GET", "/")
    assert (answer.status, answer.body, answer.complete) == (200, b"output\n", True)
    watchdog.wait_for_log("exit status 3\n")
    watchdog.wait_for_log("GET / - 500 - ContentLength: 7B (")


@case(73, deviation="a failure before any output is 500 and says why")
def test_a_failure_without_output_has_a_status(start, script):
    answer = start.of(str(script("echo err >&2; exit 3"))).call("GET", "/")
    assert (answer.status, answer.body) == (500, b"exit status 3")
    answer = start.of(str(script("kill -9 $$"))).call("GET", "/")
    assert (answer.status, answer.body) == (500, b"signal: killed")


@case(74, deviation="the whole process group is killed and the answer ends at once")
def test_at_exec_timeout_the_whole_group_is_killed_and_the_answer_ends(start, script):
    texts = ["exec sleep 600", "sleep 600; echo never", "sleep 600 & wait"]
    watchdogs = [start.of({"fprocess": script("echo early; " + text, name=f"f{number}"), "exec_timeout": "5s"})
                 for number, text in enumerate(texts)]
    with contextlib.ExitStack() as stack:
        connections = [stack.enter_context(watchdog.connect()) for watchdog in watchdogs]
        for connection in connections:
            connection.send(request_bytes("GET", "/"))
        for watchdog, connection in zip(watchdogs, connections):
            answer = connection.response()
            assert (answer.status, answer.body, answer.complete) == (200, b"early\n", True)
            watchdog.wait_for_log("signal: killed")


@case(74, deviation="a failure before any output is 500 and says why")
def test_a_silent_function_at_exec_timeout_is_500(start):
    answer = start.of({"fprocess": "sleep 600", "exec_timeout": "500ms"}).call("GET", "/")
    assert (answer.status, answer.body) == (500, b"signal: killed")


@case(76)
def test_each_write_of_a_page_arrives_by_itself(start, script):
    """The function writes the next page only when the one before has been seen."""
    watchdog = start.of(str(script("while read line; do head -c 4096 /dev/zero | tr '\\0' $line; done")))
    with watchdog.connect() as connection:
        connection.send(request_bytes("POST", "/", {"Transfer-Encoding": "chunked"}))
        answer, expected = None, b""
        for letter in b"ABCDEF":
            connection.send(chunk(bytes([letter]) + b"\n"))
            answer = answer or connection.response_head()
            expected += bytes([letter]) * 4096
            connection.body_until(answer, expected)
        connection.send(b"0\r\n\r\n")
        assert connection.finish(answer).complete and answer.body == expected


@case(75, deviation="each write of the function is sent at once")
def test_output_arrives_as_it_is_made(start, script):
    """Ours: each write is sent at once. The function waits for the client between two lines."""
    watchdog = start.of(str(script("while read line; do echo got $line; done")))
    with watchdog.connect() as connection:
        connection.send(request_bytes("POST", "/", {"Transfer-Encoding": "chunked"}))
        connection.send(chunk(b"one\n"))
        answer = connection.response_head()
        connection.body_until(answer, b"got one\n")
        connection.send(chunk(b"two\n"))
        connection.body_until(answer, b"got two\n")
        connection.send(b"0\r\n\r\n")
        connection.finish(answer)
        assert answer.complete and answer.body == b"got one\ngot two\n"


@case(75, deviation="each write of the function is sent at once")
def test_the_first_output_arrives_while_the_function_goes_on(start, script):
    watchdog = start.of({"fprocess": script("echo first; sleep 600"), "exec_timeout": "0"})
    with watchdog.connect() as connection:
        connection.send(request_bytes("GET", "/"))
        connection.body_until(connection.response_head(), b"first\n")


@case(78)
def test_a_stalled_body_ends_at_read_timeout(start):
    watchdog = start.of({"fprocess": "cat", "read_timeout": "5s"})
    with watchdog.connect() as whole, watchdog.connect() as chunked:
        whole.send(request_bytes("POST", "/", {"Content-Length": "100"}) + b"part")
        chunked.send(request_bytes("POST", "/", {"Transfer-Encoding": "chunked"}) + chunk(b"part"))
        for connection in (whole, chunked):
            answer = connection.response()
            assert (answer.status, answer.body, answer.complete) == (200, b"part", True)
            assert connection.closed_by_peer()
    watchdog.wait_for_log("i/o timeout", count=2)
    watchdog.wait_for_log("POST / - 500 - ContentLength: 4B (", count=2)


@case(78, deviation="a failure before any output is 500 and says why")
def test_a_stalled_body_of_a_function_that_is_silent_is_500(start, script):
    watchdog = start.of({"fprocess": script("cat > /dev/null"), "read_timeout": "1s"})
    with watchdog.connect() as connection:
        connection.send(request_bytes("POST", "/", {"Content-Length": "100"}) + b"part")
        answer = connection.response()
        assert (answer.status, answer.body, answer.header("Connection")) == (500, b"read_timeout: i/o timeout", "close")
        assert connection.closed_by_peer()


def test_a_body_cut_short_or_with_a_bad_chunk_ends_the_input(cat):
    for data in (request_bytes("POST", "/", {"Content-Length": "10"}) + b"part",
                 request_bytes("POST", "/", {"Transfer-Encoding": "chunked"}) + chunk(b"part") + b"zz\r\n"):
        with cat.connect() as connection:
            connection.send(data)
            connection.half_close()
            answer = connection.response()
            assert (answer.status, answer.body, answer.complete) == (200, b"part", True)
            assert connection.closed_by_peer()
    cat.wait_for_log("unexpected EOF\n")
    cat.wait_for_log("invalid byte in chunk length\n")


@case(79, deviation="answered when the function ends: nobody reads the rest of the body")
@pytest.mark.parametrize("process,output", [("echo done", b"done\n"), ("true", b"")])
def test_a_function_that_ended_early_is_answered_without_waiting_for_the_upload(start, process, output):
    watchdog = start.of({"fprocess": process, "read_timeout": "600s"})
    with watchdog.connect() as connection:
        connection.send(request_bytes("POST", "/", {"Content-Length": "100000"}) + b"abc")
        answer = connection.response()
        assert (answer.status, answer.body, answer.complete) == (200, output, True)
        connection.send(b"d" * 99_997)  # what nobody wants any more
        assert connection.ask("POST", "/", body=b"next").body == output


@case(80, deviation="both directions flow at the same time, so nothing is lost")
def test_a_slow_upload_on_a_kept_connection_loses_nothing(cat):
    with cat.connect() as connection:
        for _ in range(2):
            connection.send(request_bytes("POST", "/", {"Content-Length": "10000"}))
            answer, expected = None, b""
            for letter in b"ABCDEFGHIJ":
                connection.send(bytes([letter]) * 1000)
                expected += bytes([letter]) * 1000
                answer = answer or connection.response_head()
                connection.body_until(answer, expected)
            connection.finish(answer)
            assert answer.complete and answer.body == expected


@case(81)
def test_a_megabyte_comes_back_intact_while_it_is_sent(cat):
    body = bytes(n % 253 for n in range(1_000_000))
    with cat.connect() as connection:
        sender = threading.Thread(target=connection.send, args=(request_bytes("POST", "/", body=body),))
        sender.start()
        answer = connection.response()
        sender.join()
    assert answer.complete and answer.body == body


@case(82)
def test_errors_of_the_function_are_logged_and_not_in_the_answer(start, script):
    watchdog = start.of({"fprocess": script("echo out; echo err >&2"), "content_type": "text/html"})
    answer = watchdog.call("GET", "/")
    assert (answer.body, answer.header("Content-Type")) == (b"out\n", "text/html")
    watchdog.wait_for_log("stderr: err\n")
    watchdog.wait_for_log("Started logging: stderr from function.\n")


@case(82)
def test_an_empty_content_type_is_sent_as_it_is(start):
    answer = start.of({"fprocess": "echo x", "content_type": ""}).call("GET", "/")
    assert answer.all("Content-Type") == [""]


@case(83)
def test_arguments_are_split_at_single_spaces_only(start, script):
    show = script('printf "[%s]" "$@"')
    watchdog = start.of(f'{show} "a b"  c ')
    assert watchdog.call("GET", "/").body == b'["a][b"][][c][]'


def test_a_background_grandchild_does_not_hold_the_answer_of_the_next(start, script):
    watchdog = start.of({"fprocess": script("echo now; sleep 1 & exit 0")})
    for _ in range(3):
        assert watchdog.call("GET", "/").body == b"now\n"


@pytest.mark.parametrize("kind", ["of", "classic"])
def test_a_function_that_closes_its_output_still_gets_its_whole_input(start, script, kind):
    function = script("exec >&-; echo closed >&2; wc -c >&2; echo done >&2")
    watchdog = getattr(start, kind)({"fprocess": function, "combine_output": "false"})
    with watchdog.connect() as connection:
        connection.send(request_bytes("POST", "/", {"Content-Length": "300000"}))
        if kind == "of":  # the classic one reads the body before it starts the function
            watchdog.wait_for_log("closed")
        connection.send(b"x" * 300000)
        assert connection.response().status == 200
    watchdog.wait_for_log("done")
    assert "300000\n" in watchdog.stderr()


def test_a_function_that_closes_its_input_early_still_answers(start):
    assert start.of("head -c 10").call("POST", "/", body=b"x" * 300_000).body == b"x" * 10
