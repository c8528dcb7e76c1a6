# The wire contract that OpenFaaS's own clients rely on (spec cli 6), as a scripted session: the requests are those
# that faas-cli 0.16 and 0.18 send, and each answer is checked as those clients check it.
import json
import re

import pytest

from wire import eventually


@pytest.fixture(scope="module")
def gateway(start_once):
    return start_once.gateway()


class Client:
    """Sends what faas-cli sends."""

    def __init__(self, gateway):
        self.gateway = gateway

    def send(self, method, path, body=None, authorization=None):
        fields = {"User-Agent": "faas-cli/0.18.12", "Accept-Encoding": "gzip",
                  "Authorization": self.gateway.authorization if authorization is None else authorization}
        data = None
        if body is not None:
            fields["Content-Type"] = "application/json"
            data = json.dumps(body).encode()
        return self.gateway.call(method, path, fields, data)

    def deploy(self, name, update=True, **fields):
        """PUT first; a 404 falls through to POST."""
        body = {"service": name, "image": "host", "envProcess": "cat", "labels": {}, "annotations": {}, **fields}
        if update:
            answer = self.send("PUT", "/system/functions", body)
            assert answer.status in (200, 202, 404), answer
            if answer.status != 404:
                return answer
        answer = self.send("POST", "/system/functions", body)
        assert answer.status in (200, 202), f"201 prints success but exits 1: {answer}"
        return answer


@pytest.fixture(scope="module")
def client(gateway):
    return Client(gateway)


def parsed(answer):
    assert answer.status == 200, answer
    assert answer.header("Content-Type").startswith("application/json")
    assert not answer.header("Content-Encoding")
    return json.loads(answer.body)


# ---- 6.4, point by point ----------------------------------------------------------------------------

def test_1_put_of_an_unknown_function_is_404_and_post_is_accepted(client):
    body = {"service": "one", "image": "host", "envProcess": "cat", "labels": {}, "annotations": {}}
    answer = client.send("PUT", "/system/functions", body)
    assert answer.status == 404 and 0 < len(answer.body) < 200, answer
    assert client.send("POST", "/system/functions", body).status == 202
    assert client.send("PUT", "/system/functions", body).status in (200, 202)


def test_2_delete_is_200_or_202_and_of_the_unknown_404(client):
    client.deploy("two")
    assert client.send("DELETE", "/system/functions", {"functionName": "two"}).status in (200, 202)
    assert client.send("DELETE", "/system/functions", {"functionName": "two"}).status == 404
    assert client.send("POST", "/system/secrets", {"name": "two", "value": "x"}).status in (200, 201, 202)
    assert client.send("DELETE", "/system/secrets", {"name": "two"}).status in (200, 202)
    assert client.send("DELETE", "/system/secrets", {"name": "two"}).status == 404


def test_3_deletes_take_the_namespace_in_body_and_query_and_tolerate_fields(client):
    for query, body in (("?namespace=openfaas-fn", {}), ("", {"namespace": "openfaas-fn"}),
                        ("?namespace=openfaas-fn", {"namespace": "openfaas-fn", "new": {"field": []}})):
        client.deploy("three", newField={"of": ["tomorrow"]})
        assert client.send("DELETE", f"/system/functions{query}", {"functionName": "three", **body}).status in (200, 202)
        client.send("POST", "/system/secrets", {"name": "three", "value": "x", "newField": 1})
        assert client.send("DELETE", f"/system/secrets{query}", {"name": "three", **body}).status in (200, 202)


def test_4_describe_and_ready_see_available_replicas(client):
    client.deploy("four")
    eventually(lambda: parsed(client.send("GET", "/system/function/four?usage=1")).get("availableReplicas", 0) > 0, 20)
    assert parsed(client.send("GET", "/system/function/four?usage=1&namespace=openfaas-fn"))["replicas"] == 1


