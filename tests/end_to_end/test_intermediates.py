"""A server that sends its leaf alone, as swaks does, hears that the intermediate is missing once anybody has shown it.

The intermediate's name tells nothing. The relay learns of it from a whole chain of another tenant's server, in one
worker; all workers, `explain` and the next start know it.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from end_to_end.installation import Installation, wait_until
from end_to_end.outside import Outside
from end_to_end.scene import MESSAGE, with_two_tenants
from end_to_end.smtp_client import SmtpClient
from pki import Issued, Pki

UNKNOWN, MISSING = "certificate-issuer-unknown", "certificate-intermediate-missing"


@pytest.fixture
def pki(tmp_path: Path) -> Pki:
    return Pki(tmp_path / "pki")


@pytest.fixture
def relay(tmp_path: Path, pki: Pki) -> Iterator[Installation]:
    relay = Installation(tmp_path / "relay", client_roots=pki.roots_file, workers=2)
    with Outside() as outside:
        with_two_tenants(relay, outside.sink().port)
        with relay.serving():
            yield relay


def refusal(relay: Installation, leaf: Issued) -> str:
    with SmtpClient(relay.port) as smtp:
        smtp.starttls(leaf.certificate_file, leaf.key_file)
        answer = smtp.mail("ann@contoso.com", "someone@outside.example")
        assert answer.code == 550, answer.text
        return answer.text


def code(relay: Installation, leaf: Issued) -> str:
    return re.findall(r"Access Denied; (\S+)", refusal(relay, leaf))[0]


def explained(relay: Installation, leaf: Issued) -> str:
    envelope = ("--mail-from", "ann@contoso.com", "--rcpt-to", "someone@outside.example")
    said = relay.told("explain", "--certificate", str(leaf.certificate_file), *envelope, expect=1)
    return str(said["reasons"][0]["code"])


def fabrikam_relays(relay: Installation, server: Issued) -> None:
    with SmtpClient(relay.port) as smtp:
        smtp.starttls(server)
        assert smtp.message("ben@fabrikam.com", "someone@outside.example", MESSAGE).code == 250


def test_a_leaf_alone_is_told_from_an_unknown_root_by_what_others_have_shown(
    tmp_path: Path, pki: Pki, relay: Installation
) -> None:
    quiet = pki.authority("Quiet R7", issuer=pki.root)
    alone, fabrikam = pki.leaf("mail.contoso.com", issuer=quiet), pki.leaf("mx.fabrikam.com", issuer=quiet)
    elsewhere = Pki(tmp_path / "elsewhere", "Elsewhere")
    stranger = elsewhere.leaf("mail.contoso.com", issuer=elsewhere.authority("Quiet R7", issuer=elsewhere.root))

    assert code(relay, alone) == explained(relay, alone) == UNKNOWN
    with SmtpClient(relay.port) as smtp:
        smtp.starttls(stranger)
        assert UNKNOWN in smtp.mail("ann@contoso.com", "someone@outside.example").text
    assert code(relay, alone) == UNKNOWN, "what does not verify teaches nothing"

    fabrikam_relays(relay, fabrikam)
    wait_until(lambda: {code(relay, alone) for _ in range(8)} == {MISSING}, "every worker to know the intermediate")
    assert "mail.contoso.com issued by CN=Quiet R7, which was not sent" in refusal(relay, alone)
    assert explained(relay, alone) == MISSING
    assert code(relay, stranger) == explained(relay, stranger) == UNKNOWN, "the name alone is nothing"
    fabrikam_relays(relay, fabrikam)

    relay.stop()
    relay.start()
    assert {code(relay, alone) for _ in range(4)} == {MISSING}, "it outlives a restart"
    fabrikam_relays(relay, fabrikam)
