"""Kills a relay under load, again and again, and reckons at the end: `make torture N=1000 SEED=7`.

Six servers of two tenants send all the time, by TLS or in the clear, by DATA or BDAT, contents of 1 octet to some MiB
to one recipient or several. At random moments `kill -9` takes one worker, all workers, or the supervisor, and what
ended is started again; or a reload replaces the workers. Afterwards the queue is left to drain, and then holds:

- every recipient of a message that got its 250 has it;
- every copy is octet for octet what was sent, below the one Received field that the relay adds;
- a recipient has two copies only where its worker was killed after the first had been handed over and before that was
  recorded: none whose delivery the relay's log had told already.

The seed decides victims and moments. What the clients get done between two moments is the machine's business. The
operating system outlives each kill: what power failure does to a
disk is another trial (the order of syncs, in tests/store).
"""

import argparse
import random
import re
import signal
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import pairwise
from os import kill
from pathlib import Path

from end_to_end.installation import Installation, wait_until
from end_to_end.load import Client, under_load
from end_to_end.outside import Outside
from end_to_end.scene import Certificates, with_two_tenants
from end_to_end.smtp_client import SmtpClient
from sink import SunkMessage

SIZES = (1, 2, 77, 700, 700, 5_000, 5_000, 20_000, 20_000, 130_000, 131_072, 131_073, 300_000, 2_000_000, 5_000_000)
"""The content that stays in memory and in the queue file ends at 128 KiB; beyond that it goes to the spool."""

HANDED_OVER_BEFORE_S = 10.0
"""How long before a kill a first copy may have come to be still in flight at it: a loaded disk settles that late."""

VICTIMS = ("worker", "all", "supervisor", "reload")

Say = Callable[[str], None]


class Texts:
    """The content of each message, told by its recipients' names: whoever gets one knows what it must be."""

    def __init__(self) -> None:
        words = random.Random(4711)
        # Some lines begin with a dot, as content may; no line end is ever cut.
        lines = [b"%s%076x\r\n" % (words.choice((b".", b"x")), words.getrandbits(304)) for _ in range(70_000)]
        self._octets = b"".join(lines)

    def of(self, recipient: str) -> bytes:
        """`client-number-size-copy@domain`"""
        _, number, size, _ = recipient.partition("@")[0].rsplit("-", 3)
        start = int(number) % 100 * 79
        content = self._octets[start : start + int(size)]
        return content[:-1] + b"x" if content.endswith(b"\r") else content


@dataclass
class Correspondent(Client):
    """A client whose messages differ in size, recipients, and how they are said."""

    texts: Texts = field(default_factory=Texts)
    pause_s: float = 0.0

    def _send(self, smtp: SmtpClient, recipient: str) -> int | None:
        name = recipient.partition("@")[0]
        choice = random.Random(name)
        size, copies = choice.choice(SIZES), choice.choice((1, 1, 2, 5))
        recipients = [f"{name}-{size}-{copy}@{choice.choice(('outside', 'other'))}.example" for copy in range(copies)]
        content = self.texts.of(recipients[0])
        by_data = content.endswith(b"\r\n") or choice.random() < 0.5
        answer = smtp.mail(self.sender, *recipients)
        if answer.code != 250:
            return self.note(answer)
        return self.note(smtp.content(content) if by_data else smtp.chunk(content), *recipients)


@dataclass(frozen=True, slots=True)
class Copy:
    at: float
    whole: bool


@dataclass(frozen=True, slots=True)
class Kill:
    at: float
    place: int | None
    """Of the worker that was killed; None: all of them."""

    def may_have_interrupted(self, place: int | None, first: Copy, second: Copy) -> bool:
        """Whether the first copy was in flight at this kill of its worker, and the second came after it."""
        in_flight = abs(self.at - first.at) <= HANDED_OVER_BEFORE_S
        return in_flight and self.at <= second.at and (self.place is None or place in (None, self.place))


@dataclass
class Mailroom:
    """Where everything arrives: each copy is compared and forgotten."""

    texts: Texts
    copies: dict[str, list[Copy]] = field(default_factory=lambda: defaultdict(list))

    def take(self, message: SunkMessage) -> None:
        for recipient in message.recipients:
            whole = _is_whole(message.content, self.texts.of(recipient))
            self.copies[recipient].append(Copy(time.monotonic(), whole))


