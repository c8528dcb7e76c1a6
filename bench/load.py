"""The load: wrk, and single calls that tell whether the answer is the right one."""

import http.client
import json
import os
import subprocess
import time
from urllib.parse import urlsplit

from processes import Failed, find_program

ANSWER = b"hello world\n"
SCRIPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "wrk_result.lua")
READY_SECONDS = 20.0


def call(url, body=None, headers=None, method=None):
    """Status and body of one call."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=5)
    try:
        method = method or ("GET" if body is None else "POST")
        connection.request(method, parts.path or "/", body, headers or {})
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def wait_until(ready, what, processes):
    """Asks until `ready()`; a process that ends meanwhile is the better reason for failing."""
    deadline = time.monotonic() + READY_SECONDS
    answer = "no answer"
    while time.monotonic() < deadline:
        for process in processes:
            process.check()
        try:
            answer = ready()
            if answer is True:
                return
        except (OSError, http.client.HTTPException) as error:
            answer = str(error)
        time.sleep(0.02)
    raise Failed(f"{what} within {READY_SECONDS:.0f} s: {answer}")


def right_answer(url, body):
    status, answer = call(url, body)
    return True if (status, answer) == (200, ANSWER) else f"{status} {answer[:80]!r}"


def wrk(url, connections, seconds, body):
    """wrk's figures; see wrk_result.lua."""
    command = [find_program("wrk"), "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s"]
    command += ["-s", SCRIPT, url]
    if body is not None:
        command += ["--", body.decode()]
    done = subprocess.run(command, capture_output=True, text=True, check=False, start_new_session=True)
    for line in done.stdout.splitlines():
        if line.startswith("WRK "):
            return json.loads(line[4:])
    raise Failed(f"wrk ended with {done.returncode}: {(done.stderr or done.stdout).strip()[-200:]}")


def errors_of(result):
    names = {
        "connect": "failed connects", "read": "failed reads", "write": "failed writes", "timeout": "timeouts",
        "status": "answers that are not 2xx or 3xx", "wrong": "wrong answers",
    }
    found = [f"{result[key]} {text}" for key, text in names.items() if result[key]]
    return found if result["requests"] else found + ["not one answer"]
