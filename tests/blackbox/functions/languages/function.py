#!/usr/bin/python3
# The same in Python (see function.c).
import http.server
import json
import os
import socketserver
import sys

source, sink = sys.stdin.buffer, sys.stdout.buffer


def burn():
    while first := source.readline():
        length = 0
        while (line := source.readline()).strip():
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        body = first.strip() + b"\n" + source.read(length)
        sink.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        sink.flush()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        body = self.requestline.encode() + b"\n" + self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = answer

    def log_message(self, *_):
        pass


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True


shape, more = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else ""
if shape == "upper":
    sink.write(source.read().upper())
elif shape == "invert":
    sink.write(bytes(b ^ 0xFF for b in source.read()))
elif shape == "lines":
    for n, line in enumerate(source, 1):
        sink.write(b"%d %s" % (n, line))
        sink.flush()
elif shape == "greet":
    print(json.dumps({"hello": json.load(source)["name"]}, separators=(",", ":")), end="")
elif shape == "ignore":
    print("not read")
elif shape == "env":
    print(os.environ.get(more, "(none)"))
elif shape == "http":
    Server(("127.0.0.1", int(more)), Handler).serve_forever()
elif shape == "burn":
    burn()
