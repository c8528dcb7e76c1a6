# A call through the gateway: path, headers, bodies, streams, and what becomes of it when somebody leaves.
import base64
import concurrent.futures
import hashlib
import json
import re
import threading
import time
import uuid

import pytest

import processes
import programs
import wire
from programs import FUNCTIONS, metric
from scripted_upstream import answer as reply_bytes
from wire import chunk, eventually, request_bytes

MEBIBYTE = 1024 * 1024
UUID4 = r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"


@pytest.fixture(scope="module")
def gateway(start_once):
    gateway = start_once.gateway()
    gateway.deploy("cat", "cat", ready=False)
    gateway.deploy("environment", "env", ready=False)
    gateway.deploy("lines", f"{FUNCTIONS}/count_lines.sh", ready=False)
    gateway.deploy_probe("probe", ready=False)
    for name in ("cat", "environment", "lines", "probe"):
        gateway.wait_available(name)
    return gateway


class Told:
    """What functions/probe.py says it received."""

    def __init__(self, response):
        assert response.status == 200, response
        self.response = response
        self.json = json.loads(response.body)
        lines = base64.b64decode(self.json["head"]).decode("latin-1").splitlines()
        self.method, self.target, _ = lines[0].split(" ")
        self.headers = [tuple(part.strip() for part in line.split(":", 1)) for line in lines[1:]]
        self.body = base64.b64decode(self.json["body"])

    def all(self, name):
        return [value for n, value in self.headers if n.lower() == name.lower()]


def ask(gateway, method="GET", target="/function/probe", headers=(), body=None, **options):
    return Told(gateway.call(method, target, headers, body, **options))


def scripted(data, then="keep"):
    """Headers that make the probe answer with these bytes."""
    return {"X-Reply": base64.b64encode(data).decode(), "X-Then": then}


# ---- which function ---------------------------------------------------------------------------------

@pytest.mark.parametrize("target", ["/function/cat", "/function/cat/", "/function/cat.openfaas-fn", "/function/cat/a/b?c",
                                    "/function/cat.openfaas-fn/a"])
def test_a_function_is_called_by_its_name(gateway, target):
    response = gateway.call("POST", target, body=b"hello")
    assert (response.status, response.body) == (200, b"hello")


@pytest.mark.parametrize("target", ["/function/unknown", "/function/cat.other", "/function/.openfaas-fn", "/function/ca",
                                    "/function/catt", "/function/CAT", "/function/a!b", "/function/%00", "/function/.",
                                    "/function/...", "/function//cat"])
def test_an_unknown_function_is_404(gateway, target):
    assert gateway.call("POST", target, body=b"x").status == 404


@pytest.mark.parametrize("suffix", [
    "", "/", "/a", "/a/", "//", "/a//b", "/./a", "/../a", "/a/..", "/%2F", "/%2f%2F", "/%3f%23%25", "/%00", "/%zz", "/%",
    "/a%20b", "/\"<>\\^`{|}", "/;a=b,c", "/:@&=+$", "/~user", "/*", "/%61bc", "?x=1", "/?x=1", "/a?b=c&d;e=%zz%00%2F",
    "?a=/../b", "/a?b?c", "/a?", "/function/cat", "/_/health/no"])
def test_the_path_behind_the_name_reaches_the_function_byte_for_byte(gateway, suffix):
    told = ask(gateway, target="/function/probe" + suffix)
    path, question, query = suffix.partition("?")
    expected = (path or "/") + question + query
    assert told.target == expected or (suffix.endswith("?") and told.target == expected[:-1])


def test_bytes_above_127_in_a_path_pass_or_are_refused(gateway):
    with gateway.connect() as connection:
        connection.send(b"GET /function/probe/\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n")
        response = connection.response()
    assert response.status == 400 or Told(response).target == "/\u00c3\u00a9"


