# Thousands of forked calls leave nothing: no zombie, no descriptor, no memory. FAAS_SOAK_CALLS says how many per
# mode (./dev soak: 100,000).
import collections
import concurrent.futures
import os

import processes
import programs
import pytest
from wire import eventually, request_bytes

CALLS = int(os.environ.get("FAAS_SOAK_CALLS", "2000"))
CLIENTS = 8
GROWTH_KIB = 1024  # buffers that are kept for the next calls fill up little by little: 8 of 64 KiB, and the heap
LEAVES_EVERY = 50  # this many calls, one whose client leaves in the middle of its body


def body_of(number):
    return (b"call %d " % number) * (1 + number * 37 % 400)


def call_in_a_row(watchdog, first, count):
    connection = watchdog.connect(timeout=60)
    try:
        for number in range(first, first + count):
            body = body_of(number)
            if number % LEAVES_EVERY == 0:
                connection.send(request_bytes("POST", "/", {"Content-Length": str(len(body) + 1)}) + body)
                connection.reset()
                connection = watchdog.connect(timeout=60)
                continue
            connection.send(request_bytes("POST", "/", {"Content-Length": str(len(body))}) + body)
            answer = connection.response()
            assert (answer.status, answer.body) == (200, body), (number, answer)
    finally:
        connection.close()


def soak(watchdog, first, count):
    share = -(-count // CLIENTS)
    with concurrent.futures.ThreadPoolExecutor(CLIENTS) as pool:
        rows = [pool.submit(call_in_a_row, watchdog, first + n * share, share) for n in range(CLIENTS)]
        for row in rows:
            row.result()


def kinds(pid):
    """What is open, without the numbers that tell one socket or pipe from another."""
    return collections.Counter(path.split(":")[0] for path in processes.open_files(pid))


def quiet(watchdog, before):
    """No process below it, dead or alive, and nothing open that was not open before."""
    eventually(lambda: not processes.descendants(watchdog.pid) and not kinds(watchdog.pid) - before, 60,
               lambda: f"{processes.descendants(watchdog.pid)}, {kinds(watchdog.pid) - before} more than {before}")


@pytest.mark.parametrize("mode", ["streaming", "classic"])
def test_many_calls_leave_no_zombie_no_descriptor_and_no_memory(start, mode):
    settings = {"fprocess": "cat", "suppress_lock": "true"}
    watchdog = start.classic(settings) if mode == "classic" else start.of({**settings, "mode": mode})
    watchdog.call("POST", "/", body=b"the first call opens what all of them use")
    before = kinds(watchdog.pid)
    soak(watchdog, 1, CALLS // 10)
    quiet(watchdog, before)
    warm = processes.memory_kib(watchdog.pid, "VmRSS")
    soak(watchdog, CALLS // 10, CALLS)
    quiet(watchdog, before)
    end = processes.memory_kib(watchdog.pid, "VmRSS")
    print(f"{mode}: {CALLS * 11 // 10} calls, {warm} KiB after a tenth, {end} KiB at the end, open: {dict(before)}")
    if not programs.is_sanitized(watchdog.name):
        assert end - warm <= GROWTH_KIB, f"{warm} KiB after a tenth of the calls, {end} KiB at the end"
