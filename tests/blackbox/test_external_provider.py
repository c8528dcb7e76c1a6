# A gateway whose functions somebody else runs: a second gateway, over the same REST API, and then strangers that
# answer slowly, wrongly or not at all.
import base64
import concurrent.futures
import contextlib
import json
import signal
import threading

import pytest

import programs
import wire
from probe_client import Told, ask, scripted
from programs import FUNCTIONS, metric
from scripted_upstream import answer
from wire import chunk, eventually, request_bytes

UPPER, LOWER = "tr a-z A-Z", "tr A-Z a-z"


def front_of(start, url, **settings):
    """A gateway before the provider at `url`."""
    return start.gateway({"functions_provider_url": url, **settings})


def pair(start, **settings):
    """Two gateways: the first asks the second, which runs the functions."""
    remote = start.gateway()
    front = front_of(start, f"http://127.0.0.1:{remote.port}/", functions_provider_secrets=remote.data_dir, **settings)
    return front, remote


@pytest.fixture(scope="module")
def gateways(start_once):
    front, remote = pair(start_once)
    front.deploy_probe("probe")
    return front, remote


@pytest.fixture
def front(gateways):
    return gateways[0]


@pytest.fixture
def remote(gateways):
    return gateways[1]


# ---- the API ----------------------------------------------------------------------------------------

def test_a_function_is_deployed_called_scaled_updated_and_deleted(front, remote):
    front.deploy("word", UPPER, labels={"a": "b"})
    assert front.call("POST", "/function/word", body=b"Hello").body == b"HELLO"
    assert remote.status("word")["labels"]["a"] == front.status("word")["labels"]["a"] == "b"
    front.scale("word", 2)
    assert len(remote.replicas("word")) == 2 and front.replicas("word") == []
    updated = front.api("PUT", "/system/functions?wait=60s", {"service": "word", "image": "host", "envProcess": LOWER})
    assert updated.status == 200 and json.loads(updated.body)["envProcess"] == LOWER, updated
    assert front.call("POST", "/function/word.openfaas-fn/", body=b"Hello").body == b"hello"
    assert front.status("word")["replicas"] == 2
    assert "word" in [one["name"] for one in json.loads(front.api("GET", "/system/functions").body)]
    front.remove("word")
    assert front.call("POST", "/function/word", body=b"x").status == 404
    assert remote.api("GET", "/system/function/word").status == 404


def test_calls_are_counted_where_they_come_in(front):
    before = front.status("probe").get("invocationCount", 0)
    assert front.call("GET", "/function/probe").status == 200
    assert front.status("probe")["invocationCount"] == before + 1


def test_replicas_are_told_to_prometheus(front):
    front.deploy("counted", UPPER)
    front.scale("counted", 3)
    for name in ("gateway_service_count", "gateway_service_ready_count"):
        eventually(lambda: metric(front.metrics(), name, function_name="counted.openfaas-fn") == 3)
    front.remove("counted")


def test_the_providers_refusals_keep_their_status_and_text(front, remote):
    front.deploy("taken", UPPER)
    for method, path, body in (
            ("POST", "/system/functions", {"service": "taken", "image": "host", "envProcess": "cat"}),
            ("POST", "/system/functions", {"service": "new", "image": "no such image", "envProcess": "cat"}),
            ("POST", "/system/functions", {"service": "new", "image": "host", "envProcess": "cat", "namespace": "none"}),
            ("PUT", "/system/functions", {"service": "nobody", "image": "host", "envProcess": "cat"}),
            ("DELETE", "/system/functions", {"functionName": "nobody"}),
            ("GET", "/system/function/nobody", None),
            ("POST", "/system/scale-function/nobody", {"replicas": 2}),
            ("GET", "/system/functions?namespace=none", None),
            ("GET", "/system/secrets?namespace=none", None),
            ("PUT", "/system/secrets", {"name": "nothing", "value": "v"}),
            ("DELETE", "/system/secrets", {"name": "nothing"}),
            ("GET", "/system/namespace/none", None),
            ("DELETE", "/system/namespace/openfaas-fn", None)):
        ours, theirs = front.api(method, path, body), remote.api(method, path, body)
        assert 400 <= ours.status < 500, (method, path, ours)
        assert (ours.status, ours.body) == (theirs.status, theirs.body), (method, path)
    front.remove("taken")


