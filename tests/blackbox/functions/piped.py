#!/usr/bin/python3
# A function for afterburn mode: reads HTTP requests from its standard input and answers on its standard output.
# The path says what it does.
import os
import sys
import time

source, sink = sys.stdin.buffer, sys.stdout.buffer


def read_request():
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        line = source.readline()
        if not line:
            sys.exit(0)
        head += line
    fields = {n.strip().lower(): v.strip() for n, _, v in (l.partition(b":") for l in head.split(b"\r\n")[1:-2])}
    body = source.read(int(fields.get(b"content-length", 0)))
    if fields.get(b"transfer-encoding") == b"chunked":
        while True:
            line = source.readline()
            size = int(line, 16)
            body += line + source.read(size + 2)
            if size == 0:
                break
    return head, body


def answer(body, head=b"200 OK", fields=b"", length=True):
    framing = b"Content-Length: %d\r\n" % len(body) if length else b""
    sink.write(b"HTTP/1.1 %s\r\n%s%s\r\n%s" % (head, fields, framing, body))
    sink.flush()


def act(head, body):
    method, target = head.split(b" ")[:2]
    what, _, detail = target.lstrip(b"/").partition(b"/")
    if what == b"pid":
        answer(b"%d" % os.getpid())
    elif what == b"sleep":
        time.sleep(float(detail))
        answer(b"%d" % os.getpid())
    elif what == b"raw":
        sink.write(b"HTTP/1.1 202 Mine\r\nX-A: 1\r\nx-a: 2\r\nContent-Type: text/x\r\nConnection: X-A\r\n"
                   b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")
        sink.flush()
    elif what == b"nonsense":
        answer(b"", b"nonsense", length=False) if detail else (sink.write(b"nonsense\n"), sink.flush())
    elif what == b"endless":
        answer(b"no end", length=False)
    elif what == b"exit":
        print("about to end", file=sys.stderr, flush=True)
        os._exit(int(detail))
    elif what == b"cut":
        sink.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
        sink.flush()
        os._exit(0)
    elif what == b"extra":
        answer(b"ok")
        sink.write(b"and more that nobody asked for")
        sink.flush()
    elif what == b"large":
        answer(bytes(int(detail)))
    elif what == b"size":
        answer(b"%d" % len(body))
    elif what == b"log":
        print("a line", file=sys.stderr, flush=True)
        answer(b"<html>")
    elif what == b"environment":
        answer("\n".join(f"{n}={v}" for n, v in os.environ.items()).encode())
    elif method == b"HEAD":
        sink.write(b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n")
        sink.flush()
    else:
        answer(head + body)


while True:
    act(*read_request())
