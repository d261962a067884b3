"""A small blocking SMTP client that says what it is told, under TLS with any client certificate, good or bad."""

from dataclasses import dataclass
from pathlib import Path
import re
import socket
import ssl
from types import TracebackType

SESSION_ID = re.compile(r"\[[^\[\]]* ([0-9A-F]{16})\]")


@dataclass
class Answer:
    code: int
    text: str

    @property
    def session_id(self) -> str:
        found = SESSION_ID.search(self.text)
        assert found, f"no session id in: {self.text}"
        return found[1]


class SmtpClient:
    """Opens a session; leaves it with QUIT when used as a context."""

    def __init__(self, port: int, host: str = "127.0.0.1", source: str | None = None, ehlo: str = "mail.test") -> None:
        self.ehlo_name = ehlo
        self._socket: socket.socket = socket.create_connection(
            (host, port), timeout=30, source_address=(source, 0) if source else None
        )
        self._buffer = b""
        self.greeting = self.reply()

    def __enter__(self) -> "SmtpClient":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.command("QUIT")
        self._socket.close()

    def send(self, octets: bytes) -> None:
        self._socket.sendall(octets)

    def line(self) -> str:
        while b"\r\n" not in self._buffer:
            data = self._socket.recv(65536)
            if not data:
                raise ConnectionError(f"the server closed; unread: {self._buffer!r}")
            self._buffer += data
        line, _, self._buffer = self._buffer.partition(b"\r\n")
        return line.decode("utf-8")

    def reply(self) -> Answer:
        lines = [self.line()]
        while lines[-1][3:4] == "-":
            lines.append(self.line())
        return Answer(int(lines[-1][:3]), "\n".join(lines))

    def command(self, text: str) -> Answer:
        self.send(text.encode("utf-8") + b"\r\n")
        return self.reply()

    def ehlo(self) -> Answer:
        return self.command(f"EHLO {self.ehlo_name}")

    def starttls(self, certificate: Path | None = None, key: Path | None = None, version: str | None = None) -> None:
        """Asks nothing of the server's certificate: what is tested is what the server makes of ours."""
        assert self.ehlo().code == 250
        assert self.command("STARTTLS").code == 220
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        if version:
            wanted = ssl.TLSVersion[version]
            context.minimum_version = context.maximum_version = wanted
        if certificate and key:
            context.load_cert_chain(certificate, key)
        self._socket = context.wrap_socket(self._socket, server_hostname="relay.example.net")
        assert self.ehlo().code == 250

    def mail(self, reverse_path: str, *forward_paths: str) -> Answer:
        """MAIL and each RCPT; the first refusal, or the last acceptance."""
        answer = self.command(f"MAIL FROM:<{reverse_path}>")
        for path in forward_paths:
            if answer.code != 250:
                return answer
            answer = self.command(f"RCPT TO:<{path}>")
        return answer

    def content(self, octets: bytes) -> Answer:
        """DATA, dot-stuffed."""
        answer = self.command("DATA")
        if answer.code != 354:
            return answer
        stuffed = re.sub(rb"(?m)^\.", b"..", octets)
        self.send(stuffed + (b"" if stuffed.endswith(b"\r\n") else b"\r\n") + b".\r\n")
        return self.reply()
