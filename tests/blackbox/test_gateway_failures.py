# What a caller sees when a function, its watchdog or its time fails.
import time

import pytest

import processes
from probe_client import scripted
from programs import FUNCTIONS, metric
from wire import chunk, eventually, request_bytes


@pytest.fixture(scope="module")
def gateway(start_once):
    gateway = start_once.gateway()
    gateway.deploy_probe("probe")
    return gateway


def own_error(response, status):
    assert response.status == status, response
    assert response.header("X-OpenFaaS-Internal") == "gateway"
    assert response.header("Content-Type").startswith("text/plain")
    assert len(response.text.splitlines()) == 1 and response.text.strip()
    assert response.header("X-Call-Id")


def test_a_replica_that_dies_before_it_answers_is_502(gateway):
    gateway.deploy_probe("dying")
    connection = gateway.connect()
    with connection:
        connection.send(request_bytes("POST", "/function/dying", {"X-Do": "hang"}, b"x"))
        _wait_for_inflight(gateway, "dying")
        (pid,) = gateway.replicas("dying")
        processes.kill(pid)
        own_error(connection.response(), 502)
    gateway.wait_available("dying")
    gateway.remove("dying")


@pytest.mark.parametrize("victim", ["watchdog", "function"])
def test_a_replica_that_dies_in_the_middle_of_its_answer_cuts_it(gateway, victim):
    name = f"cut-{victim}"
    gateway.deploy_probe(name)
    data = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk(b"part")
    with gateway.connect() as connection:
        connection.send(request_bytes("GET", f"/function/{name}", scripted(data, "hang")))
        response = connection.response_head()
        connection.body_until(response, b"part")
        (watchdog,) = gateway.replicas(name)
        processes.kill(watchdog if victim == "watchdog" else _child_of(watchdog))
        connection.finish(response)
        assert (response.body, response.complete) == (b"part", False)
    eventually(lambda: gateway.call("GET", f"/function/{name}").status == 200)
    gateway.remove(name)


def test_a_forked_function_killed_in_the_middle_of_its_answer_cuts_it(gateway):
    mark = processes.new_mark()
    gateway.deploy("killed", f"{FUNCTIONS}/say_then_hang.sh {mark}")
    with gateway.connect() as connection:
        connection.send(request_bytes("GET", "/function/killed"))
        response = connection.response_head()
        connection.body_until(response, b"first words\n")
        # Both: a shell killed while it starts its sleep would leave that behind, holding the output open.
        sleeps = lambda: [p for p in processes.with_argument(mark) if processes.command_line(p)[:1] == ["sleep"]]
        eventually(sleeps, what="the function sleeps")
        for pid in processes.with_argument(mark):
            if "watchdog" not in "".join(processes.command_line(pid)[:1]):
                processes.kill(pid)
        connection.finish(response)
        assert not response.complete, "a killed function's answer looks whole"
    gateway.remove("killed")


def test_a_function_that_cuts_its_answer_is_cut_for_the_client(gateway):
    for data in (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart",
                 b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk(b"part")):
        with gateway.connect() as connection:
            connection.send(request_bytes("GET", "/function/probe", scripted(data, "close")))
            response = connection.response()
            assert (response.status, response.body, response.complete) == (200, b"part", False)


def test_a_function_slower_than_upstream_timeout_is_504(start):
    gateway = start.gateway({"upstream_timeout": "1s"})
    gateway.deploy_probe("slow", ready=False)
    mark = processes.new_mark()
    gateway.deploy("slowfork", f"{FUNCTIONS}/grandchild.sh {mark}", ready=False)
    gateway.wait_available("slow")
    gateway.wait_available("slowfork")
    own_error(gateway.call("POST", "/function/slow", {"X-Do": "hang"}, b"x"), 504)
    own_error(gateway.call("POST", "/function/slowfork", body=b"x"), 504)
    eventually(lambda: not [pid for pid in processes.with_argument(mark)
                            if "watchdog" not in "".join(processes.command_line(pid)[:1])], 5, "the function was killed")
    data = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk(b"part")
    response = gateway.call("GET", "/function/slow", scripted(data, "hang"))
    assert (response.body, response.complete) == (b"part", False)
    assert gateway.call("GET", "/function/slow").status == 200


def test_an_upgraded_connection_outlives_upstream_timeout(start):
    gateway = start.gateway({"upstream_timeout": "1s", "read_timeout": "1s", "write_timeout": "1s"})
    gateway.deploy_probe("socket")
    with gateway.connect() as connection:
        connection.send(request_bytes("GET", "/function/socket", {
            "Connection": "Upgrade", "Upgrade": "websocket", "X-Do": "upgrade"}))
        assert connection.response_head().status == 101
        for number in range(4):
            connection.send(b"p%d" % number)
            assert connection.read_exactly(2) == b"p%d" % number
            time.sleep(0.6)  # not a synchronisation: the limits of 1 s must pass


def _child_of(watchdog):
    children = [p.pid for p in processes.descendants(watchdog) if p.state != "Z"]
    assert children
    return children[0]


def _wait_for_inflight(gateway, name):
    eventually(lambda: metric(gateway.metrics(), "gateway_function_invocation_started",
                              function_name=f"{name}.openfaas-fn"), 10, "the call has begun")
    time.sleep(0.3)  # from the gateway to the function; too short only makes the test easier
