# What a forked function finds in its environment.
import os
import re
import signal

import pytest

case = pytest.mark.case


@pytest.fixture(scope="module")
def of(start_once):
    return start_once.of({"fprocess": "env -0", "Http_X_Foo": "fromenv", "OWN": "kept"})


@pytest.fixture(scope="module")
def classic(start_once):
    return start_once.classic({"fprocess": "env -0", "Http_X_Foo": "fromenv", "OWN": "kept"})


@pytest.fixture(params=["of", "classic"])
def both(request, of, classic):
    return of if request.param == "of" else classic


def variables(answer):
    assert answer.status == 200, answer
    entries = [entry.split(b"=", 1) for entry in answer.body.split(b"\0") if entry]
    names = [name for name, _ in entries]
    assert len(names) == len(set(names)), f"twice in the environment: {sorted(names)}"
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in entries}


@case(44)
def test_header_names_become_canonical_and_the_first_value_counts(both):
    found = variables(both.call("GET", "/", [("x-bAR-bAZ", "3"), ("X-Foo", "1"), ("X-Foo", "2"),
                                             ("X_under-score", "u"), ("9a-b", "n")]))
    assert found["Http_X_Bar_Baz"] == "3"
    assert found["Http_X_Foo"] == "1"
    assert found["Http_X_under_Score"] == "u"
    assert found["Http_9a_B"] == "n"


@case(45)
def test_a_header_wins_over_the_watchdogs_own_environment(both):
    assert variables(both.call("GET", "/"))["Http_X_Foo"] == "fromenv"
    assert variables(both.call("GET", "/", {"X-Foo": "header"}))["Http_X_Foo"] == "header"


def test_the_watchdogs_environment_is_inherited(both):
    assert variables(both.call("GET", "/"))["OWN"] == "kept"


@case(46)
def test_classic_always_tells_the_length(classic):
    found = variables(classic.call("POST", "/", body=b"hello"))
    assert (found["Http_ContentLength"], found["Http_Content_Length"]) == ("5", "5")
    found = variables(classic.call("GET", "/"))
    assert (found["Http_ContentLength"], found["Http_Content_Length"]) == ("0", "0")
    found = variables(classic.call("POST", "/", {"Transfer-Encoding": "chunked"}, b"2\r\nok\r\n0\r\n\r\n"))
    assert (found["Http_ContentLength"], found["Http_Content_Length"]) == ("-1", "-1")
    assert found["Http_Transfer_Encoding"] == "chunked"


@case(46)
def test_classic_tells_method_path_query_and_host(classic):
    found = variables(classic.call("DELETE", "/a%20b?x=%41", {"Host": "h.test:99"}))
    assert (found["Http_Method"], found["Http_Path"], found["Http_Query"], found["Http_Host"]) == (
        "DELETE", "/a b", "x=%41", "h.test:99")


@case(47)
def test_of_watchdog_sets_neither_host_nor_contentlength(of):
    found = variables(of.call("POST", "/", body=b"hello"))
    assert "Http_Host" not in found and "Http_ContentLength" not in found
    assert found["Http_Content_Length"] == "5"
    found = variables(of.call("POST", "/", {"Transfer-Encoding": "chunked"}, b"2\r\nok\r\n0\r\n\r\n"))
    assert found["Http_Transfer_Encoding"] == "chunked"
    assert "Http_Content_Length" not in found


@case(48)
def test_the_query_is_raw_and_the_path_decoded(both):
    found = variables(both.call("GET", "/a%0Ab%C3%A9?q=%00&r=%zz"))
    assert found["Http_Query"] == "q=%00&r=%zz"
    assert found["Http_Path"].encode("latin-1") == "/a\nbé".encode()


def test_without_a_query_there_is_no_query_variable(both):
    assert "Http_Query" not in variables(both.call("GET", "/a?"))
    assert "Http_Query" not in variables(both.call("GET", "/a"))