def test_a_failure_to_start_is_told_to_who_waits(front):
    response = front.api("POST", "/system/functions?wait=60s",
                         {"service": "broken", "image": "host", "envProcess": "/no/such/program",
                          "envVars": {"mode": "http", "upstream_url": "http://127.0.0.1:5000"}})
    assert response.status in (500, 504) and "broken" in response.text, response
    front.remove("broken")


def test_secrets_are_the_providers(front, remote):
    odd = bytes(range(256))
    raw = base64.b64encode(odd).decode()
    assert front.api("POST", "/system/secrets", {"name": "text", "value": "first"}).status == 201
    assert front.api("POST", "/system/secrets", {"name": "odd", "rawValue": raw}).status == 201
    assert front.api("POST", "/system/secrets", {"name": "text", "value": "again"}).status == 409
    assert front.api("PUT", "/system/secrets", {"name": "text", "value": "second"}).status == 200
    for gateway in (front, remote):
        assert [one["name"] for one in json.loads(gateway.api("GET", "/system/secrets").body)] == ["odd", "text"]
    front.deploy("shows", "cat /var/openfaas/secrets/text /var/openfaas/secrets/odd", secrets=["text", "odd"])
    assert front.call("GET", "/function/shows").body == b"second" + odd
    front.remove("shows")
    for name in ("text", "odd"):
        assert front.api("DELETE", "/system/secrets", {"name": name}).status == 200
    assert json.loads(remote.api("GET", "/system/secrets").body) == []


def test_namespaces_are_the_providers(front, remote):
    assert front.api("POST", "/system/namespace/", {"name": "dev", "labels": {"a": "1"}}).status == 201
    assert json.loads(front.api("GET", "/system/namespaces").body) == ["dev", "openfaas-fn"]
    assert json.loads(front.api("GET", "/system/namespace/dev").body)["labels"] == {"a": "1"}
    assert front.api("PUT", "/system/namespace/dev", {"name": "dev", "labels": {"a": "2"}}).status == 202
    assert json.loads(remote.api("GET", "/system/namespace/dev").body)["labels"] == {"a": "2"}
    answered = front.api("POST", "/system/functions?wait=60s",
                         {"service": "word", "namespace": "dev", "image": "host", "envProcess": LOWER})
    assert answered.status == 200, answered
    assert front.call("POST", "/function/word.dev", body=b"A").body == b"a"
    assert front.call("POST", "/function/word", body=b"A").status == 404
    listed = json.loads(front.api("GET", "/system/functions?namespace=dev").body)
    assert [(one["name"], one["namespace"]) for one in listed] == [("word", "dev")]
    assert front.api("DELETE", "/system/namespace/dev").status == 409
    assert front.api("DELETE", "/system/functions?namespace=dev", {"functionName": "word"}).status == 202
    eventually(lambda: front.api("DELETE", "/system/namespace/dev").status == 202)
    assert json.loads(remote.api("GET", "/system/namespaces").body) == ["openfaas-fn"]


def test_what_the_provider_is_is_told(front, remote):
    ours, theirs = (json.loads(gateway.api("GET", "/system/info").body)["provider"] for gateway in (front, remote))
    assert ours == theirs and ours["provider"] == "faas-local" and ours["version"]["release"]


def test_the_login_of_one_gateway_is_not_that_of_the_other(front, remote):
    assert front.password != remote.password
    assert front.call("GET", "/system/functions", [("Authorization", remote.authorization)]).status == 401
    assert remote.password not in front.stderr() and wire.basic("admin", remote.password)[6:] not in front.stderr()


# ---- calls ------------------------------------------------------------------------------------------

