# Replicas: balanced, restarted, replaced without a gap.
import concurrent.futures
import json
import threading
import time

import pytest

import processes
from programs import FUNCTIONS, PYTHON
from wire import eventually


@pytest.fixture(scope="module")
def gateway(start_once):
    return start_once.gateway()


def identity(gateway, name, headers=()):
    response = gateway.call("GET", f"/function/{name}", headers, timeout=30)
    assert response.status == 200, response
    return json.loads(response.body)["id"]


def probes_of(gateway, name):
    """Host pids of the probe processes of a function."""
    wanted = f"OPENFAAS_NAME={name}\0".encode()
    return [p.pid for p in processes.descendants(gateway.pid) if p.state != "Z"
            and any("probe.py" in part for part in processes.command_line(p.pid))
            and PYTHON.split("/")[-1] in processes.command_line(p.pid)[0]
            and wanted in processes.environment(p.pid) + b"\0"]


def test_slow_calls_at_once_land_on_different_replicas(gateway):
    gateway.deploy_probe("spread")
    gateway.scale("spread", 3)
    for _ in range(3):
        with concurrent.futures.ThreadPoolExecutor(3) as pool:
            def one(number):
                time.sleep(0.3 * number)  # one after the other, each while the former is under way
                return identity(gateway, "spread", {"X-Do": "sleep:2"})
            ids = list(pool.map(one, range(3)))
        assert len(set(ids)) == 3, ids
    gateway.remove("spread")


def test_scaling_down_keeps_serving(gateway):
    gateway.deploy_probe("shrink")
    gateway.scale("shrink", 3)
    failures, stop = [], threading.Event()

    def callers():
        while not stop.is_set():
            response = gateway.call("GET", "/function/shrink", timeout=30)
            if response.status != 200 or not response.complete:
                failures.append(response)

    threads = [threading.Thread(target=callers) for _ in range(3)]
    for thread in threads:
        thread.start()
    gateway.scale("shrink", 1)
    eventually(lambda: len(probes_of(gateway, "shrink")) == 1)
    stop.set()
    for thread in threads:
        thread.join()
    assert not failures, failures[:3]
    gateway.remove("shrink")


def test_a_call_that_runs_on_a_replica_scaled_away_is_finished(gateway):
    gateway.deploy_probe("finish")
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        running = pool.submit(gateway.call, "GET", "/function/finish", {"X-Do": "sleep:2"}, timeout=30)
        time.sleep(0.5)  # the call is under way
        answer = gateway.api("POST", "/system/scale-function/finish", {"serviceName": "finish", "replicas": 0})
        assert answer.status == 202
        response = running.result()
    assert response.status == 200 and response.complete
    gateway.remove("finish")


def test_a_function_that_crashes_is_started_again(gateway):
    gateway.deploy_probe("crash")
    before = identity(gateway, "crash")
    gateway.call("GET", "/function/crash", {"X-Do": "exit:1"})
    after = eventually(lambda: (lambda r: r.status == 200 and json.loads(r.body)["id"])(gateway.call("GET", "/function/crash")))
    assert after != before
    gateway.wait_available("crash")
    gateway.remove("crash")


@pytest.mark.parametrize("victim", ["function", "watchdog"])
def test_a_killed_replica_is_replaced_and_the_others_serve(gateway, victim):
    name = f"kill-{victim}"
    gateway.deploy_probe(name)
    gateway.scale(name, 2)
    before = set(probes_of(gateway, name))
    assert len(before) == 2
    pid = min(before)
    processes.kill(pid if victim == "function" else processes.read(pid).parent)

    def replaced():
        now = set(probes_of(gateway, name))
        return len(now) == 2 and pid not in now

    eventually(replaced, what=lambda: (before, probes_of(gateway, name), gateway.status(name)))
    gateway.wait_available(name, 2)
    for _ in range(10):
        assert gateway.call("GET", f"/function/{name}").status == 200
    gateway.remove(name)


def test_a_crash_loop_slows_down_and_says_why(gateway):
    gateway.deploy_probe("loop", env={"FAIL_AT_START": "out of luck"}, ready=False)
    seen, deadline = set(), time.monotonic() + 6
    while time.monotonic() < deadline:
        seen |= set(probes_of(gateway, "loop"))
        time.sleep(0.01)
    assert len(seen) <= 20, f"{len(seen)} starts in 6 s: no backoff"
    status = gateway.status("loop")
    assert status.get("availableReplicas", 0) == 0 and status["replicas"] == 1
    false = [c for c in status["conditions"] if c["status"] == "False"]
    assert false and "out of luck" in json.dumps(false), status
    gateway.remove("loop")
    eventually(lambda: not probes_of(gateway, "loop"))


