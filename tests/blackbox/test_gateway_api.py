# The system API: deploy, update, list, scale, delete, and what it refuses.
import base64
import json
import re

import pytest

from programs import FUNCTIONS
import wire
from wire import eventually


@pytest.fixture(scope="module")
def gateway(start_once):
    return start_once.gateway()


@pytest.fixture(scope="module")
def cat(gateway):
    gateway.deploy("cat", "cat")
    return gateway


def removed(gateway, *names):
    for name in names:
        gateway.remove(name)


# ---- who may ----------------------------------------------------------------------------------------

SYSTEM = [("GET", "/system/functions"), ("POST", "/system/functions"), ("PUT", "/system/functions"),
          ("DELETE", "/system/functions"), ("GET", "/system/function/cat"),
          ("POST", "/system/scale-function/cat"), ("GET", "/system/info"), ("GET", "/system/no-such-thing")]


@pytest.mark.parametrize("method,path", SYSTEM)
def test_a_stranger_gets_401(cat, method, path):
    answer = cat.call(method, path)
    assert (answer.status, answer.body) == (401, b"invalid credentials"), answer
    assert answer.header("WWW-Authenticate") == 'Basic realm="Restricted"'


@pytest.mark.parametrize("field", [
    "Bearer", "Bearer x", "Basic", "Basic !!!", "Basic " + base64.b64encode(b"admin").decode(),
    wire.basic("admin", "wrong"), wire.basic("admin", ""), wire.basic("", ""), ""])
def test_wrong_credentials_get_401(gateway, field):
    answer = gateway.call("GET", "/system/functions", {"Authorization": field})
    assert (answer.status, answer.body) == (401, b"invalid credentials")


def test_another_user_with_the_right_password_gets_401(gateway):
    field = wire.basic("root", gateway.password)
    assert gateway.call("GET", "/system/functions", {"Authorization": field}).status == 401


def test_the_scheme_may_be_written_in_any_case(gateway):
    field = gateway.authorization.replace("Basic", "bAsIc")
    assert gateway.call("GET", "/system/functions", {"Authorization": field}).status == 200


def test_functions_and_health_are_open(cat):
    assert cat.call("POST", "/function/cat", body=b"x").status == 200
    assert cat.call("GET", "/healthz").status == 200


def test_the_callers_authorization_reaches_the_function(gateway):
    gateway.deploy("envauth", "env")
    answer = gateway.call("GET", "/function/envauth", {"Authorization": "Bearer of-the-caller"})
    assert "Http_Authorization=Bearer of-the-caller" in answer.text
    removed(gateway, "envauth")


# ---- what there is ----------------------------------------------------------------------------------

@pytest.mark.parametrize("method,path,allowed", [
    ("PATCH", "/system/functions", {"GET", "POST", "PUT", "DELETE"}), ("POST", "/system/function/cat", {"GET"}),
    ("GET", "/system/scale-function/cat", {"POST"}), ("POST", "/healthz", {"GET"}), ("DELETE", "/system/info", {"GET"})])
def test_a_wrong_method_is_405_with_allow(cat, method, path, allowed):
    answer = cat.api(method, path)
    assert answer.status == 405, answer
    assert allowed <= {word.strip() for word in answer.header("Allow").split(",")}, answer


@pytest.mark.parametrize("path", ["/system/functions", "/healthz"])
def test_options_tells_what_is_allowed(gateway, path):
    answer = gateway.api("OPTIONS", path)
    assert answer.status == 204 and "GET" in answer.header("Allow"), answer


@pytest.mark.parametrize("path", ["/system/functions", "/healthz"])
def test_head_is_get_without_a_body(gateway, path):
    answer = gateway.api("HEAD", path)
    assert (answer.status, answer.body) == (200, b"")


@pytest.mark.parametrize("path", ["/system/no-such-thing", "/system/", "/system", "/system/functions/", "/no/such",
                                  "/function/", "/function", "/system/function/"])
def test_an_unknown_path_is_404(gateway, path):
    assert gateway.api("GET", path).status == 404


def test_info_is_complete(gateway):
    answer = gateway.api("GET", "/system/info")
    assert answer.status == 200 and answer.header("Content-Type").startswith("application/json")
    info = json.loads(answer.body)
    assert info["provider"]["provider"] and info["provider"]["orchestration"]
    for version in (info["provider"]["version"], info["version"]):
        assert version["release"] and version["sha"]
    assert info["arch"]


