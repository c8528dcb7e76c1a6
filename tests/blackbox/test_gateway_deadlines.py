# One deadline for each call: when it begins, what it covers, how it is named, and what it leaves alone.
import threading
import time

import pytest

import processes
from probe_client import Told, scripted
from programs import metric
from wire import Closed, chunk, eventually, request_bytes

LIMIT = "1s"


@pytest.fixture(scope="module")
def gateway(start_once):
    """Its limit passes while a test waits for it: here all calls that are to succeed are short or endless."""
    gateway = start_once.gateway({"upstream_timeout": LIMIT})
    gateway.deploy_probe("probe")
    return gateway


@pytest.fixture(scope="module")
def patient(start_once):
    gateway = start_once.gateway({"upstream_timeout": "5m"})
    gateway.deploy_probe("probe")
    return gateway


def past_the_limit():
    time.sleep(1.3)  # not a synchronisation: the limit of 1 s must pass


def own_error(response, status, *words):
    assert response.status == status, response
    assert response.header("X-OpenFaaS-Internal") == "gateway" and response.header("X-Call-Id")
    assert len(response.text.splitlines()) == 1
    for word in words:
        assert word in response.text, response


def test_a_function_that_does_not_answer_is_504_and_the_limit_is_named(gateway):
    own_error(gateway.call("GET", "/function/probe", {"X-Do": "hang"}), 504, "upstream_timeout", "1s", "probe")


def test_the_connection_goes_on_after_a_504(gateway):
    with gateway.connect() as connection:
        own_error(connection.ask("GET", "/function/probe", {"X-Do": "hang"}), 504)
        assert Told(connection.ask("POST", "/function/probe", body=b"x")).body == b"x"


@pytest.mark.parametrize("head", [b"Transfer-Encoding: chunked\r\n\r\n" + chunk(b"part"), b"Content-Length: 100\r\n\r\npart"])
def test_it_covers_the_answers_body_which_is_cut_and_counted_as_504(start, head):
    gateway = start.gateway({"upstream_timeout": LIMIT})
    gateway.deploy_probe("probe")
    response = gateway.call("GET", "/function/probe", scripted(b"HTTP/1.1 200 OK\r\n" + head, "hang"))
    assert (response.status, response.body, response.complete) == (200, b"part", False)
    total, name = "gateway_function_invocation_total", "probe.openfaas-fn"
    eventually(lambda: metric(gateway.metrics(), total, function_name=name, code="504") == 1)
    assert metric(gateway.metrics(), total, function_name=name, code="200") is None
    assert "upstream_timeout, 1s" in gateway.stderr()