@pytest.mark.parametrize("suffix", ["", "/", "/a//b", "/../a", "/%2F%2f", "/%3f%23%25", "/%00", "?x=1", "/?x=%zz&;", "/a?b?c",
                                    "/function/probe"])
def test_path_and_query_arrive_byte_for_byte(front, remote, suffix):
    ours, theirs = (ask(gateway, target="/function/probe" + suffix) for gateway in (front, remote))
    assert ours.target == theirs.target


def test_headers_of_both_hops(front):
    told = ask(front, headers={"X-Call-Id": "one-id", "Authorization": "Basic b3RoZXI6bG9naW4="})
    assert told.all("X-Call-Id") == ["one-id"] and told.all("Authorization") == ["Basic b3RoZXI6bG9naW4="]
    assert told.all("X-Forwarded-Host") == ["faas.test"]
    assert told.all("X-Forwarded-For") == ["127.0.0.1, 127.0.0.1"]


def test_both_directions_flow_at_once(front):
    with front.connect() as connection:
        connection.send(request_bytes("POST", "/function/probe", {"Transfer-Encoding": "chunked", "X-Do": "duplex"}))
        connection.send(chunk(b"one\n"))
        response = connection.response_head()
        connection.body_until(response, b"one\n")
        connection.send(chunk(b"two\n"))
        connection.body_until(response, b"two\n")
        connection.send(b"0\r\n\r\n")
        connection.finish(response)
        assert response.complete and response.body == b"one\ntwo\n"


def test_an_upgrade_becomes_a_tunnel_through_both(front):
    with front.connect() as connection:
        connection.send(request_bytes("GET", "/function/probe", {
            "Connection": "Upgrade", "Upgrade": "websocket", "X-Do": "upgrade"}) + b"early")
        response = connection.response_head()
        assert response.status == 101 and response.header("Upgrade") == "websocket"
        assert connection.read_exactly(5) == b"early"
        connection.send(b"p" * 100_000)
        assert connection.read_exactly(100_000) == b"p" * 100_000


def test_an_answer_that_is_cut_off_is_cut_off_for_the_caller_too(front):
    data = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk(b"some")
    with front.connect() as connection:
        connection.send(request_bytes("GET", "/function/probe", scripted(data, "close")))
        response = connection.response()
        assert response.body == b"some" and not response.complete


# ---- logs -------------------------------------------------------------------------------------------

@contextlib.contextmanager
def followed(gateway, name):
    """A connection on which the head of a followed log has been read."""
    with gateway.connect() as connection:
        connection.send(request_bytes("GET", f"/system/logs?name={name}&follow=1",
                                      {"Authorization": gateway.authorization}))
        message = connection.response_head()
        assert (message.status, message.header("Content-Type")) == (200, "application/x-ndjson")
        yield connection, message


def test_logs_are_the_providers_and_flow_as_they_come(front, remote):
    front.deploy("say", f"{FUNCTIONS}/say.sh", env={"prefix_logs": "false", "mode": "streaming"})
    with followed(front, "say") as (connection, message):
        for word in (b"say one", b"say two"):
            assert front.call("POST", "/function/say", body=word + b"\n").status == 200
            connection.body_until(message, word)  # while the next has not been said
        connection.reset()
    logs = lambda gateway, query: gateway.api("GET", "/system/logs?name=say" + query)
    eventually(lambda: logs(front, "").body == logs(remote, "").body)
    assert logs(front, "").complete and b"say two" in logs(front, "").body
    last = json.loads(logs(front, "&tail=1").body)
    assert last["name"] == "say" and last["namespace"] == "openfaas-fn"
    assert logs(front, f"&instance={last['instance']}").body and not logs(front, "&instance=n%26x").body
    assert not logs(front, "&since=2200-01-01T00:00:00%2B00:00").body
    assert front.api("GET", "/system/logs?name=nobody").status == 404
    front.remove("say")


# ---- what others do at the provider -----------------------------------------------------------------

