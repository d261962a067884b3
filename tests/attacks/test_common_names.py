"""A person who may choose a common name, of an S/MIME or client certificate, takes a server's name by it.

Authorities check a DNS name in a subjectAltName; nobody checks that a common name is one. So it counts only where the
certificate has no subjectAltName at all, is the only one, and is plain letters, digits and hyphens as written.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID

from gatepost.net.certificates import facts
from gatepost.net.judgement import Judge
from gatepost.tenancy.evidence import VerifiedCertificate
from gatepost.tenancy.names import name_matches
from pki import Issued, Pki

PATTERNS = ("mail.contoso.com", "*.contoso.com")

OTHER_SANS: dict[str, x509.GeneralName] = {
    "an e-mail address": x509.RFC822Name("eve@evil.example"),
    "a URI": x509.UniformResourceIdentifier("https://evil.example/"),
    "an IP address": x509.IPAddress(ip_address("192.0.2.1")),
    "a directory name": x509.DirectoryName(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "eve")])),
    "another host": x509.DNSName("evil.example"),
}

MAPPED = {
    "full width": "\uff4d\uff41\uff49\uff4c.contoso.com",
    "bold": "mail.\U0001d41c\U0001d428\U0001d427\U0001d42d\U0001d428\U0001d42c\U0001d428.com",
    "long s": "mail.conto\u017fo.com",
    "ideographic full stop": "mail\u3002contoso.com",
    "soft hyphen": "mail.con\u00adtoso.com",
    "zero width space": "mail.con\u200btoso.com",
    "Kelvin sign and case": "MAIL.CONTO\u017fO.COM",
}

UNPLAIN = {
    "a trailing dot": "mail.contoso.com.",
    "a wildcard": "*.contoso.com",
    "an underscore": "_mail.contoso.com",
    "a blank": "mail.contoso.com ",
    "a line feed": "mail.contoso.com\n",
    "NUL": "mail.contoso.com\0.evil.example",
    "a leading hyphen": "-mail.contoso.com",
}


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return Pki(tmp_path_factory.mktemp("pki"))


def matched(pki: Pki, issued: Issued, patterns: Sequence[str] = PATTERNS) -> list[str]:
    """The connector names that a verified certificate satisfies."""
    judged = Judge(Path(pki.roots_file))(tuple(map(facts, issued.chain)), (), datetime.now(UTC))
    assert isinstance(judged, VerifiedCertificate), judged
    return [match.pattern for match in name_matches(judged, patterns) if not match.beside_san]


def test_alone_and_plain_it_counts(pki: Pki) -> None:
    assert matched(pki, pki.leaf("Mail.Contoso.com", names=())) == list(PATTERNS)


@pytest.mark.parametrize("kind", OTHER_SANS)
def test_beside_any_subject_alternative_name_it_does_not_count(pki: Pki, kind: str) -> None:
    san = x509.SubjectAlternativeName([OTHER_SANS[kind]])
    issued = pki.leaf("mail.contoso.com", names=(), extensions=[(san, False)])
    assert facts(issued.der).has_san
    assert matched(pki, issued) == []
    assert "mail.contoso.com" not in facts(issued.der).names


@pytest.mark.parametrize("order", [("evil.example", "mail.contoso.com"), ("mail.contoso.com", "evil.example")])
def test_of_several_none_counts(pki: Pki, order: tuple[str, str]) -> None:
    issued = pki.leaf(order[0], names=(), more_common_names=order[1:])
    assert len(facts(issued.der).common_names) == 2
    assert matched(pki, issued) == []
    assert facts(issued.der).names == ()


@pytest.mark.parametrize("kind", [*MAPPED, *UNPLAIN])
def test_it_is_never_mapped_to_another_name(pki: Pki, kind: str) -> None:
    written = {**MAPPED, **UNPLAIN}[kind]
    issued = pki.leaf("odd", common_name=written, names=())
    assert facts(issued.der).common_names == (written,)
    assert matched(pki, issued) == []


@pytest.mark.parametrize("kind", MAPPED)
def test_a_subject_alternative_name_outside_ascii_is_never_mapped_either(pki: Pki, kind: str) -> None:
    text = MAPPED[kind].encode("utf-8")
    san = bytes((0x30, len(text) + 2, 0x82, len(text))) + text
    issued = pki.leaf("odd", common_name="mail.contoso.com", san=san)
    judged = Judge(Path(pki.roots_file))(tuple(map(facts, issued.chain)), (), datetime.now(UTC))
    names = name_matches(judged, PATTERNS) if isinstance(judged, VerifiedCertificate) else ()
    assert [match for match in names if not match.beside_san] == []
