# Raw HTTP/1.x over a socket: what was sent and what came back, byte for byte.
#
# The parser is strict on purpose: a sloppy answer of a program under test must not be repaired here.
import base64
import select
import socket
import struct
import time

# How long any single expected thing may take before a test gives up: a machine that is busy with other things
# must not fail a test, so it is far above what anything takes.
PATIENCE = 60.0


class WireError(AssertionError):
    """The peer sent something that is not HTTP."""


class Closed(WireError):
    """The peer closed (or reset) before it had sent what was due."""


class Message:
    """A request or a response: start line, headers in order, body, and how its end was marked."""

    def __init__(self, start_line, headers, raw_head):
        self.start_line = start_line
        self.headers = headers
        self.raw_head = raw_head
        self.body = b""
        self.framing = "none"    # none, length, chunked, close
        self.complete = False    # the announced end was seen
        self.chunks = []         # sizes, for chunked framing
        self.trailers = []
        self.interim = []        # 1xx statuses that came first

    def all(self, name):
        return [v for n, v in self.headers if n.lower() == name.lower()]

    def header(self, name):
        values = self.all(name)
        return values[0] if values else None

    @property
    def version(self):
        return self.start_line.split(" ", 1)[0]

    @property
    def status(self):
        return int(self.start_line.split(" ", 2)[1])

    @property
    def reason(self):
        parts = self.start_line.split(" ", 2)
        return parts[2] if len(parts) > 2 else ""

    @property
    def method(self):
        return self.start_line.split(" ", 1)[0]

    @property
    def target(self):
        return self.start_line.split(" ", 1)[1].rsplit(" ", 1)[0]

    @property
    def text(self):
        return self.body.decode("utf-8", "replace")

    def __repr__(self):
        return f"<{self.start_line!r} {self.headers!r} {self.framing} complete={self.complete} {self.body[:300]!r}>"


