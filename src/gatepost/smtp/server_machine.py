"""What commands and content see of the server machine: the state of the session, and what may be done with it.

`ServerSession` is the machine. Commands (`server_commands`) and the reading of content (`server_content`) are functions
over this part of it.
"""

from collections.abc import Callable
from typing import Protocol

from gatepost.mail.envelope import Envelope
from gatepost.mail.reply import Reply
from gatepost.smtp.content import DataContent, TextWatch
from gatepost.smtp.server_effects import AskMail, AskRecipient, Effect, EndContent
from gatepost.smtp.server_settings import ServerSettings


class Transaction:
    """A mail transaction that was accepted at MAIL."""

    __slots__ = ("asked_recipients", "chunks", "data", "envelope", "failure", "size", "taken_recipients")

    def __init__(self, envelope: Envelope) -> None:
        self.envelope = envelope
        self.asked_recipients = 0
        self.taken_recipients = 0
        self.data: DataContent | None = None
        # Set by the first BDAT; DATA is out of order from then on.
        self.chunks: TextWatch | None = None
        self.size = 0
        # Why the content cannot be taken; what follows of it is read and dropped.
        self.failure: Reply | None = None


class Machine(Protocol):
    settings: ServerSettings
    effects: list[Effect]
    buffer: bytes
    at: int
    """Octets of the buffer before it are read."""
    read: Callable[..., bool]
    """How to read what comes next; called with the machine. Whether there may be more to read."""
    transaction: Transaction | None
    transactions: int
    """How many have begun."""
    waiting_mail: AskMail | None
    mail_was_refused: bool
    ehlo: str
    extended: bool
    secured: bool
    idle_commands: int
    chunk_left: int
    chunk_is_last: bool
    chunk_refusal: Reply | None
    """Of the chunk that is coming in, which is read all the same."""

    def read_commands(self) -> None:
        """From now on."""

    def read_nothing(self) -> None:
        """What comes is dropped."""

    def send(self, reply: Reply) -> None: ...

    def refuse(self, reply: Reply) -> None:
        """Refuse a command by ourselves; too many such refusals end the session. Those of policy do not count."""

    def refuse_out_of_order(self, reply: Reply) -> None:
        """A client that pipelines (RFC 2920 3.1) sends on after a refusal of policy, and this is no error of its."""

    def ask(self, question: AskMail | AskRecipient | EndContent, when_answered: Callable[..., None]) -> None:
        """Pause until the answer; `when_answered` is called with the machine and the reply."""

    def pass_on(self, reply: Reply) -> None:
        """The answer of whoever was asked."""

    def forget_transaction(self) -> None: ...

    def close(self, reply: Reply | None, why: str) -> None: ...
