# Who may use /system and /ui, and what a page or a guesser cannot do.
import concurrent.futures
import os
import socket

import pytest

import wire
from probe_client import ask, scripted
from wire import basic, eventually, request_bytes


@pytest.fixture(scope="module")
def gateway(start_once):
    gateway = start_once.gateway()
    gateway.deploy_probe("probe")
    return gateway


def login(gateway, user, password, path="/system/functions"):
    return gateway.call("GET", path, {"Authorization": basic(user, password)}).status


# ---- default deny -----------------------------------------------------------------------------------

@pytest.mark.parametrize("path", [
    "/system", "/system/", "/system/functions", "/system/no/such", "/system/functions/", "//system/functions",
    "/./system/functions", "/a/../system/functions", "/%73ystem/functions", "/system%2Ffunctions", "/system;x=y/functions",
    "/%2e/system", "/function%2f..%2fsystem", "/system/../system/info", "/ui", "/ui/", "/ui/index.html", "/%75i/", "//ui/", "/system?x=/function/probe"])
@pytest.mark.parametrize("method", ["GET", "PATCH", "OPTIONS", "FOO"])
def test_a_stranger_learns_nothing_of_what_is_guarded(gateway, method, path):
    answer = gateway.call(method, path)
    assert (answer.status, answer.body) == (401, b"invalid credentials"), answer
    assert answer.header("WWW-Authenticate") == 'Basic realm="Restricted"'
    assert answer.header("Allow") is None


def test_a_function_path_leads_nowhere_else(gateway):
    for path in ("/function/../system/functions", "/function/..%2fsystem/functions", "/function/%2e%2e/system/info",
                 "/function//system/info", "/function/./system/info"):
        assert gateway.call("GET", path).status == 404, path
    for path in ("/../system/info", "/%2e%2e/system/info"):
        told = ask(gateway, target="/function/probe" + path)
        assert told.target == path


def test_a_large_body_is_401_to_a_stranger_and_413_to_the_admin(gateway):
    for headers, status in (({}, 401), ({"Authorization": gateway.authorization}, 413)):
        with gateway.connect() as connection:
            connection.send(request_bytes("POST", "/system/functions", {**headers, "Content-Length": "1000000000"}))
            assert connection.response().status == status


# ---- the files --------------------------------------------------------------------------------------

def test_a_changed_password_counts_from_the_next_request_on(start):
    gateway = start.gateway()
    file, old = gateway.data_dir / "basic-auth-password", gateway.password
    for number in range(5):
        file.write_text(f"password-{number}\n")
        for _ in range(4):  # on every core
            assert login(gateway, "admin", f"password-{number}") == 200
            assert login(gateway, "admin", old) == 401
        old = f"password-{number}"


def test_a_changed_user_counts_too_and_admin_is_back_without_the_file(start):
    gateway = start.gateway()
    file, password = gateway.data_dir / "basic-auth-user", gateway.password
    file.write_text("someone")
    assert (login(gateway, "someone", password), login(gateway, "admin", password)) == (200, 401)
    file.unlink()
    assert (login(gateway, "someone", password), login(gateway, "admin", password)) == (401, 200)


def test_a_password_file_can_be_replaced_as_orchestrators_do(start):
    gateway = start.gateway()
    for number in range(3):
        fresh = gateway.data_dir / "fresh"
        fresh.write_text(f"replaced-{number}")
        os.rename(fresh, gateway.data_dir / "basic-auth-password")
        assert login(gateway, "admin", f"replaced-{number}") == 200


def test_an_empty_or_missing_password_file_leaves_the_login_as_it_was(start):
    gateway = start.gateway()
    file, password = gateway.data_dir / "basic-auth-password", gateway.password
    file.write_text("")
    assert (login(gateway, "admin", password), login(gateway, "admin", "")) == (200, 401)
    gateway.wait_for_log("basic-auth-password is empty")
    file.unlink()
    assert (login(gateway, "admin", password), login(gateway, "admin", "")) == (200, 401)
    file.write_text("new")
    assert (login(gateway, "admin", password), login(gateway, "admin", "new")) == (401, 200)
    assert password not in gateway.stderr()


# ---- guessing ---------------------------------------------------------------------------------------

