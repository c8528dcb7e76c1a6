# Whether a status tells the truth, and ?wait=: a change that is answered when it has come true.
import json
import os
import signal

import pytest

from programs import FUNCTIONS
import wire
from wire import eventually


@pytest.fixture(scope="module")
def gateway(start_once):
    return start_once.gateway()


def put(gateway, method, query, **spec):
    return gateway.api(method, f"/system/functions{query}", {"image": "host", **spec})


def ready(gateway, name):
    return next(c for c in gateway.status(name)["conditions"] if c["type"] == "Ready")


# ---- wait -------------------------------------------------------------------------------------------

def test_a_deploy_that_waits_is_answered_when_it_can_be_called(gateway):
    answer = put(gateway, "POST", "?wait=30s", service="prompt", envProcess="cat",
                 labels={"com.openfaas.scale.min": "2"})
    assert answer.status == 200, answer
    status = json.loads(answer.body)
    assert (status["name"], status["replicas"], status["availableReplicas"]) == ("prompt", 2, 2)
    assert gateway.call("POST", "/function/prompt", body=b"x").body == b"x"


def test_an_update_that_waits_is_answered_when_only_the_new_version_answers(gateway):
    assert put(gateway, "POST", "?wait=30s", service="changed", envProcess="cat").status == 200
    assert put(gateway, "PUT", "?wait=30s", service="changed", envProcess="wc -c").status == 200
    for _ in range(5):
        assert gateway.call("POST", "/function/changed", body=b"abc").body == b"3\n"


def test_a_scale_that_waits_is_answered_when_they_are_there(gateway):
    assert put(gateway, "POST", "?wait=30s", service="scaled", envProcess="cat").status == 200
    for replicas in (4, 1, 0):
        answer = gateway.api("POST", "/system/scale-function/scaled?wait=30s", {"replicas": replicas})
        assert answer.status == 200, answer
        status = json.loads(answer.body)
        assert status.get("replicas", 0) == status.get("availableReplicas", 0) == replicas


@pytest.mark.parametrize("spec,words", [
    ({"envProcess": "/no/such/program"}, "/no/such/program"),
    ({"envProcess": f"/usr/bin/python3 -u {FUNCTIONS}/probe.py",
      "envVars": {"mode": "http", "upstream_url": "http://127.0.0.1:5000", "PROBE_PORT": "5000",
                  "FAIL_AT_START": "because-of-this"}}, "exit status 3: because-of-this")])
def test_what_cannot_become_ready_is_told_long_before_the_time_is_over(gateway, spec, words):
    """Ten minutes are asked for, and no client here waits as long."""
    for method in ("POST", "PUT"):
        answer = put(gateway, method, "?wait=10m", service="hopeless", **spec)
        assert answer.status == 500 and words in answer.text and "hopeless.openfaas-fn" in answer.text, answer
        assert len(answer.text.splitlines()) == 1
    assert gateway.status("hopeless")["replicas"] == 1, "it is stored all the same"
    gateway.remove("hopeless")


# Its upstream never listens: it neither gets ready nor fails.
NEVER = {"envProcess": "sleep 86400", "envVars": {"mode": "http", "upstream_url": "http://127.0.0.1:5000"}}


def test_time_that_is_over_is_told(gateway):
    for method in ("POST", "PUT"):
        answer = put(gateway, method, "?wait=50ms", service="never", **NEVER)
        assert answer.status == 504 and "wait=50ms" in answer.text and "0 of 1" in answer.text, answer
        assert len(answer.text.splitlines()) == 1
    answer = gateway.api("POST", "/system/scale-function/never?wait=1ms", {"replicas": 2})
    assert answer.status == 504 and "0 of 2" in answer.text, answer
    gateway.remove("never")


@pytest.mark.parametrize("wait", ["x", "-1s", "10m1s", "1h", "1s2", "%00", "%0a"])
def test_a_bad_wait_is_400_and_nothing_happens(gateway, wait):
    for method, path, body in (
            ("POST", "/system/functions", {"service": "unmade", "image": "host", "envProcess": "cat"}),
            ("PUT", "/system/functions", {"service": "unmade", "image": "host", "envProcess": "cat"}),
            ("POST", "/system/scale-function/unmade", {"replicas": 1})):
        answer = gateway.api(method, f"{path}?wait={wait}", body)
        assert answer.status == 400 and "wait" in answer.text and len(answer.text.splitlines()) == 1, answer
    assert gateway.api("GET", "/system/function/unmade").status == 404


@pytest.mark.parametrize("wait", ["", "0", "0s"])
def test_no_wait_at_all_is_202(gateway, wait):
    assert put(gateway, "POST", f"?wait={wait}", service="hasty", envProcess="cat").status == 202
    gateway.remove("hasty")


def waiting(gateway, method, path, body):
    """A connection whose request is under way."""
    data = json.dumps(body).encode()
    connection = gateway.connect()
    connection.send(wire.request_bytes(method, path, {"Authorization": gateway.authorization}, data))
    return connection


def test_who_waits_hears_of_the_end_of_the_function(gateway):
    with waiting(gateway, "POST", "/system/functions?wait=10m",
                 {"service": "taken", "image": "host", **NEVER}) as connection:
        eventually(lambda: gateway.api("GET", "/system/function/taken").status == 200)
        gateway.remove("taken")
        answer = connection.response()
        assert answer.status == 404 and "taken" in answer.text, answer


