"""A function in Python over HTTP: of-watchdog starts it once and hands it every call (mode=http)."""

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ADDRESS = ("127.0.0.1", 5000)  # what upstream_url names


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # connections are kept and used again

    def read_body(self):
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        parts = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass  # trailers
        return b"".join(parts)

    def answer(self):
        body = self.read_body()
        reply = f"{self.command} {self.path}: {len(body)} bytes, {body.decode(errors='replace').upper()}\n".encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(reply)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(reply)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = answer

    def log_message(self, format, *args):
        """The watchdog keeps the log of calls."""


class Server(ThreadingHTTPServer):
    daemon_threads = True  # an idle connection does not hold up the end


if __name__ == "__main__":
    Server(ADDRESS, Handler).serve_forever()
