# The 140 black-box cases of the watchdogs' behaviour, and which tests show them.
#
# A test names the cases it shows: @case(10) where the watchdogs do as OpenFaaS's, @case(10, deviation="why")
# where they do otherwise on purpose. Marks are read from the sources, so that it does not matter which tests run.
import ast
import pathlib

HERE = pathlib.Path(__file__).resolve().parent
PAGE = HERE.parent.parent / "docs" / "watchdog-cases.md"

# (first number, heading, what OpenFaaS's watchdogs do). of: of-watchdog, classic: fwatchdog.
GROUPS = [
    (1, "Start and command line", [
        "of without a command: exit 1, the message names both variables",
        "classic without a command: exit 2 with a message",
        "of: `function_process` wins over `fprocess`, even when it is empty: exit 1",
        "of: `write_timeout=0` is refused with exit 1; classic starts",
        "of: an unknown `mode` is refused with exit 2; an empty one is streaming",
        "the timeouts are logged as they were understood: `5s 1h30m0s 100ms 2µs`",
        "a duration that cannot be read is the default",
        "`exec_timeout=-5s` is logged as such and limits nothing",
        "of: `port=abc` is any free port; classic: 8080",
        "a busy port: exit 0",
        "a busy metrics port: exit 2",
        "of: a `log_buffer_size` that is no number: exit 1",
        "http without a URL, or with one that has no scheme: exit 1",
        "static with an empty `static_path`: exit 1; unset: `/home/app/public`",
        "`-version`: exit 0 and one line; an unknown flag: exit 2; `-h`: exit 0",
        "`-run-healthcheck`: exit 0 with the lock file, 1 and a message without",
        "of: `-run-healthcheck` without a command: exit 1",
        "the lock file is empty, mode 0640; an existing one is emptied and keeps its mode",
        "of makes the folders of `TMPDIR`, classic exits 2; where none can be made: exit 2, or 0 without a word",
        "`suppress_lock=true`: no file, unhealthy until somebody makes one; `1` is not `true`",
    ]),
    (21, "HTTP", [
        "HTTP/1.1 without Host: 400 with the reason, closed",
        "two Hosts, or a Host with a space: 400",
        "HTTP/1.0 is answered as 1.0 and closed; kept open when it asks and the length is known",
        "HTTP/2.0 in the request line: 505; HTTP/1.2: 200",
        "a space in or after a field's name, a control byte in its value: 400",
        "a folded field is joined with one space; lines may end in a bare LF",
        "pipelined requests are answered in order",
        "`GET //a//b`: 301 to the clean path with a page; POST: 301 without",
        "`/a/./b`, `/a/..`: 301 to the clean path, the query stays",
        "`/_/health/` is the function's; `/_/health?x=1` is not; `/_//health`: 301",
        "`OPTIONS *`: 200 and nothing is started; `GET *`: 400",
        "of an absolute target path, query and host count",
        "Content-Length twice but equal is taken; unequal or no number: 400",
        "Content-Length with chunked: served as chunked",
        "a transfer coding other than one `chunked`: 501",
        "HTTP/1.0 with a transfer coding: the function gets no body",
        "an unknown `Expect`: 417; `100-continue`: 100, then 200",
        "classic: 405 goes out without a 100 before it, and closes",
        "a field of 1,052,500 bytes passes, one of 1,053,000: 431",
        "read_timeout: a head that stalls: 400; a silent or idle connection is closed",
        "an answer up to 2,048 bytes has a length, a longer one is chunked, or ends with the connection for 1.0",
        "write_timeout shorter than the call: the client sees the connection close, nothing else",
        "the method `get`: of passes it on, classic answers 405",
    ]),
    (44, "Environment of the function", [
        "headers become `Http_X_Bar_Baz`; of several values the first counts",
        "a header wins over a variable of the watchdog",
        "classic always tells the length, `-1` and the coding when chunked",
        "of tells neither `Http_Host` nor `Http_ContentLength`",
        "the query is raw, the path decoded",
        "a zero byte in the path: classic and serializing 500, streaming 200 without a body",
        "a query of 200 kB: classic 500, streaming 200 without a body",
        "a header `Query` without a query becomes `Http_Query`",
        "classic: `cgi_headers` `false` or `1`: no `Http_` variables; empty: they are there",
    ]),
    (53, "Classic", [
        "200 with the output, `X-Duration-Seconds` with six decimals",
        "the request's Content-Type, or `content_type`, or told by the content",
        "types told by the content",
        "no output: 200, Content-Length 0, no Content-Type",
        "a failure: 500, its status and the output; `combine_output=false`: stderr in the log",
        "no such program: 500 and the reason, no `X-Duration-Seconds`",
        "killed by a signal: 500, `signal: killed` and the output",
        "`exec_timeout`: 408 `Killed process.`",
        "`exec_timeout` with a grandchild: 408 only when the grandchild ends",
        "a bad chunk or a body cut short: 400 and the reason",
        "methods other than the five: 405; bodies of GET and DELETE arrive",
        "`marshal_request`: headers and body as one JSON text",
        "`write_debug`: the output also on standard output, and the duration",
        "`debug_headers`: headers in and out on standard output",
        "`write_debug` and no such program: the connection is dropped",
        "a function that does not read its body: 200",
        "the client leaves: the function runs to its end",
        "`/_/ready` is the function's",
    ]),
    (71, "Streaming", [
        "200 with the output and `application/octet-stream`, no `X-Duration-Seconds`",
        "a program that cannot be started: 200 without a body",
        "exit 3 after output: 200 with the output, 500 in the log",
        "`exec_timeout`: 200 with what came; with a grandchild only when that ends",
        "small outputs arrive together at the end",
        "outputs of 4,096 bytes arrive one by one",
        "the client leaves: the function ends at a later write",
        "a body that stalls: at read_timeout 200 with what came, closed",
        "a function that does not read, a body that never comes: answered at read_timeout",
        "a slow upload on a kept connection loses data",
        "1 MB goes through whole",
        "lines of stderr are logged; `content_type` is used",
        "the command is split at single spaces, quotes are not special",
    ]),
    (84, "Serializing", [
        "200 with the output and `X-Duration-Seconds`; chunked bodies too",
        "exit 3: 500 with `exit status 3` alone",
        "no such program: 500 and the reason",
        "`exec_timeout`: 500 `signal: killed`",
        "a body cut short: 500 `unexpected EOF`; at read_timeout: 500 with the reason",
        "a function that does not read a large body: sometimes 500",
        "60 calls leave threads of work and zombies",
    ]),
    (91, "Http", [
        "the upstream sees Host, all header values, a default User-Agent and `Accept-Encoding: gzip`",
        "a POST goes out chunked; without a body with `Content-Length: 0`",
        "`http_buffer_req_body`: Content-Length (0.9.12), still chunked (0.11.6)",
        "hop-by-hop headers of the request are passed on",
        "all Set-Cookie, Date and Server pass; `X-Duration-Seconds` is ours",
        "the upstream's `Connection: close` stays there",
        "302 passes; 204 and 304 without a body; 599 too; 103 is dropped",
        "without a Content-Type it is told by the content; `content_type` does not count",
        "gzip that the client did not ask for is unpacked, other is not touched",
        "refused, reset, end, garbage: 500, empty, with `X-Duration-Seconds`",
        "a body cut short: cut and closed",
        "`exec_timeout`: 504, empty",
        "`X-Timeout` shortens; what is no duration or longer is ignored; `0` and less lift the limit",
        "the URL's path is a prefix; after a last slash there are two",
        "the function fails: exit 1 at once; it ends with 0: 500s, healthy",
        "the function cannot be started: exit 1",
        "a kept connection found dead: GET is tried once more, POST is not; kept for half a second",
        "the client closes its sending side: 504",
        "event streams arrive as they are made (0.11.6), all at the end (0.9.12)",
        "an event stream whose upstream fails: 200, empty; X-Forwarded-For; trailers pass",
        "WebSocket works past all timeouts; `Upgrade: WebSocket` hangs",
        "`log_callid`: the call's id in the log",
        "an upstream that answers while it reads gets a body with holes",
    ]),
    (114, "Static", [
        "files for every method; folders 301 to a slash; `index.html` 301 to the folder",
        "lists escape names; what is missing: 404 as text",
        "ranges: 206, multipart, 416, clamped",
        "conditions: 304, 412, If-Range both ways",
    ]),
    (118, "Limit, health and readiness", [
        "`max_inflight` reached: 429 with a text; health 200, ready 429; afterwards 200",
        "health and ready take GET alone; without the lock file 503, and the function is served",
        "`ready_path`: the function is asked, with GET, at that path",
        "`ready_path` with `http_buffer_req_body`: the connection is dropped",
        "a readiness probe takes nobody's place; kube-probe is not logged",
    ]),
    (123, "Life cycle, logs and metrics", [
        "SIGTERM: unhealthy at once, served during `healthcheck_interval`, exit 0, the lines of the log",
        "SIGTERM during a call: refused after the interval, the call ends with `Connection: close`",
        "SIGTERM and a call that outlasts `write_timeout`: exit 0, the call is lost, two lines",
        "`healthcheck_interval=0`, or classic with `write_timeout=0`: SIGTERM ends nothing",
        "SIGINT: ended by the signal, the lock file stays; as PID 1: exit 2",
        "http, SIGTERM: the function is told at once, and takes the watchdog along",
        "lines with and without prefix, one `\\r` dropped, the last without an end",
        "a line longer than `log_buffer_size`: nothing is logged any more, the function hangs",
        "`log_buffer_size=-1`: a crash (0.9.12), lines of any length (0.11.6)",
        "names, labels and buckets of the metrics; unknown methods; a fresh process has the gauge alone",
        "`/metrics` takes POST; other paths 404; an idle connection is closed after 0.5 s",
    ]),
    (134, "JWT", [
        "valid tokens of three algorithms: 200; without one or with a wrong one: 401",
        "a wrong issuer or audience, expired, not yet valid: 401",
        "permissions: `*`, namespace, exact: 200; others: 403; a part of the name: 200",
        "the authority does not answer, or a name is missing: exit 1",
        "full and without a token: of 429, classic 401",
    ]),
    (139, "Afterburn", [
        "the text of the request; the first value of each header of the answer",
        "one call after the other; `exec_timeout` does not count; a dead function: 500s; no length: hangs",
    ]),
]