def test_a_broken_answer_is_counted_as_502(gateway):
    total, name = "gateway_function_invocation_total", "probe.openfaas-fn"
    before = metric(gateway.metrics(), total, function_name=name, code="502") or 0
    gateway.call("GET", "/function/probe", scripted(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart", "close"))
    eventually(lambda: metric(gateway.metrics(), total, function_name=name, code="502") == before + 1, 10)


@pytest.mark.parametrize("kind", ["text/event-stream", "application/x-ndjson", "Text/Event-Stream; charset=utf-8"])
def test_a_stream_of_events_has_no_deadline(gateway, kind):
    data = f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nTransfer-Encoding: chunked\r\n\r\n".encode() + chunk(b"one\n")
    with gateway.connect() as connection:
        connection.send(request_bytes("GET", "/function/probe", scripted(data, "then:2:" + chunk(b"two\n").hex())))
        response = connection.response_head()
        connection.body_until(response, b"one\n")
        connection.body_until(response, b"two\n")
        connection.reset()


def test_an_upload_that_flows_has_no_deadline(gateway):
    with gateway.connect() as connection:
        connection.send(request_bytes("POST", "/function/probe", {"Transfer-Encoding": "chunked"}))
        for _ in range(4):
            connection.send(chunk(b"piece"))
            past_the_limit()
        connection.send(b"0\r\n\r\n")
        assert Told(connection.response()).body == b"piece" * 4


def test_it_begins_at_the_end_of_the_request(gateway):
    with gateway.connect() as connection:
        connection.send(request_bytes("POST", "/function/probe", {"X-Do": "hang", "Content-Length": "6"}) + b"bod")
        past_the_limit()
        assert not connection.readable(0), "the deadline ran while the request came"
        connection.send(b"y..")
        own_error(connection.response(), 504, "upstream_timeout")


def test_a_function_that_does_not_read_its_request_is_504(gateway):
    with gateway.connect() as connection:
        connection.send(request_bytes("POST", "/function/probe", {"X-Do": "deaf", "Content-Length": "1000000000"}))
        piece = b"x" * 65536

        def send():
            try:
                while True:
                    connection.send(piece)
            except OSError:
                pass

        thread = threading.Thread(target=send, daemon=True)
        thread.start()
        own_error(connection.response(), 504, "upstream_timeout")
    thread.join()


def test_a_body_that_stops_is_408_and_the_limit_is_named(start):
    gateway = start.gateway({"read_timeout": "1s"})
    gateway.deploy_probe("probe")
    for headers in ({"Content-Length": "100"}, {"Transfer-Encoding": "chunked"}):
        with gateway.connect() as connection:
            connection.send(request_bytes("POST", "/function/probe", headers) + b"5\r\nab")
            own_error(connection.response(), 408, "read_timeout")


def test_a_body_that_moves_may_take_longer_than_read_timeout(start):
    gateway = start.gateway({"read_timeout": "3s"})
    gateway.deploy_probe("probe")
    with gateway.connect() as connection:
        connection.send(request_bytes("POST", "/function/probe", {"Content-Length": "8"}))
        for _ in range(8):
            time.sleep(0.5)  # not a synchronisation: more than the limit must pass in all
            connection.send(b"x")
        assert Told(connection.response()).body == b"x" * 8


# ---- X-Timeout --------------------------------------------------------------------------------------

def test_a_caller_may_ask_for_a_shorter_one(patient):
    for asked in ("300ms", "0.3s", "1"):
        own_error(patient.call("GET", "/function/probe", {"X-Timeout": asked, "X-Do": "hang"}), 504, "X-Timeout")


@pytest.mark.parametrize("asked,told", [(None, "5m1s"), ("10m", "5m1s"), ("4m", "4m1s"), ("junk", "5m1s"), ("-1s", "5m1s"),
                                        ("0s", "5m1s"), ("99999999999999h", "5m1s")])
def test_the_next_hop_is_told_a_limit_that_fires_after_the_gateways(patient, asked, told):
    answer = patient.call("GET", "/function/probe", {"X-Timeout": asked} if asked else {})
    assert Told(answer).all("X-Timeout") == [told]


def test_nobody_is_told_a_limit_that_has_not_begun(patient):
    with patient.connect() as connection:
        connection.send(request_bytes("POST", "/function/probe", {"Transfer-Encoding": "chunked", "X-Timeout": "1m"}))
        patient.wait_for_log("Listening")
        connection.send(chunk(b"x"))
        connection.send(b"0\r\n\r\n")
        assert Told(connection.response()).all("X-Timeout") == []


def test_no_limit_is_no_limit(start):
    gateway = start.gateway({"upstream_timeout": "0"})
    gateway.deploy_probe("probe")
    assert Told(gateway.call("GET", "/function/probe")).all("X-Timeout") == []
    own_error(gateway.call("GET", "/function/probe", {"X-Timeout": "200ms", "X-Do": "hang"}), 504, "X-Timeout, 200ms")


# ---- waiting for a replica --------------------------------------------------------------------------

def test_a_replica_that_does_not_come_is_503_and_the_limit_is_named(start):
    gateway = start.gateway({"upstream_timeout": LIMIT})
    gateway.deploy_probe("late", env={"START_DELAY": "3600"}, ready=False)
    response = gateway.call("GET", "/function/late")
    own_error(response, 503, "late", "no replica became ready within")
    assert response.header("Retry-After")


def test_a_function_without_replicas_is_503(gateway):
    gateway.deploy("none", "cat")
    gateway.scale("none", 0)
    response = gateway.call("GET", "/function/none")
    own_error(response, 503, "none", "0 replicas")
    assert response.header("Retry-After")
    gateway.remove("none")


def test_a_function_deleted_while_a_call_waits_for_it_is_404(start):
    gateway = start.gateway()
    gateway.deploy_probe("gone", env={"START_DELAY": "3600"}, ready=False)
    with gateway.connect() as connection:
        connection.send(request_bytes("GET", "/function/gone"))
        eventually(lambda: metric(gateway.metrics(), "gateway_function_invocation_started",
                                  function_name="gone.openfaas-fn"))
        gateway.remove("gone")
        response = connection.response()
    own_error(response, 404, "was deleted")


# ---- never twice ------------------------------------------------------------------------------------

@pytest.mark.parametrize("method", ["POST", "PUT", "GET"])
def test_a_call_whose_replica_died_under_it_is_not_sent_again(start, method):
    gateway = start.gateway()
    gateway.deploy_probe("twice")
    gateway.scale("twice", 2)
    def identity():
        answer = gateway.call("GET", "/function/twice")
        return Told(answer).json["id"] if answer.status == 200 else None

    before = {identity() for _ in range(8)}
    assert len(before) == 2, before
    with gateway.connect() as connection:
        connection.send(request_bytes(method, "/function/twice", {"X-Do": "exit:1"}, b"x"))
        assert connection.response().status >= 500
    # Had it been sent again, the other replica's function would have ended as well.
    assert eventually(lambda: before & {identity()}, 20)


def test_a_killed_watchdog_is_502_and_the_cause_is_named(start):
    gateway = start.gateway()
    gateway.deploy_probe("probe")
    with gateway.connect() as connection:
        connection.send(request_bytes("POST", "/function/probe", {"X-Do": "hang"}, b"x"))
        eventually(lambda: metric(gateway.metrics(), "gateway_function_invocation_inflight",
                                  function_name="probe.openfaas-fn") == 1)
        for pid in gateway.replicas("probe"):
            processes.kill(pid)
        response = connection.response()
    assert response.status in (502, 503), response
    own_error(response, response.status, "probe")
    assert "unix:" not in response.text and "/" not in response.text.split(":", 1)[1], "where it listens is told"


def test_a_client_that_leaves_is_neither_200_nor_an_error_of_the_function(gateway):
    total, name = "gateway_function_invocation_total", "probe.openfaas-fn"
    connection = gateway.connect()
    data = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk(b"x")
    connection.send(request_bytes("GET", "/function/probe", scripted(data, "hang")))
    connection.body_until(connection.response_head(), b"x")
    before = gateway.metrics()
    connection.reset()
    eventually(lambda: (metric(gateway.metrics(), total, function_name=name, code="499") or 0)
               > (metric(before, total, function_name=name, code="499") or 0), 10)
    with pytest.raises((Closed, OSError)):
        connection.response()
