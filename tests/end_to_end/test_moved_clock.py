"""Somebody moves the clock of a machine whose relay is at work."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from end_to_end.disk_faults import preloadable
from end_to_end.installation import Installation, wait_until
from end_to_end.outside import Outside, taken
from end_to_end.scene import with_two_tenants
from end_to_end.smtp_client import SmtpClient
from sink import Sink

MESSAGE = b"Subject: hello\r\n\r\nHello.\r\n"
HOUR = 3600


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return preloadable("moved_clock.c", tmp_path_factory.mktemp("clock"))


@dataclass
class Clock:
    """Of the relay's processes, against the machine's."""

    file: Path
    hours: int = 0

    def move(self, hours: int) -> None:
        self.hours += hours
        self.file.write_text(str(self.hours * HOUR))


@pytest.fixture(scope="module")
def clock(tmp_path_factory: pytest.TempPathFactory) -> Clock:
    return Clock(tmp_path_factory.mktemp("moved") / "by")


@pytest.fixture(scope="module")
def sink(outside: Outside) -> Sink:
    return outside.sink()


@pytest.fixture(scope="module")
def relay(tmp_path_factory: pytest.TempPathFactory, library: Path, clock: Clock, sink: Sink) -> Iterator[Installation]:
    relay = Installation(tmp_path_factory.mktemp("relay"), workers=1)
    # Given up after an hour and a half: a leap of an hour and another would do it, were they counted.
    relay.tables = (
        '[retry]\nglitch_interval = "1s"\ntransient_interval = "1s"\ninterval = "1s"\nexpire_after = "90m"\n'
        'delay_notice_after = "80m"\n'
    )
    with_two_tenants(relay, sink.port)
    relay.environment = {"LD_PRELOAD": str(library), "GATEPOST_CLOCK_MOVED": str(clock.file)}
    with relay.serving():
        yield relay


def send(relay: Installation, address: str, sender: str, to: str) -> None:
    with SmtpClient(relay.port, source=address) as smtp:
        smtp.ehlo()
        assert smtp.message(sender, to, MESSAGE).code == 250


@pytest.mark.parametrize("hours", [(1, 1), (-1, -1), (1, -1), (-1, 1)], ids=str)
def test_nothing_is_given_up_early_and_nothing_stalls(
    hours: tuple[int, int], relay: Installation, sink: Sink, clock: Clock
) -> None:
    name = "_".join(map(str, hours))
    late = f"late{name}@outside.example"
    sink.always("RCPT", b"451 4.2.1 not now\r\n")
    send(relay, "127.0.1.1", "ann@contoso.com", late)
    relay.wait_for_output(f"deferred .*{late}")
    for moved in hours:
        leaps = relay.output.count("the clock went")
        clock.move(moved)
        wait_until(lambda leaps=leaps: relay.output.count("the clock went") > leaps, "the leap to be noticed")
        attempts = relay.output.count(late)
        wait_until(lambda attempts=attempts: relay.output.count(late) > attempts, "the next attempt")
    sink.behave()
    other = f"other{name}@outside.example"
    send(relay, "127.0.2.1", "ben@fabrikam.com", other)
    taken(sink, to=other)
    taken(sink, to=late)
    assert " failed " not in relay.output
    assert not [each for each in sink.messages if each.reverse_path == ""]
