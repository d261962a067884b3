r"""SMTP dialogues as text files, and the player that runs them against anything that speaks like a server.

A line of a dialogue file is one of:

    # a comment
    settings: largest_message = 100       before the first C or S: settings that differ from the defaults
    policy: bob@example.com 550 5.1.1 No  before the first C or S: the answer for a mailbox, or for `content`
    C: EHLO client.example                the client sends this line with CRLF; consecutive lines go as one write
    C> no line end\n                      the client sends just this, no CRLF added
    S: 250 2.0.0 OK                       this reply line comes
    S: 250 2.1.0 ...                      a reply line comes that begins so
    S: 250-...                            a whole reply of several lines comes, the last one included
    = tls                                 both sides do the TLS handshake
    = content Subject: hello\r\n          the last message taken has this content
    = closed                              the server closes, and has said nothing more

In C and content lines `\r`, `\n`, `\t`, `\0`, `\xNN` and `\\` stand for octets; other text is UTF-8. At the end of a
file nothing may be left unread. A dialogue without `settings` and `policy` suits a live listener that takes all.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from gatepost.mail.address import Mailbox
from gatepost.mail.envelope import Envelope
from gatepost.mail.reply import Reply, reply
from gatepost.smtp.server_effects import (
    AskMail,
    AskRecipient,
    BeginContent,
    Close,
    CommandReceived,
    ContentReceived,
    DropContent,
    Effect,
    EndContent,
    SendReply,
    StartTls,
)
from gatepost.smtp.server_session import ServerSession
from gatepost.smtp.server_settings import ServerSettings

FOLDER = Path(__file__).parent.parent / "dialogues"

_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|(.))")
_ESCAPED = {"r": "\r", "n": "\n", "t": "\t", "0": "\0", "\\": "\\"}
_REPLY = re.compile(r"([2-5][0-9]{2}) (?:[245]\.(\d+\.\d+) )?(.*)")


@dataclass
class Step:
    line: int
    kind: str
    """`write`, `reply`, `tls`, `content` or `closed`."""
    text: str = ""
    octets: bytes = b""


@dataclass
class Dialogue:
    name: str
    steps: list[Step] = field(default_factory=list)
    settings: dict[str, int | bool] = field(default_factory=dict)
    policy: dict[str, Reply] = field(default_factory=dict)

    @property
    def suits_live_listener(self) -> bool:
        return not self.settings and not self.policy


class Wire(Protocol):
    """The far end of a connection to a server."""

    def write(self, octets: bytes) -> None: ...
    def read_line(self) -> str | None:
        """The next reply line without CRLF; None when the server closed."""

    def start_tls(self) -> None: ...
    def last_content(self) -> bytes | None:
        """The content last taken, where this wire can tell."""


# --- reading ---------------------------------------------------------------------------------------------------------


def all_dialogues() -> list[Dialogue]:
    return [read_dialogue(path) for path in sorted(FOLDER.glob("*.smtp"))]


def read_dialogue(path: Path) -> Dialogue:
    dialogue = Dialogue(path.stem)
    for number, line in enumerate(path.read_text("utf-8").splitlines(), start=1):
        if line.strip() and not line.startswith("#"):
            _read_line(dialogue, number, line)
    return dialogue


def _read_line(dialogue: Dialogue, number: int, line: str) -> None:
    tag, _, text = line.partition(" ")
    match tag:
        case "settings:":
            name, _, value = text.partition(" = ")
            dialogue.settings[name] = value == "yes" if value in ("yes", "no") else int(value)
        case "policy:":
            name, _, answer = text.partition(" ")
            dialogue.policy[name] = _reply(answer)
        case "C:":
            _add_write(dialogue, number, _octets(text) + b"\r\n")
        case "C>":
            _add_write(dialogue, number, _octets(text))
        case "S:":
            dialogue.steps.append(Step(number, "reply", text))
        case "=":
            kind, _, text = text.partition(" ")
            dialogue.steps.append(Step(number, kind, text, _octets(text)))
        case _:
            raise ValueError(f"{dialogue.name}:{number}: a line begins with C: C> S: = # settings: or policy:")


def _add_write(dialogue: Dialogue, number: int, octets: bytes) -> None:
    if dialogue.steps and dialogue.steps[-1].kind == "write":
        dialogue.steps[-1].octets += octets
    else:
        dialogue.steps.append(Step(number, "write", octets=octets))


def _octets(text: str) -> bytes:
    octets = b""
    at = 0
    for escape in _ESCAPE.finditer(text):
        octets += text[at : escape.start()].encode()
        octets += bytes.fromhex(escape[1]) if escape[1] else _ESCAPED[escape[2]].encode()
        at = escape.end()
    return octets + text[at:].encode()


def _reply(text: str) -> Reply:
    match = _REPLY.fullmatch(text)
    assert match is not None, f"'{text}' is no reply"
    return reply(int(match[1]), match[2], match[3])


# --- playing ---------------------------------------------------------------------------------------------------------


def play(dialogue: Dialogue, wire: Wire) -> None:
    """Fails with the file's line that was not kept."""
    for step in dialogue.steps:
        where = f"{dialogue.name}.smtp:{step.line}"
        match step.kind:
            case "write":
                wire.write(step.octets)
            case "reply":
                _expect_reply(where, step.text, wire)
            case "tls":
                wire.start_tls()
            case "content":
                content = wire.last_content()
                assert content is None or content == step.octets, f"{where}: the content was {content!r}"
            case "closed":
                line = wire.read_line()
                assert line is None, f"{where}: the server said '{line}' before it closed"
            case kind:
                raise AssertionError(f"{where}: '= {kind}' is not known")