def cases():
    """{number: what it says} of all."""
    found = {}
    for first, _, says in GROUPS:
        found.update(enumerate(says, first))
    return found


class Mark:
    """One @case of one test; `deviation` is None where the watchdogs do as OpenFaaS's."""

    def __init__(self, numbers, deviation, path, test):
        self.numbers, self.deviation, self.path, self.test = numbers, deviation, path, test


def _mark(call, path, test):
    numbers = [ast.literal_eval(argument) for argument in call.args]
    options = {keyword.arg: ast.literal_eval(keyword.value) for keyword in call.keywords}
    unknown = set(options) - {"deviation"}
    if unknown or not numbers or not set(numbers) <= set(cases()):
        raise ValueError(f"{path.name}: {test}: not a case of the list: {ast.unparse(call)}")
    return Mark(numbers, options.get("deviation"), path, test)


def marks():
    """Every @case in the sources of these tests, in their order."""
    found = []
    for path in sorted(HERE.glob("test_*.py")):
        for function in ast.parse(path.read_text()).body:
            if isinstance(function, ast.FunctionDef) and function.name.startswith("test_"):
                found += [_mark(mark, path, function.name) for mark in function.decorator_list
                          if isinstance(mark, ast.Call) and ast.unparse(mark.func) in ("case", "pytest.mark.case")]
    return found