@case(49)
def test_a_nul_in_the_path_is_an_error_of_the_spawn(start, classic):
    answer = classic.call("GET", "/%00x")
    assert (answer.status, answer.body) == (500, b"exec: environment variable contains NUL\n")
    answer = start.of({"fprocess": "env", "mode": "serializing"}).call("GET", "/%00x")
    assert (answer.status, answer.body) == (500, b"exec: environment variable contains NUL")


@case(49, 50, 72, deviation="500 and the reason: an empty 200 hides the failure")
def test_streaming_says_500_when_nothing_could_be_started(of):
    """Ours: the reference answers 200 with nothing."""
    answer = of.call("GET", "/%00x")
    assert (answer.status, answer.body) == (500, b"exec: environment variable contains NUL")
    answer = of.call("GET", "/?" + "q" * 200_000)
    assert answer.status == 500 and re.fullmatch(r"fork/exec \S+/env: argument list too long", answer.text), answer


@case(50)
def test_a_query_too_long_for_a_variable_is_an_error_of_the_spawn(classic):
    answer = classic.call("GET", "/?" + "q" * 200_000)
    assert answer.status == 500 and re.fullmatch(r"fork/exec \S+/env: argument list too long\n", answer.text), answer


@case(51, deviation="such headers are dropped: a client must not speak for the watchdog")
def test_a_header_cannot_forge_what_the_watchdog_tells(both):
    """Ours: Query, Path, Method and the like never come from a header of that name."""
    found = variables(both.call("GET", "/p", {"Query": "evilq", "Path": "/evil", "Method": "EVIL"}))
    assert "Http_Query" not in found
    assert (found["Http_Path"], found["Http_Method"]) == ("/p", "GET")


@case(52)
@pytest.mark.parametrize("value,there", [("false", False), ("1", False), ("", True), ("true", True)])
def test_cgi_headers_can_be_switched_off(start, value, there):
    watchdog = start.classic({"fprocess": "env -0", "cgi_headers": value})
    found = variables(watchdog.call("GET", "/", {"X-Foo": "1"}))
    assert any(name.startswith("Http_") for name in found) == there


def test_only_the_three_standard_descriptors_are_inherited(start, script):
    lists = script("ls -l /proc/self/fd | awk 'NR>1 {print $9}'")
    for watchdog in (start.of(str(lists)), start.classic(str(lists))):
        with watchdog.connect(), watchdog.connect():  # descriptors the child must not see
            seen = watchdog.call("GET", "/").text.split()
        assert set(seen) <= {"0", "1", "2", "3"}, seen  # 3: the folder ls itself reads


def test_signals_are_as_a_program_expects_them(both, start, script):
    show = script("grep -E 'Sig(Blk|Ign)' /proc/self/status")
    for watchdog in (start.of(str(show)), start.classic(str(show))):
        for line in watchdog.call("GET", "/").text.splitlines():
            assert int(line.split()[1], 16) == 0, line


@pytest.mark.parametrize("name", ["of", "classic"])
def test_a_function_is_not_told_to_ignore_what_its_watchdog_was_told_to(start, script, name):
    """As a shell without job control does for what it starts in the background."""
    show = script("grep SigIgn /proc/self/status")
    watchdog = getattr(start, name)(str(show), wrapper=["sh", "-c", 'trap "" INT QUIT PIPE; exec "$@"', "sh"])
    assert int(watchdog.call("GET", "/").text.split()[1], 16) == 0
    assert watchdog.stop(signal.SIGINT) == 0


def test_a_program_is_looked_up_in_the_watchdogs_path(start, script):
    script("echo found it", name="my-own-function")
    folder = script("").parent
    path = f"{folder}:{os.environ.get('PATH', '/usr/bin:/bin')}"
    assert start.of({"fprocess": "my-own-function", "PATH": path}).call("GET", "/").body == b"found it\n"
