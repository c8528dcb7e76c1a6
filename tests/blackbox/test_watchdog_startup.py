# Start-up and command line of both watchdogs.
import datetime
import re
import socket

import pytest

from conftest import needs_root
from programs import free_port
from scripted_upstream import always, answer as respond
from wire import Connection, call, eventually
import processes

case = pytest.mark.case
STAMP = r"\d{4}/\d{2}/\d{2} \d{2}:\d{2}:\d{2} "
CONFIG = 'provide a "function_process" or "fprocess" environmental variable for your function'


def ends(start, name, environment=None, arguments=()):
    program = start.program(name, arguments, {"port": free_port(), **(environment or {})})
    return program.expect_exit(), program.stderr() + program.stdout(), program


@case(1)
def test_of_watchdog_without_a_command_says_so_and_exits_1(start):
    code, said, _ = ends(start, "of-watchdog")
    assert (code, CONFIG in said) == (1, True), said


@case(2, deviation="exit 1 as for every other mistake in the settings; 2 is how a crash ends there")
def test_classic_without_a_command_says_so_and_exits(start):
    code, said, _ = ends(start, "fwatchdog")
    assert code == 1, said
    assert "Provide a valid process via fprocess environmental variable." in said


@case(3)
def test_function_process_wins_over_fprocess(start):
    watchdog = start.of({"fprocess": "cat", "function_process": "echo b"})
    assert watchdog.call("POST", "/", body=b"x").body == b"b\n"
    assert 'fprocess: "echo b"' in watchdog.stderr()


@case(3)
def test_an_empty_function_process_wins_too_and_refuses_to_start(start):
    code, said, _ = ends(start, "of-watchdog", {"fprocess": "cat", "function_process": ""})
    assert (code, CONFIG in said) == (1, True), said


@case(4)
def test_of_watchdog_refuses_a_write_timeout_of_0(start):
    code, said, _ = ends(start, "of-watchdog", {"fprocess": "cat", "write_timeout": "0"})
    assert (code, "write timeout must be over 0s" in said) == (1, True), said


@case(4)
def test_classic_serves_with_a_write_timeout_of_0(start):
    assert start.classic({"fprocess": "cat", "write_timeout": "0"}).call("POST", "/", body=b"x").body == b"x"


@case(5,
      deviation="exit 1 as for every other mistake in the settings, and the line names the modes; 2 is how a crash ends there")
@pytest.mark.parametrize("mode", ["HTTP", "bogus", "inproc"])
def test_an_unknown_mode_stops_of_watchdog_at_once(start, mode):
    code, said, _ = ends(start, "of-watchdog", {"fprocess": "cat", "mode": mode})
    assert code == 1, said
    assert re.search(f'watchdog mode:? "{mode}"', said), said
    assert "use streaming, serializing, http, static or" in said


@case(5)
def test_an_empty_mode_is_streaming(start):
    watchdog = start.of({"fprocess": "cat", "mode": ""})
    assert watchdog.call("POST", "/", body=b"x").body == b"x"
    assert "Watchdog mode: streaming" in watchdog.stderr()


@case(6)
def test_timeouts_are_printed_as_understood_by_of_watchdog(start):
    watchdog = start.of({"fprocess": "cat", "read_timeout": "5", "write_timeout": "1.5h",
                         "exec_timeout": "100ms", "healthcheck_interval": "2us"})
    assert "Timeouts: read: 5s write: 1h30m0s hard: 100ms health: 2µs\n" in watchdog.stderr()


@case(6)
def test_timeouts_are_printed_as_understood_by_classic(start):
    watchdog = start.classic({"fprocess": "cat", "read_timeout": "90", "write_timeout": "007",
                              "exec_timeout": ".5s", "healthcheck_interval": "2us"})
    assert "Timeouts: read: 1m30s write: 7s hard: 500ms health: 2µs.\n" in watchdog.stderr()


@case(7)
@pytest.mark.parametrize("value", [" 5", "1d", "0x10", "1_0", "", "-5"])
def test_an_invalid_duration_means_the_default(start, value):
    settings = {"fprocess": "cat", "read_timeout": value, "write_timeout": value, "exec_timeout": value,
                "healthcheck_interval": "1us"}
    assert "read: 30s write: 30s hard: 30s health: 1µs" in start.of(settings).stderr()
    assert "read: 30s write: 30s hard: 0s health: 1µs" in start.classic(settings).stderr()


