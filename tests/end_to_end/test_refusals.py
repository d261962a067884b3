"""Every reason to refuse mail, met over a real connection: the reply, `why` afterwards, and `explain` beforehand."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from end_to_end.installation import Installation
from end_to_end.scene import (
    CONTOSO_ADDRESS,
    DEMANDING_ADDRESS,
    DISABLED_ADDRESS,
    MESSAGE,
    TENANTS,
    UNLISTED_ADDRESS,
    Certificates,
    fabrikam_relays,
    files_of,
)
from end_to_end.smtp_client import Answer, SmtpClient
from gatepost.tenancy.reasons import MEANINGS, ReasonKind

TRAILER = r" \[relay\.example\.net \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z [0-9A-F]{16}\]"
RELAY_DENIED = "550 5.7.64 TenantAttribution; Relay Access Denied; "
SOURCE_DENIED = "550 5.7.51 TenantInboundAttribution; Recipient domain only accepts this mail from its own connectors; "
ENCRYPTION_NEEDED = "550 5.7.10 TenantAttribution; Encryption Needed; "

OUTSIDE = "someone@outside.example"


@dataclass(frozen=True, kw_only=True)
class Case:
    code: str
    fact: str
    """The whole fact, as a regular expression."""
    certificate: str | None = None
    """Which of `Certificates`; None: none is presented."""
    source: str = UNLISTED_ADDRESS
    mail_from: str = "ann@contoso.com"
    rcpt_to: str = OUTSIDE
    listener: str = "main"
    tls: bool = True
    head: str = RELAY_DENIED


CASES = {
    "no certificate": Case(code="no-certificate-presented", fact="no client certificate in this TLS session"),
    "expired": Case(
        code="certificate-expired",
        certificate="expired",
        fact=r"certificate mail\.contoso\.com expired \d{4}-\d\d-\d\d",
    ),
    "not yet valid": Case(
        code="certificate-not-yet-valid",
        certificate="not_yet_valid",
        fact=r"certificate mail\.contoso\.com is valid from \d{4}-\d\d-\d\d",
    ),
    "self-signed": Case(
        code="certificate-self-signed",
        certificate="self_signed",
        fact=r"certificate mail\.contoso\.com is self-signed",
    ),
    "unknown root, sent alone": Case(
        code="certificate-issuer-unknown",
        certificate="unknown_issuer",
        fact=r"certificate mail\.contoso\.com issued by .*Strange Root CA.*",
    ),
    "unknown root, whole chain": Case(
        code="certificate-issuer-unknown",
        certificate="unknown_chain",
        fact=r"certificate mail\.contoso\.com issued by .*Strange Intermediate CA.*",
    ),
    "missing intermediate": Case(
        code="certificate-intermediate-missing",
        certificate="without_intermediate",
        fact=r"certificate mail\.contoso\.com issued by .*Test Intermediate CA.*, which was not sent",
    ),
    "purpose, where clientAuth is demanded": Case(
        code="certificate-purpose",
        certificate="server_auth_only",
        listener="client-auth",
        fact=r"certificate mail\.contoso\.com is for serverAuth",
    ),
    "purpose, for no kind of TLS": Case(
        code="certificate-purpose",
        certificate="for_mail_only",
        fact=r"certificate mail\.contoso\.com is for 1\.3\.6\.1\.5\.5\.7\.3\.4",
    ),
    "weak key": Case(
        code="certificate-weak-key",
        certificate="weak",
        fact=r"certificate mail\.contoso\.com with key RSA 1024 signed by .+",
    ),
    "unreadable": Case(
        code="certificate-invalid",
        certificate="unreadable",
        fact=r"certificate CN=mail\.contoso\.com did not verify: .+",
    ),
    "another name": Case(
        code="certificate-name-matches-no-connector",
        certificate="other_name",
        fact=r"certificate name mail\.litware\.com",
    ),
    "no name": Case(
        code="certificate-name-matches-no-connector",
        certificate="nameless",
        fact=r"certificate without a name, which has no DNS name",
    ),
    "wildcard certificate": Case(
        code="wildcard-certificate-for-exact-name",
        certificate="wildcard",
        fact=r"certificate \*\.contoso\.com",
    ),
    "name not owned": Case(
        code="certificate-name-not-owned",
        certificate="unowned",
        mail_from="nora@northwind.com",
        fact=r"certificate mail\.northwind\.com",
    ),
    # Who comes under TLS is asked for a certificate; that the address is unlisted is told to who did not.
    "unlisted address": Case(
        code="address-matches-no-connector",
        tls=False,
        fact=r"address 127\.0\.99\.1",
    ),
    # Nobody is told that a tenant lists the address: any tenant might.
    "foreign reverse-path": Case(
        code="recipient-not-hosted",
        source=CONTOSO_ADDRESS,
        mail_from="joe@litware.com",
        fact=r"recipient domain outside\.example from address 127\.0\.1\.1",
    ),
    "null reverse-path from anywhere": Case(
        code="null-reverse-path-by-address-only",
        mail_from="",
        fact=r"address 127\.0\.99\.1 with a null reverse-path",
    ),
    "null reverse-path": Case(
        code="null-reverse-path-by-address-only",
        source=CONTOSO_ADDRESS,
        mail_from="",
        fact=r"address 127\.0\.1\.1 with a null reverse-path",
    ),
    "unverified reverse-path": Case(
        code="reverse-path-domain-not-verified",
        source=CONTOSO_ADDRESS,
        mail_from="ann@contoso.net",
        fact=r"reverse-path domain contoso\.net",
    ),
    "pin": Case(
        code="pin-needs-owned-reverse-path",
        certificate="pinned",
        mail_from="joe@litware.com",
        fact=r"certificate relay\.tailspin\.com with reverse-path domain litware\.com",
    ),
    "disabled, by certificate": Case(
        code="connector-disabled",
        certificate="disabled",
        mail_from="ada@adatum.com",
        fact=r"certificate mail\.adatum\.com",
    ),
    "disabled, by address": Case(
        code="connector-disabled",
        source=DISABLED_ADDRESS,
        mail_from="ada@adatum.com",
        fact=r"address 127\.0\.4\.1",
    ),
    "two tenants": Case(
        code="conflicting-tenants",
        certificate="both",
        mail_from="joe@litware.com",
        fact=r"certificate names mail\.contoso\.com, mail\.tailspin\.com",
    ),
    "recipient not hosted": Case(
        code="recipient-not-hosted",
        mail_from="joe@litware.com",
        fact=r"recipient domain outside\.example from address 127\.0\.99\.1",
    ),
    "partner without its certificate": Case(
        code="partner-restricted-to-certificate",
        mail_from="sue@supplier.com",
        rcpt_to="ann@contoso.com",
        head=SOURCE_DENIED,
        fact=r"no client certificate in this TLS session",
    ),
    "partner from elsewhere": Case(
        code="partner-restricted-to-address",
        mail_from="bob@bank.com",
        rcpt_to="ann@contoso.com",
        head=SOURCE_DENIED,
        fact=r"address 127\.0\.99\.1",
    ),
    "partner in the clear": Case(
        code="tls-required",
        mail_from="lee@lawyer.com",
        rcpt_to="ann@contoso.com",
        tls=False,
        head=ENCRYPTION_NEEDED,
        fact="this session is not encrypted",
    ),
    "connector that demands TLS": Case(
        code="tls-required",
        source=DEMANDING_ADDRESS,
        mail_from="tim@tailspin.com",
        tls=False,
        head=ENCRYPTION_NEEDED,
        fact="this session is not encrypted",
    ),
}

NOT_UNDER_THESE_RULES = {"address-needs-owned-reverse-path", "direct-send-rejected"}
"""Refusals that only the rule set `eop` knows."""


@pytest.fixture(scope="module")
def relay(furnished_relay: Installation) -> Installation:
    return furnished_relay


@pytest.fixture(autouse=True)
def neighbour_is_unaffected(relay: Installation, certificates: Certificates) -> Iterator[None]:
    yield
    fabrikam_relays(relay, certificates)


def refused(case: Case, relay: Installation, certificates: Certificates) -> Answer:
    with SmtpClient(relay.port_of(case.listener), source=case.source) as smtp:
        if case.tls:
            smtp.starttls(*files_of(case.certificate and getattr(certificates, case.certificate)))
        else:
            smtp.ehlo()
        return smtp.mail(case.mail_from, case.rcpt_to)


def explained(case: Case, relay: Installation, certificates: Certificates) -> Any:
    certificate, _ = files_of(case.certificate and getattr(certificates, case.certificate))
    return relay.told(
        "explain",
        *("--listener", relay.name_of(case.listener)),
        *("--address", case.source, "--mail-from", case.mail_from, "--rcpt-to", case.rcpt_to),
        *(("--certificate", str(certificate)) if certificate else ("--tls",) * case.tls),
        expect=1,
    )


def without_trailer(reply: str) -> str:
    return re.sub(TRAILER, "", reply)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_a_refusal_names_its_reason_to_the_peer_to_why_and_to_explain(
    case: Case, relay: Installation, certificates: Certificates
) -> None:
    answer = refused(case, relay, certificates)
    reply = answer.text
    assert re.fullmatch(re.escape(f"{case.head}{case.code} ") + case.fact + TRAILER, reply), reply
    assert len(reply.encode()) + len("\r\n") <= 512
    assert_nothing_is_given_away(reply, case)

    why = relay.told("why", answer.session_id)
    assert (why["outcome"], why["reason"], why["reasons"][0]["code"]) == ("refused", case.code, case.code)
    assert why["reply"] == reply
    assert why["tenant"] is why["connector"] is why["basis"] is None

    explanation = explained(case, relay, certificates)
    same = ("outcome", "tenant", "connector", "basis", "warnings", "directory_version")
    assert {key: explanation[key] for key in same} == {key: why[key] for key in same}
    assert explanation["reasons"] == why["reasons"]
    assert without_trailer(explanation["reply"]) == without_trailer(reply)


def assert_nothing_is_given_away(reply: str, case: Case) -> None:
    """Law 4: the peer is told of what it presented, never of anybody's configuration."""
    told = reply.partition("; ")[2].lower()
    for secret in (*TENANTS, "conn-", "127.0.1.0/24", "*.fabrikam", "home-"):
        assert secret not in told, f"'{secret}' is configuration"
    for domains in TENANTS.values():
        for domain in domains:
            shown = (case.mail_from, case.rcpt_to, case.fact.replace("\\", ""))
            assert domain not in told or any(domain in each for each in shown), f"'{domain}' was not presented"


