"""Mail of the demo's people, handed to a server over SMTP."""

import smtplib
import ssl
import threading
from dataclasses import dataclass
from email import policy
from email.message import EmailMessage
from email.utils import format_datetime, localtime, make_msgid
from typing import NamedTuple

from gatepost.demo.authority import Identity
from gatepost.demo.waiting import Setback

_PATIENCE_S = 10.0
_PAUSE_S = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """A mail server, or a machine that sends mail, and how it shows who it is."""

    name: str
    port: int
    """Of the server that it hands its mail to."""
    address: str = "127.0.0.1"
    """It connects from here."""
    identity: Identity | None = None
    """It presents this certificate; None: it does without TLS."""


class Answer(NamedTuple):
    """The last reply of the server that was spoken to."""

    code: int
    text: str

    @property
    def accepted(self) -> bool:
        return self.code // 100 == 2

    def __str__(self) -> str:
        return f"{self.code} {self.text}"


def new_message(sender: str, recipient: str, subject: str, text: str) -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = sender, recipient, subject
    message["Date"] = format_datetime(localtime())
    message["Message-ID"] = make_msgid(domain=sender.partition("@")[2])
    message.set_content(text)
    return message


def send(message: EmailMessage, by: Sender) -> Answer:
    """Hand it over in a session of its own."""
    content = message.as_bytes(policy=policy.SMTP)
    return _session(by, str(message["From"]), str(message["To"]), content)


def ask(by: Sender, reverse_path: str, forward_path: str) -> Answer:
    """What the server would say to such mail; none is sent."""
    return _session(by, reverse_path, forward_path, None)


def _session(by: Sender, reverse_path: str, forward_path: str, content: bytes | None) -> Answer:
    try:
        with smtplib.SMTP("127.0.0.1", by.port, by.name, _PATIENCE_S, (by.address, 0)) as client:
            if by.identity:
                client.starttls(context=_context(by.identity))
            client.ehlo()
            replies = [client.mail(reverse_path), client.rcpt(forward_path)]
            if content is not None and replies[-1][0] == 250:
                replies.append(client.data(content))
    except (OSError, smtplib.SMTPException) as error:
        raise Setback(f"{by.name} could not talk to 127.0.0.1:{by.port}: {error}") from None
    code, text = replies[-1]
    return Answer(code, text.decode("utf-8", "replace"))


def _context(identity: Identity) -> ssl.SSLContext:
    # Whom it talks to is not in question here: what the server makes of our certificate is.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.load_cert_chain(identity.certificate, identity.key)
    return context


class SteadyMail(threading.Thread):
    """An organisation whose mail goes on and on, each message in a session of its own."""

    def __init__(self, by: Sender, sender: str, recipient: str) -> None:
        super().__init__(name=f"mail of {sender}", daemon=True)
        self._by = by
        self._paths = sender, recipient
        self._over = threading.Event()
        self.accepted = 0
        self.refused: list[str] = []

    def run(self) -> None:
        while not self._over.wait(_PAUSE_S):
            number = self.accepted + 1
            try:
                text = f"This is order number {number}.\n"
                answer = send(new_message(*self._paths, f"Order {number}", text), self._by)
            except Setback as problem:
                self.refused.append(str(problem))
                continue
            if answer.accepted:
                self.accepted = number
            else:
                self.refused.append(str(answer))

    def end(self) -> None:
        self._over.set()
        if self.is_alive():
            self.join(_PATIENCE_S)