def test_a_function_that_others_deploy_is_found_by_a_call(start):
    front, remote = pair(start, functions_provider_poll="1h")
    remote.deploy("word", UPPER)
    assert front.call("POST", "/function/word", body=b"found").body == b"FOUND"
    remote.scale("word", 0)
    assert front.call("POST", "/function/word", body=b"x").status == 503
    front.scale("word", 0)
    remote.scale("word", 1)
    assert front.call("POST", "/function/word", body=b"awake").body == b"AWAKE"
    remote.remove("word")
    assert front.call("POST", "/function/word", body=b"x").status == 404
    assert front.call("POST", "/function/other", body=b"x").status == 404  # makes it look, which forgets the function
    assert metric(front.metrics(), "gateway_service_count", function_name="word.openfaas-fn") is None


def test_what_others_change_is_seen_after_a_while(start):
    front, remote = pair(start, functions_provider_poll="1s")
    remote.deploy("word", UPPER)
    count = lambda: metric(front.metrics(), "gateway_service_count", function_name="word.openfaas-fn")
    eventually(lambda: count() == 1)
    remote.scale("word", 2)
    eventually(lambda: count() == 2)
    remote.remove("word")
    eventually(lambda: count() is None)


def test_the_provider_restarts(start):
    front, remote = pair(start, functions_provider_poll="1s")
    front.deploy("word", UPPER)
    assert front.call("POST", "/function/word", body=b"a").body == b"A"
    remote.stop(signal.SIGKILL)
    assert front.call("POST", "/function/word", body=b"a").status == 502
    refused = front.api("GET", "/system/functions")
    assert refused.status == 503 and f"http://127.0.0.1:{remote.port}" in refused.text, refused
    assert front.call("POST", "/function/unknown").status == 503  # nobody knows
    assert json.loads(front.api("GET", "/system/info").body)["provider"] is None
    front.wait_for_log("what functions there are is not known")
    start.gateway({"port": remote.port}, folder=remote.folder)
    front.wait_for_log("it answers again")
    eventually(lambda: front.call("POST", "/function/word", body=b"a").body == b"A")
    assert front.call("POST", "/function/unknown").status == 404


def test_a_provider_that_comes_later_is_waited_for(start):
    port = programs.free_port()
    front = front_of(start, f"http://127.0.0.1:{port}", functions_provider_poll="1s")
    front.wait_for_log("what functions there are is not known")
    provider = start.upstream(Provider(), port=port)
    eventually(lambda: front.call("POST", "/function/f", body=b"x").text == "/function/f.openfaas-fn/")
    assert provider.requests


def test_a_changed_login_is_read_again(start, script):
    folder = script("wrong", "basic-auth-password", "").parent
    remote = start.gateway()
    front = front_of(start, f"http://127.0.0.1:{remote.port}", functions_provider_secrets=folder)
    refused = front.api("GET", "/system/functions")
    assert refused.status == 502 and "functions_provider_secrets" in refused.text, refused
    (folder / "basic-auth-password").write_text(remote.password)
    assert front.api("GET", "/system/functions").status == 200
    assert remote.password not in front.stderr()


# ---- strangers --------------------------------------------------------------------------------------

class Provider:
    """A provider that plays a script: answers by path, and a function that tells the path it was called at."""

    def __init__(self, **answers):
        self.functions = [{"name": "f", "namespace": "openfaas-fn", "image": "i", "replicas": 1, "availableReplicas": 1}]
        self.namespaces = answer(body=b'["openfaas-fn"]')
        self.answers = {}
        self.gate = threading.Event()  # lists are given while it is open
        self.gate.set()
        self.ended = threading.Event()

    def __call__(self, connection, _number):
        while True:
            request = connection.request()
            path = request.target.partition("?")[0]
            if path in self.answers:
                data = self.answers[path]
                if data is None:
                    self.ended.wait()
                    return
                connection.send(data)
                if b"Content-Length" not in data:
                    return
            elif path == "/system/namespaces":
                connection.send(self.namespaces)
            elif path == "/system/functions" and request.method == "GET":
                self.gate.wait(wire.PATIENCE)
                connection.send(answer(body=json.dumps(self.functions).encode()))
            elif path.startswith("/system/function/"):
                connection.send(answer(body=json.dumps(self.functions[0]).encode()))
            elif path.startswith("/system/"):
                connection.send(answer("202 Accepted"))
            else:
                connection.send(answer(body=request.target.encode()))


