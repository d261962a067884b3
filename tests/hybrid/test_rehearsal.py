"""What the relay saw against what was shown, and whether that is good enough."""

from typing import Any

import pytest

from gatepost.hybrid.rehearsal import Presented, Rehearsal, concluded, why_refused

PRESENTED = Presented(ehlo="edge.contoso.com", chain_sha256=("leaf", "intermediate"), names=("mail.contoso.com",))
ADDRESS_ONLY = Presented(ehlo="edge.contoso.com", chain_sha256=(), names=())


def answer(*outcomes: str, chain: tuple[str, ...] = ("leaf", "intermediate"), ehlo: str = "edge.contoso.com") -> Any:
    certificate = {"names": ["x.example"], "subject": "CN=x", "chain": [{"sha256": each} for each in chain]}
    return {
        "seen": {"ehlo": ehlo, "tls": {"certificate": certificate if chain else None}},
        "verdicts": [
            {"mail_from": "", "outcome": each, "reply": "550 5.7.64 no", "reasons": [{"code": "why", "says": "So."}]}
            for each in outcomes
        ],
    }


def session(found: Any, shown: Presented = PRESENTED, *, starttls: bool = True, reached: bool = True) -> Rehearsal:
    return concluded(shown, found, (), starttls=starttls, reached=reached)


def test_a_certificate_must_carry_every_envelope() -> None:
    assert session(answer("relay", "relay", "relay")).accepted
    assert not session(answer("relay", "refused", "refused")).accepted


def test_an_address_alone_is_asked_for_its_own_sender_only() -> None:
    assert session(answer("relay", "refused", "refused", chain=()), ADDRESS_ONLY).accepted
    assert not session(answer("refused", "refused", "refused", chain=()), ADDRESS_ONLY).accepted


@pytest.mark.parametrize(
    ("chain", "says"),
    [
        ((), "none arrived"),
        (("another", "intermediate"), "another certificate (x.example)"),
        (("leaf",), "1 of 1 intermediates did not arrive"),
    ],
)
def test_a_device_between_shows_in_the_difference(chain: tuple[str, ...], says: str) -> None:
    (difference,) = session(answer("relay", chain=chain)).differences
    assert says in difference


def test_a_gateway_that_greets_for_us_is_told() -> None:
    (difference,) = session(answer("relay", ehlo="gw.contoso.com")).differences
    assert "greeted by gw.contoso.com, not by edge.contoso.com" in difference


def test_without_starttls_that_is_what_is_told_first() -> None:
    found = session(answer("refused", chain=()), starttls=False)
    assert "STARTTLS was not offered" in why_refused(found)


def test_a_way_that_leads_elsewhere_is_told() -> None:
    assert "the path may not lead to it" in why_refused(session(None))
    assert concluded(PRESENTED, None, ("cannot connect",), starttls=False, reached=False).problems == (
        "cannot connect",
    )


def test_the_first_reason_is_the_line() -> None:
    assert why_refused(session(answer("refused"))) == "the relay would refuse <>: why: So"
    assert why_refused(session(answer("relay"))) == ""
