# of-watchdog, mode static: a folder of files, and nothing outside it.
import email.utils
import os
import pathlib
import re
import signal
import socket

import pytest

import processes
from conftest import needs_root
from programs import free_port, is_sanitized
from wire import Connection, eventually, request_bytes

case = pytest.mark.case
TEXT = b"hello world"
WHEN = 784111777  # Sun, 06 Nov 1994 08:49:37 GMT
LARGE = 64 * 1024 * 1024


def date(seconds):
    return email.utils.formatdate(seconds, usegmt=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A site, with a secret beside it."""
    top = tmp_path_factory.mktemp("static")
    (top / "secret").write_text("secret")
    root = top / "site"
    (root / "idx").mkdir(parents=True)
    (root / "sub" / "deep").mkdir(parents=True)
    (root / "a.txt").write_bytes(TEXT)
    os.utime(root / "a.txt", (WHEN, WHEN))
    (root / "idx" / "index.html").write_text("<p>index")
    (root / "sub" / "x.js").write_text("x")
    (root / "sub" / ".hidden").write_text("")
    (root / "sub" / '<b>&"q.txt').write_text("quoted")
    (root / "sub" / "a b#?%.txt").write_text("escaped")
    (root / "noext").write_text("<html>sniffed")
    (root / "data.json").write_text("{}")
    (root / "empty").write_text("")
    with open(root / "large", "wb") as large:
        large.truncate(LARGE)
    os.mkfifo(root / "pipe")
    (root / "in").symlink_to("sub/x.js")
    (root / "out").symlink_to("../secret")
    (root / "passwd").symlink_to("/etc/passwd")
    (root / "etc").symlink_to("/etc")
    (root / "loop").symlink_to("loop")
    (root / "magic").symlink_to("/proc/self/cwd")
    return root


@pytest.fixture(scope="module")
def site(start_once, folder):
    return start_once.of({"mode": "static", "static_path": folder})


def get(site, target, **headers):
    return site.call("GET", target, [(name.replace("_", "-"), value) for name, value in headers.items()])


# -- start ----------------------------------------------------------------------------------------


@case(14)
def test_an_empty_static_path_stops_it_at_once(start):
    program = start.program("of-watchdog", (), {"port": free_port(), "mode": "static", "static_path": ""})
    assert program.expect_exit() == 1
    assert 'For mode=static you must specify the "static_path" to serve' in program.stderr()


@case(14)
def test_without_static_path_it_serves_the_images_folder(start):
    watchdog = start.of({"mode": "static"})
    assert "Serving files at: /home/app/public" in watchdog.stderr()
    assert "Watchdog mode: static\tfprocess: \"\"" in watchdog.stderr()


def test_a_relative_folder_that_comes_later_is_served(start):
    watchdog = start.of({"mode": "static", "static_path": "site"})
    assert get(watchdog, "/a.txt").status == 404
    (watchdog.folder / "site").mkdir()
    (watchdog.folder / "site" / "a.txt").write_bytes(TEXT)
    assert get(watchdog, "/a.txt").body == TEXT


def test_calls_are_counted_and_limited_but_not_logged(start, folder):
    metrics = free_port()
    watchdog = start.of({"mode": "static", "static_path": folder, "max_inflight": "1", "metrics_port": metrics})
    with Connection(watchdog.port, rcvbuf=4096) as slow:
        slow.send(request_bytes("GET", "/large"))
        assert slow.response_head().status == 200
        answer = eventually(lambda: (a := get(watchdog, "/a.txt")).status == 429 and a)
        assert "Concurrent request limit exceeded. Max concurrent requests: 1" in answer.text
    answer = eventually(lambda: (a := get(watchdog, "/a.txt")).status == 200 and a)
    assert answer.header("X-Duration-Seconds") is None
    with Connection(metrics) as connection:
        counted = connection.ask("GET", "/metrics").text
    assert re.search(r'http_requests_total\{code="200",method="get"\} [1-9]', counted), counted
    assert "a.txt" not in watchdog.stderr()


def test_ready_path_asks_for_a_file(start, folder):
    watchdog = start.of({"mode": "static", "static_path": folder, "ready_path": "/a.txt?x"})
    assert get(watchdog, "/_/ready").body == TEXT
    watchdog = start.of({"mode": "static", "static_path": folder, "ready_path": "/missing"})
    assert get(watchdog, "/_/ready").status == 404


@needs_root
def test_as_the_first_process_it_reaps_what_is_left_to_it(start, folder):
    """Nothing else would: no call of this mode waits for a child."""
    wrapper = ("unshare", "--pid", "--fork", "sh", "-c", 'sleep 0.5 & exec "$@"', "sh")
    watchdog = start.of({"mode": "static", "static_path": folder}, wrapper=wrapper)

    def below():
        return {p.pid: processes.command_line(p.pid) for p in processes.descendants(watchdog.pid)}
    eventually(lambda: len(below()) == 1, what=below)
    (first,) = below()
    os.kill(first, signal.SIGTERM)
    assert watchdog.expect_exit() == 0


# -- files and folders ----------------------------------------------------------------------------


@case(114)
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "FOO"])
def test_every_method_gets_the_file(site, method):
    answer = site.call(method, "/a.txt?q", body=b"ignored" if method == "POST" else None)
    assert (answer.status, answer.body) == (200, TEXT)
    assert answer.header("Content-Type") == "text/plain; charset=utf-8"
    assert answer.header("Accept-Ranges") == "bytes"
    assert answer.header("Last-Modified") == date(WHEN)
    assert answer.header("Content-Length") == "11"
    assert answer.header("ETag") is None


@case(114)
def test_head_gets_no_body(site):
    with site.connect() as connection:
        answer = connection.ask("HEAD", "/a.txt")
        assert (answer.status, answer.header("Content-Length")) == (200, "11")
        assert connection.ask("GET", "/a.txt").body == TEXT


@case(114)
@pytest.mark.parametrize("target, where", [
    ("/idx", "idx/"), ("/idx?x=1", "idx/?x=1"), ("/sub/deep", "deep/"),
    ("/idx/index.html?x=1", "./?x=1"), ("/missing/index.html", "./"),
    ("/a.txt/", "../a.txt"), ("/a.txt/?x=1", "../a.txt?x=1"),
])
def test_one_content_has_one_address(site, target, where):
    answer = get(site, target)
    assert (answer.status, answer.header("Location"), answer.body) == (301, where, b"")


@case(114)
def test_a_folder_with_an_index_is_its_index(site):
    answer = get(site, "/idx/")
    assert (answer.status, answer.body) == (200, b"<p>index")
    assert answer.header("Content-Type") == "text/html; charset=utf-8"


@pytest.mark.parametrize("target, kind", [
    ("/noext", "text/html; charset=utf-8"), ("/data.json", "application/json"),
    ("/sub/x.js", "text/javascript; charset=utf-8"), ("/empty", "text/plain; charset=utf-8"),
    ("/large", "application/octet-stream"),
])
def test_the_type_is_told_by_the_name_or_else_by_the_content(site, target, kind):
    assert site.call("HEAD", target).header("Content-Type") == kind


@case(115)
def test_a_list_escapes_names_and_its_links_lead_to_the_files(site):
    answer = get(site, "/sub/")
    assert answer.status == 200
    assert answer.header("Content-Type") == "text/html; charset=utf-8"
    lines = answer.text.splitlines()
    assert (lines[0], lines[-1]) == ("<pre>", "</pre>")
    names = re.findall(r'<a href="([^"]*)">([^<]*)</a>', answer.text)
    assert [text for _, text in names] == [".hidden", "&lt;b&gt;&amp;&#34;q.txt", "a b#?%.txt", "deep/", "x.js"]
    assert get(site, "/sub/" + names[1][0]).text == "quoted"
    assert get(site, "/sub/" + names[2][0]).text == "escaped"


@case(115)
def test_what_is_missing_is_404_in_plain_text(site):
    answer = get(site, "/missing")
    assert (answer.status, answer.body) == (404, b"404 page not found\n")
    assert answer.header("Content-Type") == "text/plain; charset=utf-8"
    assert answer.header("X-Content-Type-Options") == "nosniff"
    assert get(site, "/a.txt/below").status == 404
    assert get(site, "/" + "x" * 300).status == 404


@needs_root
def test_what_cannot_be_read_is_403(start, tmp_path):
    """The watchdog is root, but without root's right to read everything."""
    for name in ("locked", "folder/index.html", "closed/a"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")
    for name in ("locked", "folder/index.html", "closed"):
        (tmp_path / name).chmod(0)
    wrapper = ("setpriv", "--bounding-set", "-dac_override,-dac_read_search")
    watchdog = start.of({"mode": "static", "static_path": tmp_path}, wrapper=wrapper)
    for target in ("/locked", "/folder/", "/closed/", "/closed/a"):
        answer = get(watchdog, target)
        assert (answer.status, answer.body) == (403, b"403 Forbidden\n"), target


def test_a_long_list_arrives_whole(start, tmp_path):
    for number in range(3000):
        (tmp_path / f"{number:04}-{'n' * 40}").touch()
    answer = get(start.of({"mode": "static", "static_path": tmp_path}), "/")
    assert answer.complete and answer.text.count("<a href=") == 3000


# -- ranges ---------------------------------------------------------------------------------------


@case(116)
@pytest.mark.parametrize("asked, said, body", [
    ("bytes=0-4", "bytes 0-4/11", b"hello"), ("bytes=6-", "bytes 6-10/11", b"world"),
    ("bytes=-5", "bytes 6-10/11", b"world"), ("bytes=0-100", "bytes 0-10/11", TEXT),
    ("bytes=0-0,99-", "bytes 0-0/11", b"h"),
])
def test_one_range_is_206(site, asked, said, body):
    answer = get(site, "/a.txt", Range=asked)
    assert (answer.status, answer.header("Content-Range"), answer.body) == (206, said, body)
    assert answer.header("Content-Type") == "text/plain; charset=utf-8"


@case(116)
def test_several_ranges_are_multipart(site):
    answer = get(site, "/a.txt", Range="bytes=0-4,6-7")
    boundary = re.fullmatch(r"multipart/byteranges; boundary=(\w+)", answer.header("Content-Type")).group(1)
    assert answer.status == 206 and answer.framing == "length"
    parts = answer.body.split(b"--" + boundary.encode())
    assert parts[0] == b"" and parts[3] == b"--\r\n"
    for part, said, body in ((parts[1], b"bytes 0-4/11", b"hello"), (parts[2], b"bytes 6-7/11", b"wo")):
        head, content = part.split(b"\r\n\r\n")
        assert b"Content-Range: " + said in head and b"Content-Type: text/plain; charset=utf-8" in head
        assert content == body + b"\r\n"


@case(116)
def test_ranges_outside_are_416_with_the_size(site):
    answer = get(site, "/a.txt", Range="bytes=99-")
    assert (answer.status, answer.body) == (416, b"invalid range: failed to overlap\n")
    assert answer.header("Content-Range") == "bytes */11"


@case(116)
@pytest.mark.parametrize("asked", ["bytes=5-2", "foo", "lines=1-2", "bytes=--1"])
def test_malformed_ranges_are_416_without_it(site, asked):
    answer = get(site, "/a.txt", Range=asked)
    assert (answer.status, answer.body, answer.header("Content-Range")) == (416, b"invalid range\n", None)


@case(116)
@pytest.mark.parametrize("asked", ["bytes=", "bytes=0-10,0-10", ",".join(["bytes=0-"] + ["0-"] * 50)])
def test_ranges_longer_than_the_file_are_the_whole(site, asked):
    answer = get(site, "/a.txt", Range=asked)
    assert (answer.status, answer.body) == (200, TEXT)


def test_too_many_ranges_are_refused(site):
    answer = get(site, "/large", Range="bytes=" + ",".join("0-0" for _ in range(65)))
    assert (answer.status, answer.body) == (416, b"invalid range: more than 64 ranges\n")


def test_a_range_far_inside_a_large_file(site):
    answer = get(site, "/large", Range=f"bytes={LARGE - 3}-")
    assert (answer.status, answer.body) == (206, b"\0\0\0")


# -- conditions -----------------------------------------------------------------------------------


@case(117)
@pytest.mark.parametrize("since", [
    date(WHEN), date(WHEN + 1), "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"])
def test_what_was_not_modified_is_304(site, since):
    with site.connect() as connection:
        answer = connection.ask("GET", "/a.txt", [("If-Modified-Since", since)])
        assert (answer.status, answer.body) == (304, b"")
        assert answer.header("Content-Type") is None and answer.header("Content-Length") is None
        assert connection.ask("GET", "/a.txt").body == TEXT


@case(117)
@pytest.mark.parametrize("name, value, status", [
    ("If-Modified-Since", date(WHEN - 1), 200), ("If-Modified-Since", "yesterday", 200),
    ("If-Unmodified-Since", date(WHEN - 1), 412), ("If-Unmodified-Since", date(WHEN), 200),
    ("If-None-Match", "*", 304), ("If-None-Match", '"tag"', 200),
    ("If-Match", '"tag"', 412), ("If-Match", "*", 200),
])
def test_conditions(site, name, value, status):
    answer = site.call("GET", "/a.txt", [(name, value)])
    assert answer.status == status
    assert answer.body == (TEXT if status == 200 else b"")


@case(117)
def test_a_tag_makes_the_date_not_count(site):
    assert get(site, "/a.txt", If_None_Match='"tag"', If_Modified_Since=date(WHEN)).status == 200


@case(117)
@pytest.mark.parametrize("validator, status", [(date(WHEN), 206), (date(WHEN + 1), 200), ('"tag"', 200)])
def test_if_range(site, validator, status):
    assert get(site, "/a.txt", Range="bytes=0-4", If_Range=validator).status == status


@case(117)
def test_a_list_knows_if_modified_since(site):
    modified = get(site, "/sub/").header("Last-Modified")
    assert get(site, "/sub/", If_Modified_Since=modified).status == 304


# -- attacks --------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", [
    "/../secret", "/..%2fsecret", "/%2e%2e/secret", "/%2e%2e%2fsecret", "/sub/../../secret", "/sub/..%2f..%2fsecret",
    "/..%2f..%2fetc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/" + "..%2f" * 20 + "etc/passwd", "/..", "/../", "/%2e%2e",
    "//etc/passwd", "/%2fetc/passwd", "/..%5csecret", "/..\\secret", "/.%00./secret", "/%252e%252e/secret",
    "/out", "/passwd", "/etc/", "/etc/passwd", "/etc/../../secret", "/loop", "/proc/self/environ", "/magic", "/magic/secret",
    "/....//secret", "/..;/secret", "/%c0%ae%c0%ae/secret",
])
def test_nothing_outside_the_folder_is_served(site, target):
    """Ours: the reference follows links out of its folder."""
    answer = get(site, target)
    assert b"root:" not in answer.body and answer.body != b"secret", answer
    listed = answer.status in (200, 301) and re.fullmatch(r"(/\.\.|/%2e%2e)/?", target)  # the folder itself
    assert answer.status in (400, 404) or listed, answer


