"""`explain` and the live session give the same verdict for the same evidence.

Evidences are drawn from certificates, addresses, reverse-paths and forward-paths by a fixed seed; each goes to the
running relay as a mail transaction and to `admin.explain` as a question.
"""

import random
import re
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Any

import pytest

from end_to_end.installation import Installation, wait_until
from end_to_end.scene import (
    CONTOSO_ADDRESS,
    DEMANDING_ADDRESS,
    DISABLED_ADDRESS,
    FABRIKAM_ADDRESS,
    UNLISTED_ADDRESS,
    Certificates,
    files_of,
)
from end_to_end.smtp_client import SmtpClient
from gatepost.admin.sessions.explain import Answer, Question, explain
from gatepost.app import open_relay, open_sessions, read_certificates
from gatepost.mail.address import NULL_REVERSE_PATH, Mailbox
from gatepost.mail.path_grammar import read_mailbox
from gatepost.tenancy.session_record import attribution_record

SESSIONS = 60
TRANSACTIONS = 4
"""In each session: 240 evidences."""

CERTIFICATES = (
    *("contoso", "contoso_rsa", "contoso_ed25519", "fabrikam", "server_auth_only", "expired", "not_yet_valid"),
    *("self_signed", "pinned", "unknown_issuer", "unknown_chain", "without_intermediate", "weak", "unreadable"),
    *(
        "quiet_chain",
        "quiet_alone",
        "for_mail_only",
        "other_name",
        "wildcard",
        "both",
        "unowned",
        "disabled",
        *("nameless", "own_authority", "own_authority_misled", "own_authority_elsewhere"),
    ),
)
PLAIN, NONE = "plain", "none"
"""No TLS; TLS without a certificate."""

ADDRESSES = (CONTOSO_ADDRESS, FABRIKAM_ADDRESS, DEMANDING_ADDRESS, DISABLED_ADDRESS, "127.0.5.1", UNLISTED_ADDRESS)

REVERSE_PATHS = (
    *("", "ann@contoso.com", "ann@sub.contoso.com", "ann@contoso.net", "ben@fabrikam.com", "tim@tailspin.com"),
    *("ada@adatum.com", "nora@northwind.com", "joe@litware.com", "sue@supplier.com", "bob@bank.com", "lee@lawyer.com"),
    *("x@[192.0.2.1]", "ANN@CONTOSO.COM"),
)
FORWARD_PATHS = (
    *("out@outside.example", "more@elsewhere.example", "ann@contoso.com", "ben@fabrikam.com", "tim@tailspin.com"),
    *("ann@contoso.net", "ann@sub.contoso.com", "ada@adatum.com", "x@[192.0.2.1]"),
)

LISTENERS = ("main", "client-auth", "wildcards")


@dataclass(frozen=True)
class Transaction:
    mail_from: str
    rcpt_to: tuple[str, ...]


@dataclass(frozen=True)
class Session:
    listener: str
    certificate: str
    source: str
    transactions: tuple[Transaction, ...]


def drawn() -> list[Session]:
    """Every certificate at least twice, the rest by chance, the same each time."""
    chance = random.Random("explain agrees")
    kinds = [PLAIN, NONE, *CERTIFICATES]

    def transaction() -> Transaction:
        paths = chance.sample(FORWARD_PATHS, chance.choice((1, 1, 2, 3)))
        return Transaction(chance.choice(REVERSE_PATHS), tuple(paths))

    return [
        Session(
            listener=chance.choice(LISTENERS),
            certificate=kinds[number % len(kinds)],
            source=chance.choice(ADDRESSES),
            transactions=tuple(transaction() for _ in range(TRANSACTIONS)),
        )
        for number in range(SESSIONS)
    ]


@pytest.fixture(scope="module")
def relay(furnished_relay: Installation) -> Installation:
    return furnished_relay


def lived(session: Session, relay: Installation, certificates: Certificates) -> list[Mapping[str, Any]]:
    """What `why` tells of each transaction once the session is over."""
    with SmtpClient(relay.port_of(session.listener), source=session.source) as smtp:
        if session.certificate == PLAIN:
            smtp.ehlo()
        else:
            shown = None if session.certificate == NONE else getattr(certificates, session.certificate)
            smtp.starttls(*files_of(shown))
        for transaction in session.transactions:
            smtp.command(f"MAIL FROM:<{transaction.mail_from}>")
            replies = [smtp.command(f"RCPT TO:<{path}>") for path in transaction.rcpt_to]
            smtp.command("RSET")
    # The id stands in refusals; a session of acceptances is found by its port in the protocol log.
    session_id = next((reply.session_id for reply in replies if "[" in reply.text), "") or _id_of(relay, smtp.local)
    sessions = open_sessions(relay.settings)

    def over() -> Mapping[str, Any] | None:
        record = sessions.find(session_id)
        return record if record and record["closed"] else None

    record: Mapping[str, Any] = wait_until(over, f"the record of {session_id}")
    return list(record["transactions"])


