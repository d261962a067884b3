"""A receiver of alarms as a process of its own: HTTPS, one line of JSON per POST into a file.

    with Receiver(folder, certificate) as receiver:
        receiver.url
        receiver.taken          the documents whose signature was right, in order
        receiver.kill()         SIGKILL; `start()` begins again at the same port

As a program: `python tests/alarm_receiver.py CERTIFICATE KEY PORT FILE BEHAVIOUR`; BEHAVIOUR is `ok`, a status,
`redirect`, `silent` or `drip`.
"""

import hmac
import json
import ssl
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

SECRET = "0123456789abcdef0123456789abcdef"


class Receiver:
    def __init__(self, folder: Path, certificate: Path, key: Path, port: int, behaviour: str = "ok") -> None:
        self._file = folder / f"taken-{port}.jsonl"
        self._arguments = [str(certificate), str(key), str(port), str(self._file)]
        self._behaviour = behaviour
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"https://localhost:{port}/hook/capability-in-the-path"

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self, behaviour: str | None = None) -> Self:
        command = [sys.executable, __file__, *self._arguments, behaviour or self._behaviour]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert self._process.stdout and self._process.stdout.readline() == b"ready\n"
        return self

    def kill(self) -> None:
        if self._process:
            self._process.kill()
            self._process.communicate()
            self._process = None

    @property
    def posted(self) -> list[dict[str, Any]]:
        """Every POST: `path`, `headers`, `body`."""
        if not self._file.exists():
            return []
        return [json.loads(line) for line in self._file.read_text("utf-8").splitlines()]

    @property
    def taken(self) -> list[dict[str, Any]]:
        return [json.loads(each["body"]) for each in self.posted if is_genuine(each["headers"], each["body"].encode())]


def is_genuine(headers: dict[str, str], body: bytes) -> bool:
    """As docs/howto/raise-alarms.md shows it, but for the age: tests move their clock."""
    sent = dict(part.split("=", 1) for part in headers["Gatepost-Signature"].split(","))
    expected = hmac.new(SECRET.encode(), sent["t"].encode() + b"." + body, "sha256").hexdigest()
    return hmac.compare_digest(expected, sent["v1"])


def main(certificate: str, key: str, port: str, file: str, behaviour: str) -> None:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            with Path(file).open("a", encoding="utf-8") as out:
                out.write(json.dumps({"path": self.path, "headers": dict(self.headers), "body": body}) + "\n")
            if behaviour == "silent":
                time.sleep(3600)
            if behaviour == "drip":
                self.wfile.write(b"HTTP/1.1 200 OK\r\n")
                while True:
                    self.wfile.write(b"X-Drop: drip\r\n")
                    self.wfile.flush()
                    time.sleep(0.2)
            self.send_response(302 if behaviour == "redirect" else 200 if behaviour == "ok" else int(behaviour))
            if behaviour == "redirect":
                self.send_header("Location", f"https://localhost:{port}/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nobody reads it."""

    server = ThreadingHTTPServer(("127.0.0.1", int(port)), Handler)
    server.daemon_threads = True
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    print("ready", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
