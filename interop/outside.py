"""The outside world: an SMTP server that keeps every message with its exact octets, for the checks to look at."""

import socketserver
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrived:
    reverse_path: str
    forward_paths: tuple[str, ...]
    content: bytes
    """The octets of the message: transparency dots removed, without the final dot."""


class Outside:
    def __init__(self) -> None:
        self._arrived: list[Arrived] = []
        self._changed = threading.Condition()
        self._server = _Server(("127.0.0.1", 0), _Session)
        self._server.outside = self
        self.port: int = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def keep(self, message: Arrived) -> None:
        with self._changed:
            self._arrived.append(message)
            self._changed.notify_all()

    def find(self, wanted: Callable[[Arrived], bool]) -> Arrived | None:
        with self._changed:
            return next(filter(wanted, self._arrived), None)

    def wait_for(self, recipient: str, seconds: float = 10.0) -> Arrived:
        """The first message to this recipient. Each check has recipients of its own."""
        deadline = time.monotonic() + seconds
        with self._changed:
            while True:
                for message in self._arrived:
                    if recipient in message.forward_paths:
                        return message
                left = deadline - time.monotonic()
                if left <= 0:
                    raise AssertionError(f"nothing for {recipient} arrived outside within {seconds:.0f} s")
                self._changed.wait(left)


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128
    outside: Outside


class _Session(socketserver.StreamRequestHandler):
    server: _Server

    def handle(self) -> None:
        self._reset()
        self._say("220 outside.example.org ESMTP")
        while line := self.rfile.readline(4096):
            verb, _, rest = line.decode("utf-8", "replace").strip().partition(" ")
            if verb.upper() == "QUIT":
                self._say("221 2.0.0 bye")
                return
            self._obey(verb.upper(), rest)

    def _obey(self, verb: str, rest: str) -> None:
        if verb == "EHLO":
            for offer in ("outside.example.org", "PIPELINING", "8BITMIME", "SMTPUTF8", "DSN"):
                self._say(f"250-{offer}")
            self._say("250 CHUNKING")
        elif verb in ("HELO", "RSET", "NOOP"):
            self._reset()
            self._say("250 2.0.0 yes")
        elif verb == "MAIL":
            self._reset()
            self._reverse_path = _path(rest)
            self._say("250 2.1.0 yes")
        elif verb == "RCPT":
            self._forward_paths.append(_path(rest))
            self._say("250 2.1.5 yes")
        elif verb == "DATA":
            self._say("354 go ahead")
            self._take_data()
        elif verb == "BDAT":
            self._take_chunk(rest)
        else:
            self._say("502 5.5.1 not here")

    def _take_data(self) -> None:
        while (line := self.rfile.readline()) not in (b".\r\n", b""):
            self._content += line[1:] if line.startswith(b".") else line
        self._keep()

    def _take_chunk(self, rest: str) -> None:
        size, _, last = rest.partition(" ")
        self._content += self.rfile.read(int(size))
        if last.upper() == "LAST":
            self._keep()
        else:
            self._say("250 2.0.0 more")

    def _keep(self) -> None:
        self.server.outside.keep(
            Arrived(
                reverse_path=self._reverse_path,
                forward_paths=tuple(self._forward_paths),
                content=bytes(self._content),
            )
        )
        self._reset()
        self._say("250 2.0.0 kept")

    def _reset(self) -> None:
        self._reverse_path = ""
        self._forward_paths: list[str] = []
        self._content = bytearray()

    def _say(self, reply: str) -> None:
        self.wfile.write(reply.encode() + b"\r\n")


def _path(rest: str) -> str:
    return rest.partition("<")[2].partition(">")[0]
