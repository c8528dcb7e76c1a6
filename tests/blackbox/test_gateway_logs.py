# GET /system/logs: what functions print, kept, limited, and followed.
import contextlib
import datetime
import json
import re
import urllib.parse

import pytest

import processes
import wire
from programs import FUNCTIONS
from wire import eventually

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z")


def deploy(gateway, name="say", **fields):
    """A function that prints the body of each call to its standard error."""
    env = {"prefix_logs": "false", "mode": "streaming", **fields.pop("env", {})}
    gateway.deploy(name, f"{FUNCTIONS}/say.sh", env=env, **fields)


def say(gateway, text, name="say"):
    body = text if isinstance(text, bytes) else text.encode()
    assert gateway.call("POST", f"/function/{name}", body=body).status == 200


def target(name="say", **query):
    return "/system/logs?" + urllib.parse.urlencode({"name": name, **query})


def lines(gateway, name="say", **query):
    answer = gateway.api("GET", target(name, **query))
    assert answer.status == 200, answer
    assert answer.header("Content-Type") == "application/x-ndjson"
    assert answer.complete
    return [json.loads(line) for line in answer.body.decode("utf-8", "strict").splitlines()]


def texts(gateway, name="say", **query):
    """What the function printed: the watchdog's own words at its start are not looked at."""
    return [line["text"] for line in lines(gateway, name, **query) if line["text"].startswith("say ")]


def calls_told(gateway):
    """The watchdog tells the end of each call behind what the function printed in it."""
    return sum("POST / - 200" in line["text"] for line in lines(gateway))


def printed(gateway, wanted, name="say", **query):
    eventually(lambda: texts(gateway, name, **query) == wanted, what=lambda: (wanted, lines(gateway, name, **query)))


@contextlib.contextmanager
def follower(gateway, name="say", **query):
    """A connection on which the head of a followed log has been read."""
    with gateway.connect() as connection:
        connection.send(wire.request_bytes("GET", target(name, follow="true", **query),
                                           {"Authorization": gateway.authorization}))
        message = connection.response_head()
        assert message.status == 200, message
        yield connection, message


def readers(gateway):
    """How many descriptors the gateway has open on logs and clients' connections."""
    return len([name for name in processes.open_files(gateway.pid) if name.startswith("socket:")])


@pytest.fixture(scope="module")
def gateway(start_once):
    gateway = start_once.gateway()
    deploy(gateway)
    return gateway


@pytest.fixture
def fresh(gateway):
    """The shared gateway with a new function `say` in it."""
    gateway.remove("say")
    eventually(lambda: gateway.api("GET", "/system/function/say").status == 404)
    deploy(gateway)
    return gateway


def test_a_line_is_an_object_with_the_five_members_that_clients_read(fresh):
    before = datetime.datetime.now(datetime.timezone.utc)
    say(fresh, "say one\nsay two\n")
    printed(fresh, ["say one", "say two"])
    line = [line for line in lines(fresh) if line["text"] == "say one"][0]
    assert sorted(line) == ["instance", "name", "namespace", "text", "timestamp"]
    assert (line["name"], line["namespace"]) == ("say", "openfaas-fn")
    assert re.fullmatch("[0-9a-f]+", line["instance"])
    assert TIME.fullmatch(line["timestamp"])
    when = datetime.datetime.fromisoformat(line["timestamp"][:26] + "+00:00")
    assert before - datetime.timedelta(seconds=1) <= when <= datetime.datetime.now(datetime.timezone.utc)


def test_tail_since_and_instance_choose_lines(fresh):
    for number in range(5):
        say(fresh, f"say {number}\n")
    eventually(lambda: calls_told(fresh) == 5)
    assert texts(fresh) == [f"say {number}" for number in range(5)]
    everything = lines(fresh)
    assert lines(fresh, tail=2) == everything[-2:]
    assert lines(fresh, tail=-1) == lines(fresh, tail=0) == lines(fresh, tail=1000000) == everything
    found = [line for line in everything if line["text"].startswith("say ")]
    assert texts(fresh, since=found[3]["timestamp"]) == ["say 3", "say 4"]
    assert lines(fresh, since=found[3]["timestamp"], tail=1) == everything[-1:]
    assert texts(fresh, since="2999-01-01T00:00:00+02:00") == []
    assert texts(fresh, instance=found[0]["instance"]) == texts(fresh)
    assert texts(fresh, instance="0") == []
    assert texts(fresh, name="say.openfaas-fn") == texts(fresh)
    assert texts(fresh, namespace="openfaas-fn") == texts(fresh)
    assert lines(fresh, follow="false", tail="1") == everything[-1:]


