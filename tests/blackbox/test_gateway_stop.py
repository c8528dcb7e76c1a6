# SIGTERM while there is traffic: what is under way ends well or is cut off in the end, and the exit code is 0.
import signal
import threading

import wire
from probe_client import scripted
from wire import chunk, eventually, request_bytes


def refused(port):
    try:
        wire.Connection(port).close()
        return False
    except (ConnectionRefusedError, ConnectionResetError):
        return True


def told_to_end(gateway):
    gateway.remember_descendants()
    gateway.process.send_signal(signal.SIGTERM)
    eventually(lambda: refused(gateway.port), what="new connections are refused")


def test_idle_connections_do_not_hold_it_up(start):
    gateway = start.gateway({"shutdown_timeout": "10m", "read_timeout": "10m"})
    gateway.deploy("cat", "cat")
    silent = [gateway.connect() for _ in range(8)]
    used = [gateway.connect() for _ in range(8)]
    for connection in used:
        assert connection.ask("POST", "/function/cat", body=b"x").body == b"x"
    told_to_end(gateway)
    assert gateway.expect_exit() == 0
    assert "cut off" not in gateway.stderr()
    for connection in silent + used:
        assert connection.closed_by_peer()
        connection.close()


def test_a_kept_connection_ends_with_the_answer_under_way_on_every_core(start):
    gateway = start.gateway({"shutdown_timeout": "10m", "cores": "4"})
    gateway.deploy_probe("probe")
    connections = [gateway.connect() for _ in range(8)]
    for connection in connections:
        connection.send(request_bytes("POST", "/function/probe", {"X-Do": "duplex", "Transfer-Encoding": "chunked"}))
        connection.send(chunk(b"before"))
        connection.answer = connection.response_head()
        connection.body_until(connection.answer, b"before")
    told_to_end(gateway)
    for connection in connections:
        connection.send(chunk(b"after") + b"0\r\n\r\n" + request_bytes("GET", "/function/probe"))
        assert connection.finish(connection.answer).complete and connection.answer.body == b"beforeafter"
        assert connection.rest() == b"", "another request was served"
        connection.close()
    assert gateway.expect_exit() == 0


def test_it_ends_while_calls_flow_and_no_answer_is_broken(start):
    gateway = start.gateway({"shutdown_timeout": "10m"})
    gateway.deploy_probe("probe")
    answered, broken, stop = [], [], threading.Event()

    def call_and_call():
        while not stop.is_set():
            try:
                with gateway.connect() as connection:
                    while not stop.is_set():
                        answer = connection.ask("POST", "/function/probe", body=b"x" * 100)
                        if answer.status != 200 or not answer.complete:
                            broken.append(answer)
                        answered.append(1)
                        if answer.header("Connection") == "close":
                            break
            except (OSError, wire.Closed):
                if refused(gateway.port):
                    return

    threads = [threading.Thread(target=call_and_call) for _ in range(6)]
    for thread in threads:
        thread.start()
    eventually(lambda: len(answered) > 50, what="calls flow")
    told_to_end(gateway)
    assert gateway.expect_exit(60) == 0
    stop.set()
    for thread in threads:
        thread.join()
    assert not broken, broken[:3]


def test_streams_and_sockets_without_an_end_are_cut_in_the_end(start):
    gateway = start.gateway({"shutdown_timeout": "1s"})
    gateway.deploy_probe("probe")
    stream, tunnel = gateway.connect(), gateway.connect()
    data = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk(b"data: 1\n\n")
    stream.send(request_bytes("GET", "/function/probe", scripted(data, "hang")))
    answer = stream.response_head()
    stream.body_until(answer, b"data: 1\n\n")
    tunnel.send(request_bytes("GET", "/function/probe", {"Connection": "Upgrade", "Upgrade": "x", "X-Do": "upgrade"}))
    assert tunnel.response_head().status == 101
    told_to_end(gateway)
    assert gateway.expect_exit() == 0
    stream.finish(answer)
    assert not answer.complete, "a stream that was cut off looks whole"
    tunnel.rest()
    for connection in (stream, tunnel):
        connection.close()
    assert "cut off" in gateway.stderr()


def test_it_ends_while_somebody_sends_half_a_request_or_guesses_passwords(start):
    gateway = start.gateway({"shutdown_timeout": "1s"})
    half = gateway.connect()
    half.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n{")
    head = gateway.connect()
    head.send(b"GET / HT")
    told_to_end(gateway)
    assert gateway.expect_exit() == 0
    half.close()
    head.close()
