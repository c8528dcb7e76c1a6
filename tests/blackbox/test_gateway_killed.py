# kill -9 in the middle of changes, again and again (FAAS_KILLS times, 20 by default): what was acknowledged is
# there, what was not is there whole or not at all, and nothing runs that should not.
import concurrent.futures
import json
import os
import random
import shutil
import signal
import sqlite3
import threading

from wire import Closed, eventually

KILLS = int(os.environ.get("FAAS_KILLS", "20"))
WORKERS = 4


class Journal:
    """What a client knows: for each thing the states it may be in. More than one only while a change has no answer."""

    def __init__(self):
        self.states = {}

    def change(self, thing, state, ask):
        self.states[thing] = [*self.states.get(thing, [None]), state]
        answer = ask()
        assert answer.status in (200, 201, 202), answer
        self.states[thing] = [state]

    def now(self, thing):
        return self.states.get(thing, [None])[0]

    def settle(self, thing, seen):
        assert seen in self.states.get(thing, [None]), (thing, seen, self.states.get(thing))
        self.states[thing] = [seen]


def weather(gateway, number, journal, over):
    """Changes a function and a secret of its own until the gateway is gone."""
    dice = random.Random()
    function, secret = f"killed{number}", f"secret{number}"
    while not over.is_set():
        value = f"{dice.random():.17f}" * 20
        try:
            if dice.random() < 0.4:
                method = "PUT" if journal.now(secret) else "POST"
                journal.change(secret, value, lambda m=method, v=value: gateway.api(
                    m, "/system/secrets", {"name": secret, "value": v}))
                continue
            spec = {"service": function, "image": "host", "envProcess": "cat", "envVars": {"VALUE": value}}
            there = journal.now(function)
            if there is None:
                journal.change(function, (value, 1), lambda s=spec: gateway.api("POST", "/system/functions", s))
            elif dice.random() < 0.3:
                journal.change(function, None, lambda: gateway.api(
                    "DELETE", "/system/functions", {"functionName": function}))
            elif dice.random() < 0.5:
                # The gateway keeps the count that is stored, also one whose answer was lost.
                journal.change(function, (value, there[1]), lambda s=spec: gateway.api("PUT", "/system/functions", s))
            else:
                count = dice.randint(1, 3)
                journal.change(function, (there[0], count), lambda c=count: gateway.api(
                    "POST", f"/system/scale-function/{function}", {"replicas": c}))
        except (OSError, Closed):
            return


def check_store(gateway, folder):
    """The file as the kill left it, looked at in a copy."""
    folder.mkdir()
    for path in gateway.data_dir.glob("functions.db*"):
        shutil.copy(path, folder)
    with sqlite3.connect(folder / "functions.db") as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        for name, spec, replicas, revision in database.execute("SELECT name, spec, replicas, revision FROM functions"):
            assert json.loads(spec)["service"] == name and replicas >= 0 and revision > 0
    database.close()
    shutil.rmtree(folder)


def check_state(gateway, journal):
    listed = {f["name"]: (f["envVars"]["VALUE"], f.get("replicas", 0))
              for f in json.loads(gateway.api("GET", "/system/functions").body)}
    secrets = gateway.data_dir / "secrets" / "openfaas-fn"
    for number in range(WORKERS):
        journal.settle(f"killed{number}", listed.pop(f"killed{number}", None))
        path = secrets / f"secret{number}"
        journal.settle(f"secret{number}", path.read_text() if path.exists() else None)
    assert not listed, listed
    assert not list(gateway.data_dir.rglob("*~")), "something half-written was left"


def test_a_gateway_killed_at_any_moment_keeps_what_it_acknowledged(start):
    gateway, journal, dice = start.gateway(), Journal(), random.Random()
    folder = gateway.folder
    for _ in range(KILLS):
        over = threading.Event()
        with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
            clients = [pool.submit(weather, gateway, number, journal, over) for number in range(WORKERS)]
            over.wait(dice.random() * 0.5)  # not a synchronisation: any moment is the right one
            gateway.remember_descendants()
            gateway.process.send_signal(signal.SIGKILL)
            over.set()
            for client in clients:
                client.result()
        gateway.owns_folder = False
        gateway.expect_exit()  # and of its replicas none is left
        check_store(gateway, folder / "copy")
        gateway = start.gateway(folder=folder)
        check_state(gateway, journal)
    for number in range(WORKERS):
        state = journal.now(f"killed{number}")
        if state is None:
            continue
        value, count = state
        gateway.wait_available(f"killed{number}", count)
        eventually(lambda n=number, c=count: len(gateway.replicas(f"killed{n}")) == c, 15)
        assert gateway.call("POST", f"/function/killed{number}", body=b"x").body == b"x"
    wanted = sum(state[1] for thing, (state,) in journal.states.items() if thing.startswith("killed") and state)
    eventually(lambda: len(list((gateway.data_dir / "run").iterdir())) == wanted, 15)