def _is_whole(arrived: bytes, sent: bytes) -> bool:
    for each in (sent, sent + b"\r\n"):
        # DATA ends the last line where the content did not.
        if arrived.endswith(each) and _ONE_RECEIVED.fullmatch(arrived, 0, len(arrived) - len(each)):
            return True
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Reckoning:
    kills: dict[str, int]
    messages_acknowledged: int
    acknowledged: int
    arrived: int
    lost: tuple[str, ...]
    mangled: tuple[str, ...]
    twice: int
    twice_without_reason: tuple[str, ...]
    told: int
    told_and_sent_again: tuple[str, ...]
    broken_sessions: int
    refused: tuple[str, ...]
    """What the servers were told that then tried again."""
    seconds: float

    @property
    def holds(self) -> bool:
        return not (self.lost or self.mangled or self.twice_without_reason or self.told_and_sent_again)

    def __str__(self) -> str:
        kills = ", ".join(f"{count} {what}" for what, count in sorted(self.kills.items()))
        rows = (
            ("kills", f"{sum(self.kills.values())} ({kills}) in {self.seconds:.0f} s"),
            ("acknowledged", f"{self.messages_acknowledged} messages to {self.acknowledged} recipients"),
            ("arrived", f"{self.arrived} of them"),
            ("lost", _some(self.lost)),
            ("mangled", _some(self.mangled)),
            ("arrived twice", f"{self.twice}, each in flight at a kill" if self.twice else "0"),
            ("twice without a reason", _some(self.twice_without_reason)),
            ("told as delivered by the log", f"{self.told}"),
            ("sent again after that", _some(self.told_and_sent_again)),
            ("sessions broken by a kill", f"{self.broken_sessions}"),
            ("messages refused for now", _some(self.refused)),
        )
        return "\n".join(f"{name:<36} {value}" for name, value in rows)


def _some(found: tuple[str, ...]) -> str:
    return f"{len(found)}" + (f": {', '.join(found[:5])}" if found else "")


class Torture:
    def __init__(self, folder: Path, seed: int, outside: Outside, workers: int = 2, say: Say = print) -> None:
        self._choice = random.Random(seed)
        self._say = say
        self._texts = Texts()
        self._mailroom = Mailroom(self._texts)
        sink = outside.sink(keep=False)
        sink.take = self._mailroom.take  # type: ignore[method-assign]
        certificates = Certificates(folder / "pki")
        self.relay = _relay(folder / "relay", certificates, sink.port, workers)
        self.clients = self._clients(certificates)
        self._kills: list[Kill] = []
        self._kinds: Counter[str] = Counter()

    def run(self, kills: int) -> Reckoning:
        started_at = time.monotonic()
        relay = self.relay
        relay.start()
        try:
            with under_load(*self.clients):
                for number in range(kills):
                    self._wait_for_the_moment()
                    # The first few are one of each kind, so that a short run has them all.
                    self._kill(VICTIMS[number] if number < len(VICTIMS) else self._victim())
                    if (number + 1) % 25 == 0 or number + 1 == kills:
                        self._say(self._progress(number + 1, kills, started_at))
                self._bring_back()
                self._wait_for_mail()
            self._drain()
        finally:
            relay.stop()
        return self._reckon(time.monotonic() - started_at)

    def _clients(self, certificates: Certificates) -> list[Client]:
        relay, texts = self.relay, self._texts
        contoso, fabrikam = "ann@contoso.com", "ben@fabrikam.com"
        return [
            Correspondent("contoso-plain", relay, contoso, source="127.0.1.1", texts=texts),
            Correspondent("contoso-plain-too", relay, contoso, source="127.0.1.1", texts=texts, messages_in_session=1),
            Correspondent("contoso-tls", relay, contoso, certificate=certificates.contoso, texts=texts),
            Correspondent("fabrikam-plain", relay, fabrikam, source="127.0.2.1", texts=texts),
            Correspondent("fabrikam-tls", relay, fabrikam, certificate=certificates.fabrikam, texts=texts),
            Correspondent(
                "fabrikam-plain-too", relay, fabrikam, source="127.0.2.1", texts=texts, messages_in_session=1
            ),
        ]

    def _victim(self) -> str:
        return self._choice.choices(VICTIMS, (50, 15, 25, 10))[0]

    def _wait_for_the_moment(self) -> None:
        """Most moments lie in the midst of work; some while what was killed is still on its way up."""
        pause = self._choice.uniform(0.0, 0.8)
        if self._choice.random() < 0.8:
            self._bring_back()
            self._wait_for_mail()
        time.sleep(pause)

    def _kill(self, what: str) -> None:
        self._bring_back_supervisor()
        process = self.relay.process
        assert process is not None
        pids = self.relay.worker_pids()
        index = self._choice.randrange(64)
        if what == "reload":
            self._kinds[what] += 1
            process.send_signal(signal.SIGHUP)
            return
        if what == "supervisor":
            # The workers see that it is gone and stop; their successors wait for their queues.
            process.kill()
            process.wait()
            self.relay.process = None
            victim = None
        elif what == "all" or not pids:
            victim = None
            for pid in pids:
                _kill(pid)
        else:
            pid = pids[index % len(pids)]
            victim = _number_of(pid) % self.relay.workers
            _kill(pid)
        self._kinds[what] += 1
        self._kills.append(Kill(time.monotonic(), victim))

    def _bring_back_supervisor(self) -> None:
        if self.relay.process is None:
            self.relay.start()

    def _bring_back(self) -> None:
        self._bring_back_supervisor()
        workers = self.relay.workers
        wait_until(lambda: len(self.relay.worker_pids()) >= workers, "the workers to be back", patience_s=120)

    def _wait_for_mail(self) -> None:
        before = self._acknowledged()
        wait_until(lambda: self._acknowledged() > before, "mail to be taken", patience_s=120)

    def _acknowledged(self) -> int:
        return sum(len(client.acknowledged) for client in self.clients)

    def _drain(self) -> None:
        wanted = {recipient for client in self.clients for recipient in client.acknowledged}
        with suppress(AssertionError):
            # What has not come by then is told as lost.
            wait_until(lambda: wanted <= self._mailroom.copies.keys(), "", patience_s=180, pause_s=0.1)
            wait_until(lambda: not self.relay.told("queue", "list")["recipients"], "", patience_s=60, pause_s=0.2)

    def _progress(self, number: int, kills: int, started_at: float) -> str:
        return (
            f"{number} of {kills} kills, {time.monotonic() - started_at:.0f} s, {self._acknowledged()} recipients "
            f"acknowledged, {len(self._mailroom.copies)} served"
        )

    # Reckoning

    def _reckon(self, seconds: float) -> Reckoning:
        worker_of = {recipient: worker for client in self.clients for recipient, worker in client.worker_of.items()}
        copies = self._mailroom.copies
        twice = {recipient: each for recipient, each in copies.items() if len(each) > 1}
        told = self._delivery_told()
        return Reckoning(
            kills=dict(self._kinds),
            messages_acknowledged=len({recipient.partition("@")[0].rpartition("-")[0] for recipient in worker_of}),
            acknowledged=len(worker_of),
            arrived=len(worker_of.keys() & copies.keys()),
            lost=tuple(sorted(worker_of.keys() - copies.keys())),
            mangled=tuple(sorted(name for name, each in copies.items() if not all(copy.whole for copy in each))),
            twice=len(twice),
            twice_without_reason=tuple(
                # One that was stored and not acknowledged, since the kill came between, was sent by its client again
                # under another name: so a name is never twice for that.
                sorted(name for name, each in twice.items() if not self._explained(worker_of.get(name), each))
            ),
            told=len(told),
            told_and_sent_again=tuple(sorted(name for name, times in told.items() if times > 1)),
            broken_sessions=sum(len(client.broken) for client in self.clients),
            refused=tuple(text for client in self.clients for text in client.refused),
            seconds=seconds,
        )

    def _explained(self, worker: int | None, copies: list[Copy]) -> bool:
        """Between any two copies there was a kill of the worker, at which the earlier was still in flight."""
        place = None if worker is None else worker % self.relay.workers
        return all(
            any(each.may_have_interrupted(place, first, second) for each in self._kills)
            for first, second in pairwise(copies)
        )

    def _delivery_told(self) -> dict[str, int]:
        """How often the operator's log says of a recipient that it was delivered: it says so once that is recorded."""
        told: dict[str, int] = defaultdict(int)
        with (self.relay.folder / "serve.out").open(encoding="utf-8", errors="replace") as lines:
            for line in lines:
                if " delivered " in line and (found := _DELIVERED_TO.search(line)):
                    told[found[1]] += 1
        return told


