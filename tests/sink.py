"""An SMTP server for tests: takes mail, and misbehaves as told.

    async with Sink() as sink:
        sink.answer("RCPT", b"550 5.1.1 no\\r\\n")       the next RCPT gets this; then all is well again
        sink.answer("END", CLOSE)                        hang up instead of the reply to the content
        sink.answer("END", b"250 ok\\r\\n", CLOSE)       reply, then hang up
        sink.always("GREETING", b"421 full\\r\\n", CLOSE)
        sink.answer("MAIL", SILENCE)                     never answer
        sink.answer("END", Pause(0.5), b"250 ok\\r\\n")
        sink.messages, sink.sessions, sink.most_sessions

Verbs: GREETING EHLO HELO STARTTLS MAIL RCPT DATA END (of content, by DATA or BDAT) RSET QUIT, and CONTENT: as soon as
the first octet of content comes. By itself it refuses recipients that begin with `refuse` (550) or `defer` (451).

As a program: `python tests/sink.py --port 0 [--folder DIR] [--certificate PEM --key PEM]` prints `listening on
127.0.0.1:PORT`, keeps each message in DIR/<n>.eml with its envelope in DIR/<n>.json, and runs until it is ended.
"""

import argparse
import asyncio
import json
import ssl
from collections import defaultdict, deque
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final


class _Sign:
    pass


CLOSE: Final = _Sign()
SILENCE: Final = _Sign()


@dataclass(frozen=True)
class Pause:
    seconds: float


Action = bytes | _Sign | Pause

KEYWORDS = ("PIPELINING", "SIZE 157286400", "8BITMIME", "BINARYMIME", "CHUNKING", "DSN", "SMTPUTF8")


@dataclass(frozen=True)
class SunkMessage:
    reverse_path: str
    mail_parameters: str
    recipients: tuple[str, ...]
    rcpt_parameters: tuple[str, ...]
    content: bytes
    session: int
    tls: bool
    client_certificate: bytes | None


