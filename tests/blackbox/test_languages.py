# Functions as people write them, in several languages, under both watchdogs.
import os
import pathlib
import shutil
import tempfile

import pytest

import images
import programs
from wire import chunk, request_bytes

FOLDER = programs.FUNCTIONS / "languages"
COMMANDS = {
    "sh": f"/bin/sh {FOLDER}/function.sh",
    "awk": f"/usr/bin/mawk -W interactive -f {FOLDER}/function.awk",
    "perl": f"/usr/bin/perl {FOLDER}/function.pl",
    "python": f"{programs.PYTHON} -u {FOLDER}/function.py",
    "node": f"/usr/bin/node {FOLDER}/function.js",
    "lua": f"/usr/bin/lua5.4 {FOLDER}/function.lua",
}
ALL = [*COMMANDS, "c", "c++"]
BINARY = [name for name in ALL if name not in ("sh", "awk")]  # whose language knows what a byte is
SERVING = ["c", "python", "node", "perl"]
PIPED = ["c", "python", "node", "perl", "lua"]
WATCHDOGS = ["streaming", "serializing", "classic"]


@pytest.fixture(scope="module")
def commands():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="faas-s-"))
    folder.chmod(0o755)
    yield {**COMMANDS, "c": str(images.compiled("function.c", folder / "c")),
           "c++": str(images.compiled("function.cpp", folder / "c++", "clang++", ()))}
    shutil.rmtree(folder)


@pytest.fixture
def forked(start, commands):
    def make(mode, language, shape, **settings):
        settings["fprocess"] = f"{commands[language]} {shape}"
        return start.classic(settings) if mode == "classic" else start.of({"mode": mode, **settings})
    return make


@pytest.mark.parametrize("language", ALL)
@pytest.mark.parametrize("mode", WATCHDOGS)
def test_a_forked_function_transforms_text_and_json(forked, mode, language):
    watchdog = forked(mode, language, "upper")
    text = "A line.\nAnother, with more words.\n" * 50
    for _ in range(2):
        reply = watchdog.call("POST", "/", body=text.encode())
        assert (reply.status, reply.text) == (200, text.upper())
    watchdog = forked(mode, language, "greet", content_type="application/json")
    reply = watchdog.call("POST", "/", {"Content-Type": "application/json"}, b'{"name":"Ada"}\n')
    assert (reply.status, reply.text) == (200, '{"hello":"Ada"}')
    assert reply.header("Content-Type") == "application/json"


@pytest.mark.parametrize("language", BINARY)
@pytest.mark.parametrize("mode", WATCHDOGS)
def test_a_forked_function_transforms_an_image(forked, mode, language):
    pixels = bytes(range(256)) * 1024
    picture = b"P5 512 512 255\n" + pixels
    reply = forked(mode, language, "invert", content_type="image/x-portable-graymap").call(
        "POST", "/", {"Content-Type": "image/x-portable-graymap"}, picture)
    assert reply.status == 200 and reply.header("Content-Type") == "image/x-portable-graymap"
    assert reply.body == bytes(byte ^ 0xFF for byte in picture)


@pytest.mark.parametrize("language", ALL)
@pytest.mark.parametrize("mode", WATCHDOGS)
def test_a_forked_function_that_ignores_its_input_answers_all_the_same(forked, mode, language):
    watchdog = forked(mode, language, "ignore")
    for body in (b"", b"x", b"x" * 300_000):
        reply = watchdog.call("POST", "/", body=body)
        assert (reply.status, reply.body) == (200, b"not read\n")


@pytest.mark.parametrize("language", ALL)
@pytest.mark.parametrize("mode", WATCHDOGS)
def test_a_forked_function_finds_the_request_in_its_environment(forked, mode, language):
    reply = forked(mode, language, "env Http_X_Token").call("GET", "/", {"X-Token": "a b=c"})
    assert (reply.status, reply.body) == (200, b"a b=c\n")


@pytest.mark.parametrize("language", ALL)
def test_a_streaming_function_answers_line_by_line_while_it_is_asked(forked, language):
    """The next line is sent only when the answer to the one before has come."""
    watchdog = forked("streaming", language, "lines")
    with watchdog.connect() as connection:
        connection.send(request_bytes("POST", "/", {"Transfer-Encoding": "chunked"}))
        connection.send(chunk(b"line\n"))
        reply = connection.body_until(connection.response_head(), b"1 line\n")
        for n in range(2, 6):
            connection.send(chunk(b"line\n"))
            connection.body_until(reply, b"%d line\n" % n)
        connection.send(b"0\r\n\r\n")
        connection.finish(reply)
    assert reply.complete and reply.body == b"".join(b"%d line\n" % n for n in range(1, 6))


@pytest.mark.parametrize("language", SERVING)
def test_an_http_function_answers(start, commands, language):
    port = programs.free_port()
    watchdog = start.of({"fprocess": f"{commands[language]} http {port}", "mode": "http",
                         "upstream_url": f"http://127.0.0.1:{port}"})
    body = os.urandom(100_000)
    with watchdog.connect() as connection:
        for target in ("/", "/a/b?c=d"):
            reply = connection.ask("GET", target)
            assert (reply.status, reply.body) == (200, f"GET {target} HTTP/1.1\n".encode())
            reply = connection.ask("POST", target, body=body)
            assert (reply.status, reply.body) == (200, f"POST {target} HTTP/1.1\n".encode() + body)
    assert watchdog.stop() == 0


@pytest.mark.parametrize("language", PIPED)
def test_an_afterburn_function_answers(start, commands, language):
    watchdog = start.of({"fprocess": f"{commands[language]} burn", "mode": "afterburn"})
    body = os.urandom(100_000)
    for _ in range(3):
        reply = watchdog.call("POST", "/a?b", body=body)
        assert (reply.status, reply.body) == (200, b"POST /a?b HTTP/1.1\n" + body)
        assert watchdog.call("GET", "/").body == b"GET / HTTP/1.1\n"
    assert watchdog.stop() == 0
