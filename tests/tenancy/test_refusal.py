"""What a refused peer is told: one line, whole, printable, and nothing it can fake."""

import re
from datetime import timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.mail.reply import LONGEST_REPLY_LINE
from gatepost.tenancy.attribution import Refusal, refusal_reply
from gatepost.tenancy.reasons import ReasonCode
from gatepost.tenancy.refusal import RELAY_DENIED, printable
from tenancy.attribution_cases import AT, HOST, SESSION


def refusal(fact: str) -> Refusal:
    return Refusal(*RELAY_DENIED, ReasonCode.CERTIFICATE_EXPIRED, fact)


def test_the_reply_has_its_contracted_shape() -> None:
    told = refusal_reply(refusal("certificate mail.contoso.com expired 2026-11-20"), HOST, AT, SESSION)
    assert str(told) == (
        "550 5.7.64 TenantAttribution; Relay Access Denied; certificate-expired certificate mail.contoso.com expired "
        "2026-11-20 [relay.example.net 2026-11-23T21:00:00.123Z 08DE2AD1B7C4E001]"
    )


def test_the_time_is_utc_whatever_the_zone_it_was_given_in() -> None:
    told = refusal_reply(refusal("f"), HOST, AT.astimezone(timezone(timedelta(hours=9))), SESSION)
    assert "2026-11-23T21:00:00.123Z" in str(told)


def test_a_whole_second_still_has_milliseconds() -> None:
    assert "21:00:00.000Z" in str(refusal_reply(refusal("f"), HOST, AT.replace(microsecond=0), SESSION))


def test_a_help_link_comes_before_the_trailer() -> None:
    told = str(refusal_reply(refusal("fact"), HOST, AT, SESSION, "https://help.example/550"))
    assert " fact see https://help.example/550 [relay.example.net " in told


LINE = re.compile(
    rb"550 5\.7\.64 TenantAttribution; Relay Access Denied; certificate-expired( [ -~]*)? "
    rb"\[[^\[\] ]+ 2026-11-23T21:00:00\.123Z 08DE2AD1B7C4E001\]\r\n"
)


@given(
    fact=st.text(max_size=2000),
    host=st.sampled_from([HOST, "h" * 255]),
    link=st.none() | st.text(max_size=600),
)
def test_whatever_the_peer_presented_the_reply_is_one_line_of_512_octets_with_its_trailer(
    fact: str, host: str, link: str | None
) -> None:
    octets = refusal_reply(refusal(fact), host, AT, SESSION, link).octets
    assert len(octets) <= LONGEST_REPLY_LINE
    assert LINE.fullmatch(octets)
    assert octets.count(b"[") == octets.count(b"]") == 1


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("mail.contoso.com", "mail.contoso.com"),
        ("a\r\n250 OK", "a??250 OK"),
        ("x [relay.example.net now 0]", "x (relay.example.net now 0)"),
        ("büro\u202e.example\x7f\x00", "b?ro?.example??"),
    ],
)
def test_what_a_peer_writes_cannot_break_or_fake_a_line(text: str, shown: str) -> None:
    assert printable(text) == shown
