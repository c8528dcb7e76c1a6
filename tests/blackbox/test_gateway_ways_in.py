# The three ways to call a function: by its path, by a header, by an Alexa request's intent.
import json
import shutil

import pytest

import wire
from probe_client import Told, ask
from programs import FUNCTIONS_COPY, REPOSITORY, metric
from wire import chunk, eventually, request_bytes

SAMPLE = json.loads((REPOSITORY / "samples/functions/GreetIntent.json").read_text())
SAMPLE_REQUEST = (REPOSITORY / "samples/python/greet_request.json").read_bytes()


@pytest.fixture(scope="module")
def gateway(start_once):
    gateway = start_once.gateway()
    gateway.deploy_probe("probe", ready=False)
    gateway.deploy("cat", "cat", ready=False)
    gateway.deploy("AMAZON-StopIntent", "echo stopped", ready=False)
    for name in ("probe", "cat", "AMAZON-StopIntent"):
        gateway.wait_available(name)
    return gateway


def alexa(intent, **changes):
    """The body of a request for an intent; changes={"session.sessionId": None} removes, else replaces."""
    body = {"version": "1.0",
            "session": {"sessionId": "s1", "application": {"applicationId": "a1"}, "new": True},
            "request": {"type": "IntentRequest", "requestId": "r1", "intent": {"name": intent, "slots": {}}}}
    for path, value in changes.items():
        *parents, last = path.split(".")
        place = body
        for parent in parents:
            place = place[parent]
        if value is None:
            del place[last]
        else:
            place[last] = value
    return json.dumps(body).encode()


def nobody(answer):
    assert answer.status == 400 and "x-function" in answer.text.lower(), answer
    assert len(answer.text.splitlines()) == 1


# ---- Alexa ------------------------------------------------------------------------------------------

def test_an_alexa_request_goes_to_the_function_of_its_intent_as_it_came(gateway):
    body = alexa("probe") + b"  \n"
    told = ask(gateway, "POST", "/", {"Content-Type": "application/json;charset=UTF-8", "Signature": "s"}, body)
    assert (told.method, told.target, told.body) == ("POST", "/", body)
    assert told.all("Content-Length") == [str(len(body))]
    assert told.all("Content-Type") == ["application/json;charset=UTF-8"] and told.all("Signature") == ["s"]
    assert told.response.header("X-Call-Id")


def test_its_content_type_does_not_matter_and_its_query_is_passed_on(gateway):
    assert ask(gateway, "POST", "/?a=%2F&b", {"Content-Type": "text/plain"}, alexa("probe")).target == "/?a=%2F&b"


def test_a_chunked_alexa_request_arrives_with_its_length(gateway):
    body = alexa("probe.openfaas-fn")
    told = ask(gateway, "POST", "/", {"Transfer-Encoding": "chunked"}, chunk(body[:9]) + chunk(body[9:]) + b"0\r\n\r\n")
    assert told.body == body and told.all("Content-Length") == [str(len(body))]
    assert told.all("Transfer-Encoding") == []


def test_an_alexa_request_that_waits_for_100_gets_it(gateway):
    body = alexa("cat")
    with gateway.connect() as connection:
        connection.send(request_bytes("POST", "/", {"Expect": "100-continue", "Content-Length": str(len(body))}))
        assert connection.head().start_line.startswith("HTTP/1.1 100")
        connection.send(body)
        assert connection.response().body == body


def test_an_intent_without_a_function_is_404(gateway):
    answer = gateway.call("POST", "/", body=alexa("NoSuchIntent"))
    assert answer.status == 404 and "NoSuchIntent" in answer.text
    assert answer.header("X-OpenFaaS-Internal") == "gateway" and answer.header("X-Call-Id")


@pytest.mark.parametrize("name", ["..", "a/b", "../cat", "cat/../probe", "c at", "cat\n", "cat\u0000", "\u00e9"])
def test_an_intent_with_a_name_that_no_function_has_is_404_or_400(gateway, name):
    assert gateway.call("POST", "/", body=alexa(name)).status in (400, 404)


def test_amazons_own_intents_find_a_function_with_a_dash(gateway):
    assert gateway.call("POST", "/", body=alexa("AMAZON.StopIntent")).body == b"stopped\n"


@pytest.mark.parametrize("changes", [
    {"session": None}, {"session.sessionId": None}, {"session.sessionId": ""}, {"session.application": None},
    {"session.application.applicationId": ""}, {"request": None}, {"request.intent": None},
    {"request.intent.name": None}, {"request.intent.name": ""}, {"request.intent.name": 7}, {"request.intent": []},
    {"session.sessionId": {}}, {"request": "probe"}])
def test_a_request_that_is_not_alexas_names_nobody(gateway, changes):
    nobody(gateway.call("POST", "/", body=alexa("probe", **changes)))


@pytest.mark.parametrize("body", [
    b"", b"x", b"[]", b"null", b"{", b"{}", b"\xff\xfe", b"[" * 5000, b'{"request":' * 5000,
    alexa("probe")[:-1], alexa("probe") + b"{}", alexa("cat")[:-1] + b',"request":{"intent":{"name":"probe"}}}'])
def test_a_body_that_is_not_one_json_object_names_nobody(gateway, body):
    nobody(gateway.call("POST", "/", body=body))