def test_5_the_list_counts_invocations(client, gateway):
    client.deploy("five")
    gateway.wait_available("five")
    assert "invocationCount" not in [f for f in parsed(client.send("GET", "/system/functions")) if f["name"] == "five"][0]
    for _ in range(3):
        assert gateway.call("POST", "/function/five", body=b"x").status == 200
    eventually(lambda: [f for f in parsed(client.send("GET", "/system/functions"))
                        if f["name"] == "five"][0].get("invocationCount") == 3)


def test_6_info_is_complete_and_health_is_open(client, gateway):
    """The real client crashes where one of these is not an object."""
    info = parsed(client.send("GET", "/system/info"))
    for version in (info["provider"]["version"], info["version"]):
        assert isinstance(version, dict) and version["sha"] and version["release"]
    assert info["provider"]["provider"] and info["provider"]["orchestration"] and info["arch"]
    assert gateway.call("GET", "/healthz").status == 200


def test_8_an_empty_bearer_is_401_and_arrays_are_never_empty_bodies(client, start):
    for authorization in ("Bearer", "Bearer ", "Bearer abc", ""):
        for path in ("/system/functions", "/system/secrets", "/system/namespaces", "/system/info"):
            answer = client.send("GET", path, authorization=authorization)
            assert answer.status == 401 and answer.header("WWW-Authenticate"), answer
    bare = start.gateway({"basic_auth": "false"})
    for path in ("/system/functions", "/system/secrets", "/system/namespaces"):
        answer = bare.call("GET", path, {"Authorization": "Bearer"})
        assert isinstance(parsed(answer), list)


def test_10_a_duplicate_secret_is_409_and_raw_bytes_win(client, gateway):
    secret = {"name": "ten", "value": "trimmed", "rawValue": "dW50cmltbWVkCg=="}
    assert client.send("POST", "/system/secrets", secret).status == 201
    assert client.send("POST", "/system/secrets", secret).status == 409
    assert client.send("PUT", "/system/secrets", secret).status in (200, 202)
    client.deploy("ten", envProcess="cat /var/openfaas/secrets/ten", secrets=["ten"])
    gateway.wait_available("ten")
    assert gateway.call("GET", "/function/ten").body == b"untrimmed\n"


# ---- a session --------------------------------------------------------------------------------------

def test_login_asks_for_the_list_of_functions(client):
    assert client.send("GET", "/system/functions").status == 200
    assert client.send("GET", "/system/functions", authorization="Basic bm86bm8=").status == 401


def test_deploy_update_and_replace(client, gateway):
    client.deploy("session", envVars={"A": "1"}, constraints=["node.role == worker"],
                  limits={"memory": "64Mi", "cpu": "500m"}, requests={"memory": "32Mi", "cpu": "0.1"},
                  annotations={"topic": "t"}, labels={"l": "1"}, readOnlyRootFilesystem=True)
    gateway.wait_available("session")
    status = parsed(client.send("GET", "/system/function/session?usage=1"))
    assert status["limits"] == {"memory": "64Mi", "cpu": "500m"} and status["requests"]["cpu"] == "0.1"
    assert status["labels"]["l"] == "1" and status["labels"]["faas_function"] == "session"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", status["createdAt"])
    client.deploy("session", envProcess="wc -c")
    eventually(lambda: gateway.call("POST", "/function/session", body=b"abc").body == b"3\n", 20)
    # --replace --update=false: deleted, then deployed
    assert client.send("DELETE", "/system/functions?namespace=", {"functionName": "session"}).status == 202
    client.deploy("session", update=False)
    gateway.wait_available("session")


def test_invoke_adds_the_default_namespace(client, gateway):
    client.deploy("called")
    gateway.wait_available("called")
    for name in ("called", "called.openfaas-fn"):
        answer = gateway.call("POST", f"/function/{name}", {"Content-Type": "text/plain"}, b"body")
        assert (answer.status, answer.body) == (200, b"body")
        assert answer.header("X-Call-Id") and answer.header("X-Start-Time")


