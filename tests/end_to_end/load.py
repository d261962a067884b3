"""Clients that send all the time, and remember what was acknowledged."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from threading import Event, Thread

from end_to_end.installation import Installation
from end_to_end.smtp_client import QUEUED, Answer, SmtpClient
from pki import Issued


@dataclass
class Client:
    """One server of one tenant: a session of some messages, then the next one."""

    name: str
    relay: Installation
    sender: str
    source: str | None = None
    certificate: Issued | None = None
    messages_in_session: int = 5
    pause_s: float = 0.02
    """Between messages: traffic all the time, and a processor left for the other tests."""
    acknowledged: list[str] = field(default_factory=list)
    """Recipients whose message got its 250."""
    worker_of: dict[str, int] = field(default_factory=dict)
    broken: list[int | None] = field(default_factory=list)
    """For each session that broke, the worker that served it, if that was known."""
    refused: list[str] = field(default_factory=list)

    def run(self, enough: Event) -> None:
        numbers = count()
        while not enough.is_set():
            worker: int | None = None
            try:
                with SmtpClient(self.relay.port, source=self.source) as smtp:
                    if self.certificate:
                        smtp.starttls(self.certificate)
                    else:
                        smtp.ehlo()
                    for _ in range(self.messages_in_session):
                        worker = self._send(smtp, f"{self.name}-{next(numbers)}@outside.example")
                        enough.wait(self.pause_s)
            except OSError:
                self.broken.append(worker)
                enough.wait(0.02)

    def _send(self, smtp: SmtpClient, recipient: str) -> int | None:
        answer = smtp.message(self.sender, recipient, f"Subject: {recipient}\r\n\r\nHello.\r\n".encode())
        return self.note(answer, recipient)

    def note(self, answer: Answer, *recipients: str) -> int | None:
        """What the last reply to a message says: the worker that has it, or None."""
        if answer.code == 421:
            raise ConnectionAbortedError(answer.text)
        found = QUEUED.match(answer.text)
        if not found:
            self.refused.append(answer.text)
            return None
        for recipient in recipients:
            self.acknowledged.append(recipient)
            self.worker_of[recipient] = int(found[1])
        return int(found[1])


@contextmanager
def under_load(*clients: Client) -> Iterator[None]:
    enough = Event()
    threads = [Thread(target=client.run, args=(enough,), daemon=True) for client in clients]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        enough.set()
        for thread in threads:
            thread.join(60)
    assert not any(thread.is_alive() for thread in threads)