def test_errors_of_the_gateway_say_that_they_are_its_own(gateway):
    answer = gateway.call("GET", "/function/no-such-function")
    assert answer.status == 404
    assert answer.header("X-OpenFaaS-Internal") == "gateway"
    assert len(answer.text.splitlines()) == 1 and "no-such-function" in answer.text


# ---- deploy, read, update, delete -------------------------------------------------------------------

FULL = {
    "service": "full", "image": "host", "envProcess": "cat", "envVars": {"A": "1", "B": "two words", "C": "é=,\"\n"},
    "constraints": ["node.platform.os == linux"], "labels": {"team": "x", "com.openfaas.scale.max": "7"},
    "annotations": {"topic": "a,b", "com.openfaas.health.http.path": "/h"},
    "limits": {"memory": "128Mi", "cpu": "500m"}, "requests": {"memory": "64m", "cpu": "0.1"},
    "readOnlyRootFilesystem": True,
}


def test_a_deployment_comes_back_as_it_was_sent(gateway):
    answer = gateway.api("POST", "/system/functions", FULL)
    assert answer.status == 202, answer
    gateway.wait_available("full")
    for found in (gateway.status("full"),
                  next(f for f in json.loads(gateway.api("GET", "/system/functions").body) if f["name"] == "full")):
        for key in ("image", "envProcess", "envVars", "constraints", "limits", "requests", "readOnlyRootFilesystem"):
            assert found[key] == FULL[key], key
        for key in ("labels", "annotations"):
            assert FULL[key].items() <= found[key].items()
        assert (found["name"], found["namespace"]) == ("full", "openfaas-fn")
        assert (found["replicas"], found["availableReplicas"]) == (1, 1)
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", found["createdAt"])
        assert "service" not in found
    removed(gateway, "full")


def test_a_small_deployment_leaves_out_what_is_empty(gateway):
    gateway.deploy("small", "cat")
    found = gateway.status("small")
    assert not {"constraints", "secrets", "limits", "requests", "envVars", "readOnlyRootFilesystem"} & set(found)
    removed(gateway, "small")


def test_keys_match_in_any_case_and_unknown_ones_are_ignored(gateway):
    spec = {"SERVICE": "odd", "Image": "host", "envprocess": "cat", "network": "func_functions",
            "registryAuth": "dTpw", "nobodyKnows": {"this": [1, 2]}, "labels": {}, "annotations": {}}
    assert gateway.api("POST", "/system/functions", spec).status == 202
    gateway.wait_available("odd")
    assert gateway.call("POST", "/function/odd", body=b"x").body == b"x"
    removed(gateway, "odd")


def test_a_list_is_an_array_even_when_empty(start):
    gateway = start.gateway()
    answer = gateway.api("GET", "/system/functions")
    assert (answer.status, json.loads(answer.body)) == (200, [])
    assert answer.header("Content-Type").startswith("application/json")


def test_a_list_is_ordered_by_name_and_knows_namespaces(cat):
    for name in ("zz", "aa", "mm"):
        cat.deploy(name, "cat", ready=False)
    for query in ("", "?namespace=openfaas-fn", "?namespace="):
        names = [f["name"] for f in json.loads(cat.api("GET", "/system/functions" + query).body)]
        assert names == sorted(names) and {"aa", "mm", "zz", "cat"} <= set(names)
    assert cat.api("GET", "/system/functions?namespace=other").status == 404
    removed(cat, "zz", "aa", "mm")


def test_a_function_deployed_twice_is_409(cat):
    answer = cat.api("POST", "/system/functions", {"service": "cat", "image": "host", "envProcess": "wc"})
    assert answer.status == 409 and "cat" in answer.text
    assert cat.call("POST", "/function/cat", body=b"x").body == b"x"


def test_an_update_of_an_unknown_function_is_404(gateway):
    answer = gateway.api("PUT", "/system/functions", {"service": "unknown", "image": "host", "envProcess": "cat"})
    assert answer.status == 404 and answer.body
    assert gateway.api("GET", "/system/function/unknown").status == 404


def test_a_status_of_an_unknown_function_is_404(gateway):
    for path in ("/system/function/unknown", "/system/function/unknown.openfaas-fn", "/system/function/cat.other"):
        assert gateway.api("GET", path).status == 404


def test_a_status_takes_name_with_and_without_namespace(cat):
    for path in ("/system/function/cat", "/system/function/cat.openfaas-fn",
                 "/system/function/cat?namespace=openfaas-fn", "/system/function/cat?usage=1"):
        assert json.loads(cat.api("GET", path).body)["name"] == "cat"