def test_scale_is_accepted(client, gateway):
    client.deploy("stairs")
    for replicas in (2, 0, 1):
        answer = client.send("POST", "/system/scale-function/stairs", {"serviceName": "stairs", "replicas": replicas})
        assert answer.status in (200, 201, 202), answer
        gateway.wait_available("stairs", replicas)
    for replicas in (-1, "2", 1.5):
        answer = client.send("POST", "/system/scale-function/stairs", {"serviceName": "stairs", "replicas": replicas})
        assert answer.status == 400 and "replicas" in answer.text


def test_secrets_list_names(client):
    client.send("POST", "/system/secrets", {"name": "listed", "namespace": "openfaas-fn", "value": "x"})
    for query in ("", "?namespace=openfaas-fn"):
        assert "listed" in [s["name"] for s in parsed(client.send("GET", f"/system/secrets{query}"))]


def test_namespaces_as_the_sdk_asks(client):
    spec = {"name": "sdk", "labels": {"openfaas": "1"}, "annotations": {"openfaas": "1"}}
    assert client.send("POST", "/system/namespace/", spec).status in (200, 201, 202)
    assert "sdk" in parsed(client.send("GET", "/system/namespaces"))
    assert parsed(client.send("GET", "/system/namespace/sdk")) == spec
    assert client.send("PUT", "/system/namespace/sdk", spec).status in (200, 201, 202)
    assert client.send("DELETE", "/system/namespace/sdk", spec).status in (200, 201, 202)
    assert client.send("GET", "/system/namespace/sdk").status == 404


# ---- each row of the table --------------------------------------------------------------------------

METHODS = ["GET", "POST", "PUT", "DELETE", "PATCH", "FOO"]


@pytest.fixture(scope="module")
def document(client):
    return parsed(client.send("GET", "/system/openapi.json"))


def operations(document):
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if not path.startswith("/function/"):
                yield method.upper(), path.replace("{name}", "nobody"), operation


def test_every_row_refuses_a_stranger_and_a_wrong_method(document, gateway):
    allowed = {}
    for method, path, operation in operations(document):
        allowed.setdefault(path, set()).add(method)
        answer = gateway.call(method, path, body=b"{}" if method != "GET" else None)
        if "security" in operation:
            assert (answer.status, answer.body) == (401, b"invalid credentials"), (method, path, answer)
        else:
            assert answer.status != 401, (method, path, answer)
        assert not path.startswith("/system") or "security" in operation, path
    for path, methods in allowed.items():
        for method in set(METHODS) - methods:
            answer = gateway.api(method, path)
            assert answer.status == 405, (method, path, answer)
            told = {word.strip() for word in answer.header("Allow").split(",")}
            assert told == methods | {"OPTIONS"} | ({"HEAD"} if "GET" in methods else set()), (path, told)
        answer = gateway.api("OPTIONS", path)
        assert answer.status == 204 and methods <= set(re.split(", *", answer.header("Allow"))), answer
        if "GET" in methods:
            got, head = gateway.api("GET", path), gateway.api("HEAD", path)
            assert head.status == got.status and head.body == b"", path


def test_every_answer_is_one_the_document_names(document, gateway):
    """With bodies of every kind of wrong, and a page of somebody else's asking."""
    for method, path, operation in operations(document):
        if path in ("/", "/metrics"):
            continue
        for body in (None, b"", b"{", b"[]", b"{}", b'{"name":"nobody","value":"x"}', b'{"functionName":"x"}',
                     b'{"replicas":1}', b"x" * (1024 * 1024 + 1)):
            if method == "GET" and body is not None:
                continue
            answer = gateway.api(method, path, body)
            assert str(answer.status) in operation["responses"], (method, path, body and body[:40], answer)
            if answer.status >= 400:
                assert len(answer.text.splitlines()) == 1, answer
        if method != "GET":
            answer = gateway.api(method, path, b"{}", {"Origin": "http://evil.example"})
            assert answer.status == 403 and "403" in operation["responses"], (method, path, answer)
        gateway.api("DELETE", "/system/namespace/nobody")
        gateway.api("DELETE", "/system/secrets", {"name": "nobody"})


# ---- the document -----------------------------------------------------------------------------------

def references(value):
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == "$ref":
                yield inner
            else:
                yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