def test_every_refusal_that_there_is_has_a_case() -> None:
    refusals = {code.value for code, meaning in MEANINGS.items() if meaning.kind is ReasonKind.REFUSAL}
    assert refusals - NOT_UNDER_THESE_RULES == {case.code for case in CASES.values()}


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
@pytest.mark.parametrize("kind", ["contoso", "contoso_rsa", "contoso_ed25519", "server_auth_only"])
def test_a_good_certificate_is_accepted_whatever_its_key_and_the_version_of_tls(
    kind: str, version: str, relay: Installation, certificates: Certificates
) -> None:
    with SmtpClient(relay.port, source=UNLISTED_ADDRESS) as smtp:
        smtp.starttls(getattr(certificates, kind), version=version)
        answer = smtp.mail("", OUTSIDE)
        assert answer.code == 250, answer.text


def test_mail_is_refused_before_tls_where_the_listener_demands_it(
    relay: Installation, certificates: Certificates
) -> None:
    with SmtpClient(relay.port_of("tls")) as smtp:
        smtp.ehlo()
        assert smtp.mail("ann@contoso.com").text.startswith("530 5.7.0 tls-required ")
        smtp.starttls(certificates.contoso)
        assert smtp.mail("ann@contoso.com", OUTSIDE).code == 250