def _expect_reply(where: str, expected: str, wire: Wire) -> None:
    line = wire.read_line()
    assert line is not None, f"{where}: the server closed, expected '{expected}'"
    if expected.endswith("-..."):
        while line is not None and line.startswith(expected[:4]):
            line = wire.read_line()
        expected = expected[:3] + " ..."
    fits = line is not None and (line.startswith(expected[:-3]) if expected.endswith("...") else line == expected)
    assert fits, f"{where}: expected '{expected}', the server said '{line}'"


# --- the bare machine ------------------------------------------------------------------------------------------------

Cut = Callable[[bytes], Iterable[bytes]]


def whole(octets: bytes) -> Iterator[bytes]:
    yield octets


def by_line(octets: bytes) -> Iterator[bytes]:
    yield from octets.splitlines(keepends=True)


def by_octet(octets: bytes) -> Iterator[bytes]:
    for at in range(len(octets)):
        yield octets[at : at + 1]


CUTS: dict[str, Cut] = {"whole": whole, "by line": by_line, "octet by octet": by_octet}

SETTINGS = ServerSettings(hostname="relay.example.net")
GREETING = reply(220, None, "relay.example.net ESMTP Gatepost")


class MachineWire:
    """A wire to a `ServerSession` by itself. Answers by policy; takes what policy does not name."""

    def __init__(self, settings: ServerSettings = SETTINGS, policy: dict[str, Reply] | None = None, cut: Cut = whole):
        self.session = ServerSession(settings)
        self.effects: list[Effect] = []
        self._policy = policy or {}
        self._cut = cut
        self._lines: list[str] = []
        self._content = b""
        self._taken: bytes | None = None
        self._carry_out(self.session.connected(GREETING))

    @classmethod
    def to(cls, dialogue: Dialogue, cut: Cut) -> "MachineWire":
        return cls(replace(SETTINGS, **dialogue.settings), dialogue.policy, cut)

    def write(self, octets: bytes) -> None:
        for piece in self._cut(octets):
            self._carry_out(self.session.receive(piece))

    def read_line(self) -> str | None:
        if self._lines:
            return self._lines.pop(0)
        assert self.session.closed, "the server says nothing, and has not closed"
        return None

    def unread(self) -> list[str]:
        return list(self._lines)

    def start_tls(self) -> None:
        assert isinstance(self.effects[-1], StartTls), "the server did not begin a handshake"
        self._carry_out(self.session.tls_established())

    def last_content(self) -> bytes | None:
        return self._taken

    def commands(self) -> list[str]:
        return [effect.line for effect in self.effects if isinstance(effect, CommandReceived)]

    def closed_because(self) -> str | None:
        return next((effect.why for effect in self.effects if isinstance(effect, Close)), None)

    def _carry_out(self, effects: list[Effect]) -> None:
        self.effects += effects
        for effect in effects:
            match effect:
                case SendReply(sent):
                    self._lines += sent.log_lines
                case BeginContent() | DropContent():
                    self._content = b""
                case ContentReceived(octets):
                    self._content += octets
                case AskMail(envelope=Envelope(reverse_path=path)) | AskRecipient(forward_path=path):
                    name = path.text if isinstance(path, Mailbox) else "<>"
                    self._carry_out(self.session.answer(self._policy.get(name, reply(250, "1.0", "OK"))))
                case EndContent():
                    answer = self._policy.get("content", reply(250, "0.0", "Queued"))
                    self._taken = self._content if answer.kind == 2 else self._taken
                    self._carry_out(self.session.answer(answer))
