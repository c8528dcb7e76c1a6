# Many of everything: functions, connections, heads that never end.
import concurrent.futures
import contextlib
import json
import resource
import socket

import pytest

import wire
from programs import is_sanitized
from wire import eventually

FUNCTIONS = 500
CLIENTS = 8


def spec(number):
    return {"service": f"asleep-{number:03}", "image": "host", "envProcess": "cat",
            "labels": {"com.openfaas.scale.min": "0", "number": str(number)}}


def each(work, items):
    """Every client has a part of the items and a connection of its own."""
    with concurrent.futures.ThreadPoolExecutor(CLIENTS) as pool:
        return [one for part in pool.map(work, [items[i::CLIENTS] for i in range(CLIENTS)]) for one in part]


def asking(gateway, method, path_and_body):
    def work(numbers):
        with gateway.connect() as connection:
            headers = {"Authorization": gateway.authorization, "Content-Type": "application/json"}
            answers = []
            for number in numbers:
                path, body = path_and_body(number)
                connection.send(wire.request_bytes(method, path, headers, json.dumps(body).encode()))
                answers.append(connection.response(method).status)
            return answers
    return work


def listed(gateway):
    answer = gateway.api("GET", "/system/functions")
    assert answer.status == 200, answer
    return json.loads(answer.body)


def test_hundreds_of_functions_are_deployed_listed_called_and_removed_at_once(start):
    gateway = start.gateway()
    deploying = asking(gateway, "POST", lambda number: ("/system/functions", spec(number)))
    assert each(deploying, list(range(FUNCTIONS))) == [202] * FUNCTIONS
    functions = listed(gateway)
    assert [one["name"] for one in functions] == [spec(number)["service"] for number in range(FUNCTIONS)]
    for number, one in enumerate(functions):
        assert one["labels"]["number"] == str(number) and one.get("replicas", 0) == 0, one
        assert [(c["type"], c["reason"]) for c in one["conditions"]] == [("Ready", "ScaledToZero")], one
    assert each(deploying, list(range(0, FUNCTIONS, 10))) == [409] * (FUNCTIONS // 10)

    gateway.scale("asleep-250", 1)
    gateway.wait_available("asleep-250")
    assert gateway.call("POST", "/function/asleep-250", body=b"awake").body == b"awake"
    assert gateway.call("POST", "/function/asleep-251", body=b"x").status == 503

    gateway.stop()
    again = start.gateway(folder=gateway.folder)
    again.wait_available("asleep-250")
    assert again.call("POST", "/function/asleep-250", body=b"kept").body == b"kept"
    assert [one["name"] for one in listed(again)] == [one["name"] for one in functions]

    removing = asking(again, "DELETE", lambda number: ("/system/functions", {"functionName": spec(number)["service"]}))
    gone = [number for number in range(FUNCTIONS) if number % 3]
    assert each(removing, gone) == [202] * len(gone)
    assert [one["name"] for one in listed(again)] == [spec(n)["service"] for n in range(0, FUNCTIONS, 3)]
    assert each(removing, gone[:8]) == [404] * 8


def limits_in(lines):
    line = next(line for line in lines if line.startswith("Max open files"))
    return tuple(int(word) for word in line.split()[3:5])


def limits_of(pid):
    with open(f"/proc/{pid}/limits", encoding="ascii") as file:
        return limits_in(file)


def test_the_gateway_raises_its_limit_of_open_files_and_functions_keep_theirs(start):
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    gateway = start.gateway(wrapper=["/bin/sh", "-c", 'ulimit -Sn 300; exec "$0" "$@"'])
    assert limits_of(gateway.pid) == (hard, hard)
    gateway.deploy("limits", "cat /proc/self/limits")
    assert limits_in(gateway.call("POST", "/function/limits").text.splitlines()) == (300, hard)
    connections = [gateway.connect() for _ in range(400)]
    for one in connections:
        one.send(wire.request_bytes("GET", "/healthz"))
    assert [one.response().status for one in connections] == [200] * 400
    for one in connections:
        one.close()


def test_a_hard_limit_that_is_low_is_said(start):
    gateway = start.gateway(wrapper=["/bin/sh", "-c", 'ulimit -n 500; exec "$0" "$@"'])
    assert limits_of(gateway.pid) == (500, 500)
    assert any("open files are limited to 500" in line for line in gateway.log_lines())


def resident_kib(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmRSS:"))


@pytest.mark.skipif(is_sanitized("faas-gateway"), reason="a sanitizer multiplies memory")
def test_heads_that_never_end_hold_a_bounded_amount_of_memory(start):
    """Four hundred megabytes are sent, and most of those who send them are told that there is no room."""
    gateway = start.gateway({"cores": "1", "read_timeout": "600s"})
    before = resident_kib(gateway.pid)
    half = b"GET /healthz HTTP/1.1\r\nHost: a\r\nX-Half: " + b"a" * 1000_000
    connections = []
    for _ in range(400):
        one = socket.create_connection(("127.0.0.1", gateway.port), wire.PATIENCE)
        connections.append(one)
        with contextlib.suppress(OSError):  # it was told, and hung up on
            one.sendall(half)
    assert gateway.call("GET", "/healthz").status == 200
    assert resident_kib(gateway.pid) - before < 150 * 1024
    for one in connections:
        one.close()
    eventually(lambda: gateway.call("GET", "/healthz", {"X-Large": "a" * 100_000}).status == 200)