def test_a_control_byte_in_the_target_is_400(gateway):
    for byte in (b"\x01", b"\x7f", b"\x00"):
        with gateway.connect() as connection:
            connection.send(b"GET /function/probe/a" + byte + b"b HTTP/1.1\r\nHost: a\r\n\r\n")
            assert connection.response().status == 400


def test_an_absolute_target_is_served(gateway):
    told = ask(gateway, target="http://some.where/function/probe/a?b=c")
    assert told.target == "/a?b=c"
    assert told.all("X-Forwarded-Host") == ["some.where"]


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "FOO", "get"])
def test_the_method_reaches_the_function(gateway, method):
    assert ask(gateway, method).method == method


def test_head_reaches_the_function_and_keeps_the_length(gateway):
    response = gateway.call("HEAD", "/function/probe")
    assert (response.status, response.body) == (200, b"")
    assert int(response.header("Content-Length")) > 0


# ---- X-Function at POST / ---------------------------------------------------------------------------

def test_post_to_the_root_names_the_function_in_a_header(gateway):
    response = gateway.call("POST", "/", {"X-Function": "cat"}, b"hello")
    assert (response.status, response.body) == (200, b"hello")
    assert gateway.call("POST", "/", {"x-function": "cat.openfaas-fn"}, b"x").body == b"x"


def test_post_to_the_root_for_an_unknown_function_is_404(gateway):
    assert gateway.call("POST", "/", {"X-Function": "unknown"}, b"x").status == 404


@pytest.mark.parametrize("headers", [{}, {"X-Function": ""}])
def test_post_to_the_root_for_nobody_is_400(gateway, headers):
    response = gateway.call("POST", "/", headers, b"x")
    assert response.status == 400 and "x-function" in response.text.lower()


# ---- headers ----------------------------------------------------------------------------------------

def test_a_call_gets_an_id_that_both_ends_see(gateway):
    told = ask(gateway)
    assert re.fullmatch(UUID4, told.response.header("X-Call-Id"))
    assert told.all("X-Call-Id") == [told.response.header("X-Call-Id")]
    assert ask(gateway).response.header("X-Call-Id") != told.response.header("X-Call-Id")


def test_a_callers_id_is_kept_and_said_back(gateway):
    told = ask(gateway, headers={"X-Call-Id": "my-id"})
    assert told.all("X-Call-Id") == ["my-id"] and told.response.all("X-Call-Id") == ["my-id"]


def test_an_empty_or_endless_id_is_replaced_or_cut(gateway):
    told = ask(gateway, headers={"X-Call-Id": ""})
    assert len(told.all("X-Call-Id")) == 1 and told.all("X-Call-Id")[0]
    told = ask(gateway, headers={"X-Call-Id": "i" * 300})
    assert len(told.all("X-Call-Id")) == 1 and 0 < len(told.all("X-Call-Id")[0]) <= 128
    assert told.response.all("X-Call-Id") == told.all("X-Call-Id")


def test_the_start_time_is_the_gateways(gateway):
    before = time.time_ns()
    told = ask(gateway, headers={"X-Start-Time": "5"})
    assert len(told.all("X-Start-Time")) == 1
    assert before - 10**9 <= int(told.all("X-Start-Time")[0]) <= time.time_ns() + 10**9
    assert told.response.all("X-Start-Time") == told.all("X-Start-Time")


def test_an_error_of_the_gateway_carries_the_id_too(gateway):
    response = gateway.call("GET", "/function/unknown", {"X-Call-Id": "my-id"})
    assert response.header("X-Call-Id") == "my-id"


def test_the_caller_is_told_to_the_function(gateway):
    told = ask(gateway, headers={"Host": "public.test:99"})
    assert told.all("X-Forwarded-For") == ["127.0.0.1"]
    assert told.all("X-Forwarded-Host") == ["public.test:99"]
    assert told.all("X-Forwarded-Proto") == ["http"]


