#!/usr/bin/python3
# A function over HTTP that does what the caller's headers ask of it, and by default tells what it received.
#
#   X-Reply: BASE64   sends these bytes as the whole answer
#   X-Then: WORD      afterwards: keep (default), close, hang, exit:N, then:S:HEX (waits S seconds, sends more, hangs)
#   X-Do: hang        reads the request and never answers
#   X-Do: deaf        reads the head alone and never answers
#   X-Do: sleep:S     answers after S seconds
#   X-Do: exit:N      ends the process
#   X-Do: duplex      sends every piece of the request's body back as it comes
#   X-Do: upgrade     101, then sends every byte back
import base64
import json
import os
import socket
import sys
import threading
import time
import uuid

IDENTITY = uuid.uuid4().hex


class Reader:
    def __init__(self, sock):
        self.sock, self.buffer = sock, b""

    def fill(self):
        data = self.sock.recv(65536)
        self.buffer += data
        return bool(data)

    def line(self):
        while b"\n" not in self.buffer:
            if not self.fill():
                raise EOFError
        line, self.buffer = self.buffer.split(b"\n", 1)
        return line + b"\n"

    def take(self, count):
        """At least one byte, at most `count`."""
        if not self.buffer and not self.fill():
            raise EOFError
        piece, self.buffer = self.buffer[:count], self.buffer[count:]
        return piece


def body(reader, headers):
    if "transfer-encoding" in headers:
        while size := int(reader.line().split(b";")[0], 16):
            while size:
                piece = reader.take(size)
                size -= len(piece)
                yield piece
            reader.line()
        while reader.line().strip():
            pass
        return
    left = int(headers.get("content-length", "0"))
    while left:
        piece = reader.take(left)
        left -= len(piece)
        yield piece


def plain(content, kind="application/json"):
    return (f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {len(content)}\r\n\r\n").encode() + content


def serve_one(sock, reader):
    first = reader.line()
    raw, headers = first, {}
    while (line := reader.line()).strip():
        raw += line
        name, _, value = line.decode("latin-1").partition(":")
        headers[name.strip().lower()] = value.strip()
    word, _, argument = headers.get("x-do", "").partition(":")
    if word == "upgrade":
        sock.sendall(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: "
                     + headers.get("upgrade", "none").encode() + b"\r\n\r\n")
        while True:
            sock.sendall(reader.take(65536))
    if word == "exit":
        os._exit(int(argument))
    if headers.get("expect", "").lower() == "100-continue":
        sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
    if word == "duplex":
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n")
        for piece in body(reader, headers):
            sock.sendall(b"%x\r\n%s\r\n" % (len(piece), piece))
        sock.sendall(b"0\r\n\r\n")
        return True
    if word == "deaf":
        time.sleep(3600)
    size, content = 0, b""
    for piece in body(reader, headers):
        size += len(piece)
        if len(content) < 65536:
            content += piece
    if word == "hang":
        time.sleep(3600)
    if word == "sleep":
        time.sleep(float(argument))
    if "x-reply" in headers:
        sock.sendall(base64.b64decode(headers["x-reply"]))
        word, _, argument = headers.get("x-then", "keep").partition(":")
        if word == "then":
            pause, _, more = argument.partition(":")
            time.sleep(float(pause))
            sock.sendall(bytes.fromhex(more))
        if word in ("hang", "then"):
            time.sleep(3600)
        if word == "exit":
            os._exit(int(argument))
        return word != "close"
    told = {"id": IDENTITY, "head": base64.b64encode(raw).decode(), "size": size,
            "body": base64.b64encode(content).decode(), "version": os.environ.get("VERSION", ""),
            "host": socket.gethostname(), "environment": dict(os.environ)}
    reply = plain(json.dumps(told).encode())
    sock.sendall(reply.split(b"\r\n\r\n")[0] + b"\r\n\r\n" if first.startswith(b"HEAD ") else reply)
    return True


def serve(sock):
    reader = Reader(sock)
    try:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while serve_one(sock, reader):
            pass
    except (EOFError, OSError):
        pass
    finally:
        sock.close()


def main():
    time.sleep(float(os.environ.get("START_DELAY", "0")))
    if "FAIL_AT_START" in os.environ:
        print(os.environ["FAIL_AT_START"], file=sys.stderr, flush=True)
        sys.exit(3)
    listener = socket.create_server(("127.0.0.1", int(os.environ["PROBE_PORT"])), backlog=256)
    while True:
        sock, _ = listener.accept()
        threading.Thread(target=serve, args=(sock,), daemon=True).start()


main()
