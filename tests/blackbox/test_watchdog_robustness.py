# Load, big bodies, slow and vanishing clients: nothing is leaked, nothing grows without a bound.
import concurrent.futures
import hashlib
import threading
import time

import pytest

import processes
import programs
from scripted_upstream import always, answer
from wire import Connection, eventually, request_bytes

case = pytest.mark.case
MEBIBYTE = 1024 * 1024


@pytest.fixture(params=["streaming", "serializing", "classic"])
def forking(request, start):
    """forking(process, **settings): a watchdog that starts a process for each request."""
    def make(process, **settings):
        settings = {"fprocess": process, "exec_timeout": "0", **settings}
        if request.param == "classic":
            return start.classic(settings)
        return start.of({**settings, "mode": request.param})
    make.mode = request.param
    return make


def leave_by_close(connection):
    connection.close()


def leave_by_reset(connection):
    connection.reset()


@case(69, 77, deviation="the function and its children are killed: nobody waits for them any more")
@pytest.mark.parametrize("leave", [leave_by_close, leave_by_reset])
def test_when_the_client_leaves_a_silent_function_and_its_children_are_killed(forking, leave):
    mark = processes.new_mark()
    watchdog = forking(f"{programs.FUNCTIONS}/grandchild.sh {mark}")
    connection = watchdog.connect()
    connection.send(request_bytes("GET", "/"))
    eventually(lambda: len(processes.with_argument(mark)) == 2, what="the function and its child run")
    leave(connection)
    eventually(lambda: not processes.with_argument(mark), what=lambda: processes.with_argument(mark))
    assert watchdog.call("GET", "/_/health").status == 200


@case(77, deviation="the function and its children are killed: nobody waits for them any more")
@pytest.mark.parametrize("leave", [leave_by_close, leave_by_reset])
def test_when_the_client_leaves_a_silent_stream_the_function_is_killed(start, leave):
    mark = processes.new_mark()
    watchdog = start.of({"fprocess": f"{programs.FUNCTIONS}/say_then_hang.sh {mark}", "exec_timeout": "0"})
    connection = watchdog.connect()
    connection.send(request_bytes("GET", "/"))
    connection.body_until(connection.response_head(), b"first words\n")
    assert processes.with_argument(mark)
    leave(connection)
    eventually(lambda: not processes.with_argument(mark), what=lambda: processes.with_argument(mark))


@case(69)
def test_a_client_that_half_closes_still_gets_its_answer(forking, script):
    folder = script("").parent
    process = script(f"cat; while [ ! -e {folder}/go ]; do sleep 0.05; done; echo done")
    watchdog = forking(process)
    with watchdog.connect() as connection:
        connection.send(request_bytes("POST", "/", body=b"body "))
        connection.half_close()
        watchdog.wait_for_log("Forking fprocess." if forking.mode == "classic" else "Started logging")
        threading.Timer(1.0, (folder / "go").touch).start()
        reply = connection.response()
    assert reply.complete and reply.body == b"body done\n"


def test_two_hundred_calls_at_once_are_all_answered(forking):
    watchdog = forking("cat")

    def one(number):
        body = b"%d " % number * 100
        return watchdog.call("POST", "/", body=body, timeout=60).body == body

    with concurrent.futures.ThreadPoolExecutor(200) as pool:
        assert all(pool.map(one, range(200)))


@case(90, deviation="nothing is left of a call when it is over")
def test_five_hundred_calls_leave_no_zombie_and_no_descriptor(forking):
    watchdog = forking("true")
    with watchdog.connect() as connection:
        connection.ask("POST", "/", body=b"x")
        before = len(processes.open_files(watchdog.pid))
        for _ in range(500):
            assert connection.ask("POST", "/", body=b"x").status == 200
    eventually(lambda: not processes.descendants(watchdog.pid),
               what=lambda: f"children left: {processes.descendants(watchdog.pid)}")
    eventually(lambda: len(processes.open_files(watchdog.pid)) <= before + 2,
               what=lambda: f"{before} descriptors before, now {processes.open_files(watchdog.pid)}")


def test_failed_starts_leak_nothing(forking):
    watchdog = forking("/no/such")
    watchdog.call("POST", "/", body=b"x")
    before = len(processes.open_files(watchdog.pid))
    for _ in range(100):
        assert watchdog.call("POST", "/", body=b"x").status == 500
    eventually(lambda: len(processes.open_files(watchdog.pid)) <= before + 2,
               what=lambda: f"{before} descriptors before, now {processes.open_files(watchdog.pid)}")


