"""An identity provider on loopback that says what a test wants it to: the truth, until `lies` changes it."""

import hmac
import json
import time
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

from gatepost.tenancy.provider import Provider

KEY = RSAKey.generate_key(2048, {"kid": "one", "use": "sig"})
OTHER_KEY = RSAKey.generate_key(2048, {"kid": "one", "use": "sig"})
EC_KEY = ECKey.generate_key("P-256", {"kid": "two", "use": "sig"})

REDIRECT = "https://console.example/oidc/acme/callback"
VERIFIER = "v" * 43


class LyingProvider:
    def __init__(self) -> None:
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.issuer = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.keys: list[Any] = [KEY]
        self.key: Any = KEY
        self.algorithm = "RS256"
        self.claims: dict[str, Any] = {}
        """In the place of the true ones; None: left out."""
        self.discovery: dict[str, Any] = {}
        self.token: dict[str, Any] = {}
        self.answers: dict[str, tuple[int, dict[str, str], bytes]] = {}
        """By path, in the place of the true answer."""
        self.asked: list[str] = []
        self.forms: list[dict[str, str]] = []
        self.nonce = ""
        self.silent = Event()
        self.silent.set()
        """Cleared: it does not answer."""

    def provider(self, **said: Any) -> Provider:
        return Provider(**{"name": "acme", "issuer": self.issuer, "client_id": "gatepost", **said})

    def authorized(self, address: str) -> dict[str, str]:
        """What the browser brings to the authorization endpoint."""
        asked = dict(parse_qsl(urlsplit(address).query))
        self.nonce = asked["nonce"]
        return asked

    def answer(self, path: str) -> tuple[int, dict[str, str], bytes]:
        self.asked.append(path)
        self.silent.wait(30)
        if path in self.answers:
            return self.answers[path]
        said = {
            "/.well-known/openid-configuration": self._discovery,
            "/keys": lambda: {"keys": [each.as_dict(private=False) for each in self.keys]},
            "/token": self._token,
        }[path]()
        return 200, {"Content-Type": "application/json"}, json.dumps(said).encode()

    def _discovery(self) -> dict[str, Any]:
        said = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            "code_challenge_methods_supported": ["plain", "S256"],
        }
        return {**said, **self.discovery}

    def _token(self) -> dict[str, Any]:
        return {"access_token": "a", "token_type": "Bearer", "id_token": self.id_token(), **self.token}

    def id_token(self) -> str:
        now = int(time.time())
        said: dict[str, Any] = {
            "iss": self.issuer,
            "sub": "aBc-1",
            "aud": "gatepost",
            "iat": now,
            "exp": now + 300,
            "nonce": self.nonce,
            "preferred_username": "Ann",
            **self.claims,
        }
        said = {name: value for name, value in said.items() if value is not None}
        if self.algorithm == "none" or isinstance(self.key, bytes):
            return self._signed_by_hand(said)
        header = {"alg": self.algorithm, "kid": self.key.kid or "one"}
        return jwt.encode(header, said, self.key, algorithms=[self.algorithm])

    def _signed_by_hand(self, said: dict[str, Any]) -> str:
        """As no library would."""
        parts = ({"alg": self.algorithm, "kid": "one"}, said)
        text = ".".join(_base64(json.dumps(each).encode()) for each in parts)
        signature = b"" if self.algorithm == "none" else hmac.digest(self.key, text.encode(), "sha256")
        return f"{text}.{_base64(signature)}"

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._say(*provider.answer(urlsplit(self.path).path))

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                form = {name: values[0] for name, values in parse_qs(body).items()}
                provider.forms.append({**form, "authorization": self.headers.get("Authorization", "")})
                self._say(*provider.answer(urlsplit(self.path).path))

            def _say(self, status: int, headers: dict[str, str], body: bytes) -> None:
                self.send_response(status)
                for name, value in {"Content-Length": str(len(body)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Nothing."""

        return Handler


def _base64(octets: bytes) -> str:
    return urlsafe_b64encode(octets).decode().rstrip("=")


@contextmanager
def lying_provider() -> Iterator[LyingProvider]:
    provider = LyingProvider()
    thread = Thread(target=provider.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield provider
    finally:
        provider.silent.set()
        provider.server.shutdown()
        provider.server.server_close()
