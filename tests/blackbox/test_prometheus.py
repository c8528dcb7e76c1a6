# The real Prometheus: it takes the metrics, answers the reference's queries, and takes the files we ship.
import json
import pathlib
import shutil
import subprocess
import tempfile
import urllib.parse

import pytest

import processes
import wire
from programs import REPOSITORY, free_port
from probe_client import scripted
from wire import eventually

SHIPPED = REPOSITORY / "deploy" / "prometheus"


class Prometheus:
    """A server on a free loopback port that scrapes one target every second; its storage is a folder of its own."""

    def __init__(self, target):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="faas-prometheus-"))
        self.port = free_port()
        config = self.folder / "prometheus.yml"
        config.write_text(json.dumps({  # JSON is YAML
            "scrape_configs": [{"job_name": "gateway", "scrape_interval": "1s", "scrape_timeout": "1s",
                                "static_configs": [{"targets": [target]}]}]}))
        with open(self.folder / "log", "wb") as log:
            self.process = subprocess.Popen(
                ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={self.folder}/data",
                 f"--web.listen-address=127.0.0.1:{self.port}", "--storage.tsdb.retention.time=1h"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder)
        processes.started(self.process.pid)

    def dispose(self):
        self.process.terminate()
        self.process.wait(60)
        shutil.rmtree(self.folder)

    def api(self, path):
        try:
            answer = wire.call(self.port, "GET", path)
        except OSError:
            return None
        return json.loads(answer.body)["data"] if answer.status == 200 else None

    def query(self, expression):
        """The values by function_name, or by "" where there is no such label."""
        data = self.api("/api/v1/query?query=" + urllib.parse.quote(expression))
        return {one["metric"].get("function_name", ""): float(one["value"][1]) for one in (data or {"result": []})["result"]}

    def log(self):
        return (self.folder / "log").read_text()[-3000:]


@pytest.fixture
def prometheus():
    if shutil.which("prometheus") is None:
        pytest.fail("prometheus is missing: ./dev test installs Debian's package")
    started = []

    def start(target):
        started.append(Prometheus(target))
        return started[0]

    yield start
    for one in started:
        one.dispose()


def test_the_real_prometheus_scrapes_the_gateway_and_answers_the_queries_of_the_reference(start, prometheus):
    gateway = start.gateway()
    gateway.deploy("cat", "cat", labels={"com.openfaas.scale.min": "1", "com.openfaas.scale.target": "10"},
                   ready=False)
    gateway.deploy_probe("probe", ready=False)
    gateway.wait_available("cat")
    gateway.wait_available("probe")
    server = prometheus(f"127.0.0.1:{gateway.metrics_port}")

    def target():
        data = server.api("/api/v1/targets")
        return data and [one for one in data["activeTargets"] if one["health"] == "up" and not one["lastError"]]

    eventually(target, what=lambda: (server.api("/api/v1/targets"), server.log()))
    cat, probe = "cat.openfaas-fn", "probe.openfaas-fn"

    def shows(expression, wanted):
        """Calls go on while it is looked at: a rate needs two scrapes that differ."""
        def looked_at():
            assert gateway.call("POST", "/function/cat", body=b"x").status == 200
            gateway.call("GET", "/function/probe", scripted(b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n"))
            return wanted(server.query(expression))
        eventually(looked_at, what=lambda: (expression, server.query(expression), gateway.metrics()), pause=0.1)

    shows("up", lambda found: found == {"": 1})
    # The alert rule, the list of functions, the dashboards, an autoscaler by load.
    shows('sum(rate(gateway_function_invocation_total{code="200"}[10s])) BY (function_name)',
          lambda found: found.get(cat, 0) > 0 and probe not in found)
    shows('sum(gateway_function_invocation_total{function_name=~".*.openfaas-fn"}) by (function_name)',
          lambda found: found.get(cat, 0) > 0 and found.get(probe, 0) > 0)
    shows("sum by (function_name) (rate(gateway_function_invocation_total[1m]))",
          lambda found: found.get(cat, 0) > 0 and found.get(probe, 0) > 0)
    shows('rate(gateway_function_invocation_total{code!="200"}[1m])', lambda found: found.get(probe, 0) > 0)
    shows("sum by (function_name) (rate(gateway_functions_seconds_sum[1m])"
          " / rate(gateway_functions_seconds_count[1m]))", lambda found: found.get(cat, 0) > 0)
    shows("histogram_quantile(0.95, sum by (le, function_name) (rate(gateway_functions_seconds_bucket[1m])))",
          lambda found: found.get(cat, 0) > 0)
    shows("rate(gateway_function_invocation_started[1m])", lambda found: found.get(cat, 0) > 0)
    shows("gateway_function_invocation_inflight", lambda found: found.get(cat) == 0)
    shows("gateway_service_count", lambda found: found == {cat: 1, probe: 1})
    shows("gateway_service_ready_count", lambda found: found == {cat: 1, probe: 1})
    shows("gateway_service_min", lambda found: found == {cat: 1, probe: 1})
    shows('gateway_service_target_load{scaling_type="rps"}', lambda found: found == {cat: 10})
    shows('sum(rate(http_requests_total{path="/system/functions",status="202"}[1m]))', lambda found: "" in found)
    shows("time() - process_start_time_seconds", lambda found: 0 < found.get("", 0) < 3600)


def test_promtool_finds_nothing_to_say_about_the_metrics(start):
    gateway = start.gateway({"metrics_long_buckets": "true"})
    gateway.deploy("cat", "cat", labels={"com.openfaas.scale.target": "10"})
    assert gateway.call("POST", "/function/cat", body=b"x").status == 200
    gateway.api("GET", "/system/functions")
    text = wire.call(gateway.metrics_port, "GET", "/metrics").body
    assert b"gateway_functions_seconds_bucket" in text
    checked = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, check=False)
    # OpenFaaS's names are older than the rules about names.
    theirs = {"gateway_function_invocation_started", "gateway_service_count", "gateway_service_ready_count"}
    complaints = [line for line in (checked.stdout + checked.stderr).decode().splitlines()
                  if line.split(" ")[0] not in theirs]
    assert not complaints


@pytest.mark.parametrize("arguments", [("config", "prometheus.yml"), ("rules", "alert.rules.yml")])
def test_promtool_takes_the_files_we_ship(arguments):
    what, name = arguments
    checked = subprocess.run(["promtool", "check", what, SHIPPED / name], capture_output=True, check=False)
    assert checked.returncode == 0, checked