def from_address(gateway, address):
    return wire.Connection(sock=socket.create_connection(("127.0.0.1", gateway.port), source_address=(address, 0)))


WRONG = request_bytes("GET", "/system/functions", {"Authorization": basic("admin", "wrong")})


def test_a_few_wrong_logins_slow_nobody_down(start):
    gateway = start.gateway()
    for _ in range(14):
        assert login(gateway, "admin", "wrong") == 401
    assert login(gateway, "admin", gateway.password) == 200
    assert "wrong logins" not in gateway.stderr()


def test_asking_without_a_login_is_not_guessing(start):
    gateway = start.gateway()
    for headers in ({}, {"Authorization": ""}, {"Authorization": "Bearer x"}):
        for _ in range(50):
            assert gateway.call("GET", "/system/functions", headers).status == 401
    assert login(gateway, "admin", gateway.password) == 200
    assert "wrong logins" not in gateway.stderr()


def test_guessers_wait_and_hold_up_nobody_else(start):
    gateway = start.gateway()
    gateway.deploy("cat", "cat")
    for _ in range(20):
        assert login(gateway, "admin", "wrong") == 401
    gateway.wait_for_log("20 wrong logins from 127.0.0.1")
    # So many at once that they cannot all wait: the rest is turned away.
    connections = [gateway.connect() for _ in range(60)]
    for connection in connections:
        connection.send(WRONG)
    # Meanwhile others are served, and so are functions.
    with from_address(gateway, "127.0.0.2") as other:
        answer = other.ask("GET", "/system/functions", {"Authorization": gateway.authorization})
        assert answer.status == 200
    assert gateway.call("POST", "/function/cat", body=b"x").body == b"x"
    answers = [connection.response() for connection in connections]
    for connection in connections:
        connection.close()
    statuses = {answer.status for answer in answers}
    assert statuses == {401, 429}, statuses
    refused = next(answer for answer in answers if answer.status == 429)
    assert refused.header("Retry-After") and len(refused.text.splitlines()) == 1
    # The right one is let in from there as well, in its turn.
    assert login(gateway, "admin", gateway.password) == 200
    assert gateway.stderr().count("wrong logins from") == 1, "the log is flooded as well"


def test_a_guesser_behind_a_proxy_is_told_from_the_others(start):
    gateway = start.gateway()  # loopback is trusted: it is the proxy
    headers = {"Authorization": basic("admin", "wrong"), "X-Forwarded-For": "6.6.6.6"}
    for _ in range(20):
        assert gateway.call("GET", "/system/functions", headers).status == 401
    gateway.wait_for_log("20 wrong logins from 6.6.6.6")
    assert login(gateway, "admin", gateway.password) == 200


def test_guesses_from_all_over_the_world_cost_little_memory(start):
    gateway = start.gateway()
    with gateway.connect() as connection:
        for number in range(6000):
            connection.send(request_bytes("GET", "/system/functions", {
                "Authorization": basic("admin", "wrong"), "X-Forwarded-For": f"9.{number // 250}.{number % 250}.1"}))
            assert connection.response().status == 401
    assert login(gateway, "admin", gateway.password) == 200


# ---- pages ------------------------------------------------------------------------------------------