_ONE_RECEIVED = re.compile(rb"Received: [^\r\n]*\r\n(?:\s[^\r\n]*\r\n)*")
_DELIVERED_TO = re.compile(r"rcpt_to=\"?<?([^\s>\"]+@[^\s>\"]+)")


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        kill(pid, signal.SIGKILL)


def _number_of(pid: int) -> int:
    """Which worker a process is, by its name: `worker-0`."""
    try:
        name = Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return -1
    return int(name.removeprefix("worker-")) if name.startswith("worker-") else -1


def _relay(folder: Path, certificates: Certificates, sink_port: int, workers: int) -> Installation:
    relay = Installation(folder, client_roots=certificates.pki.roots_file, workers=workers)
    # What a kill interrupts is attempted again soon, and the sink never refuses.
    relay.tables = '[retry]\nglitch_interval = "1s"\ntransient_interval = "1s"\ninterval = "1s"\n'
    with_two_tenants(relay, sink_port)
    return relay


def main() -> int:
    parser = argparse.ArgumentParser(description="kill -9 under load, then a reckoning")
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}, {arguments.kills} kills, {arguments.workers} workers", flush=True)
    with tempfile.TemporaryDirectory(prefix="gatepost-torture-") as folder, Outside() as outside:
        torture = Torture(
            Path(folder), arguments.seed, outside, arguments.workers, say=lambda text: print(text, flush=True)
        )
        reckoning = torture.run(arguments.kills)
    print(reckoning)
    print("it holds" if reckoning.holds else "IT DOES NOT HOLD")
    return 0 if reckoning.holds else 1


if __name__ == "__main__":
    sys.exit(main())