@case(9)
def test_of_watchdog_takes_a_port_that_is_no_number_for_any(start):
    watchdog = start.of({"fprocess": "cat", "port": "abc"}, wait=False)
    watchdog.wait_for_log("Listening on port: ")
    port = int(re.search(r"Listening on port: (\d+)", watchdog.stderr()).group(1))
    assert port not in (0, 8080)
    assert call(port, "POST", "/", body=b"x").body == b"x"


@case(9)
@needs_root
@pytest.mark.parametrize("port", ["abc", "-1", ""])
def test_classic_takes_a_port_that_is_no_number_for_its_default(start, port):
    watchdog = start.classic({"fprocess": "cat", "port": port}, private_network=True, wait=False)
    eventually(lambda: _healthy(watchdog, 8080, watchdog), 15, watchdog.log_tail)
    assert "Listening on port: 8080\n" in watchdog.stderr()


@case(8)
@pytest.mark.parametrize("name", ["of", "classic"])
def test_a_negative_exec_timeout_is_no_limit(start, script, name):
    watchdog = getattr(start, name)({"fprocess": script("sleep 0.3; echo done"), "exec_timeout": "-5s"})
    assert watchdog.call("GET", "/").body == b"done\n"
    assert "hard: -5s" in watchdog.stderr()


@case(10, deviation="exit 1 and no lock file: whoever started it must see that it does not serve")
@pytest.mark.parametrize("name", ["of-watchdog", "fwatchdog"])
def test_a_busy_port_stops_the_watchdog_with_1_and_leaves_no_lock(start, name):
    with socket.create_server(("", 0), family=socket.AF_INET6, dualstack_ipv6=True) as taken:
        port = taken.getsockname()[1]
        code, said, program = ends(start, name, {"fprocess": "cat", "port": port})
    assert code == 1, said
    assert "Error ListenAndServe: " in said and str(port) in said and "address already in use" in said.lower()
    assert not (program.tmp / ".lock").exists()


@case(10, deviation="exit 1 and no lock file: whoever started it must see that it does not serve")
@pytest.mark.parametrize("port", ["70000", "-1"])
def test_a_port_that_cannot_be_stops_of_watchdog_with_1(start, port):
    code, said, program = ends(start, "of-watchdog", {"fprocess": "cat", "port": port})
    assert code == 1 and "Error ListenAndServe: " in said and port in said, said
    assert not (program.tmp / ".lock").exists()


@case(11, deviation="a warning: calls do not depend on metrics")
@needs_root
@pytest.mark.parametrize("name", ["of", "classic"])
def test_a_busy_metrics_port_is_only_a_warning(start, name):
    watchdog = getattr(start, name)({"fprocess": "cat"}, private_network=True, wait=False)

    def serves_beside():
        second = start.program(watchdog.name, [], {"fprocess": "cat", "port": 9000, "healthcheck_interval": "0"}, wrapper=[
            "nsenter", f"--net=/proc/{watchdog.pid}/ns/net"])
        eventually(lambda: _healthy(second, 9000, watchdog), what=second.log_tail)
        return second

    eventually(lambda: _healthy(watchdog, watchdog.port, watchdog), what=watchdog.log_tail)
    second = serves_beside()
    answer = processes.in_network_of(watchdog.pid, lambda: call(9000, "POST", "/", body=b"x"))
    assert answer.body == b"x"
    assert "8081" in second.stderr()


def _healthy(program, port, namespace):
    assert program.running(), program.stderr()
    try:
        return processes.in_network_of(namespace.pid, lambda: call(port, "GET", "/_/health")).status == 200
    except OSError:
        return False


@case(12)
def test_a_bad_log_buffer_size_is_named(start):
    code, said, _ = ends(start, "of-watchdog", {"fprocess": "cat", "log_buffer_size": "abc"})
    assert code == 1
    assert "log_buffer_size" in said and "abc" in said


@case(12)
@pytest.mark.parametrize("value", ["", "1.5", " 1"])
def test_a_log_buffer_size_that_is_no_integer_is_refused(start, value):
    code, said, _ = ends(start, "of-watchdog", {"fprocess": "cat", "log_buffer_size": value})
    assert (code, f"invalid log_buffer_size value: {value}" in said) == (1, True), said


@case(13)
@pytest.mark.parametrize("settings", [{}, {"upstream_url": "127.0.0.1:5000"}, {"http_upstream_url": ""}])
def test_http_mode_without_a_valid_url_stops_with_1(start, settings):
    code, said, _ = ends(start, "of-watchdog", {"fprocess": "cat", "mode": "http", **settings})
    assert code == 1, said
    assert 'For "mode=http" you must specify a valid URL for "http_upstream_url"' in said


