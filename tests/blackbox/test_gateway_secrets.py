# Secrets: what the API answers, what is on disk, and what functions find at /var/openfaas/secrets.
import base64
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile

import pytest

import programs
from wire import eventually

FOLDER = "/var/openfaas/secrets"
ODD_BYTES = bytes(range(256)) + b"\nno newline is added"


@pytest.fixture(scope="module")
def gateway(start_once):
    gateway = start_once.gateway()
    assert gateway.api("POST", "/system/namespace/", {"name": "dev"}).status == 201
    return gateway


def create(gateway, name, value="v", **fields):
    answer = gateway.api("POST", "/system/secrets", {"name": name, "value": value, **fields})
    assert answer.status == 201, answer
    return answer


def names(gateway, query=""):
    answer = gateway.api("GET", "/system/secrets" + query)
    assert answer.status == 200 and answer.header("Content-Type").startswith("application/json"), answer
    return [secret["name"] for secret in json.loads(answer.body)]


def shows(gateway, function, secret, namespace="openfaas-fn", **fields):
    """Deploys a function that prints one of its secrets."""
    gateway.api("DELETE", "/system/functions", {"functionName": function, "namespace": namespace})
    spec = {"service": function, "image": "host", "namespace": namespace, "envProcess": f"cat {FOLDER}/{secret}",
            "secrets": [secret], **fields}
    answer = gateway.api("POST", "/system/functions?wait=30s", spec)
    assert answer.status == 200, answer


# ---- the API ----------------------------------------------------------------------------------------

def test_a_secret_is_created_listed_updated_and_deleted(gateway):
    assert create(gateway, "life").body == b""
    listed = json.loads(gateway.api("GET", "/system/secrets").body)
    assert {"name": "life", "namespace": "openfaas-fn"} in listed
    assert gateway.api("PUT", "/system/secrets", {"name": "life", "value": "w"}).status == 200
    assert gateway.api("DELETE", "/system/secrets", {"name": "life"}).status == 200
    assert "life" not in names(gateway)


def test_a_second_one_of_a_name_is_409(gateway):
    create(gateway, "twice")
    answer = gateway.api("POST", "/system/secrets", {"name": "twice", "value": "other"})
    assert answer.status == 409 and "twice" in answer.text and "other" not in answer.text, answer


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_an_unknown_one_is_404(gateway, method):
    answer = gateway.api(method, "/system/secrets", {"name": "unknown", "value": "x"})
    assert answer.status == 404 and "unknown" in answer.text, answer


def test_a_list_is_an_array_also_when_empty_and_ordered(gateway):
    assert gateway.api("POST", "/system/namespace/", {"name": "bare"}).status == 201
    assert gateway.api("GET", "/system/secrets?namespace=bare").body == b"[]"
    for name in ("zz", "aa", "mm"):
        create(gateway, name, namespace="bare")
    assert names(gateway, "?namespace=bare") == ["aa", "mm", "zz"]


def test_namespaces_have_their_own(gateway):
    create(gateway, "apart", "one")
    create(gateway, "apart", "two", namespace="dev")
    shows(gateway, "apart", "apart")
    shows(gateway, "apart", "apart", namespace="dev")
    assert gateway.call("GET", "/function/apart").body == b"one"
    assert gateway.call("GET", "/function/apart.dev").body == b"two"
    # by query as well as by body
    assert gateway.api("DELETE", "/system/secrets?namespace=dev", {"name": "apart"}).status == 200
    assert "apart" in names(gateway) and "apart" not in names(gateway, "?namespace=dev")


@pytest.mark.parametrize("method,wanted", [("GET", 404), ("POST", 400), ("PUT", 404), ("DELETE", 404)])
def test_an_unknown_namespace_is_named(gateway, method, wanted):
    body = None if method == "GET" else {"name": "x", "value": "v", "namespace": "nowhere"}
    answer = gateway.api(method, "/system/secrets?namespace=nowhere", body)
    assert answer.status == wanted and "namespace" in answer.text and "nowhere" in answer.text, answer