def _id_of(relay: Installation, local: str) -> str:
    row = re.compile(rf"^[^,]*,[^,]*,([0-9A-F]{{16}}),[^,]*,[^,]*,{re.escape(local)},", re.M)
    found = wait_until(lambda: row.findall(relay.protocol_log("receive")), f"a row of {local}")
    return str(found[-1])


def foretold(
    session: Session, transaction: Transaction, relay: Installation, certificates: Certificates
) -> tuple[Answer, ...]:
    shown = getattr(certificates, session.certificate, None)
    file, _ = files_of(shown)
    question = Question(
        address=ip_address(session.source),
        ehlo="mail.test",
        tls=session.certificate != PLAIN,
        chain=read_certificates(file) if file else (),
        reverse_path=_mailbox(transaction.mail_from) if transaction.mail_from else NULL_REVERSE_PATH,
        forward_paths=tuple(map(_mailbox, transaction.rcpt_to)),
    )
    asked = open_relay(relay.settings, relay.name_of(session.listener))
    with closing(asked.directory):
        return explain(asked, question, datetime.now(UTC))


def _mailbox(text: str) -> Mailbox:
    mailbox = read_mailbox(text)
    assert isinstance(mailbox, Mailbox)
    return mailbox


def without_trailer(reply: str) -> str:
    return re.sub(r" \[relay\.example\.net [^\]]*\]$", "", reply)


@pytest.mark.parametrize("session", drawn(), ids=lambda session: f"{session.certificate} {session.source}")
def test_the_live_verdict_is_the_one_that_explain_foretells(
    session: Session, relay: Installation, certificates: Certificates
) -> None:
    transactions = lived(session, relay, certificates)
    assert len(transactions) == len(session.transactions)
    for transaction, told in zip(session.transactions, transactions, strict=True):
        answers = foretold(session, transaction, relay, certificates)
        recorded = {recipient["rcpt_to"]: recipient for recipient in told["recipients"]}
        # Refusals like earlier ones of the session are only counted.
        counted = [each for each in answers if str(each.forward_path) not in recorded]
        assert len(counted) == told.get("more_refused", 0)
        assert all(each.attribution.refusal for each in counted)
        for answer in answers:
            if answer in counted:
                continue
            recipient = recorded[str(answer.forward_path)]
            expected = {"rcpt_to": str(answer.forward_path)}
            expected |= attribution_record(answer.attribution, without_trailer(str(answer.reply)))
            assert {**recipient, "reply": without_trailer(recipient["reply"])} == expected, transaction


def test_the_evidences_are_many_and_of_every_outcome(relay: Installation, certificates: Certificates) -> None:
    outcomes = set()
    reasons = set()
    count = 0
    for session in drawn():
        for transaction in session.transactions:
            for answer in foretold(session, transaction, relay, certificates):
                count += 1
                outcomes.add((answer.attribution.outcome.value, answer.attribution.basis))
                reasons.add(answer.attribution.reasons[0].code)
    assert count >= 200
    assert {outcome for outcome, _ in outcomes} == {"relay", "deliver", "incoming", "refused"}
    assert {basis for _, basis in outcomes} == {"certificate", "pin", "address", "recipient", None}
    assert len(reasons) >= 20


def test_a_tenants_own_authority_vouches_for_its_own_names_only(
    relay: Installation, certificates: Certificates
) -> None:
    transaction = Transaction("", ("out@outside.example",))
    # Often enough to meet each worker with both: what was decided about a wrong chain may not be remembered of the
    # same certificate with its right one.
    for kind, outcome in (
        ("own_authority_misled", "refused"),
        ("own_authority", "relay"),
        ("own_authority_elsewhere", "refused"),
    ) * 4:
        session = Session("main", kind, UNLISTED_ADDRESS, (transaction,))
        ((told,),) = [each["recipients"] for each in lived(session, relay, certificates)]
        assert told["outcome"] == outcome, told


@pytest.mark.parametrize("kind", [PLAIN, NONE, "contoso", "without_intermediate", "both", "quiet_alone"])
def test_the_command_line_says_what_the_session_says(
    kind: str, relay: Installation, certificates: Certificates
) -> None:
    transaction = Transaction("joe@litware.com", ("out@outside.example",))
    session = Session("main", kind, CONTOSO_ADDRESS, (transaction,))
    ((told,),) = [each["recipients"] for each in lived(session, relay, certificates)]
    file, _ = files_of(getattr(certificates, kind, None))
    explained = relay.told(
        "explain",
        *("--address", CONTOSO_ADDRESS, "--ehlo", "mail.test"),
        *(("--certificate", str(file)) if file else ("--tls",) * (kind == NONE)),
        *("--mail-from", transaction.mail_from, "--rcpt-to", transaction.rcpt_to[0]),
        expect=1 if told["outcome"] == "refused" else 0,
    )
    for key in ("outcome", "tenant", "connector", "basis", "reasons", "warnings", "directory_version"):
        assert explained[key] == told[key], key
    assert without_trailer(explained["reply"]) == without_trailer(told["reply"])
