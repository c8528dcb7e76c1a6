# Long bodies and outputs move inside the kernel, and come through whole where it refuses to move them.
import collections
import hashlib
import os
import pathlib
import socket
import subprocess
import threading

import processes
import programs
import pytest
from wire import chunk, eventually, request_bytes

MIB = 1 << 20
BLOCK = bytes(n * 7 % 251 for n in range(65521))  # of a size that no buffer has
FORBID = pathlib.Path(__file__).resolve().parent / "forbid_splice.py"
LARGE = 24 * MIB

can_filter = pytest.mark.skipif(os.uname().machine not in ("x86_64", "aarch64"),
                                reason="the filter knows the numbers of these machines' system calls")


def forbidding(error):
    return {"wrapper": [programs.PYTHON, str(FORBID), error]}


def blocks(size):
    for at in range(0, size, len(BLOCK)):
        yield BLOCK[:size - at]


def digest_of(size):
    digest = hashlib.sha256()
    for piece in blocks(size):
        digest.update(piece)
    return digest.hexdigest()


def upload(connection, size, chunked):
    framing = {"Transfer-Encoding": "chunked"} if chunked else {"Content-Length": str(size)}
    connection.send(request_bytes("POST", "/", framing))
    for piece in blocks(size):
        connection.send(chunk(piece) if chunked else piece)
    if chunked:
        connection.send(b"0\r\n\r\n")


def there_and_back(connection, size, chunked=False):
    """The digest of what comes back while `size` bytes go up."""
    sender = threading.Thread(target=upload, args=(connection, size, chunked))
    sender.start()
    answer = connection.response_head()
    digest = hashlib.sha256()
    for piece in connection.pieces(answer):
        digest.update(piece)
    sender.join()
    assert answer.status == 200 and answer.complete
    return digest.hexdigest()


def calls_of(watchdog, work):
    """How often the watchdog made each system call while `work()` ran."""
    path = watchdog.folder / "strace.txt"
    strace = subprocess.Popen(["strace", "-o", path, "-p", str(watchdog.pid)], stderr=subprocess.DEVNULL)
    status = pathlib.Path(f"/proc/{watchdog.pid}/status")
    eventually(lambda: "TracerPid:\t0" not in status.read_text(), 20, "strace has got hold of it")
    work()
    strace.terminate()
    strace.wait()
    return collections.Counter(line.split("(")[0] for line in path.read_text().splitlines())


@pytest.mark.parametrize("size", [4096, 65536, 65537, 100_000, 1_000_001, 5 * MIB + 3])
@pytest.mark.parametrize("chunked", [False, True])
def test_bodies_of_many_sizes_come_back_whole(start, size, chunked):
    watchdog = start.of({"fprocess": "cat"})
    for _ in range(3):
        with watchdog.connect(timeout=60) as connection:
            assert there_and_back(connection, size, chunked) == digest_of(size)


def test_a_long_body_and_a_long_output_move_inside_the_kernel(start):
    watchdog = start.of({"fprocess": "cat"})
    with watchdog.connect(timeout=60) as connection:
        calls = calls_of(watchdog, lambda: there_and_back(connection, LARGE))
    # A splice moves 1 MiB at most.
    assert calls["splice"] >= 2 * LARGE // MIB
    # What writes a body is writev; what is not moved takes one for 64 KiB in each direction.
    assert calls["writev"] < LARGE // 65536


def test_a_long_spooled_output_moves_inside_the_kernel(start):
    watchdog = start.classic({"fprocess": f"head -c {LARGE} /dev/zero"})
    body = []
    calls = calls_of(watchdog, lambda: body.append(watchdog.call("GET", "/", timeout=60).body))
    assert body == [bytes(LARGE)] and calls["sendfile"] > 0


@can_filter
@pytest.mark.parametrize("error", ["ENOSYS", "EPERM", "EINVAL"])
@pytest.mark.parametrize("mode", ["streaming", "serializing", "classic"])
def test_where_the_kernel_refuses_bytes_are_copied(start, mode, error):
    settings = {"fprocess": "cat", "exec_timeout": "60s"}
    options = forbidding(error)
    if mode == "classic":
        watchdog = start.classic(settings, **options)
    else:
        watchdog = start.of({**settings, "mode": mode}, **options)
    for chunked in (False, True):
        with watchdog.connect(timeout=60) as connection:
            assert there_and_back(connection, LARGE, chunked) == digest_of(LARGE)
    assert "Seccomp:\t2" in pathlib.Path(f"/proc/{watchdog.pid}/status").read_text()


def test_a_function_that_closes_its_input_answers_while_the_client_still_sends(start, script):
    watchdog = start.of({"fprocess": script("head -c 100000 | sha256sum; exec <&-; echo closed")})
    with watchdog.connect(timeout=60) as connection:
        connection.send(request_bytes("POST", "/", {"Content-Length": str(LARGE)}))
        sent = b"".join(blocks(4 * MIB))
        connection.send(sent[:100_000])
        answer = connection.response_head()
        wanted = hashlib.sha256(sent[:100_000]).hexdigest().encode() + b"  -\nclosed\n"
        connection.body_until(answer, wanted)


