# Whom a function is told it serves: the fields of proxies, and who is believed about them.
import json
import socket

import pytest

import wire
from probe_client import Told, ask
from wire import eventually, request_bytes

CLAIMS = {"X-Forwarded-For": "6.6.6.6", "X-Forwarded-Host": "evil.test", "X-Forwarded-Proto": "https",
          "X-Forwarded-Port": "444", "Forwarded": "for=6.6.6.6", "X-Real-IP": "6.6.6.6"}
LOOPBACK_IS_A_STRANGER = {"trusted_proxies": "10.0.0.0/8, 127.0.0.2 fd00::/8"}


@pytest.fixture(scope="module")
def gateway(start_once):
    gateway = start_once.gateway({**LOOPBACK_IS_A_STRANGER, "access_log": "json"})
    gateway.deploy_probe("probe")
    return gateway


def from_address(gateway, address):
    sock = socket.create_connection(("127.0.0.1", gateway.port), source_address=(address, 0))
    return wire.Connection(sock=sock)


def ask_from(gateway, address, headers):
    with from_address(gateway, address) as connection:
        return Told(connection.ask("GET", "/function/probe", headers))


def test_what_a_stranger_claims_is_replaced(gateway):
    told = ask(gateway, headers={"Host": "public.test", **CLAIMS})
    assert told.all("X-Forwarded-For") == ["127.0.0.1"]
    assert told.all("X-Forwarded-Host") == ["public.test"]
    assert told.all("X-Forwarded-Proto") == ["http"]
    for name in ("X-Forwarded-Port", "Forwarded", "X-Real-IP"):
        assert told.all(name) == [], name


def test_what_a_trusted_proxy_says_is_passed_on_and_it_is_appended(gateway):
    told = ask_from(gateway, "127.0.0.2", {"Host": "inner.test", **CLAIMS})
    assert told.all("X-Forwarded-For") == ["6.6.6.6, 127.0.0.2"]
    for name in ("X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Port", "Forwarded", "X-Real-IP"):
        assert told.all(name) == [CLAIMS[name]], name


def test_a_trusted_proxy_that_says_nothing_adds_nothing(gateway):
    told = ask_from(gateway, "127.0.0.2", {"Host": "inner.test"})
    assert told.all("X-Forwarded-For") == ["127.0.0.2"]
    assert (told.all("X-Forwarded-Host"), told.all("X-Forwarded-Proto")) == (["inner.test"], ["http"])


def test_several_fields_become_one_chain(gateway):
    told = ask_from(gateway, "127.0.0.2", [("X-Forwarded-For", "1.1.1.1"), ("X-Forwarded-For", "2.2.2.2, 3.3.3.3")])
    assert told.all("X-Forwarded-For") == ["1.1.1.1, 2.2.2.2, 3.3.3.3, 127.0.0.2"]


def test_a_stranger_cannot_hide_a_field_from_the_gateway(gateway):
    told = ask(gateway, headers={"Connection": "X-Forwarded-For, X-Call-Id", "X-Forwarded-For": "6.6.6.6",
                                 "X-Call-Id": "mine"})
    assert told.all("X-Forwarded-For") == ["127.0.0.1"] and len(told.all("X-Call-Id")) == 1


@pytest.mark.parametrize("address,chain,client", [
    ("127.0.0.1", "6.6.6.6", "127.0.0.1"),
    ("127.0.0.2", "6.6.6.6", "6.6.6.6"),
    ("127.0.0.2", "6.6.6.6, 10.1.2.3", "6.6.6.6"),
    ("127.0.0.2", "6.6.6.6, 7.7.7.7, 10.1.2.3, fd00::1", "7.7.7.7"),
    ("127.0.0.2", "10.1.2.3", "127.0.0.2"),
    ("127.0.0.2", "not an address\"}", "127.0.0.2")])
def test_the_access_log_tells_the_client(gateway, address, chain, client):
    call_id = f"{address}-{client}-{len(chain)}"
    with from_address(gateway, address) as connection:
        connection.ask("GET", "/function/probe", {"X-Forwarded-For": chain, "X-Call-Id": call_id})
    line = eventually(lambda: next((line for line in gateway.log_lines() if call_id in line), None), what=gateway.log_tail)
    assert json.loads(line)["client"] == client


@pytest.mark.parametrize("value", ["10.0.0.0/33", "10.0.0", "::1/129", "localhost", "10.0.0.0/8,x", "/8", "1.2.3.4/-1"])
def test_a_bad_list_of_proxies_is_named(start, value):
    gateway = start.gateway({"trusted_proxies": value}, wait=False)
    assert gateway.expect_exit(10) == 1
    assert "trusted_proxies" in gateway.stderr()


def test_nobody_is_believed_where_the_list_is_empty(start):
    gateway = start.gateway({"trusted_proxies": ""})
    gateway.deploy_probe("probe")
    assert ask(gateway, headers=CLAIMS).all("X-Forwarded-For") == ["127.0.0.1"]


def test_a_websocket_is_told_the_same(gateway):
    with gateway.connect() as connection:
        connection.send(request_bytes("GET", "/function/probe", {
            "Connection": "Upgrade", "Upgrade": "websocket", "X-Do": "upgrade", "X-Call-Id": "socket-1"}))
        response = connection.response_head()
        assert response.status == 101 and response.header("X-Call-Id") == "socket-1"