@case(13)
@pytest.mark.parametrize("name", ["upstream_url", "http_upstream_url"])
def test_both_spellings_of_the_upstream_are_taken(start, name):
    upstream = start.upstream(always(respond(body=b"fine")))
    watchdog = start.of({"fprocess": "sleep 86400", "mode": "http", name: upstream.url})
    assert watchdog.call("GET", "/").body == b"fine"


@case(15)
@pytest.mark.parametrize("name", ["of-watchdog", "fwatchdog"])
@pytest.mark.parametrize("flag", ["-version", "--version"])
def test_version_is_one_line_with_release_and_commit(start, name, flag):
    code, said, _ = ends(start, name, arguments=[flag])
    assert code == 0
    assert re.fullmatch(STAMP + r"Version: \S+\tSHA: \S+\n", said), said


@case(15)
@pytest.mark.parametrize("name", ["of-watchdog", "fwatchdog"])
def test_an_unknown_flag_is_named_with_exit_2(start, name):
    code, said, _ = ends(start, name, arguments=["-bogus"])
    assert code == 2, said
    assert said.startswith("flag provided but not defined: -bogus\nUsage of "), said


@case(15)
@pytest.mark.parametrize("name", ["of-watchdog", "fwatchdog"])
@pytest.mark.parametrize("flag", ["-version=maybe", "--run-healthcheck="])
def test_a_flag_is_true_or_false(start, name, flag):
    code, said, _ = ends(start, name, arguments=[flag])
    option, value = flag.lstrip("-").split("=")
    assert code == 2 and said.startswith(f'invalid boolean value "{value}" for -{option}: parse error\n'), said


@case(15)
def test_a_flag_that_is_false_and_what_follows_the_flags_are_ignored(start):
    watchdog = start.program("of-watchdog", ["-version=false", "--run-healthcheck=0", "words", "-bogus"],
                             {"fprocess": "cat", "port": "0", "healthcheck_interval": "0"})
    watchdog.wait_for_log("Listening on port: ")
    watchdog.stop()


@case(15)
@pytest.mark.parametrize("name", ["of-watchdog", "fwatchdog"])
@pytest.mark.parametrize("flag", ["-h", "-help", "--help"])
def test_help_lists_the_flags(start, name, flag):
    code, said, _ = ends(start, name, arguments=[flag])
    assert code == 0, said
    assert "-run-healthcheck" in said and "-version" in said
    assert re.search(r"^  (function_process, )?fprocess +the command", said, re.MULTILINE), "no table of settings"


@case(16)
@pytest.mark.parametrize("name", ["of", "classic"])
@pytest.mark.parametrize("flag", ["-run-healthcheck", "--run-healthcheck", "-run-healthcheck=true", "--run-healthcheck=1"])
def test_run_healthcheck_tells_by_the_lock_file(start, name, flag):
    watchdog = getattr(start, name)("cat")
    first = "" if name == "classic" else STAMP + r"Version: \S+\tSHA: \S+\n"
    check = start.program(watchdog.name, [flag], {"fprocess": "cat", "TMPDIR": str(watchdog.tmp)})
    assert check.expect_exit() == 0, check.stderr()
    assert re.fullmatch(first, check.stderr()), check.stderr()
    watchdog.stop()
    again = start.program(watchdog.name, [flag], {"fprocess": "cat", "TMPDIR": str(watchdog.tmp)})
    assert again.expect_exit() == 1
    assert re.fullmatch(first + r"unable to find lock file\.\n", again.stderr()), again.stderr()


@case(17, deviation="exit 0: health is told by the lock file alone")
def test_run_healthcheck_needs_no_configuration(start):
    watchdog = start.of("cat")
    check = start.program("of-watchdog", ["--run-healthcheck"], {"TMPDIR": str(watchdog.tmp)})
    assert check.expect_exit() == 0, check.stderr()


@case(18)
@pytest.mark.parametrize("name", ["of", "classic"])
def test_the_lock_file_is_empty_and_for_the_group(start, name):
    watchdog = getattr(start, name)("cat")
    status = watchdog.lock.stat()
    assert (status.st_size, oct(status.st_mode & 0o777)) == (0, "0o640")
    assert f"Writing lock-file to: {watchdog.lock}" in watchdog.stderr()