def test_delete_answers_202_and_the_function_is_gone(gateway):
    gateway.deploy("short", "cat")
    answer = gateway.api("DELETE", "/system/functions", {"functionName": "short"})
    assert answer.status == 202
    assert gateway.api("GET", "/system/function/short").status == 404
    eventually(lambda: gateway.call("POST", "/function/short", body=b"x").status == 404)
    assert gateway.api("DELETE", "/system/functions", {"functionName": "short"}).status == 404


def test_delete_takes_the_namespace_from_body_and_query(gateway):
    for name, query, body in (("d1", "", {"namespace": "openfaas-fn"}), ("d2", "?namespace=openfaas-fn", {})):
        gateway.deploy(name, "cat", ready=False)
        other = gateway.api("DELETE", "/system/functions?namespace=other", {"functionName": name})
        assert other.status == 404
        answer = gateway.api("DELETE", "/system/functions" + query, {"functionName": name, **body})
        assert answer.status == 202


def test_a_deleted_function_can_be_deployed_again_at_once(gateway):
    for process in ("cat", "wc -c", "cat"):
        gateway.deploy("again", process)
        expected = b"3\n" if process == "wc -c" else b"xyz"
        assert gateway.call("POST", "/function/again", body=b"xyz").body == expected
        removed(gateway, "again")


@pytest.mark.parametrize("body,named", [
    (b"", ""), (b"{", ""), (b"[]", ""), ({}, "functionName"), ({"functionName": ""}, "functionName"),
    ({"functionName": 5}, "functionName"), ({"functionName": "../x"}, "functionName"),
    ({"functionName": ".."}, "functionName"), ({"functionName": "a.b.openfaas-fn"}, "functionName"),
    ({"functionName": "a", "namespace": "a/b"}, "namespace"), (b'{"functionName":"a","functionName":"b"}', "functionName")])
def test_a_malformed_delete_is_400(gateway, body, named):
    answer = gateway.api("DELETE", "/system/functions", body)
    assert answer.status == 400 and named.lower() in answer.text.lower(), answer


# ---- scale ------------------------------------------------------------------------------------------

def test_scale_changes_the_number_of_replicas(cat):
    cat.scale("cat", 3)
    assert (cat.status("cat")["replicas"], cat.status("cat")["availableReplicas"]) == (3, 3)
    cat.scale("cat", 1)
    assert cat.call("POST", "/function/cat", body=b"x").body == b"x"


def test_scale_goes_by_the_name_in_the_path(cat):
    answer = cat.api("POST", "/system/scale-function/cat", {"serviceName": "other", "replicas": 2})
    assert answer.status == 202
    cat.wait_available("cat", 2)
    cat.scale("cat", 1)


def test_scale_of_an_unknown_function_is_404(gateway):
    assert gateway.api("POST", "/system/scale-function/unknown", {"serviceName": "unknown", "replicas": 1}).status == 404


@pytest.mark.parametrize("body", [
    b"", b"{", b"[]", b'{"replicas":-1}', b'{"replicas":1.5}', b'{"replicas":"2"}', b'{"replicas":99999999999999999999}',
    b'{"replicas":1}x', b'{"replicas":100001}'])
def test_a_malformed_scale_is_400(cat, body):
    answer = cat.api("POST", "/system/scale-function/cat", body)
    assert answer.status == 400 and len(answer.text.splitlines()) == 1, answer
    if b"replicas" in body and not body.endswith(b"x"):
        assert "replicas" in answer.text
    assert cat.status("cat")["replicas"] == 1


def test_the_label_min_says_how_many_start(gateway):
    gateway.deploy("pair", "cat", labels={"com.openfaas.scale.min": "2"}, ready=False)
    gateway.wait_available("pair", 2)
    removed(gateway, "pair")


def test_at_zero_a_call_is_503_and_told_when_to_retry(gateway):
    gateway.deploy("sleepy", "cat")
    gateway.scale("sleepy", 0)
    assert gateway.status("sleepy").get("replicas", 0) == 0
    answer = gateway.call("POST", "/function/sleepy", body=b"x")
    assert answer.status == 503, answer
    assert int(answer.header("Retry-After")) >= 0
    assert answer.header("X-OpenFaaS-Internal") == "gateway"
    assert len(answer.text.splitlines()) == 1
    gateway.scale("sleepy", 1)
    assert gateway.call("POST", "/function/sleepy", body=b"x").body == b"x"
    removed(gateway, "sleepy")