def test_the_document_is_openapi_3_1(document):
    assert document["openapi"] == "3.1.0"
    assert set(document) <= {"openapi", "info", "paths", "components"}
    assert document["info"]["title"] and document["info"]["version"]
    identifiers = []
    for path, item in document["paths"].items():
        assert path.startswith("/")
        for method, operation in item.items():
            assert method in {"get", "put", "post", "delete", "options", "head", "patch", "trace"}
            assert set(operation) <= {"operationId", "summary", "parameters", "requestBody", "responses", "security"}
            identifiers.append(operation["operationId"])
            in_path = [p for p in operation.get("parameters", []) if p.get("in") == "path"]
            assert [p["name"] for p in in_path] == re.findall(r"{(\w+)}", path)
            assert all(p["required"] is True and "schema" in p for p in in_path)
            assert operation["responses"]
            for code, response in operation["responses"].items():
                assert re.fullmatch(r"[1-5]\d\d", code) and response["description"]
            for requirement in operation.get("security", []):
                assert set(requirement) <= set(document["components"]["securitySchemes"])
    assert len(identifiers) == len(set(identifiers)), "operationId is unique"
    for reference in references(document):
        found = document
        for part in reference.removeprefix("#/").split("/"):
            found = found[part]


def test_the_document_names_exactly_what_the_reference_page_names(document):
    """Both come from the route table; what is in neither is 404 (test_gateway_api)."""
    import pathlib
    page = (pathlib.Path(__file__).resolve().parents[2] / "docs" / "reference-gateway-api.md").read_text()
    rows = set()
    for line in page.splitlines():
        cells = [cell.strip() for cell in line.split(" | ")]
        if line.startswith("| ") and "`/" in line and not line.startswith("| any"):
            rows |= {(cells[0].removeprefix("| "), path) for path in re.findall(r"`(/[^`]*)`", cells[1])}
    told = {(method.upper(), path) for path, item in document["paths"].items() for method in item
            if not path.startswith("/function/")}
    assert told == rows


def test_answers_are_what_the_document_says(document, client, gateway):
    """Each GET with a schema is asked, and its answer is checked against it, unknown keys included."""
    schemas = document["components"]["schemas"]

    def check(value, schema, where):
        schema = dict(schema)
        while "$ref" in schema:
            schema = dict(schemas[schema["$ref"].rsplit("/", 1)[1]])
        properties, required = dict(schema.get("properties", {})), list(schema.get("required", []))
        for part in schema.get("allOf", []):
            properties.update(schemas[part["$ref"].rsplit("/", 1)[1]]["properties"])
        kinds = {"object": dict, "array": list, "string": str, "boolean": bool, "integer": int, "number": (int, float)}
        if "type" in schema:
            assert isinstance(value, kinds[schema["type"]]), where
        if "enum" in schema:
            assert value in schema["enum"], where
        if isinstance(value, list):
            for item in value:
                check(item, schema["items"], where + "[]")
        if isinstance(value, dict):
            assert set(required) <= set(value), where
            for key, inner in value.items():
                if "additionalProperties" in schema:
                    check(inner, schema["additionalProperties"], f"{where}.{key}")
                else:
                    assert key in properties, f"{where}.{key} is in no schema"
                    check(inner, properties[key], f"{where}.{key}")

    client.deploy("documented", envVars={"A": "1"}, limits={"memory": "64Mi"}, labels={"l": "1"}, constraints=["c"],
                  annotations={"a": "b"}, readOnlyRootFilesystem=True)
    gateway.wait_available("documented")
    client.send("POST", "/system/secrets", {"name": "documented", "value": "x"})
    client.send("POST", "/system/namespace/", {"name": "documented", "labels": {"a": "b"}})
    checked = 0
    for path, item in document["paths"].items():
        content = item.get("get", {}).get("responses", {}).get("200", {}).get("content", {})
        if "application/json" in content and not path.startswith("/function/"):
            answer = parsed(client.send("GET", path.replace("{name}", "documented")))
            assert answer
            check(answer, content["application/json"]["schema"], path)
            checked += 1
    assert checked >= 8
