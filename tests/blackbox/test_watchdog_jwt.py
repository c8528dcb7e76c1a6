# JWT authentication of both watchdogs: who may call, and where the keys come from.
import json
import re
import signal
import socket
import struct
import threading

import pytest

import issuer as issuers
import processes
import programs
from conftest import needs_root
from programs import free_port
from wire import Connection, call, eventually, request_bytes

case = pytest.mark.case
both = pytest.mark.parametrize("name", ["of-watchdog-jwt", "fwatchdog-jwt"])
REFUSED = {"Content-Type": "text/plain; charset=utf-8", "X-Content-Type-Options": "nosniff",
           "X-Openfaas-Internal": "faas-middleware"}
ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]


@pytest.fixture(scope="module")
def keys():
    return {name: issuers.Key(name, f"key-{name}") for name in ALGORITHMS}


@pytest.fixture(scope="module")
def issuer(start_once, keys):
    made = issuers.Issuer(*keys.values())
    start_once.started.append(made)
    return made


@pytest.fixture
def own_issuer(start, keys):
    """One that the test may change."""
    made = issuers.Issuer(keys["EdDSA"])
    start.started.append(made)
    return made


def settings_for(url, **more):
    return {"fprocess": "env", "jwt_auth": "true", "jwt_auth_authority": url, "OPENFAAS_NAME": "env",
            "OPENFAAS_NAMESPACE": "openfaas-fn", "jwt_auth_start_timeout": "60s", **more}


@pytest.fixture(scope="module")
def guarded(start_once, issuer):
    return {name: start_once.keep(programs.Watchdog, name, settings_for(issuer.url))
            for name in ("of-watchdog-jwt", "fwatchdog-jwt")}


def guard(start, url, name="of-watchdog-jwt", **more):
    wait = more.pop("wait", True)
    return start.keep(programs.Watchdog, name, settings_for(url, **more), wait=wait)


def bearer(token):
    return [("Authorization", f"Bearer {token}")]


def ask(watchdog, token):
    return watchdog.call("GET", "/", bearer(token))


def refused(answer, status, text=None):
    assert answer.status == status, answer
    for field, value in REFUSED.items():
        assert answer.header(field) == value, answer
    assert answer.header("WWW-Authenticate") == ("Bearer realm=IAM function invoke" if status == 401 else None)
    assert answer.text.endswith("\n") and answer.text.count("\n") == 1, answer
    if text:
        assert text in answer.text, answer
    return True


# ---- what a token must be ----------------------------------------------------------------------------

@case(134)
@both
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_good_token_admits_and_the_function_is_told_how_long_it_took(guarded, issuer, keys, name, algorithm):
    token = keys[algorithm].token(issuer.claims())
    for headers in (bearer(token), [("Authorization", token)], bearer(token) + [("x-auth-SECONDS", "forged")]):
        answer = guarded[name].call("GET", "/", headers)
        assert answer.status == 200, answer
        assert re.findall(r"^Http_X_Auth_Seconds=(.*)$", answer.text, re.M) == [
            re.search(r"Http_X_Auth_Seconds=(\d+\.\d{6})\n", answer.text).group(1)], answer


@case(134)
@both
def test_without_a_good_token_nobody_is_let_in(guarded, issuer, keys, name):
    watchdog, key, claims = guarded[name], keys["RS256"], issuer.claims()
    good = key.token(claims)
    head, payload, signature = good.split(".")
    other = issuers.b64(json.dumps({**claims, "function": {"permissions": ["*:*"]}}))
    missing = "Bearer must be present in Authorization header\n"
    wrong = "failed to parse JWT token: "
    assert refused(watchdog.call("GET", "/"), 401) and watchdog.call("GET", "/").text == missing
    assert watchdog.call("GET", "/", [("Authorization", "")]).text == missing
    for text in ("Basic dTpw", "Bearer ", "Bearer x", "bearer " + good, "Bearer  " + good, "Bearer " + good + " x"):
        refused(watchdog.call("GET", "/", [("Authorization", text)]), 401, wrong)
    refused(watchdog.call("GET", "/", bearer(good) + bearer(good)), 401, "more than once")
    for token in (f"{head}.{other}.{signature}", f"{head}.{payload}.{signature[:-8]}AAAAAAAA", f"{head}.{payload}.",
                  f"{issuers.b64(json.dumps({'alg': 'none', 'kid': key.kid}))}.{payload}.",
                  f"{issuers.b64(json.dumps({'alg': 'none', 'kid': key.kid}))}.{payload}.{signature}",
                  issuers.Key("RS256", key.kid).token(claims), key.token(claims, kid="unknown"),
                  key.token(claims, alg="PS256"), key.token(claims, kid=keys["PS256"].kid, alg="ES256")):
        refused(ask(watchdog, token), 401, wrong)
    assert ask(watchdog, good).status == 200