def test_a_link_that_stays_inside_is_followed(site):
    assert get(site, "/in").body == b"x"


@pytest.mark.parametrize("target", ["/pipe", "/pipe?x"])
def test_a_pipe_is_refused_and_nobody_waits_for_it(site, target):
    assert get(site, target).status == 403


def test_a_socket_is_refused(start, tmp_path):
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "s"))
        assert get(start.of({"mode": "static", "static_path": tmp_path}), "/s").status == 403


def test_a_name_with_a_zero_byte_is_400(site):
    """Ours: the reference answers 500 to the client's mistake."""
    assert get(site, "/a.txt%00").status == 400


def test_dots_inside_the_folder_are_resolved(site):
    for target in ("/sub/../a.txt", "/./a.txt", "//a.txt", "/sub/%2e%2e/a.txt", "/..%2fa.txt"):
        assert get(site, target).body == TEXT, target


# -- bodies ---------------------------------------------------------------------------------------


def test_a_large_file_arrives_whole_in_constant_memory(site):
    answer = get(site, "/large")
    assert answer.complete and len(answer.body) == LARGE
    if is_sanitized("of-watchdog"):
        return
    peak = int(re.search(r"VmHWM:\s+(\d+) kB", pathlib.Path(f"/proc/{site.pid}/status").read_text()).group(1))
    assert peak < 8 * 1024


def test_a_file_that_becomes_shorter_cuts_the_connection(start, tmp_path):
    with open(tmp_path / "shrinks", "wb") as file:
        file.truncate(LARGE)
    watchdog = start.of({"mode": "static", "static_path": tmp_path})
    with watchdog.connect(rcvbuf=4096) as connection:
        connection.send(request_bytes("GET", "/shrinks"))
        answer = connection.response_head()
        os.truncate(tmp_path / "shrinks", 1000)
        connection.finish(answer)
        assert not answer.complete and 0 < len(answer.body) < LARGE
    watchdog.wait_for_log("/shrinks: the file became shorter or cannot be read")
    assert get(watchdog, "/shrinks").complete


def test_a_client_that_leaves_leaves_no_descriptor(site):
    descriptors = pathlib.Path(f"/proc/{site.pid}/fd")
    before = len(list(descriptors.iterdir()))
    for _ in range(20):
        with site.connect(rcvbuf=4096) as connection:
            connection.send(request_bytes("GET", "/large"))
            connection.response_head()
            connection.reset()
    eventually(lambda: len(list(descriptors.iterdir())) <= before)