def test_who_waits_is_answered_by_a_change_of_somebody_else(gateway):
    with waiting(gateway, "POST", "/system/functions?wait=10m",
                 {"service": "mended", "image": "host", **NEVER}) as connection:
        eventually(lambda: gateway.api("GET", "/system/function/mended").status == 200)
        assert put(gateway, "PUT", "", service="mended", envProcess="cat").status == 202
        assert connection.response().status == 200
    gateway.remove("mended")


def test_clients_that_wait_and_leave_cost_nothing(start):
    gateway = start.gateway()

    def descriptors():
        return len(os.listdir(f"/proc/{gateway.pid}/fd"))
    assert put(gateway, "POST", "", service="slow", **NEVER).status == 202
    eventually(lambda: len(gateway.replicas("slow")) == 1, 20)
    before = descriptors()  # with a few connections that are just being closed, perhaps
    connections = [waiting(gateway, "POST", "/system/scale-function/slow?wait=10m", {"replicas": 1})
                   for _ in range(30)]
    eventually(lambda: descriptors() >= before + 25, 15, descriptors)
    for connection in connections:
        connection.close()
    eventually(lambda: descriptors() <= before + 1, 15, descriptors)


# ---- what a status says -----------------------------------------------------------------------------

def test_a_ready_function_says_so_and_nothing_else(gateway):
    gateway.deploy("fine", "cat")
    assert gateway.status("fine")["conditions"] == [
        {"type": "Ready", "status": "True", "reason": "Available", "message": "1 of 1 replica is ready"}]


def test_a_function_at_zero_says_so(gateway):
    gateway.deploy("asleep", "cat")
    gateway.scale("asleep", 0)
    assert ready(gateway, "asleep")["reason"] == "ScaledToZero"


def test_a_failed_start_is_told_with_its_exit_status_and_how_often(gateway):
    gateway.deploy_probe("told", env={"FAIL_AT_START": "no such module"}, ready=False)
    eventually(lambda: "failures in a row" in ready(gateway, "told")["message"], 15)
    condition = ready(gateway, "told")
    assert (condition["status"], condition["reason"]) == ("False", "CrashLoop")
    assert "exit status 3: no such module" in condition["message"]
    gateway.remove("told")


def test_the_last_failure_stays_after_the_function_has_recovered(gateway):
    gateway.deploy_probe("recovered")
    gateway.call("GET", "/function/recovered", {"X-Do": "exit:7"})
    eventually(lambda: len(gateway.status("recovered")["conditions"]) == 2
               and gateway.status("recovered").get("availableReplicas", 0) == 1, 20)
    last = gateway.status("recovered")["conditions"][1]
    assert last["type"] == "LastFailure" and last["reason"] == "CrashLoop" and "7" in last["message"], last
    gateway.remove("recovered")


def test_a_message_is_short_and_one_line(gateway):
    gateway.deploy_probe("chatty", env={"FAIL_AT_START": "x" * 5000 + "\x1b[31m"}, ready=False)
    eventually(lambda: ready(gateway, "chatty")["reason"] == "CrashLoop", 15)
    message = ready(gateway, "chatty")["message"]
    assert len(message) < 600 and message.isprintable(), message
    gateway.remove("chatty")


# ---- an update that does not work -------------------------------------------------------------------

def test_an_update_that_never_gets_ready_leaves_the_old_version_serving(gateway):
    gateway.deploy("guarded", "cat")
    assert put(gateway, "PUT", "?wait=30s", service="guarded", envProcess="/no/such/program").status == 500
    condition = ready(gateway, "guarded")
    assert (condition["status"], condition["reason"]) == ("True", "UpdateNotReady")
    assert "/no/such/program" in condition["message"]
    assert gateway.call("POST", "/function/guarded", body=b"x").body == b"x"
    assert gateway.status("guarded")["availableReplicas"] == 1
    gateway.remove("guarded")


def test_the_old_version_is_started_again_when_it_crashes_meanwhile(gateway):
    gateway.deploy_probe("fallback", env={"VERSION": "old"})
    assert put(gateway, "PUT", "?wait=30s", service="fallback", envProcess="/no/such/program").status == 500
    before = gateway.replicas("fallback")
    gateway.call("GET", "/function/fallback", {"X-Do": "exit:7"})
    eventually(lambda: gateway.replicas("fallback") not in ([], before), 20)
    eventually(lambda: gateway.call("GET", "/function/fallback").status == 200, 20)
    # and a version that works takes over
    assert put(gateway, "PUT", "?wait=30s", service="fallback", envProcess="cat").status == 200
    assert gateway.call("POST", "/function/fallback", body=b"new").body == b"new"
    gateway.remove("fallback")


def test_the_old_version_serves_again_after_a_kill(start):
    gateway = start.gateway()
    gateway.deploy("survivor", "wc -c")
    for _ in range(2):  # a second broken update must not push the good one out
        assert put(gateway, "PUT", "?wait=30s", service="survivor", envProcess="/no/such/program").status == 500
    gateway.remember_descendants()
    gateway.process.send_signal(signal.SIGKILL)
    gateway.expect_exit()
    again = start.gateway(folder=gateway.folder)
    again.wait_available("survivor")
    assert again.call("POST", "/function/survivor", body=b"abc").body == b"3\n"
    assert ready(again, "survivor")["reason"] == "UpdateNotReady"
    assert again.status("survivor")["envProcess"] == "/no/such/program"


def test_an_update_keeps_the_replica_count(gateway):
    gateway.deploy("counted", "cat")
    for count in (3, 0):
        gateway.scale("counted", count)
        assert put(gateway, "PUT", "?wait=30s", service="counted", envProcess="tac").status == 200
        assert gateway.status("counted").get("replicas", 0) == count
    gateway.remove("counted")