class Connection:
    """One client connection (or, with `sock`, one accepted by a scripted upstream)."""

    def __init__(self, port=None, *, host="127.0.0.1", sock=None, timeout=PATIENCE, rcvbuf=None):
        if sock is None:
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            sock = socket.socket(family, socket.SOCK_STREAM)
            if rcvbuf:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
            sock.settimeout(timeout)
            sock.connect((host, port))
        self.sock = sock
        self.sock.settimeout(timeout)
        if sock.family != socket.AF_UNIX:
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def send(self, data):
        self.sock.sendall(data if isinstance(data, bytes) else data.encode("latin-1"))

    def half_close(self):
        self.sock.shutdown(socket.SHUT_WR)

    def close(self):
        self.sock.close()

    def reset(self):
        """Closes with RST: what a killed client looks like."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def _fill(self):
        try:
            data = self.sock.recv(65536)
        except ConnectionResetError:
            return False
        self.buffer += data
        return bool(data)

    def line(self):
        while b"\n" not in self.buffer:
            if not self._fill():
                raise Closed(f"closed inside a line, after {self.buffer!r}")
        line, self.buffer = self.buffer.split(b"\n", 1)
        if not line.endswith(b"\r"):
            raise WireError(f"a line ends in a bare LF: {line!r}")
        return line[:-1]

    def head(self):
        raw = first = self.line()
        headers = []
        while True:
            line = self.line()
            raw += b"\r\n" + line
            if not line:
                break
            name, colon, value = line.partition(b":")
            if not colon or not name or name != name.strip() or b" " in name:
                raise WireError(f"not a header line: {line!r}")
            headers.append((name.decode("latin-1"), value.strip(b" \t").decode("latin-1")))
        return Message(first.decode("latin-1"), headers, raw + b"\r\n")

    def response_head(self, method="GET"):
        """The head of the final answer; 1xx that came before it are in .interim."""
        interim = []
        while True:
            message = self.head()
            if not message.start_line.startswith("HTTP/1."):
                raise WireError(f"not a status line: {message.start_line!r}")
            if message.status == 101 or message.status >= 200:
                break
            interim.append(message.status)
        message.interim = interim
        if message.all("content-length") and message.all("transfer-encoding"):
            raise WireError(f"both Content-Length and Transfer-Encoding: {message!r}")
        if len(message.all("content-length")) > 1 or len(message.all("transfer-encoding")) > 1:
            raise WireError(f"framing said twice: {message!r}")
        if method == "HEAD" or message.status in (101, 204, 304):
            message.framing = "none"
        elif message.header("transfer-encoding"):
            if message.header("transfer-encoding").lower() != "chunked":
                raise WireError(f"unexpected transfer coding: {message!r}")
            if message.version == "HTTP/1.0":
                raise WireError(f"chunked to an HTTP/1.0 client: {message!r}")
            message.framing = "chunked"
        elif message.header("content-length") is not None:
            message.framing = "length"
        else:
            message.framing = "close"
        return message

    def request_head(self):
        message = self.head()
        if message.header("transfer-encoding"):
            message.framing = "chunked"
        elif message.header("content-length") is not None:
            message.framing = "length"
        return message

    def pieces(self, message):
        """Yields body bytes as they come; sets .complete when the announced end is there."""
        if message.framing == "none":
            message.complete = True
            return
        if message.framing == "length":
            left = int(message.header("content-length"))
            while left:
                if not self.buffer and not self._fill():
                    return
                piece, self.buffer = self.buffer[:left], self.buffer[left:]
                left -= len(piece)
                yield piece
            message.complete = True
            return
        if message.framing == "close":
            while self.buffer or self._fill():
                piece, self.buffer = self.buffer, b""
                yield piece
            message.complete = True
            return
        while True:
            try:
                size_line = self.line()
            except Closed:
                return
            size = int(size_line.split(b";")[0], 16)
            if size == 0:
                break
            message.chunks.append(size)
            left = size
            while left:
                if not self.buffer and not self._fill():
                    return
                piece, self.buffer = self.buffer[:left], self.buffer[left:]
                left -= len(piece)
                yield piece
            try:
                if self.line() != b"":
                    raise WireError("no CRLF after a chunk")
            except Closed:
                return
        while True:
            try:
                line = self.line()
            except Closed:
                return
            if not line:
                break
            name, _, value = line.partition(b":")
            message.trailers.append((name.decode("latin-1"), value.strip().decode("latin-1")))
        message.complete = True

    def read_body(self, message):
        message.body += b"".join(self.pieces(message))
        return message

    def response(self, method="GET"):
        return self.read_body(self.response_head(method))

    def request(self):
        return self.read_body(self.request_head())

    def body_until(self, message, wanted):
        """Reads body bytes only until `wanted` is among them; the rest stays for later."""
        if not hasattr(message, "stream"):
            message.stream = self.pieces(message)
        while wanted not in message.body:
            try:
                message.body += next(message.stream)
            except StopIteration:
                raise Closed(f"the body ended without {wanted!r}: {message!r}") from None
        return message

    def finish(self, message):
        for piece in getattr(message, "stream", None) or self.pieces(message):
            message.body += piece
        return message

    def read_exactly(self, count):
        while len(self.buffer) < count:
            if not self._fill():
                raise Closed(f"closed after {self.buffer!r}")
        data, self.buffer = self.buffer[:count], self.buffer[count:]
        return data

    def rest(self):
        """Everything until the peer closes."""
        while self._fill():
            pass
        data, self.buffer = self.buffer, b""
        return data

    def closed_by_peer(self, within=PATIENCE):
        """Whether the peer closes in time without sending another byte."""
        if self.buffer:
            return False
        self.sock.settimeout(within)
        try:
            return self.sock.recv(1) == b""
        except ConnectionResetError:
            return True
        except TimeoutError:
            return False
        finally:
            self.sock.settimeout(PATIENCE)

    def readable(self, within):
        return bool(self.buffer) or bool(select.select([self.sock], [], [], within)[0])

    # -- requests ---------------------------------------------------------------------------------

    def ask(self, method, target, headers=(), body=None):
        self.send(request_bytes(method, target, headers, body))
        return self.response(method)


def request_bytes(method, target, headers=(), body=None, version="HTTP/1.1", host="faas.test"):
    headers = list(headers.items()) if isinstance(headers, dict) else list(headers)
    names = {name.lower() for name, _ in headers}
    if "host" not in names and host is not None:
        headers.insert(0, ("Host", host))
    if body is not None and not names & {"content-length", "transfer-encoding"}:
        headers.append(("Content-Length", str(len(body))))
    head = f"{method} {target} {version}\r\n" + "".join(f"{n}: {v}\r\n" for n, v in headers) + "\r\n"
    return head.encode("latin-1") + (body or b"")


def chunk(data):
    return b"%x\r\n%s\r\n" % (len(data), data)


def call(port, method="GET", target="/", headers=(), body=None, *, version="HTTP/1.1", host="127.0.0.1",
         timeout=PATIENCE):
    """One request on a connection of its own."""
    with Connection(port, host=host, timeout=timeout) as connection:
        connection.send(request_bytes(method, target, headers, body, version))
        return connection.response(method)


def send_raw(port, data, method="GET"):
    """Sends bytes as they are and reads one answer; .closed says whether the peer then closes, where it should."""
    with Connection(port) as connection:
        connection.send(data)
        response = connection.response(method)
        due = (response.status in (400, 413, 417, 431, 501, 505) or response.version == "HTTP/1.0"
               or (response.header("Connection") or "").lower() == "close")
        response.closed = response.framing == "close" or (due and connection.closed_by_peer(3))
        return response


def basic(user, password):
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def eventually(condition, within=PATIENCE, what=None, pause=0.02):
    """Polls until `condition()` is truthy and returns it; fails with the last value after the deadline."""
    deadline = time.monotonic() + within
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            shown = what() if callable(what) else what
            raise AssertionError(f"did not happen within {within} s: {shown or condition} (last: {value!r})")
        time.sleep(pause)
