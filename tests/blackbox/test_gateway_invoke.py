# A call through the gateway: which function, which path, which headers, which status.
import re
import time

import pytest

import programs
from probe_client import Told, ask, scripted
from programs import FUNCTIONS
from scripted_upstream import answer as reply_bytes
from wire import chunk, request_bytes

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
    "", "/", "/a", "/a/", "//", "/a//b", "/./a", "/../a", "/a/..", "/%2F", "/%2f%2F", "/%3f%23%25", "/%00", "/%7f",
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


def test_a_control_byte_or_a_bad_escape_in_the_path_is_400(gateway):
    for byte in (b"\x01", b"\x7f", b"\x00", b"%zz", b"%"):
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
    for name in ("X-Secret", "Keep-Alive", "Proxy-Authorization", "Proxy-Connection", "Upgrade"):
        assert told.all(name) == [], name
    assert told.all("TE") in ([], ["trailers"])  # each hop may say for itself that it takes trailers


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
