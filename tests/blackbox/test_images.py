# In the images that people ship: empty, Alpine-like and Debian; as PID 1; without what an image may lack.
import hashlib
import os
import pathlib
import shutil
import signal
import tempfile
import threading

import pytest

import images
import machine
import processes
import programs
import wire
from images import Bare, Runc
from wire import eventually, request_bytes

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: namespaces")
# Its checks ask /proc, and a pipe whether memory may be read: without descriptors they fail for nothing.
what_users_run = pytest.mark.skipif(programs.is_sanitized("of-watchdog"),
                                    reason="a sanitizer needs /proc, descriptors and much memory for itself")

NOBODY = 61234  # whom no file belongs to, and who runs nothing else
MEBIBYTE = 1024 * 1024
MODES = {
    "streaming": {"fprocess": "/function upper"},
    "serializing": {"fprocess": "/function upper", "mode": "serializing"},
    "classic": {"fprocess": "/function upper"},
    "http": {"fprocess": "/function http 5000", "mode": "http", "upstream_url": "http://127.0.0.1:5000"},
    "afterburn": {"fprocess": "/function burn", "mode": "afterburn"},
    "static": {"mode": "static", "static_path": "/public"},
}
FORKING = ("streaming", "serializing", "classic")


def program_of(mode):
    return "fwatchdog" if mode == "classic" else "of-watchdog"


@pytest.fixture(scope="module")
def workshop():
    """A folder for images, with the function compiled; afterwards nothing is left of either."""
    before = machine.traces()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="faas-s-"))
    folder.chmod(0o755)
    images.compiled("function.c", folder / "function")
    yield folder
    shutil.rmtree(folder)
    ours = (str(folder), "faas-test-")
    assert not [trace for trace in machine.traces() - before if any(word in "".join(trace) for word in ours)]


@pytest.fixture
def image(workshop):
    """image(images.scratch): a root file system of one's own."""
    made = []

    def make(kind):
        made.append(kind(workshop / f"root{len(made)}", workshop / "function"))
        public = made[-1].root / "public"
        public.mkdir()
        (public / "page.txt").write_text("a page")
        return made[-1]

    yield make
    for one in made:
        shutil.rmtree(one.root)


@pytest.fixture
def contain(start):
    """contain(Bare, image, mode): a watchdog as PID 1 that serves."""
    def make(kind, image, mode, settings=None, **options):
        name = mode if mode in ("of-watchdog", "fwatchdog") else program_of(mode)
        return start.keep(kind, image, name, {**MODES.get(mode, {}), **(settings or {})}, **options)
    return make


def check_calls(container, mode):
    for n in range(3):
        if mode == "static":
            reply = container.call("GET", "/page.txt")
            assert (reply.status, reply.body) == (200, b"a page"), reply
            continue
        reply = container.call("POST", f"/{n}", body=b"hello")
        asked = f"POST /{n} HTTP/1.1\n".encode()
        expected = b"HELLO" if mode in FORKING else asked + b"hello"
        assert (reply.status, reply.body) == (200, expected), (reply, container.log_tail())


# ---- empty images ------------------------------------------------------------------------------------

@what_users_run
@pytest.mark.parametrize("user", [None, NOBODY])
@pytest.mark.parametrize("mode", MODES)
def test_it_serves_in_an_empty_image_without_proc_dev_or_tmp(contain, image, mode, user):
    container = contain(Bare, image(images.scratch), mode, user=user)
    check_calls(container, mode)
    assert container.stop() == 0
    told = [line for line in container.lines() if line.startswith("Warning:")]
    # of-watchdog makes the folder of its lock file, as root; nobody else can here.
    assert len(told) == (0 if mode != "classic" and user is None else 1), container.stderr()
    assert all(line.startswith("Warning: Cannot write /tmp/.lock. To disable lock-file set env suppress_lock=true.")
               for line in told), told


@pytest.mark.parametrize("mode", FORKING)
def test_what_an_empty_image_lacks_is_named(contain, image, mode):
    empty = image(images.scratch)
    (empty.root / "script").write_text("#!/bin/sh\necho never\n")
    (empty.root / "script").chmod(0o755)
    for process, words in (("/script", "fork/exec /script: no such file or directory"),
                           ("sh -c true", 'exec: "sh": executable file not found in $PATH')):
        container = contain(Bare, empty, mode, {"fprocess": process})
        reply = container.call("GET", "/")
        assert reply.status == 500
        assert words in reply.text + container.stderr()
        assert container.call("GET", "/_/health").status == 200
        assert container.stop() == 0


@pytest.mark.parametrize("mode", ["http", "afterburn"])
def test_a_function_that_cannot_start_ends_it_with_a_line(start, image, mode):
    container = start.keep(Bare, image(images.scratch), "of-watchdog", {**MODES[mode], "fprocess": "/nothing here"},
                           wait=False)
    assert container.expect_exit() == 1
    assert "Forked function has terminated: fork/exec /nothing: no such file or directory" in container.lines()


