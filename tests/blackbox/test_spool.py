# Bodies and outputs that have to be whole and are too large for memory: modes serializing and classic keep
# them in a file without a name in TMPDIR.
import base64
import hashlib
import json
import os

import processes
import programs
import pytest
from wire import Closed, chunk, eventually, request_bytes

MIB = 1 << 20
PEAK_MIB = 24
PIECE = bytes(range(256)) * 4096  # 1 MiB

needs_root = pytest.mark.skipif(os.getuid() != 0, reason="mounts a small file system")


def serializing(start, process, **settings):
    options = settings.pop("options", {})
    return start.of({"fprocess": process, "mode": "serializing", "exec_timeout": "60s", **settings}, **options)


def upload(connection, pieces, piece=PIECE):
    connection.send(request_bytes("POST", "/", {"Content-Length": str(pieces * len(piece))}))
    for _ in range(pieces):
        connection.send(piece)


def download(connection):
    """The answer, with its body's digest and size instead of the body."""
    answer = connection.response_head()
    digest, size = hashlib.sha256(), 0
    for piece in connection.pieces(answer):
        digest.update(piece)
        size += len(piece)
    return answer, size, digest.digest()


def digest_of(pieces):
    digest = hashlib.sha256()
    for _ in range(pieces):
        digest.update(PIECE)
    return digest.digest()


def check_nothing_kept(watchdog):
    """A client may have its answer a moment before the call is over."""
    assert [name for name in os.listdir(watchdog.tmp) if name != ".lock"] == []
    eventually(lambda: not [path for path in processes.open_files(watchdog.pid) if "(deleted)" in path],
               what=lambda: processes.open_files(watchdog.pid))


def check_peak(watchdog):
    if not programs.is_sanitized(watchdog.name):
        assert processes.memory_kib(watchdog.pid) < PEAK_MIB * 1024


@pytest.mark.parametrize("program", ["serializing", "classic"])
def test_a_large_body_goes_through_without_being_in_memory(start, program):
    watchdog = serializing(start, "cat") if program == "serializing" else start.classic("cat")
    with watchdog.connect(timeout=60) as connection:
        upload(connection, 200)
        answer, size, digest = download(connection)
    assert (answer.status, size) == (200, 200 * MIB)
    assert answer.header("Content-Length") == str(200 * MIB) and answer.framing == "length"
    assert digest == digest_of(200)
    check_peak(watchdog)
    check_nothing_kept(watchdog)


def test_a_chunked_body_is_spooled_as_well(start):
    watchdog = serializing(start, "sha256sum")
    with watchdog.connect() as connection:
        connection.send(request_bytes("POST", "/", {"Transfer-Encoding": "chunked"}))
        for _ in range(8):
            connection.send(chunk(PIECE))
        connection.send(b"0\r\n\r\n")
        answer = connection.response()
    assert answer.text == digest_of(8).hex() + "  -\n"


@pytest.mark.parametrize("size", [MIB - 1, MIB, MIB + 1])
def test_nothing_changes_at_the_limit(start, size):
    watchdog = serializing(start, "cat")
    body = os.urandom(size)
    assert watchdog.call("POST", "/", body=body).body == body


def test_a_large_body_is_the_standard_input_itself(start, script):
    watchdog = serializing(start, script('stat -L -c "%F" /proc/self/fd/0; head -c 4 | od -An -tx1'))
    answer = watchdog.call("POST", "/", body=PIECE * 2)
    assert answer.text.split("\n")[:2] == ["regular file", " 00 01 02 03"]
    assert watchdog.call("POST", "/", body=b"\0\1\2\3").text.startswith("fifo\n")


def test_a_failure_keeps_its_form_whatever_the_output(start, script):
    noisy = script("head -c 3145728 /dev/zero; exit 3")
    answer = serializing(start, noisy).call("GET", "/")
    assert (answer.status, answer.body) == (500, b"exit status 3")
    answer = start.classic(str(noisy)).call("GET", "/")
    assert (answer.status, answer.body) == (500, b"exit status 3\n" + bytes(3 * MIB))
    assert answer.framing == "length"


