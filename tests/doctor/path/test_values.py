"""A value that a repair needs is taken where one is meant, and left open where several could be."""

# ruff: noqa: E501 - evidence is as long as it is

from gatepost.doctor.explanation import explained
from gatepost.doctor.path import values
from gatepost.doctor.path.objects import MailPath
from gatepost.doctor.reading import read_text

REFUSED = "550 5.7.64 TenantAttribution; Relay Access Denied"


def path_of(text: str) -> MailPath:
    return explained(read_text(text, "evidence.txt")).path


def test_the_own_domain_is_the_only_accepted_one():
    shown = "DomainName : tern.example\nDomainType : Authoritative\n\nDomainName : tern.onmicrosoft.com\nDomainType : Authoritative\n"
    assert values.own_domain(path_of(shown)) == "tern.example"


def test_of_two_accepted_domains_none_is_guessed():
    shown = "DomainName : tern.example\nDomainType : Authoritative\n\nDomainName : gull.example\nDomainType : Authoritative\n"
    assert values.own_domain(path_of(shown)) == ""


def test_the_stranger_who_is_refused_is_not_the_own_domain():
    log = (
        f'[2022-10-04 11:20:31] app.ERROR: got "{REFUSED}" to=clinic@stranger.example from=42@localhost\n'
        "[2022-10-04 11:21:02] app.INFO: message accepted to=reception@coral.example from=42@localhost\n"
    )
    assert values.own_domain(path_of(log)) == "coral.example"


def test_the_endpoint_is_made_of_the_domain():
    assert values.endpoint_made_of("Tern.co.example") == "tern-co-example.mail.protection.outlook.com"


def test_the_recipient_is_that_of_the_mail_which_failed():
    log = (
        "Feb 18 14:40:09 mx postfix/smtp[9001]: 3F2C1400A1: to=<in@tern.example>, relay=mx.tern.example[192.0.2.1]:25, "
        "delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (250 ok)\n"
        "Feb 18 14:41:09 mx postfix/smtp[9001]: 3F2C1400A2: to=<out@gull.example>, "
        "relay=tern-example.mail.protection.outlook.com[203.0.113.36]:25, delay=1, delays=0/0/0/1, dsn=5.7.64, "
        f"status=bounced (host tern-example.mail.protection.outlook.com[203.0.113.36] said: {REFUSED} (in reply to RCPT TO command))\n"
    )
    path = path_of(log)
    assert values.recipient(path) == "out@gull.example"
    assert values.own_domain(path) == "tern.example"
    assert values.next_hop(path) == "tern-example.mail.protection.outlook.com"