@pytest.mark.parametrize("headers", [
    {"Origin": "http://evil.test"}, {"Origin": "null"}, {"Origin": ""}, {"Origin": "faas.test"},
    {"Origin": "http://faas.test:81"}, {"Origin": "http://faas.test.evil"}, {"Origin": "http://evil.test/faas.test"},
    [("Origin", "http://faas.test"), ("Origin", "http://evil.test")], {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"}])
@pytest.mark.parametrize("method,path", [("POST", "/system/functions"), ("PUT", "/system/functions"),
                                         ("DELETE", "/system/functions"), ("POST", "/system/scale-function/probe")])
def test_a_page_of_another_origin_changes_nothing(gateway, method, path, headers):
    fields = [("Authorization", gateway.authorization), ("Content-Type", "text/plain"), *dict(headers).items()] \
        if isinstance(headers, dict) else [("Authorization", gateway.authorization), *headers]
    answer = gateway.call(method, path, fields, b'{"service":"evil","image":"host","envProcess":"cat"}')
    assert answer.status == 403, answer
    assert gateway.api("GET", "/system/function/evil").status == 404


@pytest.mark.parametrize("headers", [{}, {"Origin": "http://faas.test"}, {"Origin": "https://FAAS.test:443"},
                                     {"Origin": "http://faas.test:80"}, {"Sec-Fetch-Site": "none"},
                                     {"Origin": "https://public.test", "X-Forwarded-Host": "public.test"}])
def test_a_page_of_its_own_may(gateway, headers):
    answer = gateway.api("POST", "/system/functions", b"{}", headers)
    assert answer.status == 400, answer


def test_the_admins_login_is_not_passed_on_to_functions(start):
    gateway = start.gateway()
    gateway.deploy_probe("probe")
    for target, headers in (("/function/probe", {}), ("/", {"X-Function": "probe"})):
        method = "POST" if target == "/" else "GET"
        told = ask(gateway, method, target, {**headers, "Authorization": gateway.authorization})
        assert told.all("Authorization") == []
        for other in (basic("admin", "other"), basic("someone", gateway.password), "Bearer x", "Basic"):
            assert ask(gateway, method, target, {**headers, "Authorization": other}).all("Authorization") == [other]
    changed = basic("admin", "changed")
    (gateway.data_dir / "basic-auth-password").write_text("changed")
    assert login(gateway, "admin", "changed") == 200
    eventually(lambda: ask(gateway, headers={"Authorization": changed}).all("Authorization") == [], 10)


def csp(gateway, *types, status="200 OK"):
    head = f"HTTP/1.1 {status}\r\n" + "".join(f"Content-Type: {kind}\r\n" for kind in types)
    answer = gateway.call("GET", "/function/probe", scripted(f"{head}Content-Length: 2\r\n\r\nhi".encode()))
    return answer.all("Content-Security-Policy")


PAGES = [("text/html",), ("TEXT/HTML; charset=utf-8",), ("application/xhtml+xml",), ("image/svg+xml",), ("text/xml",),
         ("application/xml",), ("junk",), ("text/plain", "text/html"), ("*/*",), ("text/plain, text/html",),
         ("application/unknown",), ("multipart/x-mixed-replace; boundary=x",)]


@pytest.mark.parametrize("types", PAGES, ids=" ".join)
def test_a_page_of_a_function_gets_an_origin_of_its_own(gateway, types):
    (policy,) = csp(gateway, *types)
    words = policy.split()
    assert words[0] == "sandbox" and "allow-scripts" in words and "allow-same-origin" not in words


def test_an_error_page_gets_one_too(gateway):
    assert csp(gateway, "text/html", status="500 Oops")


@pytest.mark.parametrize("kind", ["application/json", "text/plain; charset=utf-8", "image/png", "text/css",
                                  "application/octet-stream", "text/event-stream"])
def test_what_is_no_page_is_not_touched(gateway, kind):
    assert csp(gateway, kind) == []


def test_a_functions_own_policy_stays_beside_it(gateway):
    data = (b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Security-Policy: default-src 'self'\r\n"
            b"Content-Length: 2\r\n\r\nhi")
    policies = gateway.call("GET", "/function/probe", scripted(data)).all("Content-Security-Policy")
    assert policies[0] == "default-src 'self'" and policies[1].startswith("sandbox ")


@pytest.mark.parametrize("settings", [{"function_pages": "same-origin"}, {"basic_auth": "false"}])
def test_pages_can_be_let_into_the_gateways_origin(start, settings):
    gateway = start.gateway(settings)
    data = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 2\r\n\r\nhi"
    if "basic_auth" in settings:
        assert gateway.call("POST", "/system/functions", body=b"{}").status == 400
        assert gateway.call("POST", "/system/functions", {"Origin": "null"}, b"{}").status == 403
        return
    gateway.deploy_probe("probe")
    assert gateway.call("GET", "/function/probe", scripted(data)).all("Content-Security-Policy") == []


def test_logins_of_many_at_once_are_all_let_in(gateway):
    with concurrent.futures.ThreadPoolExecutor(40) as pool:
        assert set(pool.map(lambda _: login(gateway, "admin", gateway.password), range(200))) == {200}