@both
def test_a_public_key_is_no_secret_to_sign_with(guarded, issuer, keys, name):
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
    public = keys["RS256"].private.public_key()
    for encoding in (Encoding.PEM, Encoding.DER):
        secret = public.public_bytes(encoding, PublicFormat.SubjectPublicKeyInfo)
        refused(ask(guarded[name], issuers.hmac_token(secret, issuer.claims(), "key-RS256")), 401, "not allowed")
    jwk = json.dumps(keys["RS256"].jwk()).encode()
    refused(ask(guarded[name], issuers.hmac_token(jwk, issuer.claims(), "key-RS256")), 401, "not allowed")


@case(135)
@both
def test_issuer_audience_and_time_must_fit(guarded, issuer, keys, name):
    def answer(**claims):
        return ask(guarded[name], keys["EdDSA"].token(issuer.claims(**claims)))

    now = issuer.claims()["iat"]
    for claims, why in (({"iss": "https://issuer.test/"}, "issuer"), ({"iss": None}, "issuer"), ({"aud": None}, "audience"),
                        ({"aud": "other"}, "audience"), ({"aud": ["other"]}, "audience"), ({"aud": []}, "audience"),
                        ({"exp": now - 5}, "token is expired"), ({"exp": 0}, "token is expired"),
                        ({"nbf": now + 3600}, "token is not valid yet"), ({"exp": "tomorrow"}, "exp is not a number")):
        refused(answer(**claims), 401, "failed to parse JWT token: ")
        assert why in answer(**claims).text, claims
    for claims in ({"exp": None}, {"iat": now + 9999}, {"aud": ["other", issuer.ISSUER]}, {"nbf": now - 1}):
        assert answer(**claims).status == 200, claims


@case(136, deviation="a pattern stands for the whole name, so that a part of it is 403 and not 200")
@both
def test_permissions_are_patterns_for_the_whole_name(guarded, issuer, keys, name):
    def answer(function):
        return ask(guarded[name], keys["EdDSA"].token(issuer.claims(function=function)))

    for good in (["*"], ["openfaas-fn:*"], ["openfaas-fn:env"], ["other", "*:env"]):
        assert answer({"permissions": good}).status == 200, good
    for bad in ([""], [], ["other:*"], ["fn:env"], ["openfaas-fn:en"], ["e"], ["openfaas-fn:environment"], ["openfaas.fn:env"],
                [".*"]):
        refused(answer({"permissions": bad}), 403)
        assert answer({"permissions": bad}).text == "insufficient permissions\n", bad
    refused(answer({}), 403)
    refused(answer(None), 403)
    assert answer({"permissions": ["*"], "audience": ["openfaas-fn:e*"]}).status == 200
    assert answer({"permissions": ["*"], "audience": []}).status == 200
    refused(answer({"permissions": ["*"], "audience": ["openfaas-fn:e"]}), 403)


