# Callers that mean harm: what they send stays theirs and costs little.
import json
import socket

import pytest

import wire
from probe_client import ask, scripted
from programs import metric
from wire import eventually, request_bytes


@pytest.fixture(scope="module")
def gateway(start_once):
    gateway = start_once.gateway({"access_log": "json", "read_timeout": "2s"})
    gateway.deploy_probe("probe")
    return gateway


@pytest.fixture(scope="module")
def plain(start_once):
    gateway = start_once.gateway()
    gateway.deploy_probe("probe")
    return gateway


def line_of(gateway, call_id):
    return eventually(lambda: next((line for line in gateway.log_lines() if call_id in line), None),
                      what=gateway.log_tail)


def access_lines(gateway):
    """The gateway's own: its log holds what functions and their watchdogs say as well."""
    return [line for line in gateway.log_lines() if "Forwarded [" in line or line.startswith("{")]


# ---- paths and names --------------------------------------------------------------------------------

@pytest.mark.parametrize("target", [
    "/function/..", "/function/../probe", "/function/./probe", "/function//probe", "/function///", "/function/%2e%2e",
    "/function/..%2fprobe", "/function/.%2e/probe", "/function;x/probe", "/function/;probe", "/function/probe;x",
    "/function/a%2Fb%00", "/function/%ff", "/function/prob%65%00", "/function/probe%3Fx", "/function/probe%23",
    "/function/*", "/function/{name}", "/function/$(id)", "/Function/probe", "/functions/probe",
    "/function/" + "a" * 5000, "/function/" + "a." * 5000, "/function/..;/system/info"])
def test_a_name_that_is_none_is_404_and_nothing_is_redirected(plain, target):
    answer = plain.call("GET", target)
    assert answer.status == 404, answer
    assert answer.header("Location") is None and answer.header("Set-Cookie") is None


@pytest.mark.parametrize("suffix", ["/..;/x", "/%2e%2e%2f", "/;/", "//evil.test/", "/\\..\\", "/%5c..%5c", "/%c0%ae%c0%ae/",
                                    "/.%00./", "/a%0d%0aX-Evil:%201", "/" + "%2e%2e/" * 200])
def test_what_stands_behind_a_name_is_the_functions_alone(plain, suffix):
    assert ask(plain, target="/function/probe" + suffix).target == suffix


def test_a_path_of_the_largest_size_passes_and_a_larger_one_is_431(plain):
    assert ask(plain, target="/function/probe/" + "p" * 60_000).target == "/" + "p" * 60_000
    with plain.connect() as connection:
        connection.send(b"GET /function/probe/" + b"p" * 1_100_000)
        assert connection.response().status == 431


def test_ten_thousand_fields_pass_or_are_431(plain):
    many = [(f"X-{number}", "v") for number in range(10_000)]
    assert plain.call("GET", "/function/probe", many).status in (200, 431)
    huge = [(f"X-{number}", "v" * 1000) for number in range(1200)]
    assert plain.call("GET", "/function/probe", huge).status == 431


# ---- log lines --------------------------------------------------------------------------------------

def test_a_query_is_not_in_the_log(plain, gateway):
    for one, call_id in ((plain, "/function/probe/with-query"), (gateway, "call-q")):
        one.call("GET", "/function/probe/with-query?token=hidden-1", {"X-Call-Id": "call-q"})
        line_of(one, call_id)
        assert "hidden-1" not in "\n".join(access_lines(one))


def test_queries_can_be_asked_for(start):
    gateway = start.gateway({"access_log_queries": "true"})
    gateway.deploy_probe("probe")
    gateway.call("GET", "/function/probe/a?b=shown")
    gateway.wait_for_log("/function/probe/a?b=shown - [200]")


def test_a_line_of_text_says_what_the_reference_says(plain):
    plain.call("GET", "/function/probe/text-line?x=1")
    line = line_of(plain, "to /function/probe/text-line")
    assert "Forwarded [GET] to /function/probe/text-line - [200] - 0." in line and line.endswith("s")


def test_a_line_of_json_holds_what_there_is_to_know(gateway):
    gateway.call("POST", "/function/probe.openfaas-fn/json", {"X-Call-Id": "json-1"}, b"x")
    line = json.loads(line_of(gateway, "json-1"))
    assert (line["method"], line["path"], line["status"]) == ("POST", "/function/probe.openfaas-fn/json", 200)
    assert (line["function"], line["call_id"], line["client"]) == ("probe.openfaas-fn", "json-1", "127.0.0.1")
    assert line["bytes"] > 0 and line["seconds"] >= 0 and line["time"].endswith("Z")


def test_no_request_can_forge_a_line(gateway, plain):
    marks = {"X-Call-Id": "forge\tforge", "User-Agent": "forged-agent"}
    for one in (gateway, plain):
        for target in ('/function/probe/"},{"forged":"1', "/function/probe/\\", "/function/probe/%0aforged", "/function/x\\\"y"):
            with one.connect() as connection:
                connection.send(request_bytes("GET", target, marks))
                assert connection.response().status in (200, 404)
        with one.connect() as connection:
            connection.send(b"GET /function/probe/\xc3\xa9\xff HTTP/1.1\r\nHost: a\r\nX-Call-Id: bytes-1\r\n\r\n")
            connection.response()
    assert not any(line.startswith("forged") for line in plain.log_lines())
    objects = [line for line in gateway.log_lines() if line.startswith("{")]
    assert objects
    for line in objects:
        assert "forged" not in json.loads(line), line