def test_a_chain_of_proxies_is_kept_and_lengthened(gateway):
    told = ask(gateway, headers={"X-Forwarded-For": "1.2.3.4", "X-Forwarded-Host": "first.test"})
    assert ", ".join(told.all("X-Forwarded-For")).replace(" ", "") == "1.2.3.4,127.0.0.1"
    assert told.all("X-Forwarded-Host") == ["first.test"]


def test_end_to_end_fields_pass_in_number_and_order(gateway):
    told = ask(gateway, headers=[("X-M", "1"), ("X-M", "2"), ("Cookie", "a=b"), ("Cookie", "c=d"), ("Via", "v"),
                                 ("Forwarded", "for=x"), ("Authorization", "Bearer t"), ("User-Agent", "ua"),
                                 ("Accept-Encoding", "br"), ("x-lower", "l")])
    assert (told.all("X-M"), told.all("Cookie")) == (["1", "2"], ["a=b", "c=d"])
    for name, value in (("Via", "v"), ("Forwarded", "for=x"), ("Authorization", "Bearer t"), ("User-Agent", "ua"),
                        ("Accept-Encoding", "br"), ("X-Lower", "l")):
        assert told.all(name) == [value], name


def test_nothing_is_asked_for_on_the_callers_behalf(gateway):
    assert ask(gateway).all("Accept-Encoding") == []


def test_fields_of_one_hop_stay_on_it(gateway):
    told = ask(gateway, headers={"Connection": "X-Secret, keep-alive", "X-Secret": "s", "Keep-Alive": "timeout=5",
                                 "Proxy-Authorization": "p", "Proxy-Connection": "keep-alive", "TE": "trailers",
                                 "Upgrade": "h2c"})
    for name in ("X-Secret", "Keep-Alive", "Proxy-Authorization", "Proxy-Connection", "TE", "Upgrade"):
        assert told.all(name) == [], name


def test_fields_of_one_hop_stay_on_it_on_the_way_back(gateway):
    data = reply_bytes(headers=[("Connection", "X-Secret, close"), ("X-Secret", "s"), ("Keep-Alive", "timeout=5"),
                                ("Proxy-Authenticate", "p"), ("X-Public", "1"), ("X-Public", "2")], body=b"body")
    with gateway.connect() as connection:
        for _ in range(2):
            response = connection.ask("GET", "/function/probe", scripted(data, "close"))
            assert (response.status, response.body, response.all("X-Public")) == (200, b"body", ["1", "2"])
            for name in ("X-Secret", "Keep-Alive", "Proxy-Authenticate", "Connection"):
                assert response.header(name) is None, name


def test_the_length_is_kept_both_ways(gateway):
    told = ask(gateway, "POST", body=b"hello")
    assert (told.all("Content-Length"), told.all("Transfer-Encoding"), told.body) == (["5"], [], b"hello")
    assert told.response.framing == "length"
    told = ask(gateway, "POST", body=b"")
    assert (told.all("Content-Length"), told.all("Transfer-Encoding")) == (["0"], [])


def test_a_chunked_body_arrives_whole(gateway):
    told = ask(gateway, "POST", headers={"Transfer-Encoding": "chunked"}, body=chunk(b"hel") + chunk(b"lo") + b"0\r\n\r\n")
    assert told.body == b"hello" and told.all("Content-Length") in ([], ["5"])


@pytest.mark.parametrize("status", ["201 Created", "204 No Content", "301 Moved", "302 Found", "304 Not Modified",
                                    "401 No", "404 Not Found", "418 Teapot", "500 Oops", "503 Busy", "599 Odd"])
def test_any_status_of_the_function_passes(gateway, status):
    code = int(status[:3])
    head = f"HTTP/1.1 {status}\r\nLocation: http://elsewhere/x\r\nX-Own: 1\r\n"
    data = (head + "\r\n").encode() if code in (204, 304) else (head + "Content-Length: 4\r\n\r\nbody").encode()
    with gateway.connect() as connection:
        for _ in range(2):
            response = connection.ask("GET", "/function/probe", scripted(data))
            assert (response.status, response.header("Location"), response.header("X-Own")) == (
                code, "http://elsewhere/x", "1")
            assert response.header("X-OpenFaaS-Internal") is None