def big_echo(port, size, headers=None):
    """Sends `size` bytes and reads them back at the same time; returns the digests of both."""
    block = bytes(n * 7 % 256 for n in range(65536))
    sent, got = hashlib.sha256(), hashlib.sha256()
    failures = []
    with Connection(port, timeout=60) as connection:
        def upload():
            try:
                connection.send(request_bytes("POST", "/", {"Content-Length": str(size), **(headers or {})}))
                for _ in range(size // len(block)):
                    connection.send(block)
                    sent.update(block)
            except OSError as error:
                failures.append(error)

        sender = threading.Thread(target=upload)
        sender.start()
        reply = connection.response_head()
        for piece in connection.pieces(reply):
            got.update(piece)
        sender.join()
    assert not failures, failures
    assert reply.complete, reply
    return sent.hexdigest(), got.hexdigest()


def bounded(watchdog, mebibytes=20):
    if not programs.is_sanitized(watchdog.name):
        assert processes.memory_kib(watchdog.pid) < mebibytes * 1024


def test_64_mebibytes_flow_through_streaming_in_little_memory(start):
    watchdog = start.of("cat")
    sent, got = big_echo(watchdog.port, 64 * MEBIBYTE)
    assert sent == got
    bounded(watchdog)


def test_64_mebibytes_flow_through_http_mode_in_little_memory(start):
    port = programs.free_port()
    watchdog = start.of({"fprocess": f"{programs.PYTHON} -u {programs.FUNCTIONS}/probe.py", "mode": "http",
                         "upstream_url": f"http://127.0.0.1:{port}", "PROBE_PORT": port})
    eventually(lambda: watchdog.call("GET", "/").status == 200, what=watchdog.log_tail)
    sent, got = big_echo(watchdog.port, 64 * MEBIBYTE, {"X-Do": "duplex"})
    assert sent == got
    bounded(watchdog)


def test_a_reader_that_does_not_read_holds_the_function_back(start, script):
    """100 MB are made, nobody reads: what is in memory stays small, and nothing is lost afterwards."""
    watchdog = start.of({"fprocess": script("head -c 100000000 /dev/zero; echo end")})
    with Connection(watchdog.port, rcvbuf=65536) as connection:
        connection.send(request_bytes("GET", "/"))
        reply = connection.response_head()
        eventually(lambda: _stands_still(watchdog.pid), what="the function waits for the reader", pause=0)
        bounded(watchdog)
        size = sum(len(piece) for piece in connection.pieces(reply))
    assert reply.complete and size == 100_000_004
    bounded(watchdog)


def _stands_still(pid):
    """Whether the processes below `pid` have stopped writing while they still have something to write."""
    def written():
        return [(p.pid, processes.bytes_written(p.pid)) for p in processes.descendants(pid)]
    before = written()
    time.sleep(0.5)
    return before and before == written()


def test_an_upstream_that_does_not_read_holds_the_client_back(start):
    resume = threading.Event()

    def handler(connection, _number):
        request = connection.request_head_only()
        resume.wait(30)
        size = sum(len(piece) for piece in connection.pieces(request))
        connection.send(answer(body=b"%d" % size))

    upstream = start.upstream(handler)
    watchdog = start.of({"fprocess": "sleep 86400", "mode": "http", "upstream_url": upstream.url})
    with watchdog.connect(timeout=60) as connection:
        connection.send(request_bytes("POST", "/", {"Content-Length": str(64 * MEBIBYTE)}))
        connection.sock.settimeout(1)
        sent = 0
        try:
            while sent < 64 * MEBIBYTE:
                sent += connection.sock.send(b"x" * 65536)
        except TimeoutError:
            pass
        assert sent < 64 * MEBIBYTE, "all of it was swallowed while the upstream did not read"
        bounded(watchdog)
        resume.set()
        connection.sock.settimeout(60)
        connection.send(b"x" * (64 * MEBIBYTE - sent))
        assert connection.response().body == b"%d" % (64 * MEBIBYTE)
    bounded(watchdog)


def test_a_hundred_half_sent_requests_do_not_hinder_the_others(start):
    watchdog = start.of("cat")
    idle = [watchdog.connect() for _ in range(100)]
    try:
        for connection in idle:
            connection.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhal")
        for _ in range(20):
            assert watchdog.call("POST", "/", body=b"x").body == b"x"
        for connection in idle:
            connection.send(b"f is it")
        assert {connection.response().body for connection in idle} == {b"half is it"}
    finally:
        for connection in idle:
            connection.close()


def test_many_requests_on_many_connections_in_http_mode(start):
    upstream = start.upstream(always(answer(body=b"fine")))
    watchdog = start.of({"fprocess": "sleep 86400", "mode": "http", "upstream_url": upstream.url})

    def one(_number):
        with watchdog.connect(timeout=60) as connection:
            return all(connection.ask("POST", "/", body=b"x").body == b"fine" for _ in range(10))

    with concurrent.futures.ThreadPoolExecutor(100) as pool:
        assert all(pool.map(one, range(200)))
    before = len(processes.open_files(watchdog.pid))
    with concurrent.futures.ThreadPoolExecutor(100) as pool:
        assert all(pool.map(one, range(200)))
    eventually(lambda: len(processes.open_files(watchdog.pid)) <= before + 10,
               what=lambda: f"{before} descriptors before, now {len(processes.open_files(watchdog.pid))}")
