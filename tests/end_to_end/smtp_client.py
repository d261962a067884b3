"""A small blocking SMTP client that says what it is told, under TLS with any client certificate, good or bad."""

import re
import socket
import ssl
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from pki import Issued

SESSION_ID = re.compile(r"\[[^\[\]]* ([0-9A-F]{16})\]")
QUEUED = re.compile(r"250 2\.6\.0 (\d+)-\d+ Queued")
"""The group is the worker's number."""


@dataclass
class Answer:
    code: int
    text: str
    """All lines, as they came."""

    @property
    def session_id(self) -> str:
        found = SESSION_ID.search(self.text)
        assert found, f"no session id in: {self.text}"
        return found[1]


class SmtpClient:
    """Opens a session; leaves it with QUIT when used as a context."""

    def __init__(
        self,
        port: int,
        source: str | None = None,
        ehlo: str = "mail.test",
        first: bytes = b"",
        host: str = "127.0.0.1",
        timeout_s: float = 30.0,
    ) -> None:
        """`source`: any address of 127.0.0.0/8. `first`: octets to send before the greeting comes."""
        self.ehlo_name = ehlo
        self.socket: socket.socket = socket.create_connection(
            (host, port), timeout=timeout_s, source_address=(source, 0) if source else None
        )
        own_host, own_port = self.socket.getsockname()[:2]
        self.local = f"{own_host}:{own_port}"
        """As the protocol log writes it."""
        self._buffer = b""
        if first:
            self.send(first)
        self.greeting = self.reply()

    def __enter__(self) -> "SmtpClient":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            with suppress(OSError):
                self.command("QUIT")
        self.close()

    def close(self) -> None:
        self.socket.close()

    # Octets

    def send(self, octets: bytes) -> None:
        self.socket.sendall(octets)

    def line(self) -> str | None:
        """The next line without CRLF; None when the server closed."""
        while b"\r\n" not in self._buffer:
            try:
                data = self.socket.recv(65536)
            except (ConnectionResetError, ssl.SSLEOFError):
                data = b""
            if not data:
                assert not self._buffer, f"the server closed within a line: {self._buffer!r}"
                return None
            self._buffer += data
        line, _, self._buffer = self._buffer.partition(b"\r\n")
        return line.decode("utf-8")

    def closed(self) -> bool:
        """Waits until the server says something or closes."""
        return self.line() is None

    def reply(self) -> Answer:
        lines: list[str] = []
        while not lines or lines[-1][3:4] == "-":
            line = self.line()
            if line is None:
                raise ConnectionError("the server closed instead of replying")
            lines.append(line)
        return Answer(int(lines[-1][:3]), "\n".join(lines))

    # Commands

    def command(self, text: str) -> Answer:
        self.send(text.encode("utf-8") + b"\r\n")
        return self.reply()

    def ehlo(self) -> Answer:
        if self.greeting.code == 421:
            raise ConnectionRefusedError(self.greeting.text)
        answer = self.command(f"EHLO {self.ehlo_name}")
        if answer.code == 421:
            raise ConnectionAbortedError(answer.text)
        assert answer.code == 250, answer.text
        return answer

    def starttls(
        self,
        certificate: Path | Issued | None = None,
        key: Path | None = None,
        *,
        version: str | None = None,
        server_name: str | None = "relay.example.net",
    ) -> Answer:
        """EHLO, STARTTLS, EHLO. Asks nothing of the server's certificate: what is tested is what it makes of ours."""
        self.ehlo()
        answer = self.command("STARTTLS")
        if answer.code == 421:
            raise ConnectionAbortedError(answer.text)
        assert answer.code == 220, answer.text
        self.handshake(certificate, key, version=version, server_name=server_name)
        return self.ehlo()

    def handshake(
        self,
        certificate: Path | Issued | None = None,
        key: Path | None = None,
        *,
        version: str | None = None,
        server_name: str | None = "relay.example.net",
    ) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        # Weak keys are sent too.
        context.set_ciphers("ALL:@SECLEVEL=0")
        if version:
            wanted = ssl.TLSVersion[version]
            context.minimum_version = context.maximum_version = wanted
        if isinstance(certificate, Issued):
            context.load_cert_chain(certificate.chain_file, certificate.key_file)
        elif certificate:
            context.load_cert_chain(certificate, key)
        self.socket = context.wrap_socket(self.socket, server_hostname=server_name)

    @property
    def server_certificate(self) -> bytes:
        """DER of what the server presented."""
        assert isinstance(self.socket, ssl.SSLSocket)
        der = self.socket.getpeercert(binary_form=True)
        assert der
        return der

    def mail(self, reverse_path: str, *forward_paths: str, parameters: str = "") -> Answer:
        """MAIL and each RCPT; the first refusal, or the last acceptance."""
        answer = self.command(f"MAIL FROM:<{reverse_path}>{' ' * bool(parameters)}{parameters}")
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
        self.send(stuffed(octets) + (b"" if octets.endswith(b"\r\n") else b"\r\n") + b".\r\n")
        return self.reply()

    def chunk(self, octets: bytes) -> Answer:
        """The whole content by one BDAT: not an octet is added."""
        self.send(b"BDAT %d LAST\r\n" % len(octets) + octets)
        return self.reply()

    def message(self, reverse_path: str, forward_path: str, octets: bytes) -> Answer:
        """A whole mail transaction; its last reply."""
        answer = self.mail(reverse_path, forward_path)
        return self.content(octets) if answer.code == 250 else answer


def stuffed(content: bytes) -> bytes:
    return re.sub(rb"(?m)^\.", b"..", content)
