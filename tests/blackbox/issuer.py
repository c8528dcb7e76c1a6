# An OpenID issuer on loopback: makes keys, publishes them, signs tokens. It plays the remote party of the
# watchdogs' JWT authentication and answers as the test says.
import base64
import http.server
import json
import socket
import threading
import time

from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils

CONFIGURATION = "/.well-known/openid-configuration"
DIGESTS = {"256": hashes.SHA256, "384": hashes.SHA384, "512": hashes.SHA512}
CURVES = {"ES256": (ec.SECP256R1, "P-256", 32), "ES384": (ec.SECP384R1, "P-384", 48), "ES512": (ec.SECP521R1, "P-521", 66)}


def b64(data):
    if isinstance(data, str):
        data = data.encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _number(value, size=None):
    return b64(value.to_bytes(size or (value.bit_length() + 7) // 8, "big"))


class Key:
    """A key pair for one algorithm."""

    def __init__(self, algorithm, kid):
        self.algorithm, self.kid = algorithm, kid
        if algorithm in CURVES:
            self.private = ec.generate_private_key(CURVES[algorithm][0]())
        elif algorithm == "EdDSA":
            self.private = ed25519.Ed25519PrivateKey.generate()
        else:
            self.private = rsa.generate_private_key(65537, 2048)

    def jwk(self):
        public = self.private.public_key()
        if self.algorithm in CURVES:
            _, name, size = CURVES[self.algorithm]
            numbers = public.public_numbers()
            return {"kty": "EC", "crv": name, "kid": self.kid, "x": _number(numbers.x, size), "y": _number(numbers.y, size)}
        if self.algorithm == "EdDSA":
            raw = public.public_bytes_raw() if hasattr(public, "public_bytes_raw") else _raw(public)
            return {"kty": "OKP", "crv": "Ed25519", "kid": self.kid, "x": b64(raw)}
        numbers = public.public_numbers()
        return {"kty": "RSA", "kid": self.kid, "use": "sig", "n": _number(numbers.n), "e": _number(numbers.e)}

    def sign(self, message):
        if self.algorithm == "EdDSA":
            return self.private.sign(message)
        digest = DIGESTS[self.algorithm[2:]]()
        if self.algorithm in CURVES:
            r, s = utils.decode_dss_signature(self.private.sign(message, ec.ECDSA(digest)))
            size = CURVES[self.algorithm][2]
            return r.to_bytes(size, "big") + s.to_bytes(size, "big")
        if self.algorithm.startswith("PS"):
            return self.private.sign(message, padding.PSS(padding.MGF1(digest), digest.digest_size), digest)
        return self.private.sign(message, padding.PKCS1v15(), digest)

    def token(self, claims, **header):
        """A signed token; `header` replaces members of the header."""
        head = {"alg": self.algorithm, "typ": "JWT", "kid": self.kid, **header}
        message = f"{b64(json.dumps(head))}.{b64(claims if isinstance(claims, str) else json.dumps(claims))}"
        return f"{message}.{b64(self.sign(message.encode()))}"


def _raw(public):
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
    return public.public_bytes(Encoding.Raw, PublicFormat.Raw)


def hmac_token(secret, claims, kid):
    """The token of somebody who takes a public key for a secret."""
    message = f"{b64(json.dumps({'alg': 'HS256', 'kid': kid}))}.{b64(json.dumps(claims))}"
    signer = hmac.HMAC(secret, hashes.SHA256())
    signer.update(message.encode())
    return f"{message}.{b64(signer.finalize())}"


class Issuer:
    """Serves the configuration and the keys. `answers` maps a path to (status, body) that goes out instead; while
    `open` is cleared, requests for keys wait."""

    ISSUER = "https://issuer.test"

    def __init__(self, *keys, listener=None):
        self.keys = list(keys)
        self.answers = {}
        self.asked = []         # (path, User-Agent)
        self.arrived = threading.Condition()
        self.open = threading.Event()
        self.open.set()
        self.listener = listener or socket.create_server(("127.0.0.1", 0))
        self.url = "http://127.0.0.1:%d" % self.listener.getsockname()[1]
        self.server = http.server.ThreadingHTTPServer(self.listener.getsockname(), self._handler(), bind_and_activate=False)
        self.server.socket.close()
        self.server.socket = self.listener
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05})
        self.thread.start()

    def _handler(self):
        issuer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                with issuer.arrived:
                    issuer.asked.append((self.path, self.headers["User-Agent"]))
                    issuer.arrived.notify_all()
                status, body = issuer.answer(self.path)
                try:
                    self.send_response(status)
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)
                except OSError:
                    pass  # nobody is left to be told

            def log_message(self, *_):
                pass

        return Handler

    def answer(self, path):
        if path == "/keys":
            self.open.wait(30)
        if path in self.answers:
            status, body = self.answers[path]
        elif path == CONFIGURATION:
            status, body = 200, {"issuer": self.ISSUER, "jwks_uri": f"{self.url}/keys"}
        elif path == "/keys":
            status, body = 200, {"keys": [key.jwk() for key in self.keys]}
        else:
            status, body = 404, {}
        return status, body if isinstance(body, bytes) else json.dumps(body).encode()

    def times_asked(self, path="/keys"):
        return sum(1 for asked, _ in self.asked if asked == path)

    def wait_until_asked(self, count, path="/keys", within=15.0):
        with self.arrived:
            assert self.arrived.wait_for(lambda: self.times_asked(path) >= count, within), self.asked

    def claims(self, permissions=("*",), **more):
        """The claims of a good token; None takes a member away."""
        now = time.time()
        claims = {"iss": self.ISSUER, "aud": self.ISSUER, "iat": int(now), "exp": int(now) + 3600,
                  "function": {"permissions": list(permissions)}, **more}
        return {name: value for name, value in claims.items() if value is not None}

    def dispose(self):
        self.open.set()
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()