@case(18)
def test_an_existing_lock_file_is_emptied_and_keeps_its_mode(start, script):
    folder = script("").parent
    lock = folder / ".lock"
    lock.write_text("old")
    lock.chmod(0o644)
    watchdog = start.of({"fprocess": "cat", "TMPDIR": folder})
    status = lock.stat()
    assert (status.st_size, oct(status.st_mode & 0o777)) == (0, "0o644")
    watchdog.stop()
    assert not lock.exists()


@case(20, deviation="healthy without a file: whoever asks for none wants none to be looked for")
@pytest.mark.parametrize("name", ["of", "classic"])
def test_with_suppress_lock_there_is_no_file_and_the_watchdog_is_healthy(start, name):
    watchdog = getattr(start, name)({"fprocess": "cat", "suppress_lock": "true"})
    assert watchdog.call("GET", "/_/health").status == 200
    assert not watchdog.lock.exists()
    assert '"suppress_lock" is enabled' in watchdog.stderr()


@case(19)
def test_of_watchdog_makes_the_folders_of_the_lock_file(start, tmp_path):
    watchdog = start.of({"fprocess": "cat", "TMPDIR": tmp_path / "not" / "there"})
    assert (tmp_path / "not" / "there" / ".lock").exists()
    assert watchdog.call("GET", "/_/health").body == b"OK"


@case(19, deviation="exit 1 and a message for both, where a lock file cannot be written")
@pytest.mark.parametrize("name,folder", [("of-watchdog", "/proc/nope"), ("fwatchdog", "/proc/nope"),
                                         ("fwatchdog", "not/there")])
def test_a_lock_file_that_cannot_be_written_stops_the_watchdog(start, name, folder):
    code, said, _ = ends(start, name, {"fprocess": "cat", "TMPDIR": folder})
    assert code == 1, said
    assert f"Cannot write {folder}/.lock. To disable lock-file set env suppress_lock=true." in said


@case(20)
def test_classic_takes_only_the_word_true_for_suppress_lock(start):
    watchdog = start.classic({"fprocess": "cat", "suppress_lock": "1"})
    assert watchdog.lock.exists()


def test_the_start_is_logged_in_lines_with_a_time(start):
    watchdog = start.of("cat")
    watchdog.wait_for_log("Writing lock-file")
    for line in watchdog.log_lines():
        assert line[4] == line[7] == "/" and line[13] == line[16] == ":" and line[19] == " ", line
    assert f"Listening on port: {watchdog.port}" in watchdog.stderr()


def test_the_start_is_logged_in_the_order_of_openfaas(start):
    watchdog = start.of({"fprocess": "cat \"a\"", "metrics_port": free_port()})
    watchdog.wait_for_log("Writing lock-file")
    said = [re.sub("^" + STAMP, "", line) for line in watchdog.log_lines()]
    for line in (l for l in list(said) if l.startswith("Metrics listening on port: ")):
        said.remove(line)  # it may come before or after the lock file
    assert re.match(r"Version: \S+\tSHA: ", said[0])
    assert said[1:] == ['Watchdog mode: streaming\tfprocess: "cat \\"a\\""',
                        "Timeouts: read: 1m0s write: 1m0s hard: 30s health: 0s",
                        f"Listening on port: {watchdog.port}", f"Writing lock-file to: {watchdog.lock}"]


def test_classic_starts_with_its_own_lines(start):
    watchdog = start.classic({"fprocess": "cat", "metrics_port": 0})
    watchdog.wait_for_log("Writing lock-file")
    assert [re.sub("^" + STAMP, "", line) for line in watchdog.log_lines()] == [
        "Timeouts: read: 1m0s write: 1m0s hard: 0s health: 0s.",
        f"Listening on port: {watchdog.port}", f"Writing lock-file to: {watchdog.lock}"]


def test_the_log_is_in_local_time(start):
    watchdog = start.of({"fprocess": "cat", "TZ": "XYZ-12"})
    said = datetime.datetime.strptime(watchdog.log_lines()[0][:19], "%Y/%m/%d %H:%M:%S")
    here = datetime.datetime.utcnow() + datetime.timedelta(hours=12)
    assert abs(said - here) < datetime.timedelta(hours=6)


def test_it_listens_on_ipv4_and_ipv6(start):
    watchdog = start.of("cat")
    for host in ("127.0.0.1", "::1"):
        with Connection(watchdog.port, host=host) as connection:
            assert connection.ask("POST", "/", body=b"x").body == b"x"
