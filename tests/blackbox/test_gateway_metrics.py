# What is counted, and where it can be read.
import gzip
import json
import re
import signal
import time

import pytest

import wire
import processes
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


def total(gateway, name, **labels):
    return metric(gateway.metrics(), "gateway_function_invocation_total", function_name=name, **labels)


def test_a_call_cut_short_is_counted_as_what_it_is(start):
    gateway = start.gateway({"upstream_timeout": "2s"})
    gateway.deploy_probe("probe")
    name = "probe.openfaas-fn"
    begun = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nbegun"
    assert not gateway.call("GET", "/function/probe", scripted(begun, "close")).complete
    eventually(lambda: total(gateway, name, code="502") == 1, what=gateway.metrics)
    assert not gateway.call("GET", "/function/probe", scripted(begun, "hang")).complete
    eventually(lambda: total(gateway, name, code="504") == 1, what=gateway.metrics)
    assert total(gateway, name, code="200") is None


def test_one_function_has_one_name_and_unknown_ones_none(gateway):
    for target in ("/function/cat", "/function/%63at/a", "/function/cat.openfaas-fn/b?c", "/function%2Fcat"):
        gateway.call("POST", target, body=b"x")
    for number in range(20):
        assert gateway.call("GET", f"/function/no-{number}").status == 404
        assert gateway.call("POST", "/", {"X-Function": f"no-{number}"}, b"x").status == 404
        gateway.call("GET", f"/system/function/no-{number}")
        gateway.api("GET", f"/system/function/no-{number}?a={number}")
        gateway.call("GET", f"/nothing/no-{number}")
        gateway.call(f"NO-{number}", "/system/functions")
    found = gateway.metrics()
    assert {dict(labels).get("function_name") for _, labels in found} <= {None, "cat.openfaas-fn", "counted.openfaas-fn"}
    assert not re.search("no-[0-9]", str(list(found)), re.I)


def test_the_api_is_counted_by_route(start):
    gateway = start.gateway()
    assert gateway.api("GET", "/system/function/one").status == 404
    assert gateway.api("GET", "/system/function/two").status == 404
    assert gateway.call("GET", "/system/function/two").status == 401
    assert gateway.api("PATCH", "/system/functions").status == 405
    assert gateway.api("GET", "/system/namespaces/openfaas-fn").status == 200
    assert gateway.call("POST", "/", body=b"x").status == 400
    found = gateway.metrics()

    def count(**labels):
        return metric(found, "http_requests_total", **labels)

    assert count(method="GET", path="/system/function/{name}", status="404") == 2
    assert count(method="GET", path="/system/function/{name}", status="401") == 1
    assert count(method="PATCH", path="/system/functions", status="405") == 1
    assert count(method="GET", path="/system/namespace/{name}", status="200") == 1
    assert count(method="POST", path="/", status="400") == 1
    assert metric(found, "http_request_duration_seconds_count", method="GET", path="/system/function/{name}",
                  status="404") == 2


def test_invocation_counts_outlive_the_gateway(start):
    gateway = start.gateway()
    gateway.deploy("cat", "cat")

    def listed(which):
        return {f["name"]: f.get("invocationCount", 0) for f in json.loads(which.api("GET", "/system/functions").body)}

    for _ in range(3):
        assert gateway.call("POST", "/function/cat", body=b"x").status == 200
    eventually(lambda: gateway.status("cat").get("invocationCount") == 3)
    gateway.owns_folder = False
    gateway.process.send_signal(signal.SIGTERM)
    assert gateway.expect_exit() == 0
    again = start.gateway(folder=gateway.folder)
    again.wait_available("cat")
    assert listed(again) == {"cat": 3}
    assert again.call("POST", "/function/cat", body=b"x").status == 200
    eventually(lambda: again.status("cat").get("invocationCount") == 4)
    assert total(again, "cat.openfaas-fn", code="200") == 1, "Prometheus wants a counter of each process"
    # kill -9 loses what was counted since the file was last written: wait for that.
    kept = again.data_dir / "invocations"
    eventually(lambda: "cat.openfaas-fn 4\n" in kept.read_text(), what=kept.read_text)
    assert kept.stat().st_mode & 0o777 == 0o600
    again.owns_folder = False
    again.process.kill()
    again.expect_exit()
    third = start.gateway(folder=gateway.folder)
    assert listed(third) == {"cat": 4}
    third.remove("cat")
    assert third.api("GET", "/system/function/cat").status == 404
    third.deploy("cat", "cat")
    assert listed(third) == {"cat": 0}, "another function of its name"


def test_metrics_are_compressed_for_those_who_take_it(gateway):
    gateway.call("POST", "/function/cat", body=b"x")
    for port, headers in ((gateway.metrics_port, {}), (gateway.port, {"Authorization": gateway.authorization})):
        plain = wire.call(port, "GET", "/metrics", headers)
        assert plain.header("Content-Encoding") is None
        packed = wire.call(port, "GET", "/metrics", {**headers, "Accept-Encoding": "deflate, gzip;q=0.5"})
        assert packed.header("Content-Encoding") == "gzip"
        assert packed.header("Content-Type") == plain.header("Content-Type") == \
            "text/plain; version=0.0.4; charset=utf-8"
        assert {name for name, _ in parse_metrics(gzip.decompress(packed.body).decode())} >= \
            {name for name, _ in parse_metrics(plain.text)}
        assert wire.call(port, "HEAD", "/metrics", headers).body == b""


def test_a_stranger_gets_no_metrics_from_the_port_of_the_api(gateway):
    assert gateway.call("GET", "/metrics").status == 401
    assert gateway.call("GET", "/metrics", {"Authorization": wire.basic("admin", "wrong")}).status == 401


def test_the_process_is_told_of(gateway):
    found = gateway.metrics()
    assert metric(found, "process_cpu_seconds_total") > 0
    assert metric(found, "process_resident_memory_bytes") <= metric(found, "process_virtual_memory_bytes")
    assert metric(found, "process_open_fds") == pytest.approx(len(processes.open_files(gateway.pid)), abs=8)
    assert metric(found, "process_max_fds") >= metric(found, "process_open_fds")
    assert metric(found, "process_start_time_seconds") <= time.time() + 1
    assert metric(found, "promhttp_metric_handler_requests_total", code="200") >= 0


def test_what_labels_ask_for_is_told(gateway):
    gateway.deploy("counted", "cat", labels={"com.openfaas.scale.min": "2", "com.openfaas.scale.target": "12.5",
                                             "com.openfaas.scale.type": "capacity"}, ready=False)
    found = eventually(lambda: gateway.metrics())
    name = "counted.openfaas-fn"
    assert metric(found, "gateway_service_min", function_name=name) == 2
    assert metric(found, "gateway_service_count", function_name=name) == 2
    assert metric(found, "gateway_service_target_load", function_name=name, scaling_type="capacity") == 12.5
    assert metric(found, "gateway_service_min", function_name="cat.openfaas-fn") == 1
    gateway.remove("counted")
