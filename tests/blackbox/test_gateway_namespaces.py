# Namespaces: what the API answers, and that names in one are apart from those in another.
import json
import signal

import pytest

BASES = ["/system/namespace", "/system/namespaces"]


@pytest.fixture(scope="module")
def gateway(start_once):
    return start_once.gateway()


def create(gateway, name, **fields):
    answer = gateway.api("POST", "/system/namespace/", {"name": name, **fields})
    assert answer.status == 201, answer


def names(gateway):
    answer = gateway.api("GET", "/system/namespaces")
    assert answer.status == 200 and answer.header("Content-Type").startswith("application/json"), answer
    return json.loads(answer.body)


def test_at_first_there_is_the_default_one(start):
    assert names(start.gateway()) == ["openfaas-fn"]


@pytest.mark.parametrize("base", BASES)
def test_the_life_of_a_namespace(gateway, base):
    spec = {"name": "life", "labels": {"openfaas": "1", "team": "x"}, "annotations": {"openfaas": "1"}}
    assert gateway.api("POST", f"{base}/", spec).status == 201
    assert "life" in names(gateway) and names(gateway) == sorted(names(gateway))
    for other in BASES:
        assert json.loads(gateway.api("GET", f"{other}/life").body) == spec
    assert json.loads(gateway.api("GET", f"{base}/").body) == names(gateway)
    assert gateway.api("POST", f"{base}/", spec).status == 409
    assert gateway.api("POST", f"{base}/life", {}).status == 409
    changed = {"name": "life", "labels": {}, "annotations": {"a": "b"}}
    assert gateway.api("PUT", f"{base}/life", changed).status == 202
    assert json.loads(gateway.api("GET", f"{base}/life").body) == changed
    assert gateway.api("DELETE", f"{base}/life", {"name": "life"}).status == 202
    assert "life" not in names(gateway)
    for method in ("GET", "PUT", "DELETE"):
        answer = gateway.api(method, f"{base}/life", {} if method == "PUT" else None)
        assert answer.status == 404 and "life" in answer.text, answer


def test_a_name_may_be_in_the_path_alone(gateway):
    assert gateway.api("POST", "/system/namespace/inpath", {}).status == 201
    assert json.loads(gateway.api("GET", "/system/namespaces/inpath").body) == {"name": "inpath"}


def test_the_default_one_can_be_changed_but_not_deleted(gateway):
    for base in BASES:
        answer = gateway.api("DELETE", f"{base}/openfaas-fn")
        assert answer.status == 400 and "default" in answer.text, answer
    assert gateway.api("PUT", "/system/namespace/openfaas-fn", {"labels": {"a": "b"}}).status == 202
    assert json.loads(gateway.api("GET", "/system/namespace/openfaas-fn").body)["labels"] == {"a": "b"}


@pytest.mark.parametrize("body,named", [
    (b"", "body"), (b"[]", "body"), (b"{", "body"), ({}, "name"), ({"name": ""}, "name"), ({"name": 5}, "name"),
    ({"name": ".."}, "name"), ({"name": "a/b"}, "name"), ({"name": "a.b"}, "name"), ({"name": "-a"}, "name"),
    ({"name": "x" * 64}, "name"), ({"name": "a", "labels": []}, "labels"), ({"name": "a", "labels": {"b": 1}}, "labels"),
    ({"name": "a", "labels": {"": "x"}}, "labels"), ({"name": "a", "annotations": {"b\n": "x"}}, "annotations"),
    (b'{"name":"a","NAME":"b"}', "name")], ids=lambda value: str(value)[:40])
def test_a_bad_one_is_400_and_names_the_field(gateway, body, named):
    for base in BASES:
        answer = gateway.api("POST", f"{base}/", body)
        assert answer.status == 400 and named in answer.text and len(answer.text.splitlines()) == 1, answer
    assert "a" not in names(gateway)


def test_path_and_body_must_agree(gateway):
    for method in ("POST", "PUT"):
        answer = gateway.api(method, "/system/namespace/one", {"name": "two"})
        assert answer.status == 400 and "name" in answer.text, answer


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
def test_a_path_with_a_bad_name_is_400(gateway, method):
    answer = gateway.api(method, "/system/namespace/a%2Fb", None if method in ("GET", "DELETE") else {})
    assert answer.status == 400 and "name" in answer.text, answer


