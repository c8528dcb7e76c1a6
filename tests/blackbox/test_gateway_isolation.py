# What a function can see and touch of the machine it runs on.
import os
import shutil
import subprocess
import tempfile

import pytest

import processes
import programs
from programs import FUNCTIONS
from wire import Connection


def looks(gateway, name="look", **fields):
    gateway.deploy(name, f"{FUNCTIONS}/look.sh {gateway.data_dir} {gateway.pid}", **fields)
    answer = gateway.call("GET", f"/function/{name}")
    assert answer.status == 200, answer
    seen = {}
    for line in answer.text.splitlines():
        key, _, value = line.partition("=")
        seen.setdefault(key, []).append(value.strip())
    return seen


def check_shut_in(seen):
    assert seen["secret"] == [""], "the gateway's password can be read"
    assert int(seen["processes"][0]) < 15, "processes of the machine are seen"
    assert seen["interfaces"] == ["lo"], "networks of the machine are seen"
    assert seen["tmp"] == [""], "/tmp is shared"
    assert seen.get("writes_tmp") == ["yes"], "/tmp cannot be written"
    assert "writes" not in seen, f"can write to {seen['writes']}"
    assert int(seen["CapEff"][0], 16) == 0 and seen["NoNewPrivs"] == ["1"]
    assert "mounts" not in seen and "reaches_gateway" not in seen


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, or a kernel that gives user namespaces to all")
def test_a_function_is_shut_in(start):
    gateway = start.gateway()
    if "without isolation" in gateway.api("GET", "/system/info").text:
        pytest.skip("this machine lets nobody shut a process in")
    check_shut_in(looks(gateway))
    check_shut_in(looks(gateway, "look-again", readOnlyRootFilesystem=True))


def test_a_function_cannot_be_reached_but_through_the_gateway(start):
    """Its ports are in a network of its own; its socket is in a folder that only the gateway's user may enter."""
    gateway = start.gateway()
    gateway.deploy("cat", "cat")
    assert (gateway.data_dir.stat().st_mode & 0o077) == 0
    with pytest.raises(ConnectionRefusedError):
        Connection(gateway.port, host="127.0.0.2").close()


@pytest.mark.skipif(os.geteuid() != 0, reason="the other tests show it")
def test_the_gateway_runs_without_root(start):
    gateway = start.gateway_as_nobody()
    check_shut_in(looks(gateway))
    gateway.deploy("cat", "cat")
    assert gateway.call("POST", "/function/cat", body=b"x").body == b"x"
    assert all(processes.owner(pid) == 65534 for pid in gateway.replicas("cat"))


def test_a_folder_is_an_image(start):
    """The function sees the folder as its whole file system."""
    if programs.is_sanitized("of-watchdog"):
        pytest.skip("a sanitized watchdog needs libraries of the host")
    folder = tempfile.mkdtemp(prefix="faas-blackbox-", dir="/var/tmp")
    try:
        os.chmod(folder, 0o755)
        for program in ("/bin/cat", "/bin/ls"):
            needed = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout.split()
            for path in [program, *(word for word in needed if word.startswith("/"))]:
                os.makedirs(os.path.dirname(folder + path), exist_ok=True)
                shutil.copy(os.path.realpath(path), folder + path)
        gateway = start.gateway()
        for name, process in (("fcat", "/bin/cat"), ("fls", "/bin/ls /")):
            gateway.deploy(name, process, image=f"dir:{folder}")
        assert gateway.call("POST", "/function/fcat", body=b"hello").body == b"hello"
        seen = set(gateway.call("GET", "/function/fls").text.split())
        assert "bin" in seen and not {"etc", "home", "root", "work", "var"} & seen, seen
        gateway.stop()
    finally:
        shutil.rmtree(folder)


@pytest.mark.parametrize("image,words", [("dir:/no/such/folder", "/no/such/folder"), ("dir:relative", "relative"),
                                         ("dir:", "image")])
def test_a_folder_that_is_none_is_400(start, image, words):
    answer = start.gateway().api("POST", "/system/functions", {"service": "x", "image": image, "envProcess": "cat"})
    assert answer.status == 400 and words in answer.text, answer