@both
def test_hostile_tokens_are_refused_and_do_no_harm(guarded, issuer, keys, name):
    watchdog, key = guarded[name], keys["EdDSA"]
    own = issuers.Key("EdDSA", key.kid)
    deep = '{"a":' * 3000 + "1" + "}" * 3000
    asked = issuer.times_asked(), len(issuer.asked)
    hostile = [
        "a" * 900_000, "." * 500, "..", ".", "a.b.c", "\xe4.\xf6.\xfc", "e30.e30.e30", "bnVsbA.bnVsbA.AA", "W10.W10.AA",
        key.token(deep), key.token(issuer.claims(), x=[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]),
        key.token("null"), key.token("[]"), key.token("{"), key.token(""), key.token('{"iss":1}'),
        key.token(json.dumps(issuer.claims())[:-1] + ',"iss":"https://issuer.test"}'),
        key.token(issuer.claims(), crit=["exp"]), key.token(issuer.claims(), kid=7), key.token(issuer.claims(), kid="k" * 300),
        key.token(issuer.claims()) + "=", key.token(issuer.claims()).replace(".", " .", 1),
        own.token(issuer.claims(), jwk=own.jwk()), own.token(issuer.claims(), jku=issuer.url + "/evil", x5u=issuer.url + "/evil"),
    ]
    for token in hostile:
        answer = ask(watchdog, token)
        assert refused(answer, 401), token[:200]
    # Nothing of it made us ask anybody for keys.
    assert (issuer.times_asked(), len(issuer.asked)) == asked
    assert ask(watchdog, key.token(issuer.claims(), jku=issuer.url + "/evil")).status == 200


# ---- who is asked first ------------------------------------------------------------------------------

@case(138, deviation="401 in both programs: a stranger takes no place and learns nothing of the load")
@both
def test_a_stranger_is_refused_before_the_limit_is_looked_at(start, issuer, keys, name):
    watchdog = guard(start, issuer.url, name, fprocess="cat", max_inflight="1", exec_timeout="0")
    good = keys["EdDSA"].token(issuer.claims())
    with watchdog.connect() as busy:
        busy.send(request_bytes("POST", "/", [*bearer(good), ("Content-Length", "5")]) + b"hel")
        eventually(lambda: watchdog.call("POST", "/", bearer(good), b"x").status == 429)
        refused(watchdog.call("POST", "/", body=b"x"), 401)
        assert watchdog.call("GET", "/_/health").status == 200
        busy.send(b"lo")
        assert busy.response().body == b"hello"


def test_health_and_readiness_need_no_token(start, issuer):
    watchdog = guard(start, issuer.url, mode="serializing", ready_path="/am-i")
    assert watchdog.call("GET", "/_/health").status == 200
    answer = watchdog.call("GET", "/_/ready")
    assert answer.status == 200 and "Http_Path=/am-i" in answer.text
    assert "Http_X_Auth_Seconds" not in answer.text
    refused(watchdog.call("GET", "/_/health/"), 401)


def test_in_http_mode_the_function_gets_the_time_once(start, issuer, keys):
    def serve(connection, _):
        while True:
            request = connection.request()
            body = "|".join(request.all("X-Auth-Seconds")).encode()
            connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))

    upstream = start.upstream(serve)
    watchdog = guard(start, issuer.url, mode="http", fprocess="sleep 86400", upstream_url=upstream.url)
    token = keys["ES256"].token(issuer.claims())
    for _ in range(3):
        answer = watchdog.call("POST", "/", [*bearer(token), ("X-Auth-Seconds", "1"), ("x-auth-seconds", "2")], b"x")
        assert answer.status == 200 and re.fullmatch(r"\d+\.\d{6}", answer.text), answer
    seen = len(upstream.requests)
    refused(watchdog.call("POST", "/", body=b"x"), 401)
    assert len(upstream.requests) == seen


# ---- where the keys come from ------------------------------------------------------------------------