def test_a_body_too_large_for_alexa_is_413_before_it_is_sent(gateway):
    with gateway.connect() as connection:
        connection.send(request_bytes("POST", "/", {"Content-Length": "100000000"}))
        answer = connection.response()
    assert answer.status == 413 and "262144" in answer.text, answer
    with gateway.connect() as connection:
        connection.send(request_bytes("POST", "/", {"Transfer-Encoding": "chunked"}))
        for _ in range(5):
            connection.send(chunk(b" " * 65536))
        assert connection.response().status == 413


def test_a_body_that_stops_coming_is_408(start):
    gateway = start.gateway({"read_timeout": "1s"})
    with gateway.connect() as connection:
        connection.send(request_bytes("POST", "/", {"Content-Length": "100"}) + b"{")
        answer = connection.response()
    assert answer.status == 408 and "read_timeout" in answer.text, answer


def test_the_sample_skill_answers(gateway):
    program = _seen_by_functions(REPOSITORY / "samples/python/skill.py")
    spec = {**SAMPLE, "envProcess": SAMPLE["envProcess"].replace("@root@/samples/python/skill.py", str(program))}
    assert "@" not in spec["envProcess"], "the sample's command has changed"
    assert gateway.api("POST", "/system/functions", spec).status == 202
    gateway.wait_available("GreetIntent")
    answer = gateway.call("POST", "/", body=SAMPLE_REQUEST)
    assert (answer.status, answer.header("Content-Type")) == (200, "application/json"), answer
    assert json.loads(answer.body)["response"]["outputSpeech"]["text"] == "Hello, Ada!"


def _seen_by_functions(path):
    """Functions have a /tmp of their own, where a checkout may lie."""
    return shutil.copy(path, FUNCTIONS_COPY) if FUNCTIONS_COPY else path


# ---- X-Function -------------------------------------------------------------------------------------

def test_a_header_comes_before_an_intent(gateway):
    body = alexa("probe")
    assert gateway.call("POST", "/", {"X-Function": "cat"}, body).body == body


def test_a_function_named_by_a_header_sees_the_root_and_the_query(gateway):
    told = ask(gateway, "POST", "/?a=b&c=%2F", {"X-Function": "probe"}, b"body")
    assert (told.target, told.body) == ("/?a=b&c=%2F", b"body")


def test_a_body_for_a_function_named_by_a_header_flows(gateway):
    with gateway.connect() as connection:
        connection.send(request_bytes("POST", "/", {"X-Function": "probe", "X-Do": "duplex",
                                                    "Transfer-Encoding": "chunked"}))
        connection.send(chunk(b"first"))
        response = connection.response_head()
        connection.body_until(response, b"first")  # while the request is not over
        connection.send(chunk(b"second") + b"0\r\n\r\n")
        assert connection.finish(response).body == b"firstsecond"


@pytest.mark.parametrize("name", ["..", "a/b", "/cat", "cat/x", "c at", "cat?x", "%63at", "cat.", ".", "cat,probe"])
def test_a_header_with_a_name_that_no_function_has_is_404(gateway, name):
    assert gateway.call("POST", "/", {"X-Function": name}, b"x").status == 404


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH"])
def test_only_post_calls_at_the_root(gateway, method):
    answer = gateway.call(method, "/", {"X-Function": "cat"}, b"x")
    assert answer.status == 405 and "POST" in answer.header("Allow")
    assert Told(gateway.call("POST", "/", {"X-Function": "probe"}, b"x")).method == "POST"


# ---- one function, one name -------------------------------------------------------------------------

def test_a_function_has_one_name_however_it_is_called(start):
    gateway = start.gateway()
    gateway.deploy("cat", "cat")
    for target, headers, body in (
            ("/function/cat", {}, b"x"), ("/function/cat/", {}, b"x"), ("/function/cat.openfaas-fn", {}, b"x"),
            ("/function/%63at", {}, b"x"), ("/function/cat.openfaas-fn/a/b?c", {}, b"x"),
            ("http://else.where/function/cat", {}, b"x"), ("/", {"X-Function": "cat"}, b"x"),
            ("/", {"X-Function": "cat.openfaas-fn"}, b"x"), ("/", {}, alexa("cat"))):
        assert gateway.call("POST", target, headers, body).status == 200, target
    total = "gateway_function_invocation_total"
    eventually(lambda: metric(gateway.metrics(), total, function_name="cat.openfaas-fn", code="200") == 9, 10,
               gateway.metrics)
    assert {dict(labels)["function_name"] for name, labels in gateway.metrics() if name == total} == {"cat.openfaas-fn"}


def test_names_that_do_not_exist_make_no_series(start):
    gateway = start.gateway()
    gateway.deploy("cat", "cat")
    before = len(gateway.metrics())
    with gateway.connect() as connection:
        for number in range(500):
            connection.send(request_bytes("GET", f"/function/bomb{number}.ns{number}"))
        assert {connection.response().status for _ in range(500)} == {404}
        for number in range(50):
            assert connection.ask("POST", "/", {"X-Function": f"bomb{number}"}, b"x").status == 404
            assert connection.ask("POST", "/", body=alexa(f"bomb{number}")).status == 404
    found = gateway.metrics()
    assert len(found) == before, [key for key in found if "bomb" in str(key)]


def test_a_wire_level_head_of_the_root_has_no_body(gateway):
    assert wire.call(gateway.port, "HEAD", "/").body == b""