def update(gateway, name, version, **env):
    spec = {"service": name, "image": "host", "envProcess": f"{PYTHON} -u {FUNCTIONS}/probe.py", "envVars": {
        "mode": "http", "upstream_url": "http://127.0.0.1:5000", "PROBE_PORT": "5000", "VERSION": version, **env}}
    answer = gateway.api("PUT", "/system/functions", spec)
    assert answer.status in (200, 202), answer


def test_an_update_takes_effect_without_a_gap(gateway):
    gateway.deploy_probe("rolling", env={"VERSION": "1"})
    gateway.scale("rolling", 2)
    versions, failures, stop = [], [], threading.Event()

    def callers():
        while not stop.is_set():
            response = gateway.call("GET", "/function/rolling", timeout=30)
            if response.status != 200 or not response.complete:
                failures.append(response)
            else:
                versions.append(json.loads(response.body)["version"])

    threads = [threading.Thread(target=callers) for _ in range(2)]
    for thread in threads:
        thread.start()
    update(gateway, "rolling", "2", START_DELAY="1")
    try:
        eventually(lambda: versions[-20:] == ["2"] * 20, what=lambda: (versions[-5:], gateway.status("rolling")))
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert not failures, failures[:3]
    assert versions[0] == "1"
    gateway.wait_available("rolling", 2)
    assert gateway.status("rolling")["replicas"] == 2, "an update keeps the number of replicas"
    eventually(lambda: len(probes_of(gateway, "rolling")) == 2)
    gateway.remove("rolling")


def test_an_update_that_does_not_start_leaves_the_old_version_serving(gateway):
    gateway.deploy_probe("kept", env={"VERSION": "1"})
    update(gateway, "kept", "2", FAIL_AT_START="no luck")

    def told():
        return "no luck" in json.dumps(gateway.status("kept").get("conditions", []))

    eventually(told, what=lambda: gateway.status("kept"))
    for _ in range(10):
        response = gateway.call("GET", "/function/kept")
        assert response.status == 200 and json.loads(response.body)["version"] == "1"
    update(gateway, "kept", "3")
    eventually(lambda: json.loads(gateway.call("GET", "/function/kept").body)["version"] == "3")
    gateway.remove("kept")


def test_an_update_can_take_variables_away(gateway):
    gateway.deploy("vars", "env", env={"GOING": "1", "STAYING": "1"})
    answer = gateway.api("PUT", "/system/functions", {"service": "vars", "image": "host", "envProcess": "env",
                                                      "envVars": {"STAYING": "2"}})
    assert answer.status in (200, 202)
    text = eventually(lambda: (lambda t: t if "STAYING=2" in t else None)(gateway.call("GET", "/function/vars").text))
    assert "GOING=" not in text
    gateway.remove("vars")


def test_a_replica_that_is_not_listening_yet_gets_no_calls(gateway):
    gateway.deploy_probe("late", env={"START_DELAY": "1.5"}, ready=False)
    assert gateway.call("GET", "/function/late").status == 200  # the call waits
    gateway.remove("late")


def test_calls_that_come_before_the_first_replica_wait_for_it(gateway):
    gateway.deploy("early", "cat", ready=False)
    for _ in range(5):
        with concurrent.futures.ThreadPoolExecutor(10) as pool:
            answers = list(pool.map(lambda n: gateway.call("POST", "/function/early", body=b"%d" % n), range(20)))
        assert [(a.status, a.body) for a in answers] == [(200, b"%d" % n) for n in range(20)]
        gateway.scale("early", 0)
        assert gateway.api("POST", "/system/scale-function/early", {"serviceName": "early", "replicas": 1}).status == 202
    gateway.remove("early")


def test_many_functions_start_and_stop(gateway):
    names = [f"many{number}" for number in range(20)]
    for name in names:
        gateway.deploy(name, "cat", ready=False)
    for name in names:
        gateway.wait_available(name)
        assert gateway.call("POST", f"/function/{name}", body=b"x").body == b"x"
    for name in names:
        gateway.remove(name)
    eventually(lambda: not any(map(gateway.replicas, names)), what=lambda: list(map(gateway.replicas, names)))


def test_nothing_grows_with_deployments(gateway):
    def cycle():
        gateway.deploy("cycle", "cat")
        assert gateway.call("POST", "/function/cycle", body=b"x").body == b"x"
        gateway.remove("cycle")
        eventually(lambda: not gateway.replicas("cycle"))

    cycle()
    before = len(processes.open_files(gateway.pid))
    for _ in range(15):
        cycle()
    eventually(lambda: len(processes.open_files(gateway.pid)) <= before + 5,
               what=lambda: f"{before} descriptors before, now {processes.open_files(gateway.pid)}")
    assert not [p for p in processes.descendants(gateway.pid) if p.state == "Z"]
