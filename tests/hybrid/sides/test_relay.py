"""The relay's side: what is written says which state it replaces, and DNS is waited for within bounds."""

from pathlib import Path

import pytest

from gatepost.hybrid.desire import fresh_inbound
from gatepost.hybrid.errors import NotChanged, RelayRefused
from gatepost.hybrid.plan import Change
from gatepost.hybrid.sides.relay import RelaySide, Waiting, refusal_text
from hybrid.parts import MemoryRelay, MovableClock

DOMAIN, CONNECTOR = "accepted-domain contoso.com", "inbound-connector mail"
UNPROVEN = {"match_subdomains": False, "verified": False}
PROVEN = {**UNPROVEN, "verified": True}


def change(name: str, before: dict[str, object] | None, after: dict[str, object] | None) -> Change:
    return Change(order=1, side="relay", object=name, action="update", before=before, after=after, why="", risk="none")


@pytest.fixture
def relay() -> MemoryRelay:
    return MemoryRelay()


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock()


@pytest.fixture
def side(relay: MemoryRelay, clock: MovableClock) -> RelaySide:
    return RelaySide(relay, "contoso", clock)


def test_what_is_written_is_read_again(side: RelaySide) -> None:
    connector = {**fresh_inbound(), "certificate_names": ["mail.contoso.com"]}
    side.write(change(DOMAIN, None, UNPROVEN))
    side.write(change(CONNECTOR, None, connector))
    assert side.everything() == {DOMAIN: UNPROVEN, CONNECTOR: connector}
    assert side.read([CONNECTOR, "inbound-connector other"]) == {CONNECTOR: connector, "inbound-connector other": None}
    side.write(change(CONNECTOR, connector, None))
    assert side.everything() == {DOMAIN: UNPROVEN}


def test_every_write_says_which_state_it_replaces(side: RelaySide, relay: MemoryRelay) -> None:
    connector = fresh_inbound()
    side.write(change(CONNECTOR, None, connector))
    side.write(change(CONNECTOR, connector, None))
    conditions = [headers for method, _, headers in relay.requests if method in ("PUT", "DELETE")]
    assert conditions[0] == {"If-None-Match": "*"}
    assert list(conditions[1]) == ["If-Match"]


def test_what_somebody_else_changed_is_left_alone(side: RelaySide, relay: MemoryRelay) -> None:
    connector = fresh_inbound()
    side.write(change(CONNECTOR, None, connector))
    relay.objects["inbound-connectors/mail"]["enabled"] = False
    with pytest.raises(NotChanged, match="was changed by somebody else"):
        side.write(change(CONNECTOR, connector, None))
    relay.objects["inbound-connectors/mail"]["enabled"] = True
    relay.before_write = lambda: relay.objects["inbound-connectors/mail"].update(enabled=False)
    with pytest.raises(RelayRefused):
        side.write(change(CONNECTOR, connector, None))
    assert relay.objects["inbound-connectors/mail"]["enabled"] is False


def test_a_domain_is_waited_for_until_dns_shows_it(relay: MemoryRelay, clock: MovableClock) -> None:
    told: list[Waiting] = []
    side = RelaySide(relay, "contoso", clock, wait_s=60, waiting=told.append)
    side.write(change(DOMAIN, None, UNPROVEN))
    relay.verified_after = 3
    side.write(change(DOMAIN, UNPROVEN, PROVEN))
    assert side.read([DOMAIN]) == {DOMAIN: PROVEN}
    assert [(each.record_name, each.left_s) for each in told] == [
        ("_gatepost.contoso.com", 60 - 2 * n) for n in range(3)
    ]


def test_the_waiting_ends_and_says_what_to_publish(relay: MemoryRelay, clock: MovableClock) -> None:
    side = RelaySide(relay, "contoso", clock, wait_s=5)
    side.write(change(DOMAIN, None, UNPROVEN))
    relay.verified_after = 1000
    with pytest.raises(NotChanged, match=r'publish _gatepost\.contoso\.com TXT "token=1"'):
        side.write(change(DOMAIN, UNPROVEN, PROVEN))
    assert sum(clock.slept) == 5


def test_verification_is_taken_back(side: RelaySide) -> None:
    side.write(change(DOMAIN, None, UNPROVEN))
    side.write(change(DOMAIN, UNPROVEN, PROVEN))
    side.write(change(DOMAIN, PROVEN, UNPROVEN))
    assert side.read([DOMAIN]) == {DOMAIN: UNPROVEN}


@pytest.mark.parametrize(
    ("status", "expected"),
    [(401, "gatepost token add"), (412, "gatepost hybrid plan"), (409, "the relay says: no; do this")],
)
def test_the_relays_no_says_what_to_do(status: int, expected: str) -> None:
    assert expected in refusal_text("https://relay", Path("token"), status, "code", "no", "do this")
