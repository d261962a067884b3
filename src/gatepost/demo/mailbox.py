"""A mail server that takes every message and keeps it as a file: bob's, outside, and the one on contoso's premises.

`python -m gatepost.demo.mailbox HOSTNAME PORT FOLDER` is the server; `Mailbox` looks into its folder.
"""

import asyncio
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from itertools import count
from pathlib import Path
from typing import Any

from gatepost.mail.reply import Reply, reply
from gatepost.smtp.server_effects import (
    AskMail,
    AskRecipient,
    BeginContent,
    Close,
    ContentReceived,
    DropContent,
    Effect,
    EndContent,
    SendReply,
)
from gatepost.smtp.server_session import ServerSession
from gatepost.smtp.server_settings import ServerSettings

_OK = reply(250, "0.0", "OK")
_TAKEN = reply(250, "6.0", "in the mailbox")


# What looks in


@dataclass(frozen=True, slots=True)
class StoredMail:
    source: str
    message: EmailMessage

    @property
    def return_path(self) -> str:
        return str(self.message["Return-Path"])

    def field(self, name: str) -> str:
        return str(self.message[name] or "")

    @property
    def text(self) -> str:
        """The first part for people."""
        body = self.message.get_body(("plain",))
        return str(body.get_content()) if body else ""


class Mailbox:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read: dict[Path, StoredMail] = {}

    def mail(self) -> Sequence[StoredMail]:
        """All there is, in the order of arrival."""
        for file in sorted(self._folder.glob("*.eml")):
            if file not in self._read:
                octets = file.read_bytes()
                message = message_from_bytes(octets, _class=EmailMessage, policy=policy.default)
                self._read[file] = StoredMail(octets.decode("utf-8", "replace"), message)
        return list(self._read.values())

    def find(self, wanted: Callable[[StoredMail], bool]) -> StoredMail | None:
        return next(filter(wanted, self.mail()), None)


# The server


class _Keeper:
    """Writes messages into the folder, whole or not at all."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers = count(1)

    def keep(self, reverse_path: str, recipients: Sequence[str], content: bytes) -> None:
        # RFC 5321 4.4: the server that makes final delivery writes the Return-Path down.
        head = f"Return-Path: <{reverse_path}>\r\n" + "".join(f"Delivered-To: {each}\r\n" for each in recipients)
        name = self._folder / f"{next(self._numbers):06}"
        name.with_suffix(".part").write_bytes(head.encode() + content)
        name.with_suffix(".part").rename(name.with_suffix(".eml"))


class _Connection(asyncio.Protocol):
    def __init__(self, settings: ServerSettings, keeper: _Keeper) -> None:
        self._settings = settings
        self._machine = ServerSession(settings)
        self._keeper = keeper
        self._transport: Any = None
        self._reverse_path = ""
        self._recipients: list[str] = []
        self._content: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._carry_out(self._machine.connected(reply(220, None, f"{self._settings.hostname} ESMTP")))

    def data_received(self, data: bytes) -> None:
        self._carry_out(self._machine.receive(data))

    def eof_received(self) -> None:
        self._carry_out(self._machine.peer_closed())

    def _carry_out(self, effects: list[Effect]) -> None:
        while effects:
            answer = None
            for effect in effects:
                answer = self._do(effect)
            effects = self._machine.answer(answer) if answer else []

    def _do(self, effect: Effect) -> Reply | None:
        match effect:
            case SendReply(said):
                self._transport.write(said.octets)
            case AskMail():
                self._reverse_path, self._recipients = str(effect.envelope.reverse_path), []
                return _OK
            case AskRecipient():
                self._recipients.append(str(effect.forward_path))
                return _OK
            case BeginContent() | DropContent():
                self._content = []
            case ContentReceived(octets):
                self._content.append(octets)
            case EndContent():
                self._keeper.keep(self._reverse_path, self._recipients, b"".join(self._content))
                return _TAKEN
            case Close():
                self._transport.close()
        return None


async def _serve(hostname: str, port: int, folder: Path) -> None:
    settings = ServerSettings(hostname=hostname, offers_starttls=False)
    keeper = _Keeper(folder)
    server = await asyncio.get_running_loop().create_server(lambda: _Connection(settings, keeper), "127.0.0.1", port)
    sys.stdout.write(f"listening on 127.0.0.1:{port} as {hostname}\n")
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])))