@what_users_run
def test_metrics_are_served_without_proc(contain, image):
    container = contain(Bare, image(images.scratch), "streaming")
    check_calls(container, "streaming")
    metrics = processes.in_network_of(container.init, lambda: wire.call(8081, "GET", "/metrics"))
    assert 'http_requests_total{code="200",method="post"} 3' in metrics.text


# ---- PID 1 -------------------------------------------------------------------------------------------

@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP])
@pytest.mark.parametrize("mode", ["streaming", "http"])
def test_as_pid_1_it_ends_in_order_by_every_signal_that_asks_for_it(contain, image, mode, number):
    """The kernel drops what PID 1 has no handler for: a reference as PID 1 has to be killed, or ends with 2."""
    container = contain(Bare, image(images.scratch), mode)
    assert (container.image.root / "tmp/.lock").exists()
    assert container.stop(number) == 0
    assert any(line.startswith(f"{number.name}: no new connections in 0s") for line in container.lines())
    assert "Exiting. Active connections: 0" in container.lines()
    assert not (container.image.root / "tmp/.lock").exists()
    assert ("asked to end" in container.stderr()) == (mode == "http")


def test_as_pid_1_it_outlives_signals_that_ask_for_nothing(contain, image):
    container = contain(Bare, image(images.scratch), "streaming")
    for number in (signal.SIGUSR1, signal.SIGUSR2, signal.SIGCHLD, signal.SIGPIPE, signal.SIGALRM):
        processes.kill(container.init, number)
    check_calls(container, "streaming")


@pytest.mark.parametrize("mode", FORKING)
def test_orphans_are_reaped_when_they_end_and_not_at_the_next_call(contain, image, mode):
    container = contain(Bare, image(images.scratch), mode, {"fprocess": "/function orphan"})
    for _ in range(20):
        assert container.call("GET", "/").status == 200
    # The last call's own process may outlive its answer for a moment.
    eventually(lambda: len(container.inside()) == 20, what=container.inside)
    left = container.inside()
    assert {p.parent for p in left} == {container.init}
    for process in left:
        processes.kill(process.pid)
    eventually(lambda: not container.inside(), what=container.inside)


def test_orphans_are_reaped_while_an_ended_child_waits_for_its_client(contain, image):
    """The child is a zombie until its call is over; it must not hide the ones behind it."""
    container = contain(Runc, image(images.alpine), "serializing", {
        "fprocess": "/bin/sh /two.sh", "exec_timeout": "60s"})
    # The first process ends, but the call goes on: somebody holds its output.
    (container.image.root / "two.sh").write_text("""
/function stay 1 &
(/function stay 2 >/dev/null 2>&1 &)
""")
    with container.connect() as connection:
        connection.send(request_bytes("POST", "/", body=b""))
        eventually(lambda: any(p.state == "Z" for p in container.inside()), what=container.inside)
        orphans = {processes.command_line(p.pid)[-1]: p.pid for p in container.inside() if p.state != "Z"}
        second = orphans["2"]
        processes.kill(second)
        eventually(lambda: processes.read(second) is None, what=container.inside)
        assert any(p.state == "Z" for p in container.inside()), "the call's own child is still its own"
        processes.kill(orphans["1"])
        assert connection.response().status == 200
    eventually(lambda: not container.inside(), what=container.inside)


@pytest.mark.parametrize("mode", ["http", "afterburn"])
def test_orphans_are_reaped_where_no_call_makes_a_process(contain, image, mode):
    shape = {"http": "http 5000", "afterburn": "burn"}[mode]
    alpine = image(images.alpine)
    (alpine.root / "start.sh").write_text(f"(/function stay >/dev/null 2>&1 &)\nexec /function {shape}\n")
    container = contain(Runc, alpine, mode, {"fprocess": "/bin/sh /start.sh"})
    check_calls(container, mode)
    orphan = next(p for p in container.inside() if processes.command_line(p.pid)[-1:] == ["stay"])
    assert orphan.parent == container.init
    processes.kill(orphan.pid)
    eventually(lambda: processes.read(orphan.pid) is None, what=container.inside)
    check_calls(container, mode)


def test_as_pid_1_in_http_mode_it_drains_first_and_then_asks_the_function_to_end(contain, image):
    container = contain(Bare, image(images.scratch), "http", {"healthcheck_interval": "0s", "write_timeout": "60s"})
    with container.connect() as connection:
        connection.send(request_bytes("POST", "/", {"Content-Length": "2"}) + b"o")
        eventually(lambda: len(container.inside()) == 2, what=container.inside)
        processes.kill(container.init, signal.SIGTERM)
        container.wait_for_log("No new connections allowed, draining: 1 requests")
        assert "asked to end" not in container.stderr()
        connection.send(b"k")
        assert connection.response().body == b"POST / HTTP/1.1\nok"
    assert container.expect_exit() == 0
    said = container.stderr()
    assert 0 < said.index("draining: 1 requests") < said.index("asked to end")


# ---- real runtimes -----------------------------------------------------------------------------------

