"""Somebody moves the clock of a machine whose relay is at work."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from end_to_end.disk_faults import preloadable
from end_to_end.installation import Installation, wait_until
from end_to_end.outside import taken
from end_to_end.scene import with_two_tenants
from end_to_end.smtp_client import SmtpClient
from sink import Sink

MESSAGE = b"Subject: hello\r\n\r\nHello.\r\n"
HOUR = 3600


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return preloadable("moved_clock.c", tmp_path_factory.mktemp("clock"))


@pytest.fixture
def relay(tmp_path: Path, library: Path, sink: Sink) -> Iterator[Installation]:
    relay = Installation(tmp_path / "relay")
    # Given up after an hour and a half: a leap of an hour and another would do it, were they counted.
    relay.tables = (
        '[retry]\nglitch_interval = "2s"\ntransient_interval = "2s"\ninterval = "2s"\nexpire_after = "90m"\n'
        'delay_notice_after = "80m"\n'
    )
    with_two_tenants(relay, sink.port)
    relay.environment = {"LD_PRELOAD": str(library), "GATEPOST_CLOCK_MOVED": str(tmp_path / "moved")}
    with relay.serving():
        yield relay


def send(relay: Installation, address: str, sender: str, to: str) -> None:
    with SmtpClient(relay.port, source=address) as smtp:
        smtp.ehlo()
        assert smtp.message(sender, to, MESSAGE).code == 250


@pytest.mark.parametrize("hours", [(1, 2), (-1, -2), (1, 0), (-1, 0)], ids=str)
def test_nothing_is_given_up_early_and_nothing_stalls(
    hours: tuple[int, int], relay: Installation, sink: Sink, tmp_path: Path
) -> None:
    name = "_".join(map(str, hours))
    late = f"late{name}@outside.example"
    sink.always("RCPT", b"451 4.2.1 not now\r\n")
    send(relay, "127.0.1.1", "ann@contoso.com", late)
    relay.wait_for_output(f"deferred .*{late}")
    for moved in hours:
        leaps = relay.output.count("the clock went")
        (tmp_path / "moved").write_text(str(moved * HOUR))
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