@pytest.mark.parametrize("body,named", [
    (b"", "body"), (b"[]", "body"), (b"{", "body"), (b'{"name":"a","name":"b","value":"x"}', "name"),
    ({"value": "x"}, "name"), ({"name": "", "value": "x"}, "name"), ({"name": 5, "value": "x"}, "name"),
    ({"name": "a/b", "value": "x"}, "name"), ({"name": "..", "value": "x"}, "name"), ({"name": ".", "value": "x"}, "name"),
    ({"name": "../../etc/x", "value": "x"}, "name"), ({"name": "a\u0000", "value": "x"}, "name"),
    ({"name": "x" * 254, "value": "x"}, "name"), ({"name": "half~", "value": "x"}, "name"),
    ({"name": "n", "value": 5}, "value"), ({"name": "n"}, "value"), ({"name": "n", "value": ""}, "value"),
    ({"name": "n", "rawValue": "not base64!"}, "rawValue"), ({"name": "n", "rawValue": "YQ"}, "rawValue"),
    ({"name": "n", "rawValue": "YQ==YQ=="}, "rawValue"), ({"name": "n", "rawValue": 5}, "rawValue"),
    ({"name": "n", "value": "x" * (500 * 1024 + 1)}, "value"),
    ({"name": "n", "value": "x", "namespace": "../x"}, "namespace"),
    ({"name": "n", "value": "x", "namespace": 5}, "namespace"),
], ids=lambda value: str(value)[:40])
@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_a_bad_one_is_400_and_names_the_field(gateway, method, body, named):
    answer = gateway.api(method, "/system/secrets", body)
    assert answer.status == 400 and named in answer.text and len(answer.text.splitlines()) == 1, answer


@pytest.mark.parametrize("body,named", [({"name": "a/b"}, "name"), ({}, "name"), (b"", "body"), ({"name": ".."}, "name"),
                                        ({"name": "a", "namespace": ".."}, "namespace")])
def test_a_bad_delete_is_400(gateway, body, named):
    answer = gateway.api("DELETE", "/system/secrets", body)
    assert answer.status == 400 and named in answer.text, answer


def test_unknown_fields_and_other_cases_of_keys_are_taken(gateway):
    answer = gateway.api("POST", "/system/secrets", {"Name": "loose", "VALUE": "x", "whatever": [1]})
    assert answer.status == 201, answer
    assert "loose" in names(gateway)


# ---- in functions -----------------------------------------------------------------------------------

def test_a_function_finds_it_byte_for_byte_and_raw_wins(gateway):
    create(gateway, "odd", "not this", rawValue=base64.b64encode(ODD_BYTES).decode())
    shows(gateway, "odd", "odd")
    assert gateway.call("GET", "/function/odd").body == ODD_BYTES
    create(gateway, "text", "täxt\u0000 with a zero\n")
    shows(gateway, "text", "text")
    assert gateway.call("GET", "/function/text").body == "täxt\u0000 with a zero\n".encode()
    assert gateway.status("text")["secrets"] == ["text"]


def test_a_function_has_those_it_names_and_no_others(gateway):
    for name in ("mine-1", "mine-2", "not-mine"):
        create(gateway, name)
    # the same name twice is the same file
    gateway.deploy("owner", f"ls -A {FOLDER}", secrets=["mine-2", "mine-1", "mine-2"])
    assert gateway.call("GET", "/function/owner").text.split() == ["mine-1", "mine-2"]
    gateway.deploy("poor", f"sh -c ls${{IFS}}{FOLDER};true", env={"mode": "streaming"})
    assert "mine" not in gateway.call("GET", "/function/poor").text


def test_a_function_can_read_it_and_do_nothing_else(gateway):
    create(gateway, "fixed", "fixed-value")
    look = pathlib.Path(programs.FUNCTIONS) / "secret.sh"
    gateway.deploy("prober", f"{look} {FOLDER}", secrets=["fixed"], env={"DATA_DIR": str(gateway.data_dir)})
    seen = gateway.call("GET", "/function/prober").text
    assert "reads=fixed-value" in seen
    assert "writes=" not in seen and "removes=" not in seen and "makes=" not in seen, seen
    assert "store=" not in seen, "the store can be seen"
    if os.geteuid() == 0:
        assert "user=65534" in seen and "mode=400" in seen, seen