def test_an_answer_without_a_type_or_with_cookies_is_not_touched(gateway):
    data = reply_bytes(headers=[("Set-Cookie", "a=b"), ("Set-Cookie", "c=d"), ("Date", "Mon, 01 Jan 2001 00:00:00 GMT"),
                                ("Content-Encoding", "gzip"), ("Content-Type", "x/y")], body=b"\x1f\x8b")
    response = gateway.call("GET", "/function/probe", scripted(data))
    assert response.all("Set-Cookie") == ["a=b", "c=d"]
    assert response.all("Date") == ["Mon, 01 Jan 2001 00:00:00 GMT"]
    assert (response.header("Content-Encoding"), response.body) == ("gzip", b"\x1f\x8b")


def test_what_a_forked_function_sees(gateway):
    told = dict(line.split("=", 1) for line in gateway.call(
        "POST", "/function/environment/a/b?q=1", {"X-Call-Id": "my-id"}, b"x").text.splitlines() if "=" in line)
    assert (told["Http_Method"], told["Http_Path"], told["Http_Query"]) == ("POST", "/a/b", "q=1")
    assert told["Http_X_Call_Id"] == "my-id" and told["Http_X_Forwarded_For"] == "127.0.0.1"
    assert told["OPENFAAS_NAME"] == "environment"
    assert "data_dir" not in told and programs.MARK not in told, "the gateway's own environment is shown"


def test_the_duration_comes_from_the_function(gateway):
    assert re.fullmatch(r"\d+\.\d{6}", gateway.call("GET", "/function/probe").header("X-Duration-Seconds"))


# ---- the HTTP server --------------------------------------------------------------------------------

