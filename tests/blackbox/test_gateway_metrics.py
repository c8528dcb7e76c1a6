# What is counted, and where it can be read.
import json

import pytest

import wire
from probe_client import scripted
from programs import metric, parse_metrics
from wire import eventually


@pytest.fixture(scope="module")
def gateway(start_once):
    gateway = start_once.gateway()
    gateway.deploy("cat", "cat")
    return gateway


def test_calls_are_counted(start):
    gateway = start.gateway()
    gateway.deploy("cat", "cat", ready=False)
    gateway.deploy_probe("probe", ready=False)
    gateway.wait_available("cat")
    gateway.wait_available("probe")
    for target in ("/function/cat", "/function/cat/", "/function/cat.openfaas-fn"):
        assert gateway.call("POST", target, body=b"x").status == 200
    assert gateway.call("POST", "/", {"X-Function": "cat"}, b"x").status == 200
    gateway.call("GET", "/function/probe", scripted(b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n"))
    gateway.call("GET", "/function/unknown-1")
    gateway.call("GET", "/function/unknown-2")
    cat, probe = "cat.openfaas-fn", "probe.openfaas-fn"

    def counted():
        found = gateway.metrics()
        return found if metric(found, "gateway_function_invocation_total", function_name=cat, code="200") == 4 and \
            metric(found, "gateway_function_invocation_total", function_name=probe, code="500") == 1 else None

    found = eventually(counted, what=gateway.metrics)
    assert metric(found, "gateway_function_invocation_started", function_name=cat) == 4
    assert metric(found, "gateway_functions_seconds_count", function_name=cat, code="200") == 4
    assert metric(found, "gateway_functions_seconds_sum", function_name=cat, code="200") > 0
    limits = sorted(float(dict(labels)["le"]) for name, labels in found if name == "gateway_functions_seconds_bucket"
                    and dict(labels)["function_name"] == cat)
    assert {.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, float("inf")} <= set(limits)
    assert metric(found, "gateway_service_count", function_name=cat) == 1
    assert not any("unknown-1" in str(labels) for _, labels in found), "a label for a name that does not exist"
    listed = {f["name"]: f for f in json.loads(gateway.api("GET", "/system/functions").body)}
    assert listed["cat"]["invocationCount"] == 4
    assert gateway.status("cat")["invocationCount"] == 4


def test_metrics_are_on_both_ports(gateway):
    gateway.call("POST", "/function/cat", body=b"x")
    assert any(name == "gateway_function_invocation_total" for name, _ in gateway.metrics())
    answer = gateway.api("GET", "/metrics")
    assert answer.status == 200
    assert any(name == "gateway_function_invocation_total" for name, _ in parse_metrics(answer.text))
    response = wire.call(gateway.metrics_port, "GET", "/metrics")
    assert response.header("Content-Type").startswith("text/plain; version=0.0.4")
    assert wire.call(gateway.metrics_port, "GET", "/healthz").status == 200
    assert wire.call(gateway.metrics_port, "GET", "/system/functions").status == 404


def test_service_count_follows_scale_and_delete(gateway):
    gateway.deploy("counted", "cat")
    name = "counted.openfaas-fn"
    gateway.scale("counted", 2)
    eventually(lambda: metric(gateway.metrics(), "gateway_service_count", function_name=name) == 2)
    gateway.remove("counted")
    eventually(lambda: metric(gateway.metrics(), "gateway_service_count", function_name=name) is None)