def test_classic_output_keeps_the_order_of_both_streams_and_its_content_type(start, script):
    both = script("printf '<html>'; printf 2 >&2; head -c 2097152 /dev/zero; printf 3 >&2; printf 4")
    answer = start.classic(str(both)).call("GET", "/")
    assert answer.body == b"<html>2" + bytes(2 * MIB) + b"34"
    assert answer.header("Content-Type") == "text/html; charset=utf-8"
    apart = start.classic({"fprocess": both, "combine_output": "false"})
    assert apart.call("GET", "/").body == b"<html>" + bytes(2 * MIB) + b"4"
    apart.wait_for_log("stderr: 23")


def test_a_large_marshalled_request_is_spooled(start):
    watchdog = start.classic({"fprocess": "cat", "marshal_request": "true"})
    with watchdog.connect(timeout=60) as connection:
        upload(connection, 50)
        answer = connection.response()
    assert base64.b64decode(json.loads(answer.body)["body"]["raw"]) == PIECE * 50
    check_peak(watchdog)
    check_nothing_kept(watchdog)


@pytest.mark.parametrize("program", ["serializing", "classic"])
def test_a_client_that_leaves_in_the_middle_leaves_no_file(start, program):
    watchdog = serializing(start, "cat") if program == "serializing" else start.classic("cat")
    with watchdog.connect() as connection:
        connection.send(request_bytes("POST", "/", {"Content-Length": str(100 * MIB)}) + PIECE * 4)
    with watchdog.connect(rcvbuf=4096) as connection:
        upload(connection, 16)
        connection.response_head()
    check_nothing_kept(watchdog)


def on_a_small_disk(folder, kib):
    """Starts a program with `folder` as a file system of its own, which nobody else sees."""
    mount = f'mount -t tmpfs -o size={kib}k none {folder}; exec "$@"'
    return ["unshare", "-m", "--propagation", "private", "sh", "-c", mount, "sh"]


@pytest.fixture
def small_disk(tmp_path):
    return {"wrapper": on_a_small_disk(tmp_path, 4096)}, {"TMPDIR": str(tmp_path)}


@needs_root
@pytest.mark.parametrize("program", ["serializing", "classic"])
def test_a_full_disk_is_507_and_names_tmpdir(start, script, small_disk, program):
    options, settings = small_disk
    text = 'test "$Http_Path" = /out && exec head -c 16777216 /dev/zero; exec cat'
    settings = {"fprocess": script(text), "exec_timeout": "20s", **settings}
    if program == "serializing":
        watchdog = start.of({"mode": "serializing", **settings}, **options)
    else:
        watchdog = start.classic(settings, **options)
    for _ in range(2):
        output = watchdog.call("GET", "/out")
        assert output.status == 507 and settings["TMPDIR"] in output.text and "No space left" in output.text
    with watchdog.connect() as connection:
        connection.send(request_bytes("POST", "/", {"Content-Length": str(64 * MIB)}))
        try:
            for _ in range(6):
                connection.send(PIECE)
        except (Closed, OSError):
            pass
        body = connection.response()
        assert body.status == 507 and settings["TMPDIR"] in body.text
    # The room is there again.
    assert watchdog.call("POST", "/", body=PIECE + b"x").body == PIECE + b"x"
    check_nothing_kept(watchdog)


def test_without_a_folder_large_bodies_are_500_and_small_ones_work(start):
    watchdog = start.of({"fprocess": "cat", "mode": "serializing"})
    watchdog.lock.unlink()
    watchdog.tmp.rmdir()
    answer = watchdog.call("POST", "/", body=PIECE * 2)
    assert answer.status == 500 and f"TMPDIR ({watchdog.tmp})" in answer.text
    assert watchdog.call("POST", "/", body=b"small").body == b"small"
    watchdog.tmp.mkdir()