class Sink:
    def __init__(
        self,
        keywords: tuple[str, ...] = KEYWORDS,
        certificate: tuple[Path, Path] | None = None,
        client_roots: Path | None = None,
        folder: Path | None = None,
        keep: bool = True,
    ) -> None:
        self.keywords = keywords
        self.messages: list[SunkMessage] = []
        self.count = 0
        self.sessions = 0
        self.open_sessions = 0
        self.most_sessions = 0
        self.commands: list[str] = []
        self.port = 0
        self.tls: ssl.SSLContext | None = None
        self._folder = folder
        self._keep = keep
        self._once: dict[str, deque[tuple[Action, ...]]] = defaultdict(deque)
        self._always: dict[str, tuple[Action, ...]] = {}
        self._server: asyncio.Server | None = None
        self._transports: set[asyncio.Transport] = set()
        if certificate:
            self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.tls.load_cert_chain(*certificate)
            if client_roots:
                self.tls.verify_mode = ssl.CERT_OPTIONAL
                self.tls.load_verify_locations(client_roots)

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> "Sink":
        self._server = await asyncio.get_running_loop().create_server(lambda: _Session(self), host, port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def stop(self) -> None:
        if self._server:
            self._server.close()
        for transport in tuple(self._transports):
            transport.abort()

    async def __aenter__(self) -> "Sink":
        return await self.start()

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def answer(self, verb: str, *actions: Action) -> None:
        """What the next such command gets; call again for the one after."""
        self._once[verb].append(actions)

    def always(self, verb: str, *actions: Action) -> None:
        self._always[verb] = actions

    def behave(self) -> None:
        self._once.clear()
        self._always.clear()

    def told(self, verb: str) -> tuple[Action, ...] | None:
        if self._once[verb]:
            return self._once[verb].popleft()
        return self._always.get(verb)

    def take(self, message: SunkMessage) -> None:
        self.count += 1
        if self._keep:
            self.messages.append(message)
        if self._folder:
            name = self._folder / f"{self.count:06}"
            name.with_suffix(".part").write_bytes(message.content)
            envelope = {
                "reverse_path": message.reverse_path,
                "recipients": message.recipients,
                "session": message.session,
                "tls": message.tls,
                "client_certificate": bool(message.client_certificate),
            }
            name.with_suffix(".json").write_text(json.dumps(envelope))
            name.with_suffix(".part").rename(name.with_suffix(".eml"))

    @property
    def content(self) -> list[bytes]:
        return [message.content for message in self.messages]


class _Session(asyncio.Protocol):
    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._buffer = b""
        self._queue: deque[Action] = deque()
        self._waiting = False
        self._data = False
        self._bdat: tuple[int, bool] | None = None
        self._content: list[bytes] = []
        self._announced = False
        self._secured = False
        self._number = 0
        self._transport: Any
        self._reset()

    def _reset(self) -> None:
        self._mail: tuple[str, str] | None = None
        self._recipients: list[str] = []
        self._rcpt_parameters: list[str] = []
        self._content = []
        self._announced = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._sink._transports.add(transport)  # type: ignore[arg-type]
        if not self._secured:
            self._sink.sessions += 1
            self._sink.open_sessions += 1
            self._sink.most_sessions = max(self._sink.most_sessions, self._sink.open_sessions)
            self._number = self._sink.sessions
            self._answer("GREETING", b"220 sink.example ESMTP\r\n")

    def connection_lost(self, exc: Exception | None) -> None:
        self._sink._transports.discard(self._transport)
        self._sink.open_sessions -= 1

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        self._read()

    def _read(self) -> None:
        while not self._waiting and self._buffer:
            if self._data:
                if not self._read_data():
                    return
            elif self._bdat is not None:
                if not self._read_bdat():
                    return
            else:
                line, found, rest = self._buffer.partition(b"\r\n")
                if not found:
                    return
                self._buffer = rest
                self._command(line.decode("utf-8", "replace"))

    def _content_begins(self) -> bool:
        """Whether the session goes on."""
        if self._announced:
            return True
        self._announced = True
        return self._answer("CONTENT", b"")

    def _read_data(self) -> bool:
        if not self._content_begins():
            return False
        if self._buffer.startswith(b".\r\n"):
            content, self._buffer = b"", self._buffer[3:]
        else:
            end = self._buffer.find(b"\r\n.\r\n")
            if end < 0:
                return False
            content, self._buffer = self._buffer[: end + 2], self._buffer[end + 5 :]
        self._data = False
        if content.startswith(b"."):
            content = content[1:]
        self._content = [content.replace(b"\r\n..", b"\r\n.")]
        self._end()
        return True

    def _read_bdat(self) -> bool:
        assert self._bdat is not None
        left, last = self._bdat
        if not self._content_begins():
            return False
        piece, self._buffer = self._buffer[:left], self._buffer[left:]
        self._content.append(piece)
        left -= len(piece)
        self._bdat = (left, last)
        if left:
            return False
        self._bdat_over(last)
        return True

    def _bdat_over(self, last: bool) -> None:
        self._bdat = None
        if last:
            self._end()
        else:
            self._transport.write(b"250 2.0.0 chunk\r\n")

    def _end(self) -> None:
        if not self._recipients:
            self._reset()
            self._answer("END", b"554 5.5.1 no valid recipients\r\n")
            return
        message = SunkMessage(
            *(self._mail or ("", "")),
            tuple(self._recipients),
            tuple(self._rcpt_parameters),
            b"".join(self._content),
            self._number,
            self._secured,
            self._peer_certificate(),
        )
        self._reset()
        told = self._sink.told("END")
        if told is None or any(isinstance(action, bytes) and action.startswith(b"2") for action in told):
            self._sink.take(message)
        self._do(told if told is not None else (b"250 2.6.0 sunk\r\n",))

    def _peer_certificate(self) -> bytes | None:
        over_tls = self._transport.get_extra_info("ssl_object") if self._secured else None
        return over_tls.getpeercert(binary_form=True) if over_tls else None

    def _command(self, line: str) -> None:
        self._sink.commands.append(line)
        verb = line.split(" ")[0].upper()
        match verb:
            case "EHLO":
                keywords = [*self._sink.keywords]
                if self._sink.tls and not self._secured:
                    keywords.append("STARTTLS")
                lines = ["sink.example", *keywords]
                text = "".join(f"250-{word}\r\n" for word in lines[:-1]) + f"250 {lines[-1]}\r\n"
                self._answer("EHLO", text.encode())
            case "HELO":
                self._answer("HELO", b"250 sink.example\r\n")
            case "STARTTLS":
                if self._answer("STARTTLS", b"220 2.0.0 go\r\n"):
                    self._waiting = True
                    task = asyncio.get_running_loop().create_task(self._start_tls())
                    task.add_done_callback(lambda done: done.cancelled() or done.exception())
            case "MAIL":
                self._reset()
                path, _, parameters = line.partition(":")[2].partition(">")
                self._mail = (path.lstrip("< "), parameters.strip())
                self._answer("MAIL", b"250 2.1.0 sender ok\r\n")
            case "RCPT":
                self._rcpt(line)
            case "DATA":
                if not self._recipients:
                    self._answer("DATA", b"554 5.5.1 no valid recipients\r\n")
                else:
                    self._data = self._answer("DATA", b"354 go on\r\n") or self._waiting
            case "BDAT":
                words = line.split(" ")
                last = len(words) > 2
                self._bdat = (int(words[1]), last)
                if not self._bdat[0]:
                    self._bdat_over(last)
            case "RSET":
                self._reset()
                self._answer("RSET", b"250 2.0.0 reset\r\n")
            case "QUIT":
                self._do(self._sink.told("QUIT") or (b"221 2.0.0 bye\r\n", CLOSE))
            case _:
                self._transport.write(b"500 5.5.1 what\r\n")

    def _rcpt(self, line: str) -> None:
        path, _, parameters = line.partition(":")[2].partition(">")
        path = path.lstrip("< ")
        told = self._sink.told("RCPT")
        if told is None:
            told = (b"250 2.1.5 recipient ok\r\n",)
            if path.startswith("refuse"):
                told = (b"550 5.1.1 no such recipient\r\n",)
            elif path.startswith("defer"):
                told = (b"451 4.2.1 not now\r\n",)
        if any(isinstance(action, bytes) and action.startswith(b"2") for action in told):
            self._recipients.append(path)
            self._rcpt_parameters.append(parameters.strip())
        self._do(told)

    def _answer(self, verb: str, usual: bytes) -> bool:
        """Whether it was the usual answer."""
        told = self._sink.told(verb)
        self._do(told if told is not None else (usual,))
        return told is None

    def _do(self, actions: tuple[Action, ...]) -> None:
        for at, action in enumerate(actions):
            if isinstance(action, bytes):
                if action:
                    self._transport.write(action)
            elif isinstance(action, Pause):
                self._waiting = True
                asyncio.get_running_loop().call_later(action.seconds, self._go_on, actions[at + 1 :])
                return
            elif action is CLOSE:
                self._waiting = True
                self._buffer = b""
                self._transport.close()
            else:
                self._waiting = True

    def _go_on(self, actions: tuple[Action, ...]) -> None:
        self._waiting = False
        self._do(actions)
        self._read()

    async def _start_tls(self) -> None:
        loop = asyncio.get_running_loop()
        self._buffer = b""
        with suppress(OSError, ConnectionError):
            self._secured = True
            transport = await loop.start_tls(self._transport, self, self._sink.tls, server_side=True)  # type: ignore[arg-type]
            if transport is None:
                return
            self._transport = transport
            self._waiting = False
            self._read()


async def _serve(arguments: argparse.Namespace) -> None:
    certificate = (arguments.certificate, arguments.key or arguments.certificate) if arguments.certificate else None
    if arguments.folder:
        arguments.folder.mkdir(parents=True, exist_ok=True)
    sink = Sink(certificate=certificate, folder=arguments.folder, keep=False)
    await sink.start(port=arguments.port)
    print(f"listening on 127.0.0.1:{sink.port}", flush=True)
    await asyncio.Event().wait()


def main() -> None:
    parser = argparse.ArgumentParser(description="an SMTP sink for tests")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--certificate", type=Path)
    parser.add_argument("--key", type=Path)
    arguments = parser.parse_args()
    with suppress(KeyboardInterrupt):
        try:
            import uvloop
        except ImportError:
            asyncio.run(_serve(arguments))
        else:
            uvloop.run(_serve(arguments))


if __name__ == "__main__":
    main()