# ---- malformed deployments --------------------------------------------------------------------------

GOOD = {"service": "bad", "image": "host", "envProcess": "cat"}
DEEP = "[" * 2000 + "]" * 2000


@pytest.mark.parametrize("method", ["POST", "PUT"])
@pytest.mark.parametrize("body", [b"", b"{", b"null", b"[]", b'"x"', b"5", b"\xff\xfe", b'{"service":"bad"', DEEP.encode(),
                                  b'{"service":"bad","image":"host","envProcess":"cat"}{}'])
def test_what_is_no_json_object_is_400(gateway, method, body):
    answer = gateway.api(method, "/system/functions", body)
    assert answer.status == 400, answer
    assert len(answer.text.splitlines()) == 1
    assert gateway.api("GET", "/system/function/bad").status == 404


@pytest.mark.parametrize("change,named", [
    ({"service": None}, "service"), ({"service": ""}, "service"), ({"service": 5}, "service"),
    ({"service": "-a"}, "service"), ({"service": "_a"}, "service"),
    ({"service": "a-"}, "service"), ({"service": "a.b"}, "service"), ({"service": "a/b"}, "service"),
    ({"service": "../../etc"}, "service"), ({"service": "x" * 64}, "service"), ({"service": "a b"}, "service"),
    ({"service": "é"}, "service"), ({"service": "a\u0000b"}, "service"),
    ({"image": None}, "image"), ({"image": ""}, "image"), ({"image": []}, "image"),
    ({"namespace": "No Such"}, "namespace"), ({"namespace": "../x"}, "namespace"), ({"namespace": 3}, "namespace"),
    ({"envProcess": 5}, "envProcess"), ({"envProcess": None}, "envProcess"), ({"envProcess": ""}, "envProcess"),
    ({"envProcess": "a\u0000b"}, "envProcess"),
    ({"envVars": []}, "envVars"), ({"envVars": {"A": 1}}, "envVars"), ({"envVars": {"": "x"}}, "envVars"),
    ({"envVars": {"A=B": "x"}}, "envVars"), ({"envVars": {"A B": "x"}}, "envVars"), ({"envVars": {"1A": "x"}}, "envVars"),
    ({"envVars": {"A\n": "x"}}, "envVars"), ({"network": 5}, "network"), ({"registryAuth": {"a": 1}}, "registryAuth"), ({"envVars": {"A": "x\u0000y"}}, "envVars"), ({"envVars": "A=1"}, "envVars"),
    ({"labels": []}, "labels"), ({"labels": {"a": 1}}, "labels"), ({"labels": "x"}, "labels"),
    ({"labels": {"": "x"}}, "labels"), ({"labels": {"a b": "x"}}, "labels"), ({"labels": {"k" * 318: "x"}}, "labels"),
    ({"annotations": {"a\n": "x"}}, "annotations"), ({"annotations": {"a": "x" * (256 * 1024 + 1)}}, "annotations"),
    ({"limits": {"nvidia.com/gpu": "some"}}, "nvidia.com/gpu"), ({"limits": {"cpu": "0.5.1"}}, "cpu"),
    ({"annotations": 7}, "annotations"), ({"annotations": {"a": None}}, "annotations"),
    ({"constraints": "x"}, "constraints"), ({"constraints": [1]}, "constraints"),
    ({"secrets": "x"}, "secrets"), ({"secrets": [1]}, "secrets"), ({"secrets": ["../../etc/passwd"]}, "secrets"),
    ({"limits": "128m"}, "limits"), ({"limits": {"memory": "lots"}}, "memory"), ({"limits": {"memory": "-1"}}, "memory"),
    ({"limits": {"cpu": "many"}}, "cpu"), ({"limits": {"cpu": 1}}, "cpu"), ({"requests": {"memory": "lots"}}, "memory"),
    ({"requests": []}, "requests"), ({"readOnlyRootFilesystem": "yes"}, "readOnlyRootFilesystem"),
    ({"labels": {"com.openfaas.scale.min": "-1"}}, "com.openfaas.scale.min"),
    ({"labels": {"com.openfaas.scale.max": "-1"}}, "com.openfaas.scale.max"),
    ({"labels": {"com.openfaas.scale.factor": "101"}}, "com.openfaas.scale.factor"),
], ids=lambda value: json.dumps(value)[:60] if isinstance(value, dict) else value)
def test_a_bad_field_is_400_and_named(gateway, change, named):
    spec = {key: value for key, value in {**GOOD, **change}.items() if value is not None}
    answer = gateway.api("POST", "/system/functions", spec)
    if answer.status == 202:  # the next ones start from nothing
        gateway.remove(spec["service"])
    assert answer.status == 400, answer
    assert named.lower() in answer.text.lower(), answer
    assert len(answer.text.splitlines()) == 1
    assert "bad" not in {f["name"] for f in json.loads(gateway.api("GET", "/system/functions").body)}


