# What functions write to their standard error (and, in http mode, output) reaches the log, all of it.
import re

import pytest

from scripted_upstream import always, answer
from wire import eventually

case = pytest.mark.case
STAMP = r"\d{4}/\d{2}/\d{2} \d{2}:\d{2}:\d{2} "
LINES = r"printf 'one\ntwo\r\n\nthree' >&2"


@case(129)
@pytest.mark.parametrize("mode", ["streaming", "serializing"])
def test_lines_have_time_and_stream_name(start, script, mode):
    watchdog = start.of({"fprocess": script(LINES), "mode": mode})
    watchdog.call("GET", "/")
    watchdog.wait_for_log("stderr: three\n")
    found = [line for line in watchdog.stderr().split("\n") if "stderr: " in line]
    assert [re.sub("^" + STAMP, "", line) for line in found] == [
        "stderr: one", "stderr: two", "stderr: ", "stderr: three"]
    assert all(re.match(STAMP, line) for line in found)


@case(129)
@pytest.mark.parametrize("mode", ["streaming", "serializing"])
def test_without_prefix_lines_are_as_they_were(start, script, mode):
    watchdog = start.of({"fprocess": script(LINES), "mode": mode, "prefix_logs": "false"})
    watchdog.call("GET", "/")
    watchdog.wait_for_log("\nthree\n")
    assert re.search(r"\none\ntwo\n\nthree\n", watchdog.stderr_path.read_bytes().decode())


@case(130, deviation="the line goes on in the next: a log must never stop a function")
@pytest.mark.parametrize("mode", ["streaming", "serializing"])
def test_a_line_longer_than_the_buffer_is_not_lost_and_blocks_nobody(start, script, mode):
    """Ours: the reference stops reading, and the function hangs in its next write."""
    watchdog = start.of({"fprocess": script("head -c 70000 /dev/zero | tr '\\0' x >&2; echo >&2; echo after >&2; "
                                            "head -c 300000 /dev/zero | tr '\\0' y >&2; echo >&2; echo done"),
                         "mode": mode})
    assert watchdog.call("GET", "/").body == b"done\n"
    eventually(lambda: (watchdog.stderr().count("x") >= 70000 and watchdog.stderr().count("y") >= 300000),
               what=lambda: "all bytes in the log")
    watchdog.wait_for_log("stderr: after\n")


@case(130, deviation="the line goes on in the next: a log must never stop a function")
def test_a_small_log_buffer_loses_nothing_either(start, script):
    watchdog = start.of({"fprocess": script("echo 0123456789012345678901234567890123456789 >&2; echo end >&2"),
                         "log_buffer_size": "16"})
    watchdog.call("GET", "/")
    watchdog.wait_for_log("end\n")
    digits = re.sub(STAMP + "(stderr: )?", "", watchdog.stderr()).replace("\n", "")
    assert "0123456789" * 4 in digits


@case(131)
def test_a_negative_log_buffer_is_taken(start, script):
    process = script("head -c 900000 /dev/zero | tr '\\0' x >&2; echo >&2; printf end >&2")
    watchdog = start.of({"fprocess": process, "log_buffer_size": "-1"})
    watchdog.call("GET", "/")
    watchdog.wait_for_log("stderr: " + "x" * 900_000 + "\n")  # one line
    watchdog.wait_for_log("stderr: end\n")


def test_much_output_of_a_child_in_http_mode_is_logged_whole(start, script):
    upstream = start.upstream(always(answer(body=b"x")))
    child = script("i=0; while [ $i -lt 2000 ]; do echo line $i; echo error $i >&2; i=$((i+1)); done; exec sleep 86400")
    watchdog = start.of({"fprocess": child, "mode": "http", "upstream_url": upstream.url})
    watchdog.wait_for_log("stderr: error 1999\n", 20)
    eventually(lambda: "stdout: line 1999\n" in watchdog.stdout())
    assert re.findall(r"line (\d+)\n", watchdog.stdout()) == [str(n) for n in range(2000)]
    assert re.findall(r"error (\d+)\n", watchdog.stderr()) == [str(n) for n in range(2000)]


def test_bytes_of_any_value_pass(start, script):
    noise = b"".join(bytes([n]) for n in range(256) if n != 10) + b"end\n"
    process = script("".join(["printf '", *(f"\\{n:03o}" for n in noise), "' >&2"]))
    for settings in ({"prefix_logs": "false"}, {"prefix_logs": "F"}, {}):
        watchdog = start.of({"fprocess": process, **settings})
        watchdog.call("GET", "/")
        watchdog.wait_for_log("end\n")
        prefix = b"\n" if settings else b" stderr: "
        assert prefix + noise in watchdog.stderr_path.read_bytes()


def test_errors_of_quick_functions_are_all_there(start, script):
    watchdog = start.of(str(script('echo "$Http_Query" >&2')))
    for number in range(100):
        watchdog.call("GET", f"/?n{number}")
    watchdog.wait_for_log("stderr: n99\n")
    assert re.findall(r"stderr: n(\d+)\n", watchdog.stderr()) == [str(n) for n in range(100)]


def test_a_request_cannot_forge_a_log_line(start):
    watchdog = start.of({"fprocess": "cat"})
    watchdog.send_raw(b"GET /a?\x80\xffb HTTP/1.1\r\nHost: a\r\n\r\n")
    watchdog.call("GET", "/%0A2026/01/01%20forged")
    watchdog.wait_for_log("GET /%0A2026/01/01%20forged")


def test_probes_of_kubernetes_are_not_logged(start):
    watchdog = start.of("cat")
    watchdog.call("GET", "/probe", {"User-Agent": "kube-probe/1.30"})
    watchdog.call("GET", "/after")
    watchdog.wait_for_log("GET /after - 200")
    assert "/probe" not in watchdog.stderr()