@pytest.mark.parametrize("user", [0, NOBODY])
@pytest.mark.parametrize("kind", [images.scratch, images.alpine, images.debian])
def test_every_mode_serves_under_an_oci_runtime_with_docker_s_limits(contain, image, kind, user):
    root = image(kind)
    for mode in MODES:
        container = contain(Runc, root, mode, user=user)
        check_calls(container, mode)
        healthy = kind is not images.scratch or (user == 0 and (root.root / "tmp").exists())
        check = container.execute(f"/{program_of(mode)}", "-run-healthcheck")
        assert check.returncode == (0 if healthy else 1), check
        assert container.stop() == 0, container.log_tail()


@pytest.mark.parametrize("mode", MODES)
def test_a_read_only_root_costs_the_lock_file_and_a_line(contain, image, mode):
    container = contain(Runc, image(images.alpine), mode, user=NOBODY, read_only=True)
    check_calls(container, mode)
    told = [line for line in container.lines() if line.startswith("Warning:")]
    assert told == ["Warning: Cannot write /tmp/.lock. To disable lock-file set env suppress_lock=true. Error: "
                    "Read-only file system. Serving without it: /_/health answers, -run-healthcheck finds nothing"]
    check = container.execute(f"/{program_of(mode)}", "-run-healthcheck")
    assert check.returncode == 1 and "unable to find lock file." in check.stderr
    assert container.stop() == 0


TMPFS = {"destination": "/tmp", "type": "tmpfs", "source": "tmpfs", "options": ["mode=1777", "size=64m"]}


@pytest.mark.parametrize("mode", ["serializing", "classic"])
def test_a_large_body_needs_a_writable_folder_and_says_so(contain, image, mode):
    body = bytes(range(256)) * (2 * MEBIBYTE // 256)
    alpine = image(images.alpine)
    container = contain(Runc, alpine, mode, {"fprocess": "/function cat"}, user=NOBODY, read_only=True)
    with container.connect() as connection:
        connection.send(request_bytes("POST", "/", body=body))
        reply = connection.response()
    assert reply.status == 500
    assert "TMPDIR (/tmp)" in reply.text and "Read-only file system" in reply.text, reply
    small = body[:MEBIBYTE // 2]
    assert container.call("POST", "/", body=small).body == small
    assert container.stop() == 0

    container = contain(Runc, alpine, mode, {"fprocess": "/function cat"}, user=NOBODY, read_only=True,
                        mounts=[TMPFS])
    assert container.call("POST", "/", body=body).body == body
    assert container.execute(f"/{program_of(mode)}", "-run-healthcheck").returncode == 0


@pytest.mark.parametrize("mode", ["streaming", "http"])
def test_a_large_body_streams_through_a_read_only_root(contain, image, mode):
    body = bytes(range(256)) * (2 * MEBIBYTE // 256)
    container = contain(Runc, image(images.scratch), mode, {"fprocess": "/function cat"} if mode == "streaming" else {},
                        user=NOBODY, read_only=True)
    assert container.call("POST", "/", body=body).body.endswith(body)


@pytest.mark.parametrize("mode", MODES)
def test_it_serves_where_an_old_engine_refuses_newer_system_calls(contain, image, mode):
    container = contain(Runc, image(images.scratch), mode, user=NOBODY,
                        refused=images.REFUSED_BY_DOCKER + images.UNKNOWN_TO_OLD_ENGINES)
    check_calls(container, mode)
    assert container.stop() == 0


# ---- limits ------------------------------------------------------------------------------------------

@what_users_run
def test_out_of_descriptors_it_waits_for_free_ones(contain, image):
    container = contain(Runc, image(images.scratch), "streaming", user=NOBODY, limits={"NOFILE": 32})
    idle = [container.connect() for _ in range(64)]
    for connection in idle:
        connection.close()
    check_calls(container, "streaming")


def test_out_of_processes_a_call_is_refused_with_the_reason(contain, image):
    container = contain(Runc, image(images.scratch), "streaming", {"fprocess": "/function cat"}, user=NOBODY, limits={"NPROC": 6})
    running = []
    for _ in range(8):
        connection = container.connect()
        connection.send(request_bytes("POST", "/", {"Content-Length": "3"}) + b"ab")
        running.append(connection)
    container.wait_for_log("resource temporarily unavailable")
    for connection in running:
        connection.send(b"c")
    replies = [connection.response() for connection in running]
    for connection in running:
        connection.close()
    assert {reply.status for reply in replies} == {200, 500}
    assert all(reply.body == b"abc" for reply in replies if reply.status == 200)
    assert container.call("POST", "/", body=b"again").body == b"again"


@what_users_run
def test_16_mib_of_memory_are_enough_for_a_body_of_64(contain, image):
    container = contain(Runc, image(images.scratch), "streaming", {"fprocess": "/function cat"}, memory=16 * MEBIBYTE)
    block = os.urandom(MEBIBYTE)
    got = hashlib.sha256()
    with container.connect() as connection:
        connection.send(request_bytes("POST", "/", {"Content-Length": str(64 * MEBIBYTE)}))
        sender = threading.Thread(target=lambda: [connection.send(block) for _ in range(64)])
        sender.start()
        head = connection.response_head()
        for piece in connection.pieces(head):
            got.update(piece)
        sender.join()
    assert head.complete and got.digest() == hashlib.sha256(block * 64).digest()
    assert container.stop() == 0
