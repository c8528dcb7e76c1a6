# How faas-gateway starts, refuses to, ends, and what it keeps between two starts.
import json
import os
import signal
import socket
import stat
import time

import pytest

import machine
import processes
import programs
import wire
from wire import eventually

PORTS = ("port", "metrics_port")


def refuses(start, settings=None, arguments=()):
    """Starts a gateway that must end with 1 at once and one line; returns the line."""
    gateway = start.gateway(settings, arguments=arguments, wait=False)
    code = gateway.expect_exit(10)
    lines = [line for line in gateway.log_lines() if line.strip()]
    assert code == 1, (code, lines)
    assert len(lines) == 1, lines
    return lines[0]


@pytest.mark.parametrize("name", PORTS)
def test_a_busy_port_is_named(start, name):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        line = refuses(start, {name: port})
    assert str(port) in line and "in use" in line, line


def test_an_unwritable_data_dir_is_named(start, script):
    below_a_file = script("") / "data"
    assert str(below_a_file) in refuses(start, {"data_dir": below_a_file})


@pytest.mark.parametrize("arguments", [["--no-such"], ["--no-such=1"], ["--port", "8080", "--no-such"]])
def test_an_unknown_flag_is_named(start, arguments):
    assert "no-such" in refuses(start, arguments=arguments)


@pytest.mark.parametrize("name", PORTS)
@pytest.mark.parametrize("value", ["abc", "70000", "-1", "80a", "8080 9090"])
def test_a_bad_port_is_named(start, name, value):
    line = refuses(start, {name: value})
    assert name in line and value in line, line


def test_a_bad_port_flag_is_named(start):
    line = refuses(start, arguments=["--port", "abc"])
    assert "port" in line and "abc" in line, line


def test_an_unknown_provider_is_named(start):
    line = refuses(start, {"functions_provider": "kubernetes-of-mars"})
    assert "functions_provider" in line and "kubernetes-of-mars" in line, line


def test_a_bad_listen_address_is_named(start):
    line = refuses(start, {"listen_address": "not-an-address"})
    assert "listen_address" in line or "not-an-address" in line, line


def test_a_second_gateway_on_the_same_data_dir_is_refused(start):
    first = start.gateway()
    line = refuses(start, {"data_dir": first.data_dir})
    assert str(first.data_dir) in line, line
    assert first.api("GET", "/system/functions").status == 200


@pytest.mark.parametrize("flag", ["--help", "--version"])
def test_help_and_version_are_printed(start, flag):
    gateway = start.gateway(arguments=[flag], wait=False)
    assert gateway.expect_exit(10) == 0
    said = gateway.stdout() + gateway.stderr()
    if flag == "--help":
        for name in ("port", "metrics_port", "data_dir", "basic_auth", "functions_provider", "upstream_timeout",
                     "listen_address", "read_timeout", "write_timeout"):
            assert name in said, name
    else:
        assert any(c.isdigit() for c in said)


def test_a_flag_wins_over_the_environment(start):
    other = programs.free_port()
    gateway = start.gateway(arguments=["--port", str(other)], wait=False)
    gateway.port = other
    gateway.wait_until_serving()


def test_the_password_is_generated_once_and_for_the_owner_alone(start):
    gateway = start.gateway()
    file = gateway.data_dir / "basic-auth-password"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    password = gateway.password
    assert len(password) >= 16 and password.isprintable()
    assert password not in gateway.stderr(), "the password is in the log"
    gateway.stop()
    again = start.gateway(folder=gateway.folder)
    assert again.password == password
    assert again.api("GET", "/system/functions").status == 200


def test_credentials_come_from_secret_files_when_there_are_any(start, script):
    secrets = script("").parent
    (secrets / "basic-auth-user").write_text("someone\n")
    (secrets / "basic-auth-password").write_text("se:cr et\n")
    gateway = start.gateway({"secret_mount_path": str(secrets) + "/"})
    assert gateway.call("GET", "/system/functions",
                        {"Authorization": wire.basic("someone", "se:cr et")}).status == 200
    assert gateway.call("GET", "/system/functions", {"Authorization": wire.basic("admin", "se:cr et")}).status == 401


def test_basic_auth_can_be_switched_off(start):
    gateway = start.gateway({"basic_auth": "false"})
    assert gateway.call("GET", "/system/functions").status == 200
    assert gateway.call("GET", "/system/functions", {"Authorization": "Bearer"}).status == 200