def _row(number, says, found):
    """A case that any test shows as a deviation is one; each reason is told once."""
    reasons = dict.fromkeys(mark.deviation for mark in found if mark.deviation)
    verdict = "deviation: " + "; ".join(reasons) if reasons else "match" if found else "not shown yet"
    tests = dict.fromkeys(f"[{mark.test}](../tests/blackbox/{mark.path.name})" for mark in found)
    return f"| {number} | {says} | {verdict} | {'<br>'.join(tests)} |"


def page():
    """docs/watchdog-cases.md as the marks say."""
    found = marks()
    shown = {number: [mark for mark in found if number in mark.numbers] for number in cases()}
    deviating = sum(any(mark.deviation for mark in marked) for marked in shown.values())
    lines = [
        "# The watchdogs, case by case", "",
        "What OpenFaaS's watchdogs do when they are looked at from outside, whether ours do the same, and the tests "
        "that show it. \"of\" is `of-watchdog`, \"classic\" is `fwatchdog`. Written by "
        "[test_watchdog_cases.py](../tests/blackbox/test_watchdog_cases.py) from the marks of the tests; to write it "
        "again: `FAAS_WRITE_DOCS=1 python3 -m pytest tests/blackbox/test_watchdog_cases.py`.", "",
        f"{len(shown)} cases, {deviating} of them deviations on purpose. [watchdog-differences.md]"
        "(watchdog-differences.md) tells the reasons at more length.",
    ]
    for first, heading, says in GROUPS:
        lines += ["", f"## {heading}", "", "| | OpenFaaS | ours | shown by |", "| --- | --- | --- | --- |"]
        lines += [_row(number, text, shown[number]) for number, text in enumerate(says, first)]
    return "\n".join(lines) + "\n"
