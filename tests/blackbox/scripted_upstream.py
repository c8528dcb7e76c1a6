# A function's own HTTP server, played by the test: every connection is handed to a handler that reads and
# sends exactly the bytes the test wants.
import socket
import threading

import wire


class Upstream:
    """Listens on a free loopback port, on `port`, or on the Unix socket `path`. `handler(connection, number)`
    runs in a thread per connection; what it reads through connection.request() is kept in .requests. With `paused`, connections wait until resume(), as
    many as `backlog` lets."""

    def __init__(self, handler, *, port=0, path=None, backlog=256, paused=False):
        self.handler = handler
        self.requests = []
        self.connections = 0
        self.errors = []
        self.arrived = threading.Condition()
        self.path = path
        if path:
            self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self.listener.bind(str(path))
            self.listener.listen(backlog)
        else:
            self.listener = socket.create_server(("127.0.0.1", port), backlog=backlog)
            self.port = self.listener.getsockname()[1]
        self.open = []
        self.thread = threading.Thread(target=self._accept, daemon=True)
        if not paused:
            self.thread.start()

    @property
    def url(self):
        return f"unix://{self.path}" if self.path else f"http://127.0.0.1:{self.port}"

    def _accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            connection = _Recorded(self, sock)
            self.open.append(connection)
            threading.Thread(target=self._serve, args=(connection, self.connections), daemon=True).start()

    def _serve(self, connection, number):
        try:
            self.handler(connection, number)
        except (OSError, wire.Closed):
            pass
        except Exception as error:  # shown by close()
            self.errors.append(error)
        finally:
            connection.close()

    def wait_for_requests(self, count, within=wire.PATIENCE):
        with self.arrived:
            assert self.arrived.wait_for(lambda: len(self.requests) >= count, within), \
                f"{len(self.requests)} requests arrived, {count} expected"

    def resume(self):
        self.thread.start()

    def stop_listening(self):
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()
        if self.thread.ident:
            self.thread.join(5)

    def close(self):
        self.stop_listening()
        for connection in self.open:
            connection.close()
        assert not self.errors, self.errors


class _Recorded(wire.Connection):
    def __init__(self, upstream, sock):
        super().__init__(sock=sock)
        self.upstream = upstream

    def request(self):
        message = super().request()
        self._record(message)
        return message

    def request_head_only(self):
        message = self.request_head()
        self._record(message)
        return message

    def _record(self, message):
        with self.upstream.arrived:
            self.upstream.requests.append(message)
            self.upstream.arrived.notify_all()


def answer(status="200 OK", headers=(), body=b""):
    """A complete response with its length."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers)
    return f"HTTP/1.1 {status}\r\n{lines}Content-Length: {len(body)}\r\n\r\n".encode("latin-1") + body


def always(data):
    """A handler that gives every request the same bytes, on connections that stay open."""
    def handler(connection, _number):
        while True:
            connection.request()
            connection.send(data)
    return handler