@pytest.mark.parametrize("data,status", [
    (b"GET /function/cat HTTP/1.1\r\n\r\n", 400), (b"GET /function/cat HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
    (b"POST /function/cat HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    (b"POST /function/cat HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx", 400),
    (b"POST /function/cat HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", 501),
    (b"GET /function/cat HTTP/2.0\r\nHost: a\r\n\r\n", 505),
    (b"GET /function/cat HTTP/1.1\r\nHost: a\r\nExpect: foo\r\n\r\n", 417),
    (b"GET /function/cat HTTP/1.1\r\nHost: a\r\nX-A: " + b"v" * 2_000_000 + b"\r\n\r\n", 431)])
def test_malformed_requests_are_refused(gateway, data, status):
    with gateway.connect() as connection:
        try:
            connection.send(data)
        except (BrokenPipeError, ConnectionResetError):
            pass
        response = connection.response()
        assert response.status == status
        assert connection.closed_by_peer() or response.framing == "close"


def test_100_continue_is_honoured(gateway):
    with gateway.connect() as connection:
        connection.send(request_bytes("POST", "/function/cat", {"Expect": "100-continue", "Content-Length": "5"}))
        assert connection.head().start_line.startswith("HTTP/1.1 100")
        connection.send(b"hello")
        assert connection.response().body == b"hello"


def test_requests_are_kept_apart_on_one_connection(gateway):
    with gateway.connect() as connection:
        connection.send(b"".join(request_bytes("POST", "/function/cat", body=b"%d" % n) for n in range(20)))
        assert [connection.response().body for _ in range(20)] == [b"%d" % n for n in range(20)]
        assert connection.ask("GET", "/function/unknown").status == 404
        assert connection.ask("POST", "/function/cat", body=b"x").body == b"x"


def test_http_1_0_is_served(gateway):
    response = gateway.call("POST", "/function/cat", {"Host": "a"}, b"hello", version="HTTP/1.0")
    assert (response.version, response.body) == ("HTTP/1.0", b"hello")


# ---- streams ----------------------------------------------------------------------------------------

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


def test_a_body_of_known_length_flows_as_it_comes(gateway):
    data = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nfirst"
    with gateway.connect() as connection:
        connection.send(request_bytes("GET", "/function/probe", scripted(data, "hang")))
        response = connection.response_head()
        assert response.header("Content-Length") == "100"
        connection.body_until(response, b"first")


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


@pytest.mark.parametrize("leave", ["close", "reset"])
def test_a_client_that_leaves_ends_the_function_through_both_hops(gateway, leave):
    mark = uuid.uuid4().hex
    gateway.deploy("leaving", f"{FUNCTIONS}/grandchild.sh {mark}")
    connection = gateway.connect()
    connection.send(request_bytes("GET", "/function/leaving"))
    eventually(lambda: any("sleep" in processes.command_line(pid)[:1] for pid in processes.with_argument(mark)),
               what="the function's child runs")
    getattr(connection, leave)()

    def forked():  # the watchdog's own command line or environment may hold the mark as well
        return [pid for pid in processes.with_argument(mark) if "watchdog" not in processes.command_line(pid)[0]]

    eventually(lambda: not forked(), 5, lambda: [processes.command_line(pid) for pid in forked()])
    assert gateway.status("leaving")["availableReplicas"] == 1
    gateway.remove("leaving")


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


# ---- failures ---------------------------------------------------------------------------------------

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
        pid = _watchdog_of(gateway, "probe.py", "dying")
        _wait_for_inflight(gateway, "dying")
        processes.kill(pid)
        own_error(connection.response(), 502)
    gateway.wait_available("dying")
    gateway.remove("dying")


@pytest.mark.parametrize("victim", ["watchdog", "function"])
def test_a_replica_that_dies_in_the_middle_of_its_answer_cuts_it(gateway, victim):
    gateway.deploy_probe("cut")
    data = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk(b"part")
    with gateway.connect() as connection:
        connection.send(request_bytes("GET", "/function/cut", scripted(data, "hang")))
        response = connection.response_head()
        connection.body_until(response, b"part")
        watchdog = _watchdog_of(gateway, "probe.py", "cut")
        processes.kill(watchdog if victim == "watchdog" else _child_of(watchdog))
        connection.finish(response)
        assert (response.body, response.complete) == (b"part", False)
    eventually(lambda: gateway.call("GET", "/function/cut").status == 200, 15)
    gateway.remove("cut")


def test_a_forked_function_killed_in_the_middle_of_its_answer_cuts_it(gateway):
    mark = uuid.uuid4().hex
    gateway.deploy("killed", f"{FUNCTIONS}/say_then_hang.sh {mark}")
    with gateway.connect() as connection:
        connection.send(request_bytes("GET", "/function/killed"))
        response = connection.response_head()
        connection.body_until(response, b"first words\n")
        for pid in processes.with_argument(mark):
            if "say_then_hang" in " ".join(processes.command_line(pid)[:2]) and \
                    "watchdog" not in processes.command_line(pid)[0]:
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
    mark = uuid.uuid4().hex
    gateway.deploy("slowfork", f"{FUNCTIONS}/grandchild.sh {mark}", ready=False)
    gateway.wait_available("slow")
    gateway.wait_available("slowfork")
    began = time.monotonic()
    own_error(gateway.call("POST", "/function/slow", {"X-Do": "hang"}, b"x"), 504)
    assert time.monotonic() - began > 0.8
    own_error(gateway.call("POST", "/function/slowfork", body=b"x"), 504)
    eventually(lambda: not [pid for pid in processes.with_argument(mark)
                            if "watchdog" not in processes.command_line(pid)[0]], 5, "the function was killed")
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


def _watchdog_of(gateway, text, name):
    """The pid of the watchdog whose function has `text` in its command line and `name` as OPENFAAS_NAME."""
    def find():
        for p in processes.descendants(gateway.pid):
            if any(text in part for part in processes.command_line(p.pid)) and \
                    f"OPENFAAS_NAME={name}\0".encode() in processes.environment(p.pid) + b"\0":
                parent = processes.read(p.parent)
                if parent and any("watchdog" in part for part in processes.command_line(parent.pid)):
                    return parent.pid
        return None
    return eventually(find, 10, f"the watchdog of {name}")


def _child_of(watchdog):
    children = [p.pid for p in processes.descendants(watchdog) if p.state != "Z"]
    assert children
    return children[0]


def _wait_for_inflight(gateway, name):
    eventually(lambda: metric(gateway.metrics(), "gateway_function_invocation_started",
                              function_name=f"{name}.openfaas-fn"), 10, "the call has begun")
    time.sleep(0.3)  # from the gateway to the function; too short only makes the test easier


# ---- metrics and counts -----------------------------------------------------------------------------

def test_calls_are_counted(start):
    gateway = start.gateway()
    gateway.deploy("cat", "cat", ready=False)
    gateway.deploy_probe("probe", ready=False)
    gateway.wait_available("cat")
    gateway.wait_available("probe")
    for target in ("/function/cat", "/function/cat/", "/function/cat.openfaas-fn"):
        assert gateway.call("POST", target, body=b"x").status == 200
    assert gateway.call("POST", "/", {"X-Function": "cat"}, b"x").status == 200
    gateway.call("GET", "/function/probe", scripted(b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n"))
    gateway.call("GET", "/function/unknown-1")
    gateway.call("GET", "/function/unknown-2")
    cat, probe = "cat.openfaas-fn", "probe.openfaas-fn"

    def counted():
        found = gateway.metrics()
        return found if metric(found, "gateway_function_invocation_total", function_name=cat, code="200") == 4 and \
            metric(found, "gateway_function_invocation_total", function_name=probe, code="500") == 1 else None

    found = eventually(counted, 10, gateway.metrics)
    assert metric(found, "gateway_function_invocation_started", function_name=cat) == 4
    assert metric(found, "gateway_functions_seconds_count", function_name=cat, code="200") == 4
    assert metric(found, "gateway_functions_seconds_sum", function_name=cat, code="200") > 0
    limits = sorted(float(dict(labels)["le"]) for name, labels in found if name == "gateway_functions_seconds_bucket"
                    and dict(labels)["function_name"] == cat)
    assert {.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, float("inf")} <= set(limits)
    assert metric(found, "gateway_service_count", function_name=cat) == 1
    assert not any("unknown-1" in str(labels) for _, labels in found), "a label for a name that does not exist"
    listed = {f["name"]: f for f in json.loads(gateway.api("GET", "/system/functions").body)}
    assert listed["cat"]["invocationCount"] == 4
    assert gateway.status("cat")["invocationCount"] == 4


def test_metrics_are_on_both_ports(gateway):
    gateway.call("POST", "/function/cat", body=b"x")
    for port in (gateway.metrics_port, gateway.port):
        assert any(name == "gateway_function_invocation_total" for name, _ in gateway.metrics(port))
    response = wire.call(gateway.metrics_port, "GET", "/metrics")
    assert response.header("Content-Type").startswith("text/plain; version=0.0.4")
    assert wire.call(gateway.metrics_port, "GET", "/healthz").status == 200
    assert wire.call(gateway.metrics_port, "GET", "/system/functions").status == 404


def test_service_count_follows_scale_and_delete(gateway):
    gateway.deploy("counted", "cat")
    name = "counted.openfaas-fn"
    gateway.scale("counted", 2)
    eventually(lambda: metric(gateway.metrics(), "gateway_service_count", function_name=name) == 2, 10)
    gateway.remove("counted")
    eventually(lambda: metric(gateway.metrics(), "gateway_service_count", function_name=name) is None, 10)