def test_a_bad_update_is_400_and_leaves_the_function_as_it_was(cat):
    answer = cat.api("PUT", "/system/functions", {"service": "cat", "image": "host", "envProcess": "cat", "envVars": []})
    assert answer.status == 400 and "envVars" in answer.text
    assert cat.call("POST", "/function/cat", body=b"x").body == b"x"


def test_a_huge_deployment_is_refused(gateway):
    spec = {**GOOD, "envVars": {"BIG": "x" * (32 * 1024 * 1024)}}
    with gateway.connect(timeout=30) as connection:
        try:
            connection.send(wire.request_bytes("POST", "/system/functions", {"Authorization": gateway.authorization},
                                               json.dumps(spec).encode()))
        except (BrokenPipeError, ConnectionResetError):
            pass
        try:
            assert connection.response().status in (400, 413)
        except wire.Closed:
            pass
    assert gateway.api("GET", "/system/function/bad").status == 404


def test_a_deployment_may_come_chunked(gateway):
    data = json.dumps({**GOOD, "service": "pieces"}).encode()
    answer = gateway.api("POST", "/system/functions", b"".join(wire.chunk(data[n:n + 10]) for n in range(0, len(data), 10))
                         + b"0\r\n\r\n", {"Transfer-Encoding": "chunked"})
    assert answer.status == 202, answer
    gateway.wait_available("pieces")
    removed(gateway, "pieces")


# ---- what does not start ----------------------------------------------------------------------------

def status_says(gateway, name, words):
    """Waits until the status says that nothing runs, and these words of why."""
    def told():
        found = gateway.status(name)
        return found.get("availableReplicas", 0) == 0 and any(
            words in c["message"] for c in found["conditions"] if c["status"] == "False")
    eventually(told, what=lambda: gateway.status(name))


def test_a_command_that_does_not_exist_is_told_by_status_and_call(gateway):
    gateway.deploy("broken", "/no/such", ready=False)
    status_says(gateway, "broken", "/no/such")
    answer = gateway.call("POST", "/function/broken", body=b"x")
    assert answer.status == 503 and "/no/such" in answer.text, answer
    assert answer.header("X-OpenFaaS-Internal") == "gateway"
    assert len(answer.text.splitlines()) == 1
    removed(gateway, "broken")


def test_a_function_that_ends_at_its_start_is_told_by_status_and_call(gateway):
    gateway.deploy_probe("crashing", env={"FAIL_AT_START": "because-of-this"}, ready=False)
    status_says(gateway, "crashing", "because-of-this")
    answer = gateway.call("GET", "/function/crashing")
    assert answer.status == 503 and answer.header("X-OpenFaaS-Internal") == "gateway", answer
    assert "because-of-this" in answer.text and len(answer.text.splitlines()) == 1
    removed(gateway, "crashing")


def test_the_status_tells_the_functions_own_exit_status(gateway):
    """The probe ends with 3; that its watchdog then ends with 1 is nobody's concern."""
    gateway.deploy_probe("exitcode", env={"FAIL_AT_START": "because-of-this"}, ready=False)
    status_says(gateway, "exitcode", "exit status 3")
    removed(gateway, "exitcode")


def test_a_broken_function_can_be_repaired_by_an_update(gateway):
    gateway.deploy("repaired", "/no/such", ready=False)
    status_says(gateway, "repaired", "/no/such")
    answer = gateway.api("PUT", "/system/functions", {"service": "repaired", "image": "host", "envProcess": "cat"})
    assert answer.status in (200, 202)
    gateway.wait_available("repaired")
    assert gateway.call("POST", "/function/repaired", body=b"x").body == b"x"
    removed(gateway, "repaired")


def test_a_function_that_fails_is_the_functions_failure(gateway):
    gateway.deploy("failing", f"{FUNCTIONS}/fail.sh", env={"mode": "serializing"})
    answer = gateway.call("GET", "/function/failing")
    assert (answer.status, answer.text) == (500, "exit status 3")
    assert answer.header("X-OpenFaaS-Internal") != "gateway"
    removed(gateway, "failing")
