# Calls whose bodies flow through the gateway while the function runs, and callers that leave.
import concurrent.futures
import hashlib
import threading
import time

import pytest

import processes
import programs
import wire
from probe_client import Told, scripted
from programs import FUNCTIONS
from wire import chunk, eventually, request_bytes

MEBIBYTE = 1024 * 1024


@pytest.fixture(scope="module")
def gateway(start_once):
    gateway = start_once.gateway()
    for name, process in (("cat", "cat"), ("lines", f"{FUNCTIONS}/count_lines.sh")):
        gateway.deploy(name, process, ready=False)
    gateway.deploy_probe("probe")
    return gateway


def test_both_directions_flow_at_once(gateway):
    with gateway.connect() as connection:
        connection.send(request_bytes("POST", "/function/lines", {"Transfer-Encoding": "chunked"}))
        connection.send(chunk(b"one\n"))
        response = connection.response_head()
        connection.body_until(response, b"got one\n")
        connection.send(chunk(b"two\n"))
        connection.body_until(response, b"got two\n")
        connection.send(b"0\r\n\r\n")
        connection.finish(response)
        assert response.complete and response.body == b"got one\ngot two\n"


@pytest.mark.parametrize("accept", [True, False])
def test_events_flow_as_they_come(gateway, accept):
    data = (b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
            + chunk(b"data: 1\n\n"))
    headers = {**scripted(data, "hang"), **({"Accept": "text/event-stream"} if accept else {})}
    with gateway.connect() as connection:
        connection.send(request_bytes("GET", "/function/probe", headers))
        response = connection.response_head()
        assert response.header("Content-Type") == "text/event-stream"
        connection.body_until(response, b"data: 1\n\n")  # while the function hangs
        connection.reset()


def test_a_body_of_known_length_flows_as_it_comes(gateway):
    data = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nfirst"
    with gateway.connect() as connection:
        connection.send(request_bytes("GET", "/function/probe", scripted(data, "hang")))
        response = connection.response_head()
        assert response.header("Content-Length") == "100"
        connection.body_until(response, b"first")
        connection.reset()  # a FIN alone would not tell that the client is gone: see below


@pytest.mark.parametrize("upgrade", ["websocket", "WebSocket", "other-protocol"])
def test_an_upgrade_becomes_a_tunnel(gateway, upgrade):
    with gateway.connect() as connection:
        connection.send(request_bytes("GET", "/function/probe", {
            "Connection": "Upgrade", "Upgrade": upgrade, "X-Do": "upgrade"}) + b"early")
        response = connection.response_head()
        assert response.status == 101 and response.header("Upgrade") == upgrade
        assert connection.read_exactly(5) == b"early"
        for size in (1, 1000, 100_000):
            connection.send(b"p" * size)
            assert connection.read_exactly(size) == b"p" * size


def test_64_mebibytes_flow_through_both_programs_in_little_memory(gateway):
    block, got = bytes(n * 7 % 256 for n in range(65536)), hashlib.sha256()
    with gateway.connect(timeout=60) as connection:
        def upload():
            connection.send(request_bytes("POST", "/function/cat", {"Content-Length": str(64 * MEBIBYTE)}))
            for _ in range(64 * MEBIBYTE // len(block)):
                connection.send(block)
        sender = threading.Thread(target=upload)
        sender.start()
        response = connection.response_head()
        for piece in connection.pieces(response):
            got.update(piece)
        sender.join()
    assert response.complete
    assert got.hexdigest() == hashlib.sha256(block * (64 * MEBIBYTE // len(block))).hexdigest()
    if not programs.is_sanitized("faas-gateway"):
        assert processes.memory_kib(gateway.pid) < 64 * 1024


def test_a_reader_that_does_not_read_costs_no_memory(gateway):
    gateway.deploy("flood", "head -c 100000000 /dev/zero")
    with wire.Connection(gateway.port, rcvbuf=65536) as connection:
        connection.send(request_bytes("GET", "/function/flood"))
        response = connection.response_head()
        time.sleep(1)  # not a synchronisation: time in which memory could grow
        if not programs.is_sanitized("faas-gateway"):
            assert processes.memory_kib(gateway.pid) < 64 * 1024
        assert sum(len(piece) for piece in connection.pieces(response)) == 100_000_000
    assert response.complete
    gateway.remove("flood")


def forked(mark):
    """Pids of a function's processes."""
    return [pid for pid in processes.with_argument(mark) if "watchdog" not in "".join(processes.command_line(pid)[:1])]


@pytest.mark.parametrize("leave", ["close", "reset"])
def test_a_client_that_leaves_ends_the_function_through_both_hops(gateway, leave):
    mark = processes.new_mark()
    name = f"leaving-{leave}"
    gateway.deploy(name, f"{FUNCTIONS}/grandchild.sh {mark}")
    connection = gateway.connect()
    connection.send(request_bytes("GET", f"/function/{name}"))
    eventually(lambda: any("sleep" in processes.command_line(pid)[:1] for pid in processes.with_argument(mark)),
               what="the function's child runs")
    getattr(connection, leave)()
    eventually(lambda: not forked(mark), what=lambda: [processes.command_line(pid) for pid in forked(mark)])
    assert gateway.status(name)["availableReplicas"] == 1
    gateway.remove(name)


@pytest.mark.parametrize("leave", ["close", "reset"])
def test_a_client_that_leaves_a_silent_stream_ends_the_function(gateway, leave):
    mark = processes.new_mark()
    name = f"stream-{leave}"
    gateway.deploy(name, f"{FUNCTIONS}/say_then_hang.sh {mark}")
    connection = gateway.connect()
    connection.send(request_bytes("GET", f"/function/{name}"))
    connection.body_until(connection.response_head(), b"first words\n")
    getattr(connection, leave)()
    eventually(lambda: not forked(mark), what=lambda: [processes.command_line(pid) for pid in forked(mark)])
    gateway.remove(name)


def test_a_client_that_half_closes_still_gets_its_answer(gateway):
    with gateway.connect() as connection:
        connection.send(request_bytes("POST", "/function/probe", {"X-Do": "sleep:1"}, b"body"))
        connection.half_close()
        assert Told(connection.response()).body == b"body"


def test_two_hundred_calls_at_once_are_all_answered(gateway):
    def one(number):
        body = b"%d " % number * 100
        target = "/function/cat" if number % 2 else "/function/cat.openfaas-fn"
        return gateway.call("POST", target, body=body, timeout=60).body == body

    with concurrent.futures.ThreadPoolExecutor(200) as pool:
        assert all(pool.map(one, range(200)))
