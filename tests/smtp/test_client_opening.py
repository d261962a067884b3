"""No session is ready before the TLS that is demanded, and a server without EHLO is greeted with HELO."""

import pytest

from gatepost.smtp.client_effects import Ready, SendCommands, SessionFailed, StartTls
from gatepost.smtp.client_session import ClientSession
from gatepost.smtp.client_settings import ClientSettings, StartTlsUse

GREETING = b"220 relay.example ready\r\n"


def opened(starttls: StartTlsUse, *said: bytes) -> tuple[ClientSession, list[object]]:
    session = ClientSession(ClientSettings(ehlo_name="edge.example", starttls=starttls))
    effects: list[object] = []
    for octets in (GREETING, *said):
        effects += session.octets_received(octets)
    return session, effects


def lines(effects: list[object]) -> list[str]:
    return [line for effect in effects if isinstance(effect, SendCommands) for line in effect.lines]


def test_a_server_that_does_not_know_ehlo_is_greeted_with_helo() -> None:
    session, effects = opened(StartTlsUse.WHEN_OFFERED, b"502 no\r\n", b"250 hello\r\n")
    assert lines(effects) == ["EHLO edge.example", "HELO edge.example"]
    assert session.idle and any(isinstance(effect, Ready) for effect in effects)


@pytest.mark.parametrize(("use", "begins"), [(StartTlsUse.NEVER, False), (StartTlsUse.WHEN_OFFERED, True)])
def test_tls_begins_where_it_is_offered_and_wanted(use: StartTlsUse, begins: bool) -> None:
    offer = (b"250-relay.example\r\n250 STARTTLS\r\n", *([b"220 go\r\n"] if begins else []))
    _, effects = opened(use, *offer)
    assert any(isinstance(effect, StartTls) for effect in effects) == begins


def test_a_server_without_starttls_is_left_where_it_is_demanded() -> None:
    session, effects = opened(StartTlsUse.REQUIRED, b"250 relay.example\r\n")
    assert any(isinstance(effect, SessionFailed) for effect in effects)
    assert lines(effects)[-1] == "QUIT" and not session.idle