def test_a_body_that_ends_before_its_length_ends_the_input_and_is_told(start):
    watchdog = start.of({"fprocess": "sha256sum"})
    with watchdog.connect(timeout=60) as connection:
        connection.send(request_bytes("POST", "/", {"Content-Length": str(LARGE)}))
        for piece in blocks(2 * MIB):
            connection.send(piece)
        connection.half_close()
        answer = connection.response()
    assert answer.status == 200 and answer.text == digest_of(2 * MIB) + "  -\n"
    watchdog.wait_for_log("unexpected EOF")


def test_the_request_behind_a_long_body_is_the_next_request(start):
    watchdog = start.of({"fprocess": "sha256sum"})  # which answers when it has all
    with watchdog.connect(timeout=60) as connection:
        size = 2 * MIB
        body = b"".join(blocks(size))

        def send():
            connection.send(request_bytes("POST", "/", {"Content-Length": str(size)}) + body +
                            request_bytes("POST", "/", {"Content-Length": "5"}) + b"after")

        sender = threading.Thread(target=send)
        sender.start()
        assert connection.response().text == digest_of(size) + "  -\n"
        assert connection.response().text == hashlib.sha256(b"after").hexdigest() + "  -\n"
        sender.join()


def test_urgent_bytes_in_a_long_body_hold_nothing_up(start):
    """They are no part of the body, and splice(2) does not step over them."""
    watchdog = start.of({"fprocess": "cat"})
    with watchdog.connect(timeout=60) as connection:
        connection.send(request_bytes("POST", "/", {"Content-Length": "400000"}))
        answer = None
        for number in range(20):
            connection.send(b"%020000d" % number)
            answer = answer or connection.response_head()
            connection.body_until(answer, b"%020000d" % number)
            connection.sock.send(b"!", socket.MSG_OOB)
        connection.finish(answer)
    assert answer.complete and answer.body == b"".join(b"%020000d" % number for number in range(20))


def test_small_pieces_after_a_long_stretch_of_output_still_leave_at_once(start, script):
    text = f"head -c {4 * MIB} /dev/zero; while read line; do echo got $line; done"
    watchdog = start.of({"fprocess": script(text)})
    with watchdog.connect(timeout=60) as connection:
        connection.send(request_bytes("POST", "/", {"Transfer-Encoding": "chunked"}))
        answer = connection.response_head()
        wanted = bytes(4 * MIB)
        connection.body_until(answer, wanted)
        for line in (b"one", b"two"):
            connection.send(chunk(line + b"\n"))
            wanted += b"got " + line + b"\n"
            connection.body_until(answer, wanted)
        connection.send(b"0\r\n\r\n")
        connection.finish(answer)
    assert answer.complete


def test_a_long_output_without_chunks_ends_with_the_connection(start):
    watchdog = start.of({"fprocess": f"head -c {4 * MIB} /dev/zero"})
    with watchdog.connect(timeout=60) as connection:
        connection.send(b"GET / HTTP/1.0\r\n\r\n")
        answer = connection.response()
    assert answer.framing == "close" and answer.body == bytes(4 * MIB)


def test_a_long_output_in_answer_to_head_is_thrown_away(start):
    watchdog = start.of({"fprocess": f"head -c {4 * MIB} /dev/zero"})
    with watchdog.connect(timeout=60) as connection:
        for _ in range(2):
            connection.send(request_bytes("HEAD", "/"))
            answer = connection.response_head("HEAD")
            assert answer.status == 200
    watchdog.wait_for_log("HEAD / - 200", count=2)


@pytest.mark.parametrize("leave", ["close", "reset"])
def test_a_client_that_leaves_in_a_long_output_ends_the_function(start, script, leave):
    mark = processes.new_mark()
    watchdog = start.of({"fprocess": script(f"sleep 0.{mark}; exec head -c 1000000000000 /dev/zero"),
                         "exec_timeout": "0"})
    connection = watchdog.connect(timeout=60, rcvbuf=65536)
    connection.send(request_bytes("GET", "/"))
    answer = connection.response_head()
    for number, _ in enumerate(connection.pieces(answer)):
        if number == 50:
            break
    getattr(connection, leave)()
    eventually(lambda: not processes.descendants(watchdog.pid), 20, "the function is gone")


def test_a_client_that_resets_while_its_body_waits_for_the_function_ends_it(start):
    watchdog = start.of({"fprocess": "sleep 86400", "exec_timeout": "0", "read_timeout": "0"})
    connection = watchdog.connect(timeout=60)
    connection.send(request_bytes("POST", "/", {"Content-Length": str(LARGE)}))
    connection.sock.settimeout(0.5)
    try:
        for piece in blocks(LARGE):
            connection.send(piece)
    except TimeoutError:
        pass  # nobody reads: all buffers are full
    assert processes.descendants(watchdog.pid)
    connection.reset()
    eventually(lambda: not processes.descendants(watchdog.pid), 20, "the function is gone")


def test_at_exec_timeout_a_long_answer_ends_whole(start):
    watchdog = start.of({"fprocess": "cat /dev/zero", "exec_timeout": "300ms"})
    with watchdog.connect(timeout=60) as connection:
        connection.send(request_bytes("GET", "/"))
        answer = connection.response_head()
        size = sum(len(piece) for piece in connection.pieces(answer))
    assert answer.complete and size > 0
    watchdog.wait_for_log("signal: killed")