def test_the_access_log_can_be_switched_off(start):
    gateway = start.gateway({"access_log": "off"})
    gateway.deploy_probe("probe")
    gateway.call("GET", "/function/probe/silent")
    gateway.stop()
    assert access_lines(gateway) == []


@pytest.mark.parametrize("name,value", [("access_log", "xml"), ("function_pages", "open"), ("queue", "rabbit"),
                                        ("functions_provider", "moon"), ("access_log_queries", "maybe")])
def test_a_bad_choice_is_named(start, name, value):
    gateway = start.gateway({name: value}, wait=False)
    assert gateway.expect_exit(10) == 1
    lines = [line for line in gateway.log_lines() if line.strip()]
    assert len(lines) == 1 and name in lines[0] and value in lines[0], lines


# ---- slow and cut -----------------------------------------------------------------------------------

def test_a_head_that_does_not_end_is_400(gateway):
    for part in (b"G", b"GET /function/probe HTTP/1.1\r\nHost: a\r\nX-A: "):
        with gateway.connect() as connection:
            connection.send(part)
            answer = connection.response()
            assert answer.status == 400 and connection.closed_by_peer(), answer


def test_a_connection_that_says_nothing_is_closed(gateway):
    with gateway.connect() as connection:
        assert connection.closed_by_peer()


def test_a_thousand_half_requests_hold_up_nobody(plain):
    halves = [plain.connect() for _ in range(300)]
    for number, connection in enumerate(halves):
        connection.send(b"POST /function/probe HTTP/1.1\r\nHost: a\r\n" + (b"Content-Length: 9\r\n\r\nx" if number % 2 else b""))
    for _ in range(20):
        assert plain.call("POST", "/function/probe", body=b"x").status == 200
    for connection in halves:
        connection.reset()
    inflight = "gateway_function_invocation_inflight"
    eventually(lambda: metric(plain.metrics(), inflight, function_name="probe.openfaas-fn") == 0, 20)


SMUGGLED = b"GET /function/probe/smuggled HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.mark.parametrize("head", [
    b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
    b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", b"Transfer-Encoding: chunked, identity\r\n",
    b"Transfer-Encoding: identity\r\n", b"Transfer-Encoding: xchunked\r\n", b"Transfer-Encoding : chunked\r\n",
    b"Transfer-Encoding:\x0bchunked\r\n", b"Content-Length: +5\r\n", b"Content-Length: 5, 5\r\n", b"Content-Length: 0x5\r\n",
    b"Content-Length: -5\r\n", b"Content-Length: 5\r\nContent-Length: 6\r\n", b"Content-Length: 99999999999999999999\r\n",
    b"Content-Length : 5\r\n", b"Transfer\0-Encoding: chunked\r\n"])
def test_a_request_with_two_readings_is_refused_and_closes(plain, head):
    with plain.connect() as connection:
        connection.send(b"POST /function/probe HTTP/1.1\r\nHost: a\r\n" + head + b"\r\n0\r\n\r\n" + SMUGGLED)
        answer = connection.response()
        assert answer.status in (400, 501), answer
        assert connection.rest() == b"", "a second request was served"


def test_a_chunk_that_is_none_ends_the_call_and_the_connection(plain):
    for bad in (b"zz\r\n", b"-1\r\n", b"5\rxhello\r\n", b"ffffffffffffffffff\r\n", b"5\r\nhelloXX"):
        with plain.connect() as connection:
            connection.send(request_bytes("POST", "/function/probe", {"Transfer-Encoding": "chunked"}) + bad + SMUGGLED)
            answer = connection.response()
            assert answer.status >= 400, answer
            assert b"smuggled" not in connection.rest()


# ---- answers ----------------------------------------------------------------------------------------

@pytest.mark.parametrize("data", [
    b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx", b"garbage\r\n\r\n", b"HTTP/1.1 99 No\r\n\r\n",
    b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", b"HTTP/1.1 abc No\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"])
def test_an_answer_that_is_none_is_an_error_and_not_passed_on(plain, data):
    answer = plain.call("GET", "/function/probe", scripted(data, "close"))
    assert answer.status >= 500 and b"garbage" not in answer.body, answer


def test_a_function_cannot_claim_to_be_the_gateway(plain):
    data = b"HTTP/1.1 503 Busy\r\nX-OpenFaaS-Internal: gateway\r\nContent-Length: 2\r\n\r\nno"
    answer = plain.call("GET", "/function/probe", scripted(data))
    assert (answer.status, answer.header("X-OpenFaaS-Internal")) == (503, None)


def test_a_function_cannot_answer_the_next_request(plain):
    data = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nX-Evil: 1\r\nContent-Length: 4\r\n\r\nevil"
    with plain.connect() as connection:
        for _ in range(3):
            answer = connection.ask("GET", "/function/probe", scripted(data))
            assert (answer.status, answer.body) == (200, b"ok")
        assert ask(plain).response.header("X-Evil") is None


def test_port_scanners_and_other_protocols_get_an_error(plain):
    for data in (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"SSH-2.0-x\r\n\r\n", b"\x00" * 100 + b"\r\n\r\n",
                 b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"):
        with plain.connect() as connection:
            connection.send(data)
            connection.sock.shutdown(socket.SHUT_WR)
            try:
                assert connection.response().status in (400, 505)
            except wire.Closed:
                pass
    assert plain.call("GET", "/healthz").status == 200
