"""What is told is one JSON object, signed, or a mail, whatever stands in it."""

import hmac
import json

from gatepost.alarm.told import Told, body, mail_paragraphs, mail_title, signature

NOON = 1_796_126_400.0


def told(state: str = "firing", *, about: str = "contoso/out", is_reminder: bool = False) -> Told:
    return Told(
        id="7f",
        state=state,
        code="next-hop-down",
        about=about,
        since=NOON - 60,
        at=NOON,
        says="It is down.",
        do="look after it",
        is_reminder=is_reminder,
    )


def test_the_body_is_one_object_with_every_key() -> None:
    assert json.loads(body(told(), "relay.example.net", "0.1.0")) == {
        "id": "7f",
        "state": "firing",
        "code": "next-hop-down",
        "about": "contoso/out",
        "says": "It is down.",
        "do": "look after it",
        "since": "2026-12-01T11:59:00Z",
        "at": "2026-12-01T12:00:00Z",
        "reminder": False,
        "hostname": "relay.example.net",
        "version": "0.1.0",
    }


def test_what_a_peer_wrote_stays_one_line_and_valid() -> None:
    hostile = 'x\r\n"}\u202e\ud800\x1b[31m'
    octets = body(told(about=hostile), "relay.example.net", "0.1.0")
    assert b"\n" not in octets and b"\x1b" not in octets
    assert json.loads(octets)["code"] == "next-hop-down"


def test_the_signature_is_over_time_and_body() -> None:
    octets = body(told(), "relay.example.net", "0.1.0")
    # As a receiver checks it (docs/howto/raise-alarms.md).
    sent = dict(part.split("=", 1) for part in signature(b"s" * 32, octets, NOON).split(","))
    expected = hmac.new(b"s" * 32, sent["t"].encode() + b"." + octets, "sha256").hexdigest()
    assert sent == {"t": "1796126400", "v1": expected}
    assert signature(b"t" * 32, octets, NOON) != signature(b"s" * 32, octets, NOON) != signature(b"s" * 32, octets, 0)


def test_a_mail_holds_everything_that_waits_and_what_is_over_has_nothing_to_do() -> None:
    several = [told(), told("resolved", about="fabrikam/out")]
    assert mail_title(several, "relay") == "relay: 2 alarms, the first: firing: next-hop-down contoso/out"
    assert mail_title([told(is_reminder=True)], "relay") == "relay: still firing: next-hop-down contoso/out"
    text = "\n".join(mail_paragraphs(several))
    assert "since 2026-12-01T11:59:00Z" in text and text.count("Action: ") == 1