def targets(upstream, word=""):
    return [request.target for request in upstream.requests if word in request.target]


@pytest.fixture
def stranger(start):
    """A scripted provider with a gateway before it: (front, script, upstream)."""
    script = Provider()
    upstream = start.upstream(script)
    front = front_of(start, upstream.url + "/", functions_provider_poll="1h", functions_provider_timeout="2s")
    upstream.wait_for_requests(2)
    yield front, script, upstream
    script.gate.set()
    script.ended.set()


def test_a_call_asks_nobody(stranger):
    front, _, upstream = stranger
    with front.connect() as connection:
        for number in range(20):
            assert connection.ask("GET", f"/function/f/{number}").text == f"/function/f.openfaas-fn/{number}"
    assert targets(upstream, "/system/") == ["/system/namespaces", "/system/functions?namespace=openfaas-fn"]
    assert len(targets(upstream, "/function/f.")) == 20
    assert {request.header("Host") for request in upstream.requests} == {f"127.0.0.1:{upstream.port}"}
    assert not any(request.header("Authorization") for request in upstream.requests)


def test_many_callers_of_unknown_functions_share_a_look(stranger):
    front, script, upstream = stranger
    script.gate.clear()
    with concurrent.futures.ThreadPoolExecutor(40) as pool:
        calls = [pool.submit(front.call, "GET", f"/function/nobody{n}") for n in range(40)]
        script.gate.set()
        assert {call.result().status for call in calls} == {404}
    looks = targets(upstream, "/system/functions")
    assert 2 <= len(looks) < 20, looks


def test_a_provider_without_namespaces(start):
    script = Provider()
    script.functions = [{"name": "f", "image": "i", "replicas": 1}]
    script.namespaces = answer("404 Not Found", body=b"404 page not found\n")
    upstream = start.upstream(script)
    front = front_of(start, upstream.url + "/base/")
    script_paths = lambda: targets(upstream, "/system/functions")
    script.answers = {"/base/system/namespaces": script.namespaces,
                      "/base/system/functions": answer(body=json.dumps(script.functions).encode()),
                      "/base/system/function/f": answer(body=json.dumps(script.functions[0]).encode())}
    eventually(lambda: front.call("GET", "/function/f/a").text == "/base/function/f/a")
    assert front.call("GET", "/function/f.openfaas-fn/a").text == "/base/function/f/a"
    assert set(script_paths()) == {"/base/system/functions"}
    assert front.status("f")["namespace"] == "openfaas-fn"
    assert targets(upstream, "/system/function/") == ["/base/system/function/f"]
    assert json.loads(front.api("GET", "/system/namespaces").body) == ["openfaas-fn"]


HUGE = b"[" + b",".join([b'{"name":"f","image":"' + b"x" * 1000 + b'"}'] * 20000) + b"]"


@pytest.mark.parametrize("data, status, text", [
    (answer("500 Internal Server Error", body=b"the disk is full\n"), 500, "the disk is full"),
    (answer("429 Too Many Requests", body=b"slowly\n"), 429, "slowly"),
    (answer("403 Forbidden", body=b"not in this plan\n"), 403, "not in this plan"),
    (answer("404 Not Found"), 404, "it answered 404"),
    (answer("401 Unauthorized", body=b"invalid credentials"), 502, "refuses the gateway's login"),
    (answer("302 Found", [("Location", "http://127.0.0.1:1/stolen")]), 502, "redirects are not followed"),
    (answer(body=b"<html>"), 502, "cannot be read"),
    (answer(body=b"{}"), 502, "an array of functions"),
    (answer(body=b'[{"name":"a"'), 502, "cannot be read"),
    (answer(body=b"[" * 100 + b"]" * 100), 502, "cannot be read"),
    (answer(body=HUGE), 502, "more than 16777216 bytes"),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 502, "malformed"),
    (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", 502, "provider http://127.0.0.1:"),
    (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 400_000 + b"\r\n\r\n", 502, "larger than"),
    (b"", 502, "closed"),
    (None, 504, "no answer within 2s"),
], ids=["500", "429", "403", "404", "401", "302", "html", "object", "cut", "deep", "huge", "chunk", "ssh", "head",
        "hangs-up", "hangs"])