@pytest.mark.parametrize("query, field", [
    ("", "name"), ("name=", "name"), ("name=a%20b", "name"), ("name=..%2Fa", "name"), ("name=say&tail=x", "tail"),
    ("name=say&tail=1.5", "tail"), ("name=say&since=yesterday", "since"), ("name=say&since=2026-13-01T00:00:00Z", "since"),
    ("name=say&follow=maybe", "follow"), ("name=say&namespace=a%2Fb", "namespace"),
    ("name=say&instance=" + "x" * 300, "instance"),
])
def test_a_bad_parameter_is_named(gateway, query, field):
    answer = gateway.api("GET", "/system/logs?" + query)
    assert answer.status == 400 and field in answer.text, answer


def test_an_unknown_function_is_404_and_a_stranger_401(gateway):
    assert gateway.api("GET", target("nobody")).status == 404
    assert gateway.api("GET", target("nobody", follow="true")).status == 404
    assert gateway.call("GET", target("say")).status == 401
    assert gateway.api("HEAD", target("say", follow="true")).status == 200


def test_lines_are_followed_as_they_come(fresh):
    say(fresh, "say before\n")
    printed(fresh, ["say before"])
    with follower(fresh, since=lines(fresh)[-1]["timestamp"]) as (connection, message):
        for number in range(3):
            say(fresh, f"say {number}\n")
            connection.body_until(message, b'"say %d"}\n' % number)
        assert b"say before" not in message.body
        assert all(json.loads(line)["name"] == "say" for line in message.body.splitlines())


def test_a_follower_sees_new_replicas_of_a_function_that_was_at_zero(fresh):
    fresh.scale("say", 0)
    with follower(fresh) as (connection, message):
        fresh.scale("say", 1)
        say(fresh, "say awake\n")
        connection.body_until(message, b"say awake")
        answer = fresh.api("PUT", "/system/functions?wait=60s", {
            "service": "say", "image": "host", "envProcess": f"{FUNCTIONS}/say.sh",
            "envVars": {"prefix_logs": "false", "mode": "streaming", "VERSION": "2"}})
        assert answer.status == 200, answer
        say(fresh, "say updated\n")
        connection.body_until(message, b"say updated")
    found = {line["text"]: line["instance"] for line in lines(fresh)}
    assert found["say awake"] != found["say updated"]


def test_a_log_ends_with_its_function(start):
    gateway = start.gateway()
    deploy(gateway)
    say(gateway, "say something\n")
    with follower(gateway) as (connection, message):
        connection.body_until(message, b"say something")
        gateway.remove("say")
        assert connection.finish(message).complete
    assert gateway.api("GET", target()).status == 404
    deploy(gateway)
    assert "say something" not in texts(gateway), "the new function has its predecessor's lines"
    assert len(list((gateway.data_dir / "logs").iterdir())) == 1


def test_functions_of_other_namespaces_are_apart(start):
    gateway = start.gateway()
    assert gateway.api("POST", "/system/namespace/", {"name": "other"}).status in (200, 201)
    deploy(gateway)
    deploy(gateway, namespace="other", ready=False)
    eventually(lambda: gateway.call("POST", "/function/say.other", body=b"say other\n").status == 200)
    say(gateway, "say default\n")
    printed(gateway, ["say default"])
    printed(gateway, ["say other"], namespace="other")
    printed(gateway, ["say other"], name="say.other")
    assert gateway.api("GET", target(namespace="third")).status == 404


def test_hostile_bytes_leave_json_whole(fresh):
    hostile = b"say \x00\x01\x1b[31m\x7f\t\"\\ \xff\xfe\xc3\x28 \xed\xa0\x80 \xe2\x82\xac</script>\xf0\x9f\x98\x80"
    say(fresh, hostile + b"\r\nsay {\"a\": 1}\nsay end\n")
    printed(fresh, ["say \x00\x01\x1b[31m\x7f\t\"\\ \ufffd\ufffd\ufffd( \ufffd\ufffd\ufffd €</script>\U0001f600",
                    'say {"a": 1}', "say end"])


