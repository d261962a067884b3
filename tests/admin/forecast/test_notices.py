"""Notices: each prospect is told once at each stage, to its own tenant's contact, as mail that no responder answers."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTPUTF8

from gatepost.admin.forecast.forecast import ForecastCode, ForecastItem
from gatepost.admin.forecast.notices import Notice, alarm_notice, message_of, notices, told_key
from gatepost.mail.address import NULL_REVERSE_PATH
from gatepost.mail.envelope import Body

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
EXPIRING = ForecastItem(
    code=ForecastCode.CERTIFICATE_EXPIRES,
    tenant="contoso",
    connector="mail",
    subject="ab" * 32,
    due_at=NOW + 10 * DAY,
    says="the certificate mail.contoso.com presented by 192.0.2.1 expires 2026-12-05 12:00 UTC",
    do="renew it",
)
UNUSED = replace(EXPIRING, code=ForecastCode.CONNECTOR_NEVER_USED, subject="", due_at=None, says="nothing used it")
CONTACTS = {"contoso": "post@contoso.com", "fabrikam": "post@fabrikam.com"}
HOST = "relay.example.net"


def made(*prospects: ForecastItem, told: tuple[Notice, ...] = (), at: datetime = NOW) -> list[Notice]:
    keys = {key for notice in told for key in notice.keys}
    return notices(prospects, CONTACTS, keys, at, HOST)


def read(notice: Notice) -> EmailMessage:
    message = message_from_bytes(notice.octets, policy=SMTPUTF8)
    assert isinstance(message, EmailMessage)
    return message


def test_a_notice_says_what_when_and_what_to_do() -> None:
    (notice,) = made(EXPIRING, UNUSED)
    message = read(notice)
    assert message["To"] == "post@contoso.com"
    assert message["From"].addresses[0].addr_spec == f"postmaster@{HOST}"
    assert message["Subject"] == "contoso: mail through the relay will stop in 10 days"
    assert message["Auto-Submitted"] == "auto-generated"
    body = message.get_content()
    assert "* 2026-12-05 12:00 UTC: certificate-expires, connector mail" in body
    assert "  Action: renew it" in body
    assert "* no date: connector-never-used" in body
    assert max(map(len, body.splitlines())) <= 78
    assert notice.octets.count(b"\n") == notice.octets.count(b"\r\n")


def test_each_stage_is_told_once() -> None:
    first = made(EXPIRING)
    assert not made(EXPIRING, told=tuple(first))
    assert not made(EXPIRING, told=tuple(first), at=NOW + 2 * DAY), "still in the stage of 14 days"
    second = made(EXPIRING, told=tuple(first), at=NOW + 3 * DAY)
    assert [key[-1] for notice in second for key in notice.keys] == [7]
    third = made(EXPIRING, told=(*first, *second), at=NOW + 9 * DAY)
    assert read(third[0])["Subject"] == "contoso: mail through the relay will stop in 1 day"
    assert not made(EXPIRING, told=(*first, *second, *third), at=NOW + 11 * DAY)


def test_what_has_no_date_is_told_once_at_all() -> None:
    first = made(UNUSED)
    assert read(first[0])["Subject"] == "contoso: mail through the relay is at risk"
    assert not made(UNUSED, told=tuple(first), at=NOW + 300 * DAY)


def test_what_is_far_off_is_not_told() -> None:
    assert not made(replace(EXPIRING, due_at=NOW + 40 * DAY))


def test_each_tenant_is_told_its_own_and_one_without_contact_nothing() -> None:
    theirs = replace(EXPIRING, tenant="fabrikam", says="the certificate mail.fabrikam.com expires")
    found = {each.tenant: each for each in made(EXPIRING, theirs, replace(EXPIRING, tenant="silent"))}
    assert set(found) == {"contoso", "fabrikam"}
    assert b"fabrikam" not in found["contoso"].octets
    assert b"contoso" not in found["fabrikam"].octets


def test_another_certificate_of_the_connector_is_another_prospect() -> None:
    first = made(EXPIRING)
    assert made(replace(EXPIRING, subject="cd" * 32), told=tuple(first))


def test_names_in_any_script_are_told() -> None:
    (notice,) = notices([replace(EXPIRING, tenant="münchen")], {"münchen": "jürgen@münchen.example"}, (), NOW, HOST)
    message = read(notice)
    assert message["To"] == "jürgen@münchen.example"
    assert message["Subject"].startswith("münchen: ")
    assert "problems for münchen" in message.get_content()


def test_the_key_is_the_same_at_each_look() -> None:
    assert told_key(EXPIRING, NOW) == told_key(replace(EXPIRING, says="in other words"), NOW + DAY)


def test_a_notice_is_queued_so_that_nothing_comes_back() -> None:
    for contact, body in (("post@contoso.com", Body.SEVEN_BIT), ("pöst@contoso.com", Body.EIGHT_BIT_MIME)):
        (notice,) = notices([EXPIRING], {"contoso": contact}, set(), NOW, HOST)
        message = message_of(notice, "08DF", NOW.timestamp())
        assert str(message.envelope.reverse_path) == str(NULL_REVERSE_PATH)
        assert [str(each.forward_path) for each in message.recipients] == [contact]
        assert (message.envelope.body, message.envelope.smtputf8) == (body, not contact.isascii())
        assert b"".join(message.content.chunks()) == notice.octets


def test_a_next_hops_words_are_plain_in_a_mail_too() -> None:
    said = "550 no \x1b]0;x\x07 \u2028Bcc: x@y.example"
    notice = alarm_notice(
        tenant="contoso",
        contact="post@contoso.com",
        keys=(),
        title="mail stops \x1b[31m",
        paragraphs=(said,),
        at=NOW,
        hostname=HOST,
    )
    shown = str(read(notice)["Subject"]) + read(notice).get_content()
    assert "Bcc: x@y.example" in shown and not any(each in shown for each in ("\x1b", "\x07", "\u2028"))