def test_the_rest_of_var_is_as_before(gateway):
    """The place for secrets is made without touching the machine's own folders."""
    before = os.path.exists("/var/openfaas")
    create(gateway, "any")
    gateway.deploy("varless", "ls -A /var")
    gateway.deploy("var", "ls -A /var", secrets=["any"])
    without, having = (set(gateway.call("GET", f"/function/{f}").text.split()) for f in ("varless", "var"))
    assert having == without | {"openfaas"}
    assert os.path.exists("/var/openfaas") == before
    gateway.deploy("varlink", "readlink /var/run", secrets=["any"])
    if os.path.islink("/var/run"):
        assert gateway.call("GET", "/function/varlink").text.strip() == os.readlink("/var/run")


def test_an_update_reaches_a_function_that_runs(gateway):
    create(gateway, "rotating", "first")
    shows(gateway, "rotating", "rotating")
    replicas = gateway.replicas("rotating")
    assert gateway.call("GET", "/function/rotating").body == b"first"
    assert gateway.api("PUT", "/system/secrets", {"name": "rotating", "value": "second"}).status == 200
    assert gateway.call("GET", "/function/rotating").body == b"second"
    assert gateway.replicas("rotating") == replicas, "it was not started again"


def test_an_unknown_secret_is_400_and_named(gateway):
    for method in ("POST", "PUT"):
        spec = {"service": "lacking", "image": "host", "envProcess": "cat", "secrets": ["not-there"]}
        answer = gateway.api(method, "/system/functions", spec)
        assert answer.status == 400 and "secret" in answer.text and "not-there" in answer.text, answer
    create(gateway, "only-here")
    answer = gateway.api("POST", "/system/functions", {**spec, "secrets": ["only-here"], "namespace": "dev"})
    assert answer.status == 400 and "only-here" in answer.text, answer


def test_one_in_use_may_be_deleted_and_the_status_tells_what_comes_of_it(gateway):
    create(gateway, "doomed", "still here")
    shows(gateway, "user", "doomed")
    assert gateway.api("DELETE", "/system/secrets", {"name": "doomed"}).status == 200
    assert gateway.call("GET", "/function/user").body == b"still here", "what runs keeps it"
    gateway.scale("user", 0)
    answer = gateway.api("POST", "/system/scale-function/user?wait=30s", {"replicas": 1})
    assert answer.status == 500 and "doomed" in answer.text, answer
    assert "doomed" in gateway.status("user")["conditions"][0]["message"]
    create(gateway, "doomed", "back")
    gateway.wait_available("user")
    assert gateway.call("GET", "/function/user").body == b"back"


def test_a_folder_image_gets_them_too(gateway):
    if programs.is_sanitized("of-watchdog"):
        pytest.skip("a sanitized watchdog needs libraries of the host")
    create(gateway, "inside", "for the folder")
    folder = tempfile.mkdtemp(prefix="faas-blackbox-", dir="/var/tmp")
    try:
        os.chmod(folder, 0o755)
        needed = subprocess.run(["ldd", "/bin/cat"], capture_output=True, text=True, check=True).stdout.split()
        for path in ["/bin/cat", *(word for word in needed if word.startswith("/"))]:
            os.makedirs(os.path.dirname(folder + path), exist_ok=True)
            shutil.copy(os.path.realpath(path), folder + path)
        gateway.deploy("infolder", f"/bin/cat {FOLDER}/inside", image=f"dir:{folder}", secrets=["inside"])
        assert gateway.call("GET", "/function/infolder").body == b"for the folder"
        gateway.remove("infolder")
        # a link in the image leads nowhere
        shutil.rmtree(f"{folder}/var")
        os.symlink("/var/tmp", f"{folder}/var")
        answer = gateway.api("POST", "/system/functions?wait=30s", {
            "service": "linked", "image": f"dir:{folder}", "envProcess": "/bin/cat", "secrets": ["inside"]})
        assert answer.status == 500 and "secrets need a folder" in answer.text, answer
        assert not os.path.exists("/var/tmp/openfaas")
        gateway.remove("linked")
        eventually(lambda: not gateway.replicas("infolder"), 20)
    finally:
        shutil.rmtree(folder)


# ---- at rest ----------------------------------------------------------------------------------------

VALUE = "a-value-nobody-else-may-read"


def holders(folder, value):
    return [path for path in pathlib.Path(folder).rglob("*") if path.is_file() and value.encode() in path.read_bytes()]


