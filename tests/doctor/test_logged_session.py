"""The session of a sending server's own log, where one is told and where several are."""

# ruff: noqa: E501 - evidence is as long as it is

from ipaddress import ip_address

import pytest

from gatepost.doctor.logged_session import logged_session
from gatepost.doctor.reading import read_text
from gatepost.exchange.exported_tenant import NotEnoughExported


def row(number: int, rest: str, session: str = "08DE0001A2B3C4D5") -> str:
    return f"2026-03-02T08:00:01.{number:03d}Z,Out,{session},{number},10.0.0.4:5011,203.0.113.36:25,{rest}\n"


def session(address: str, name: str) -> str:
    certificate = f'*," CN={name} CN=Some CA, O=CA 0A1B 6F1B2C3D4E5F60718293A4B5C6D7E8F901234567 {name}"'
    labels = "Sending certificate Certificate subject Certificate issuer name Certificate serial number Certificate thumbprint Certificate subject alternate names"
    return (
        row(0, "+,,", address)
        + row(1, f"<,250  AM.mail.protection.outlook.com Hello [{address}] SIZE 157286400 STARTTLS,", address)
        + row(2, f"{certificate},{labels}", address)
    )


def test_a_send_log_tells_the_session():
    told = logged_session(read_text(session("198.51.100.7", "mail.contoso.com")))
    assert told.address == ip_address("198.51.100.7")
    assert told.certificate.names == ("mail.contoso.com",)
    assert logged_session(read_text("nothing of that kind")) is None


def test_sessions_that_differ_are_not_chosen_among():
    text = session("198.51.100.7", "mail.contoso.com") + session("198.51.100.8", "mail.contoso.com")
    with pytest.raises(NotEnoughExported, match="--address"):
        logged_session(read_text(text))
