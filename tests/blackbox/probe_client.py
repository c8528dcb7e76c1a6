# The test's side of functions/probe.py: what it tells, and how it is told what to do.
import base64
import json


class Told:
    """What functions/probe.py says it received."""

    def __init__(self, response):
        assert response.status == 200, response
        self.response = response
        self.json = json.loads(response.body)
        lines = base64.b64decode(self.json["head"]).decode("latin-1").splitlines()
        self.method, self.target, _ = lines[0].split(" ")
        self.headers = [tuple(part.strip() for part in line.split(":", 1)) for line in lines[1:]]
        self.body = base64.b64decode(self.json["body"])

    def all(self, name):
        return [value for n, value in self.headers if n.lower() == name.lower()]


def ask(gateway, method="GET", target="/function/probe", headers=(), body=None, **options):
    return Told(gateway.call(method, target, headers, body, **options))


def scripted(data, then="keep"):
    """Headers that make the probe answer with these bytes."""
    return {"X-Reply": base64.b64encode(data).decode(), "X-Then": then}