def busy_gateway(start, **options):
    """A gateway with functions of every kind at work; returns it and an open call."""
    gateway = start.gateway(**options)
    gateway.deploy("cat", "cat", ready=False)
    mark = processes.new_mark()
    gateway.deploy("hang", f"{programs.FUNCTIONS}/grandchild.sh {mark}", ready=False)
    gateway.deploy_probe("probe", ready=False)
    for name in ("cat", "hang", "probe"):
        gateway.wait_available(name)
    gateway.scale("probe", 2)
    call = gateway.connect()
    call.send(wire.request_bytes("GET", "/function/hang"))
    eventually(lambda: len(processes.with_argument(mark)) >= 2, what="the hanging function runs")
    return gateway, call


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_nothing_is_left_after_it_was_asked_to_end(start, number):
    before = machine.traces()
    gateway, call = busy_gateway(start)
    call.reset()
    assert gateway.stop(number) == 0
    assert os.listdir(gateway.tmp) == []
    assert {p.name for p in gateway.folder.iterdir()} - {"data", "tmp"} <= {
        gateway.stderr_path.name, gateway.stdout_path.name}
    eventually(lambda: not machine.traces() - before, what=lambda: machine.traces() - before)


def test_nothing_is_left_after_it_was_killed(start):
    before = machine.traces()
    gateway, call = busy_gateway(start)
    gateway.remember_descendants()
    gateway.process.kill()
    assert gateway.expect_exit() == -signal.SIGKILL
    call.close()
    eventually(lambda: not machine.traces() - before, what=lambda: machine.traces() - before)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_functions_and_their_replicas_survive_a_restart(start, number):
    gateway = start.gateway()
    gateway.deploy("cat", "cat", labels={"a": "b"}, annotations={"topic": "t"}, env={"X": "1"})
    gateway.deploy_probe("probe")
    gateway.deploy("gone", "cat")
    gateway.remove("gone")
    gateway.scale("probe", 3)
    gateway.scale("cat", 0)
    gateway.remember_descendants()
    gateway.process.send_signal(number)
    gateway.expect_exit()
    again = start.gateway(folder=gateway.folder)
    again.wait_available("probe", 3)
    listed = {f["name"]: f for f in json.loads(again.api("GET", "/system/functions").body)}
    assert set(listed) == {"cat", "probe"}
    assert listed["cat"].get("replicas", 0) == 0
    cat = listed["cat"]
    assert (cat["labels"]["a"], cat["annotations"]["topic"], cat["envVars"]) == ("b", "t", {"X": "1"})
    assert again.call("GET", "/function/probe").status == 200
    again.scale("cat", 1)
    assert again.call("POST", "/function/cat", body=b"x").body == b"x"


def test_a_kill_while_replicas_start_leaves_none_behind(start):
    """A replica may be between its birth and its wish to die with the gateway just then."""
    for round_number in range(12):
        gateway = start.gateway()
        for number in range(6):
            gateway.deploy(f"f{number}", "cat", ready=False)
        time.sleep(round_number / 1000)  # not a synchronisation: another moment each time
        gateway.remember_descendants()
        gateway.process.kill()
        gateway.expect_exit()


def test_what_was_accepted_just_before_a_kill_is_there(start):
    gateway = start.gateway()
    for number in range(10):
        gateway.deploy(f"f{number}", "cat", ready=False)
    gateway.remember_descendants()
    gateway.process.kill()
    gateway.expect_exit()
    again = start.gateway(folder=gateway.folder)
    listed = {f["name"] for f in json.loads(again.api("GET", "/system/functions").body)}
    assert listed == {f"f{number}" for number in range(10)}
    for number in range(10):
        again.wait_available(f"f{number}")
    assert again.call("POST", "/function/f9", body=b"x").body == b"x"


def test_a_running_call_is_finished_before_it_ends(start):
    gateway = start.gateway()
    gateway.deploy("lines", f"{programs.FUNCTIONS}/count_lines.sh")
    with gateway.connect() as connection:
        connection.send(wire.request_bytes("POST", "/function/lines", {"Transfer-Encoding": "chunked"}))
        connection.send(wire.chunk(b"one\n"))
        answer = connection.response_head()
        connection.body_until(answer, b"got one\n")
        gateway.remember_descendants()
        gateway.process.send_signal(signal.SIGTERM)
        eventually(lambda: _refused(gateway.port), what="new connections are refused")
        connection.send(wire.chunk(b"two\n") + b"0\r\n\r\n")
        connection.finish(answer)
        assert answer.complete and answer.body == b"got one\ngot two\n"
    assert gateway.expect_exit() == 0


def _refused(port):
    try:
        wire.Connection(port).close()
        return False
    except (ConnectionRefusedError, ConnectionResetError):
        return True


def test_a_second_signal_ends_everything_at_once(start):
    gateway, call = busy_gateway(start)
    gateway.remember_descendants()
    gateway.process.send_signal(signal.SIGTERM)
    eventually(lambda: _refused(gateway.port), what="new connections are refused")
    gateway.process.send_signal(signal.SIGTERM)
    gateway.expect_exit(5)
    call.close()


def test_a_call_that_does_not_end_is_cut_off_in_the_end(start):
    """A function that hangs holds the gateway for a while, not for ever."""
    gateway, call = busy_gateway(start, settings={"shutdown_timeout": "2s"})
    gateway.remember_descendants()
    gateway.process.send_signal(signal.SIGTERM)
    gateway.wait_for_log("are cut off", 15)
    assert gateway.expect_exit(5) == 0
    call.close()
