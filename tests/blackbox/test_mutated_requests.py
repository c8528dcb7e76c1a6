# Requests that were well-formed until some of their bytes changed: always an answer or an end, never a hang,
# and the program lives on. The same mutations in every run.
import random

import pytest

from scripted_upstream import always, answer
from wire import chunk, request_bytes

BASES = [
    request_bytes("GET", "/a?b=c", {"Accept": "*/*", "Cookie": "a=b; c=d"}),
    request_bytes("POST", "/path", {"Content-Type": "text/plain"}, b"hello world"),
    request_bytes("POST", "/", {"Transfer-Encoding": "chunked", "Expect": "100-continue"}) + chunk(b"hello") + b"0\r\n\r\n",
    request_bytes("GET", "/ws", {"Connection": "Upgrade", "Upgrade": "websocket"}),
    b"HEAD http://h.test/x HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
]
SPICE = [b"\r\n", b"\n", b"\r", b"\0", b" ", b":", b"\t", b"%", b"\xff", b"Content-Length: 3\r\n", b"Transfer-Encoding: chunked\r\n",
         b"Host: b\r\n", b"0\r\n\r\n", b"99999999999999999999", b"-", b"HTTP/1.1", b"//", b"\x80" * 50]


def mutations(seed, count):
    dice = random.Random(seed)
    for _ in range(count):
        data = bytearray(dice.choice(BASES))
        for _ in range(dice.randint(1, 3)):
            place = dice.randrange(len(data) + 1)
            kind = dice.randrange(4)
            if kind == 0:
                data[place:place] = dice.choice(SPICE)
            elif kind == 1:
                del data[place:place + dice.randint(1, 20)]
            elif kind == 2 and place < len(data):
                data[place] = dice.randrange(256)
            else:
                data[place:place] = data[max(0, place - 10):place]
        yield bytes(data)


def survives(program, prefix=b""):
    for data in mutations(program.name, 300):
        data = data.replace(b" /", b" " + prefix + b"/", 1) if prefix else data
        with program.connect() as connection:
            try:
                connection.send(data)
                connection.half_close()
            except OSError:
                continue  # refused and closed before all of it was sent
            said = connection.rest()
            assert said == b"" or said.startswith(b"HTTP/1."), (data, said)
        assert program.running(), f"ended by {data!r}:\n{program.log_tail()}"


@pytest.mark.parametrize("mode", ["streaming", "serializing", "http", "classic"])
def test_a_watchdog_survives(start, mode):
    if mode == "classic":
        watchdog = start.classic("cat")
    elif mode == "http":
        upstream = start.upstream(always(answer(body=b"fine")))
        watchdog = start.of({"fprocess": "sleep 86400", "mode": "http", "upstream_url": upstream.url})
    else:
        watchdog = start.of({"fprocess": "cat", "mode": mode})
    survives(watchdog)
    assert watchdog.call("POST", "/", body=b"x").status == 200


def test_the_gateway_survives(start):
    gateway = start.gateway()
    gateway.deploy("cat", "cat")
    gateway.deploy_probe("probe")
    for prefix in (b"/function/cat", b"/function/probe", b"/system/functions", b""):
        survives(gateway, prefix)
    assert gateway.call("POST", "/function/cat", body=b"x").body == b"x"
    assert gateway.api("GET", "/system/functions").status == 200