def test_an_odd_answer_is_an_honest_one_here(stranger, data, status, text):
    front, script, upstream = stranger
    script.answers["/system/functions"] = data
    refused = front.api("GET", "/system/functions")
    assert refused.status == status and text in refused.text, refused
    assert not targets(upstream, "stolen")
    if status in (502, 504):
        assert upstream.url in refused.text
    assert front.call("GET", "/function/f").status == 200  # what was known stays known
    script.answers.clear()
    assert front.api("GET", "/system/functions").status == 200


def test_a_change_is_sent_once(stranger):
    front, script, upstream = stranger
    script.answers["/system/scale-function/f"] = b""
    assert front.api("POST", "/system/scale-function/f", {"replicas": 2}).status == 502
    assert len(targets(upstream, "scale-function")) == 1


def test_a_log_that_breaks_off_says_so(stranger):
    front, script, upstream = stranger
    line = b'{"name":"f","namespace":"openfaas-fn","instance":"i","timestamp":"2026-11-23T06:45:09Z","text":"whole"}\n'
    script.answers["/system/logs"] = (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                                      + chunk(line + b"no JSON\n" + line[:20]))
    lines = [json.loads(one) for one in front.api("GET", "/system/logs?name=f").body.splitlines()]
    assert [one["text"] for one in lines[:3]] == ["whole", "no JSON", line[:20].decode()]
    assert upstream.url in lines[3]["text"] and "breaks off" in lines[3]["text"] and len(lines) == 4
    script.answers["/system/logs"] = answer("501 Not Implemented", body=b"no logs here\n")
    refused = front.api("GET", "/system/logs?name=f")
    assert (refused.status, refused.text) == (501, "no logs here\n")


def test_what_cannot_be_called_is_left_out_and_said(start):
    script = Provider()
    script.functions += [{"name": "../../system/secrets"}, {"name": "a b"}, {"name": "ok", "namespace": "x/y"}]
    upstream = start.upstream(script)
    front = front_of(start, upstream.url)
    front.wait_for_log("3 functions of it cannot be shown or called")
    assert front.call("GET", "/function/f").status == 200
    assert [one["name"] for one in json.loads(front.api("GET", "/system/functions").body)] == ["f"]


# ---- settings ---------------------------------------------------------------------------------------

@pytest.mark.parametrize("url", ["https://127.0.0.1:8081/", "127.0.0.1:8081", "http://", "http://127.0.0.1/?a=b",
                                 "http://admin:hidden@127.0.0.1/", "ftp://127.0.0.1"])
def test_a_url_that_cannot_be_used_ends_the_start(start, url):
    gateway = start.gateway({"functions_provider_url": url}, wait=False)
    assert gateway.expect_exit() == 1
    assert "setting functions_provider_url" in gateway.stderr() and "hidden" not in gateway.stderr()


def test_a_gateway_is_not_its_own_provider(start):
    port = programs.free_port()
    gateway = start.gateway({"port": port, "functions_provider_url": f"http://localhost:{port}/"}, wait=False)
    assert gateway.expect_exit() == 1 and "own address" in gateway.stderr()


def test_a_missing_login_ends_the_start(start, script):
    folder = script("", "no-password").parent
    gateway = start.gateway({"functions_provider_url": "http://127.0.0.1:1", "functions_provider_secrets": folder},
                            wait=False)
    assert gateway.expect_exit() == 1
    assert "login for the provider" in gateway.stderr() and "basic-auth-password" in gateway.stderr()