def test_a_wildcard_certificate_serves_for_an_exact_name_where_the_listener_says_so(
    relay: Installation, certificates: Certificates
) -> None:
    with SmtpClient(relay.port_of("wildcards"), source=UNLISTED_ADDRESS) as smtp:
        smtp.starttls(certificates.wildcard)
        assert smtp.mail("ann@contoso.com", OUTSIDE).code == 250


def test_refusal_waits_for_the_end_of_the_content_where_the_listener_says_so(
    relay: Installation, certificates: Certificates
) -> None:
    with SmtpClient(relay.port_of("late"), source=UNLISTED_ADDRESS) as smtp:
        smtp.starttls(certificates.other_name)
        assert smtp.mail("ann@contoso.com", OUTSIDE).code == 250
        answer = smtp.content(MESSAGE)
    assert re.fullmatch(
        re.escape(RELAY_DENIED)
        + r"certificate-name-matches-no-connector certificate name mail\.litware\.com"
        + TRAILER,
        answer.text,
    )
    why = relay.told("why", answer.session_id)
    assert (why["outcome"], why["reply"]) == ("refused", answer.text)


def test_one_refused_recipient_does_not_refuse_the_others(relay: Installation, certificates: Certificates) -> None:
    with SmtpClient(relay.port, source=UNLISTED_ADDRESS) as smtp:
        smtp.starttls()
        assert smtp.mail("joe@litware.com", "ann@contoso.com").code == 250
        answer = smtp.command(f"RCPT TO:<{OUTSIDE}>")
        assert answer.text.startswith(f"{RELAY_DENIED}recipient-not-hosted ")
        assert smtp.content(MESSAGE).code == 250
    why = relay.told("why", answer.session_id)
    assert why["outcome"] == "refused"
    (transaction,) = why["transactions"]
    assert [each["outcome"] for each in transaction["recipients"]] == ["incoming", "refused"]