def test_debugging_tells_issuer_keys_and_what_was_passed_over(start, own_issuer, keys):
    own_issuer.answers["/keys"] = (200, {"keys": [{"kty": "oct", "kid": "s", "k": "AAAA"}, keys["EdDSA"].jwk()]})
    watchdog = guard(start, own_issuer.url, jwt_auth_debug="1")
    for line in ("JWT Auth: issuer: https://issuer.test", f"JWT Auth: keys from: {own_issuer.url}/keys",
                 "JWT Auth: key: key-EdDSA", "JWT Auth: passed over: keys[0]"):
        assert line in watchdog.stderr(), watchdog.stderr()
    said = watchdog.stderr()
    assert said.index("Timeouts:") < said.index("JWT Auth: true") < said.index("Listening on port:")
    assert set(own_issuer.asked) == {(issuers.CONFIGURATION, "openfaas-watchdog"), ("/keys", "openfaas-watchdog")}
    token = keys["EdDSA"].token(own_issuer.claims())
    assert ask(watchdog, token).status == 200
    assert token not in watchdog.stderr() and token.rsplit(".", 1)[1] not in watchdog.stderr()


@both
def test_at_the_start_keys_are_asked_for_until_they_come(start, own_issuer, keys, name):
    own_issuer.answers["/keys"] = (503, {})
    watchdog = guard(start, own_issuer.url, name, wait=False)
    watchdog.wait_for_log("JWT Auth: no keys yet: ", count=2)
    assert "answered with 503; trying again in " in watchdog.stderr()
    with pytest.raises(ConnectionRefusedError):
        Connection(watchdog.port)  # nobody listens yet
    del own_issuer.answers["/keys"]
    watchdog.wait_until_serving()
    assert ask(watchdog, keys["EdDSA"].token(own_issuer.claims())).status == 200


def test_a_watchdog_without_keys_can_be_told_to_end(start, own_issuer):
    own_issuer.answers["/keys"] = (503, {})
    watchdog = guard(start, own_issuer.url, wait=False)
    watchdog.wait_for_log("JWT Auth: no keys yet: ")
    assert watchdog.stop(signal.SIGTERM) == 0


@case(137, deviation="exit 1 only after attempts for as long as `jwt_auth_start_timeout`")
@both
def test_without_keys_or_names_it_ends_with_1(start, own_issuer, name):
    opening = "Error: error creating JWTAuthMiddleware: " if name == "of-watchdog-jwt" else "Error creating JWTAuthMiddleware: "

    def ends(url=own_issuer.url, **more):
        program = guard(start, url, name, wait=False, **{"jwt_auth_start_timeout": "0", **more})
        assert program.expect_exit() == 1, program.stderr()
        assert opening in program.stderr() and "Listening" not in program.stderr(), program.stderr()
        return program.stderr()

    assert "Connection refused" in ends(f"http://127.0.0.1:{free_port()}")
    assert "OPENFAAS_NAME" in ends(OPENFAAS_NAME="") and "OPENFAAS_NAME" in ends(OPENFAAS_NAME=None)
    assert "OPENFAAS_NAMESPACE" in ends(OPENFAAS_NAMESPACE=None)
    assert "http://" in ends("https://127.0.0.1:1")
    configuration, found = issuers.CONFIGURATION, own_issuer.url + "/keys"
    for path, status, body, text in (
            (configuration, 404, {}, "answered with 404"), (configuration, 301, {}, "answered with 301"),
            (configuration, 200, b"<html>", "not JSON"), (configuration, 200, [], "not a JSON object"),
            (configuration, 200, {"jwks_uri": found}, "issuer"), (configuration, 200, {"issuer": "x"}, "jwks_uri"),
            (configuration, 200, {"issuer": "x", "jwks_uri": found.replace("http", "https")}, "begin with http://"),
            (configuration, 200, {"issuer": "x", "jwks_uri": "file:///etc/passwd"}, "begin with http://"),
            (configuration, 200, b"x" * 300_000, "more than 262144 bytes"), ("/keys", 500, {}, "answered with 500"),
            ("/keys", 200, {"keys": []}, "empty"), ("/keys", 200, {"keys": [{"kty": "oct", "kid": "a"}]}, "of use"),
            ("/keys", 200, b"[" * 10_000, "nested deeper"), ("/keys", 200, b"x" * 300_000, "more than 262144 bytes")):
        own_issuer.answers = {path: (status, body)}
        assert text in ends(), (path, status, text)