def test_one_with_something_in_it_stays(gateway):
    create(gateway, "full")
    assert gateway.api("POST", "/system/secrets", {"name": "s", "value": "v", "namespace": "full"}).status == 201
    gateway.deploy("inhabitant", "cat", namespace="full", ready=False)
    answer = gateway.api("DELETE", "/system/namespace/full")
    assert answer.status == 409 and "1 functions and 1 secrets" in answer.text, answer
    gateway.api("DELETE", "/system/functions", {"functionName": "inhabitant", "namespace": "full"})
    assert gateway.api("DELETE", "/system/namespace/full").status == 409
    gateway.api("DELETE", "/system/secrets", {"name": "s", "namespace": "full"})
    assert gateway.api("DELETE", "/system/namespace/full").status == 202


def test_an_unknown_one_is_named_wherever_it_is_asked_for(gateway):
    spec = {"service": "lost", "image": "host", "envProcess": "cat", "namespace": "nowhere"}
    for method in ("POST", "PUT"):
        answer = gateway.api(method, "/system/functions", spec)
        assert answer.status == 400 and "namespace" in answer.text and "nowhere" in answer.text, answer
    for method, path in (("GET", "/system/functions?namespace=nowhere"), ("GET", "/system/function/x?namespace=nowhere"),
                         ("GET", "/system/function/x.nowhere")):
        answer = gateway.api(method, path)
        assert answer.status == 404 and "nowhere" in answer.text, answer
    for name in ("a/b", "..", "%0a"):
        answer = gateway.api("GET", f"/system/functions?namespace={name}")
        assert answer.status == 400 and "namespace" in answer.text and len(answer.text.splitlines()) == 1, answer


def test_one_name_in_two_namespaces_is_two_functions(gateway):
    create(gateway, "blue")
    create(gateway, "green")
    for namespace, process in (("blue", "wc -c"), ("green", "tr a b"), ("openfaas-fn", "cat")):
        gateway.deploy("twin", process, namespace=namespace, ready=False)
        gateway.wait_available(f"twin.{namespace}")
    assert gateway.call("POST", "/function/twin", body=b"aa").body == b"aa"
    assert gateway.call("POST", "/function/twin.openfaas-fn", body=b"aa").body == b"aa"
    assert gateway.call("POST", "/function/twin.blue", body=b"aa").body == b"2\n"
    assert gateway.call("POST", "/function/twin.green", body=b"aa").body == b"bb"
    assert gateway.call("POST", "/function/twin.red", body=b"aa").status == 404
    # each is scaled, listed and deleted for itself
    answer = gateway.api("POST", "/system/scale-function/twin?namespace=blue&wait=30s", {"replicas": 2})
    assert answer.status == 200 and json.loads(answer.body)["namespace"] == "blue", answer
    assert gateway.status("twin.blue")["replicas"] == 2 and gateway.status("twin.green")["replicas"] == 1
    listed = json.loads(gateway.api("GET", "/system/functions?namespace=green").body)
    assert [(f["name"], f["namespace"]) for f in listed] == [("twin", "green")]
    gateway.api("DELETE", "/system/functions", {"functionName": "twin", "namespace": "blue"})
    assert gateway.api("GET", "/system/function/twin.blue").status == 404
    assert gateway.call("POST", "/function/twin.green", body=b"aa").body == b"bb"
    assert gateway.call("POST", "/function/twin", body=b"aa").body == b"aa"


def test_they_survive_a_kill(start):
    gateway = start.gateway()
    create(gateway, "kept", labels={"a": "b"})
    create(gateway, "gone")
    gateway.api("DELETE", "/system/namespace/gone")
    gateway.remember_descendants()
    gateway.process.send_signal(signal.SIGKILL)
    gateway.expect_exit()
    again = start.gateway(folder=gateway.folder)
    assert names(again) == ["kept", "openfaas-fn"]
    assert json.loads(again.api("GET", "/system/namespace/kept").body) == {"name": "kept", "labels": {"a": "b"}}
