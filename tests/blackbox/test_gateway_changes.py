# Many changes at once, and a gateway killed among them: what was asked last is what there is.
import concurrent.futures
import json
import random
import signal
import threading

from wire import Closed, eventually


def names_of(gateway):
    return {f["name"] for f in json.loads(gateway.api("GET", "/system/functions").body)}


def storm(gateway, seed, last, until):
    """Deploys, updates, scales and deletes one function of its own until told to end; notes in last[name]
    whether it is there after the last change that was acknowledged, None while one is under way."""
    dice, name, there = random.Random(seed), f"storm{seed}", False
    last[name] = False
    spec = {"service": name, "image": "host", "envProcess": "cat"}
    while not until():
        step = dice.choice(["deploy", "remove", "update", "scale", "call"])
        try:
            if step == "deploy":
                last[name] = last[name] if there else None
                answer = gateway.api("POST", "/system/functions", spec)
                assert answer.status == (409 if there else 202), answer
                there = True
            elif step == "remove":
                last[name] = None if there else last[name]
                answer = gateway.api("DELETE", "/system/functions", {"functionName": name})
                assert answer.status == (202 if there else 404), answer
                there = False
            elif step == "update":
                answer = gateway.api("PUT", "/system/functions", {**spec, "envVars": {"N": str(dice.random())}})
                assert answer.status in ((200, 202) if there else (404,)), answer
            elif step == "scale":
                answer = gateway.api("POST", f"/system/scale-function/{name}",
                                     {"serviceName": name, "replicas": dice.randint(0, 3)})
                assert answer.status == (202 if there else 404), answer
            else:
                answer = gateway.call("POST", f"/function/{name}", body=b"x")
                assert answer.status in ((200, 503) if there else (404,)), answer
        except (OSError, Closed):
            return  # the gateway was killed
        last[name] = there


def test_a_storm_of_changes_ends_in_what_was_asked_last(start):
    gateway, last = start.gateway(), {}
    counts = {}

    def rounds(seed):
        counts[seed] = 0

        def enough():
            counts[seed] += 1
            return counts[seed] > 40
        return enough

    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        for done in [pool.submit(storm, gateway, seed, last, rounds(seed)) for seed in range(6)]:
            done.result()
    expected = {name for name, there in last.items() if there}
    assert names_of(gateway) == expected
    for name in last:
        if name in expected:
            gateway.scale(name, 2)
            assert gateway.call("POST", f"/function/{name}", body=b"x").body == b"x"
            eventually(lambda n=name: len(gateway.replicas(n)) == 2)
        else:
            eventually(lambda n=name: not gateway.replicas(n))


def test_a_gateway_killed_in_a_storm_keeps_what_it_acknowledged(start):
    gateway, last = start.gateway(), {}
    killed = threading.Event()
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        storms = [pool.submit(storm, gateway, seed, last, killed.is_set) for seed in range(6)]
        threading.Event().wait(1.5)  # not a synchronisation: some weather before the end
        gateway.remember_descendants()
        gateway.process.send_signal(signal.SIGKILL)
        killed.set()
        for done in storms:
            done.result()
    gateway.expect_exit()
    again = start.gateway(folder=gateway.folder)
    found = names_of(again)
    for name, there in last.items():
        if there is not None:  # a change without an answer may have happened or not
            assert (name in found) == there, (name, there, found)
    for name in found:
        again.scale(name, 1)
        assert again.call("POST", f"/function/{name}", body=b"x").body == b"x"