def test_a_key_that_is_not_known_is_asked_for_once_by_all_who_bring_it(start, own_issuer, keys):
    watchdog = guard(start, own_issuer.url)
    assert own_issuer.times_asked() == 1
    own_issuer.keys.append(keys["ES256"])
    own_issuer.open.clear()
    token = keys["ES256"].token(own_issuer.claims())
    waiting = [watchdog.connect() for _ in range(5)]
    try:
        for connection in waiting:
            connection.send(request_bytes("GET", "/", bearer(token)))
        own_issuer.wait_until_asked(2)
        # The others are served meanwhile, also one who brings an old key.
        assert ask(watchdog, keys["EdDSA"].token(own_issuer.claims())).status == 200
        assert not any(connection.readable(0) for connection in waiting)
        own_issuer.open.set()
        assert [connection.response().status for connection in waiting] == [200] * 5
    finally:
        for connection in waiting:
            connection.close()
    assert own_issuer.times_asked() == 2


def test_whoever_waited_for_a_key_and_left_takes_nothing_along(start, own_issuer, keys):
    watchdog = guard(start, own_issuer.url)
    own_issuer.keys.append(keys["ES256"])
    own_issuer.open.clear()
    token = keys["ES256"].token(own_issuer.claims())
    first = watchdog.connect()
    first.send(request_bytes("GET", "/", bearer(token)))
    own_issuer.wait_until_asked(2)
    with watchdog.connect() as second:
        second.send(request_bytes("GET", "/", bearer(token)))
        first.reset()
        watchdog.wait_for_log("the client left")
        own_issuer.open.set()
        assert second.response().status == 200


def test_a_refresh_that_fails_keeps_the_keys_and_one_that_works_replaces_them(start, own_issuer, keys):
    own_issuer.keys.append(keys["ES256"])
    watchdog = guard(start, own_issuer.url, jwt_auth_refresh_interval="100ms")
    old, new = (keys[name].token(own_issuer.claims()) for name in ("EdDSA", "RS256"))
    assert ask(watchdog, old).status == 200
    for answer in ((500, {}), (200, b"nothing"), (200, {"keys": []})):
        own_issuer.answers["/keys"] = answer
        failures = watchdog.stderr().count("the keys stay as they are")
        watchdog.wait_for_log("the keys stay as they are", count=failures + 2)
        assert ask(watchdog, old).status == 200
    own_issuer.answers.clear()
    own_issuer.keys = [keys["RS256"]]
    eventually(lambda: ask(watchdog, new).status == 200)
    refused(ask(watchdog, old), 401, "kid is not a known key")


# ---- the places OpenFaaS asks ------------------------------------------------------------------------

def listen_in_network_of(pid, port, kind=socket.SOCK_STREAM):
    def make():
        sock = socket.socket(socket.AF_INET, kind)
        sock.bind(("127.0.0.1", port))
        if kind == socket.SOCK_STREAM:
            sock.listen()
        return sock

    return processes.in_network_of(pid, make)


def serves_a_good_token(watchdog, token):
    def status():
        try:
            return processes.in_network_of(watchdog.pid, lambda: call(watchdog.port, "GET", "/", bearer(token))).status
        except OSError:
            return 0

    eventually(lambda: status() == 200, 20, watchdog.log_tail)


@needs_root
def test_locally_the_issuer_is_at_port_8000(start, keys):
    watchdog = start.keep(programs.Watchdog, "of-watchdog-jwt",
                          settings_for("", jwt_auth_local="true"), wait=False, private_network=True)
    watchdog.wait_for_log("GET http://127.0.0.1:8000/.well-known/openid-configuration: connect to")
    made = issuers.Issuer(keys["EdDSA"], listener=listen_in_network_of(watchdog.pid, 8000))
    start.started.append(made)
    serves_a_good_token(watchdog, keys["EdDSA"].token(made.claims()))