def test_why_takes_the_whole_pasted_refusal_and_names_the_evidence(
    relay: Installation, certificates: Certificates
) -> None:
    answer = refused(CASES["another name"], relay, certificates)
    done = relay.here("why", answer.text)
    assert done.returncode == 0, done.stderr
    for words in ("certificate-name-matches-no-connector", "mail.litware.com", "127.0.99.1", "ann@contoso.com"):
        assert words in done.stdout
    log = relay.here("protocol-log", "show", answer.session_id)
    assert "certificate-name-matches-no-connector" in log.stdout, log.stderr


def test_the_operator_finds_the_reason_in_the_protocol_log(relay: Installation, certificates: Certificates) -> None:
    answer = refused(CASES["expired"], relay, certificates)
    relay.told("why", answer.session_id)
    rows = [row for row in relay.protocol_log("receive").splitlines() if answer.session_id in row]
    reasons = [row for row in rows if ",*," in row and "certificate-expired" in row]
    assert reasons, rows
    assert any("Remote certificate" in row and "mail.contoso.com" in row for row in rows)


def test_a_refusal_is_one_line_whatever_was_presented(relay: Installation, certificates: Certificates) -> None:
    names = tuple(f"{'z' * 60}{number}.{'q' * 60}.litware.com" for number in range(30))
    long_names = certificates.pki.leaf("mail.litware.com", names=names)
    longest_path = "x" * 60 + "@" + ".".join(["y" * 60] * 3) + ".example"
    with SmtpClient(relay.port, source=UNLISTED_ADDRESS) as smtp:
        smtp.starttls(long_names)
        answer = smtp.mail(longest_path, longest_path)
    assert "\n" not in answer.text
    assert len(answer.text.encode()) + len("\r\n") <= 512
    assert re.search(TRAILER + "$", answer.text)