def test_it_is_for_us_alone_and_in_no_log_or_answer(start):
    gateway = start.gateway()
    answers = [create(gateway, "quiet", VALUE)]
    answers += [gateway.api("POST", "/system/secrets", {"name": "quiet", "value": VALUE}),
                gateway.api("PUT", "/system/secrets", {"name": "quiet", "value": VALUE}),
                gateway.api("PUT", "/system/secrets", b'{"name":"quiet","value":"' + VALUE.encode() + b'","value":"x"}'),
                gateway.api("PUT", "/system/secrets", b'{"name":"quiet","value":"' + VALUE.encode() + b'"'),
                gateway.api("PUT", "/system/secrets", {"name": "quiet", "rawValue": VALUE})]
    shows(gateway, "quiet", "quiet")
    answers += [gateway.api("GET", path) for path in ("/system/secrets", "/system/functions", "/system/function/quiet")]
    answers += [gateway.call("GET", "/function/quiet", [("X-Do", "nothing")])]
    assert answers.pop().text == VALUE
    for answer in answers:
        assert VALUE not in answer.text and VALUE not in str(answer.headers), answer
    found = holders(gateway.data_dir, VALUE)
    assert len(found) == 2, found  # the store's and the replica's
    for path in found:
        assert path.stat().st_mode & 0o077 == 0, path
        assert all(parent.stat().st_mode & 0o077 == 0 for parent in path.parents
                   if gateway.data_dir in parent.parents), path
    assert VALUE not in gateway.stderr() + gateway.stdout()
    gateway.remove("quiet")
    eventually(lambda: len(holders(gateway.data_dir, VALUE)) == 1, 20)
    gateway.api("DELETE", "/system/secrets", {"name": "quiet"})
    assert holders(gateway.data_dir, VALUE) == []


def test_it_survives_a_kill_and_what_replicas_had_does_not(start):
    gateway = start.gateway()
    create(gateway, "lasting", VALUE)
    shows(gateway, "lasting", "lasting")
    gateway.remember_descendants()
    gateway.process.send_signal(signal.SIGKILL)
    gateway.expect_exit()
    again = start.gateway(folder=gateway.folder)
    assert names(again) == ["lasting"]
    again.wait_available("lasting")
    assert again.call("GET", "/function/lasting").text == VALUE
    assert len(holders(again.data_dir, VALUE)) == 2
    again.stop()
    assert len(holders(again.data_dir, VALUE)) == 1, "a gateway that is stopped leaves only the store"


@pytest.mark.skipif(os.geteuid() != 0, reason="the other tests show it")
def test_a_gateway_without_root_has_them_too(start):
    gateway = start.gateway_as_nobody()
    create(gateway, "theirs", VALUE)
    shows(gateway, "theirs", "theirs")
    assert gateway.call("GET", "/function/theirs").text == VALUE


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to be refused isolation")
def test_without_isolation_a_variable_tells_where_they_are(start):
    # Neither as root nor in a user namespace: it has no CAP_SYS_ADMIN and may make no such namespace.
    refused = ["unshare", "-U", "--map-root-user", "sh", "-c",
               'echo 0 >/proc/sys/user/max_user_namespaces && exec setpriv --bounding-set=-sys_admin "$@"', "sh"]
    if subprocess.run([*refused, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this machine has no user namespaces to be refused in")
    gateway = start.gateway(wrapper=refused)
    assert "without isolation" in gateway.api("GET", "/system/info").text
    create(gateway, "theirs", VALUE)
    for name, secrets in (("finds", ["theirs"]), ("lacks", [])):
        gateway.deploy(name, "sh -c cat${IFS}$OPENFAAS_SECRETS_PATH/theirs;true", secrets=secrets)
    assert gateway.call("GET", "/function/finds").text == VALUE
    assert VALUE not in gateway.call("GET", "/function/lacks").text
    gateway.api("PUT", "/system/secrets", {"name": "theirs", "value": "new"})
    assert gateway.call("GET", "/function/finds").text == "new"
    told = {c["type"]: c for c in gateway.status("finds")["conditions"]}
    assert told["SecretsMounted"]["status"] == "False" and "OPENFAAS_SECRETS_PATH" in told["SecretsMounted"]["message"]