def with_files(folder, **files):
    """A wrapper that puts files in place of the machine's, for one program: hosts="..." is /etc/hosts."""
    script = ""
    for name, text in files.items():
        (folder / name).write_text(text)
        script += f"mount --bind {folder / name} /etc/{name.replace('_', '.')} && "
    return ("unshare", "-m", "sh", "-c", script + 'exec "$@"', "sh")


@needs_root
def test_the_gateway_is_found_in_the_hosts_file(start, keys, tmp_path):
    watchdog = start.keep(programs.Watchdog, "of-watchdog-jwt", settings_for(""), wait=False, private_network=True,
                          wrapper=with_files(tmp_path, hosts="127.0.0.1 localhost gateway.openfaas\n"))
    watchdog.wait_for_log("GET http://gateway.openfaas:8080/.well-known/openid-configuration: connect to 127.0.0.1:8080")
    made = issuers.Issuer(keys["EdDSA"], listener=listen_in_network_of(watchdog.pid, 8080))
    start.started.append(made)
    serves_a_good_token(watchdog, keys["EdDSA"].token(made.claims()))


class NameServer:
    """Knows one name; the others do not exist."""

    def __init__(self, sock, name):
        self.sock, self.name, self.asked = sock, name, []
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        while True:
            query, sender = self.sock.recvfrom(512)
            if not query:
                return
            labels, at = [], 12
            while query[at]:
                labels.append(query[at + 1:at + 1 + query[at]].decode())
                at += 1 + query[at]
            kind = struct.unpack(">H", query[at + 1:at + 3])[0]
            name = ".".join(labels)
            self.asked.append(name)
            known = name == self.name
            found = known and kind == 1
            answer = query[:2] + struct.pack(">HHHHH", 0x8180 if known else 0x8183, 1, int(found), 0, 0) + query[12:at + 5]
            if found:
                answer += b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 60, 4) + socket.inet_aton("127.0.0.1")
            self.sock.sendto(answer, sender)

    def dispose(self):
        self.sock.sendto(b"", self.sock.getsockname())
        self.thread.join()
        self.sock.close()


@needs_root
def test_the_gateway_is_found_as_in_a_cluster_by_the_search_list(start, keys, tmp_path):
    watchdog = start.keep(
        programs.Watchdog, "of-watchdog-jwt", settings_for(""), wait=False, private_network=True,
        wrapper=with_files(tmp_path, hosts="127.0.0.1 localhost\n", resolv_conf=(
            "nameserver 127.0.0.1\nsearch openfaas-fn.svc.cluster.local svc.cluster.local cluster.local\noptions ndots:5\n")))
    watchdog.wait_for_log("no address for gateway.openfaas: ")
    names = NameServer(listen_in_network_of(watchdog.pid, 53, socket.SOCK_DGRAM), "gateway.openfaas.svc.cluster.local")
    start.started.append(names)
    made = issuers.Issuer(keys["EdDSA"], listener=listen_in_network_of(watchdog.pid, 8080))
    start.started.append(made)
    serves_a_good_token(watchdog, keys["EdDSA"].token(made.claims()))
    assert "gateway.openfaas.openfaas-fn.svc.cluster.local" in names.asked


# ---- the small programs ------------------------------------------------------------------------------

@pytest.mark.parametrize("name", ["of-watchdog", "fwatchdog"])
def test_the_small_programs_refuse_and_name_the_other_file(start, name):
    program = start.program(name, (), {"fprocess": "cat", "jwt_auth": "true", "port": free_port()})
    assert program.expect_exit() == 1
    assert f"use {name}-jwt in its place" in program.stderr()


@both
def test_a_word_that_is_not_understood_does_not_leave_the_door_open(start, name):
    program = start.program(name, (), {"fprocess": "cat", "jwt_auth": "yes", "port": free_port()})
    assert program.expect_exit() == 1
    assert 'jwt_auth is "yes": use true or false' in program.stderr()


@both
def test_without_jwt_auth_the_large_programs_are_the_small_ones(start, name):
    watchdog = start.keep(programs.Watchdog, name, {"fprocess": "cat"})
    assert watchdog.call("POST", "/", body=b"x").body == b"x"
    assert "JWT" not in watchdog.stderr()
