# ./dev up as a newcomer would use it, apart from the port: the samples answer, ./dev down leaves nothing.
import json
import os
import pathlib
import subprocess

import pytest

import machine
import processes
import programs
from wire import basic, call, eventually

ROOT = programs.REPOSITORY

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif("FAAS_SKIP_DEV_UP" in os.environ, reason="FAAS_SKIP_DEV_UP is set"),
    pytest.mark.skipif(not (ROOT / "build" / "bin" / "faas-gateway").exists(), reason="build/ is not there: ./dev build"),
    pytest.mark.skipif((ROOT / ".faas" / "gateway.pid").exists(), reason="somebody's ./dev up runs here"),
]


def dev(*arguments):
    return subprocess.run([str(ROOT / "dev"), *arguments], cwd=ROOT, capture_output=True, text=True, timeout=300,
                          check=False, stdin=subprocess.DEVNULL)


def test_the_samples_answer_and_nothing_is_left(tmp_path):
    before = machine.traces()
    keep = (ROOT / ".faas").exists()
    port = programs.free_port()
    up = dev("up", "--detach", "--port", str(port))
    try:
        assert up.returncode == 0, up.stdout + up.stderr
        pid = int((ROOT / ".faas" / "gateway.pid").read_text())
        seen = {p.identity for p in processes.descendants(pid)}
        password = (ROOT / ".faas" / "basic-auth-password").read_text().strip()
        listed = json.loads(call(port, "GET", "/system/functions", {"Authorization": basic("admin", password)}).body)
        names = {f["name"] for f in listed}
        assert {"cat", "wc"} <= names, names
        for function in listed:
            assert function["availableReplicas"] >= 1, function
            answer = call(port, "POST", f"/function/{function['name']}", {"Content-Type": "text/plain"}, b"hello\n", timeout=30)
            assert answer.status == 200 and answer.complete, (function["name"], answer)
        assert call(port, "POST", "/function/cat", body=b"hello").body == b"hello"
        for line in up.stdout.splitlines():  # what it prints works when pasted
            if line.strip().startswith("curl") and "-u " not in line and "/function/upper" not in line and "\\" not in line:
                pasted = subprocess.run(["bash", "-c", line], capture_output=True, timeout=60, check=False,
                                        cwd=ROOT, stdin=subprocess.DEVNULL)
                assert pasted.returncode == 0 and pasted.stdout, line
    finally:
        down = dev("down")
    assert down.returncode == 0, down.stdout + down.stderr
    eventually(lambda: not [i for i in seen if processes.alive(i)], 10, "every process of ./dev up is gone")
    assert not pathlib.Path(f"/proc/{pid}").exists()
    eventually(lambda: not machine.traces() - before, 15, lambda: machine.traces() - before)
    if not keep:
        subprocess.run(["rm", "-rf", str(ROOT / ".faas")], check=False)