def test_a_line_that_is_too_long_is_cut_and_says_so(start):
    gateway = start.gateway()
    deploy(gateway, env={"log_buffer_size": "1048576"})
    say(gateway, "say " + "x" * 200_000 + "\nsay short\n")
    eventually(lambda: texts(gateway)[-1:] == ["say short"])
    long, short = texts(gateway)
    assert long.startswith("say xxx") and re.search(r"x \[cut: \d+ more bytes\]$", long)
    kept = len(long.split(" [cut: ")[0])
    assert kept + int(re.search(r"cut: (\d+)", long)[1]) == 200_004
    assert kept < 70_000


def test_the_ring_is_bounded_and_keeps_the_latest(start):
    gateway = start.gateway({"function_log_mib": "1"})
    deploy(gateway)
    block = "".join(f"say {'x' * 990}\n" for _ in range(1000))  # about 1 MB
    for number in range(4):
        say(gateway, block + f"say last {number}\n")
    eventually(lambda: texts(gateway, tail=5)[-1:] == ["say last 3"], what=lambda: lines(gateway, tail=5))
    size = sum(file.stat().st_size for file in (gateway.data_dir / "logs" / "say.openfaas-fn").iterdir())
    assert 512 * 1024 < size <= 1024 * 1024
    kept = texts(gateway)
    assert kept[-1] == "say last 3" and len(kept) > 500
    assert len(lines(gateway, tail=300)) == 300
    assert (gateway.data_dir / "logs").stat().st_mode & 0o777 == 0o700


def test_logs_survive_the_gateway_and_half_a_line_is_mended(start):
    gateway = start.gateway()
    deploy(gateway)
    say(gateway, "say before\n")
    printed(gateway, ["say before"])
    gateway.owns_folder = False
    gateway.process.kill()
    gateway.expect_exit()
    segment = next((gateway.data_dir / "logs" / "say.openfaas-fn").iterdir())
    with open(segment, "ab") as file:
        file.write(b"2026-01-01T00:00:00.000")  # as a killed process may leave it
    again = start.gateway(folder=gateway.folder)
    again.wait_available("say")
    say(again, "say after\n")
    printed(again, ["say before", "say after"])
    first, second = (line["instance"] for line in lines(again) if line["text"].startswith("say "))
    assert first != second


def test_a_follower_that_does_not_read_blocks_nobody_and_costs_no_memory(start):
    gateway = start.gateway({"function_log_mib": "4"})
    deploy(gateway)
    block = "".join(f"say {'x' * 990}\n" for _ in range(1000))
    say(gateway, block + "say first\n")
    with contextlib.ExitStack() as stack:
        slow = [stack.enter_context(follower(gateway)) for _ in range(20)]
        before = processes.memory_kib(gateway.pid, "VmRSS")
        for number in range(20):
            say(gateway, block + f"say {number}\n")
        eventually(lambda: texts(gateway, tail=5)[-1:] == ["say 19"])
        grown = processes.memory_kib(gateway.pid, "VmRSS") - before
        assert grown < 64 * 1024, f"{grown} KiB for 20 MB that nobody read"
        # They were overtaken: who reads now is told so, and comes to the end.
        connection, message = slow[0]
        connection.body_until(message, b"lines are missing here")
        connection.body_until(message, b'"say 19"')


def test_many_followers_and_those_that_leave_leave_nothing(fresh):
    before = readers(fresh)
    with contextlib.ExitStack() as stack:
        many = [stack.enter_context(follower(fresh, tail=1)) for _ in range(100)]
        say(fresh, "say to all\n")
        for connection, message in many:
            connection.body_until(message, b"say to all")
    eventually(lambda: readers(fresh) <= before + 2, what=lambda: (before, readers(fresh)))


def test_followers_are_told_the_end_when_the_gateway_stops(start):
    gateway = start.gateway({"shutdown_timeout": "600s"})
    deploy(gateway)
    with follower(gateway) as (connection, message):
        gateway.process.terminate()
        assert connection.finish(message).complete, "the stream was cut"
    gateway.process.wait(60)
    assert gateway.process.returncode == 0


def test_the_access_log_tells_no_query_of_a_log_that_was_read(fresh):
    lines(fresh, tail=1, since="2020-01-01T00:00:00Z")
    assert "since=2020" not in fresh.stderr()
