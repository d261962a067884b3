"""A renewal rehearsed on paper names what will break, and only that."""

import datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from gatepost.doctor.reading import read_files
from gatepost.doctor.renewal import NoCertificate, rehearsed

NOW = datetime.datetime(2026, 3, 1, tzinfo=datetime.UTC)
BOTH = (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH)
CONNECTOR = '[{"Name":"From HQ","Enabled":true,"ConnectorType":"OnPremises","TlsSenderCertificateName":"%s"}]'
SEND = """Name               : To cloud
SmartHosts         : {swift-example.mail.protection.outlook.com}
TlsCertificateName : <I>CN=R10<S>CN=%s
"""


def _certificate(
    path: Path, name: str, *, issuer: str = "R10", purposes: tuple[x509.ObjectIdentifier, ...] = BOTH
) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    built = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - datetime.timedelta(days=1))
        .not_valid_after(NOW + datetime.timedelta(days=89))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
        .sign(key, hashes.SHA256())
    )
    path.write_bytes(built.public_bytes(serialization.Encoding.PEM))
    return path


def _causes(folder: Path, new: Path, connector_name: str = "mail.swift.example") -> set[str]:
    _certificate(folder / "old.pem", "mail.swift.example")
    (folder / "connectors.json").write_text(CONNECTOR % connector_name)
    (folder / "send.txt").write_text(SEND % "mail.swift.example")
    evidence = read_files([folder / each for each in ("old.pem", "connectors.json", "send.txt")])
    diagnosis = rehearsed(read_files([new]), evidence, NOW.timestamp())
    return {cause for each in diagnosis.findings for cause in each.catalogue}


def test_another_name_breaks_the_inbound_connector(tmp_path: Path) -> None:
    assert "A01" in _causes(tmp_path, _certificate(tmp_path / "new.pem", "post.swift.example"))


def test_a_wildcard_connector_takes_another_name_below_it(tmp_path: Path) -> None:
    assert "A01" not in _causes(tmp_path, _certificate(tmp_path / "new.pem", "post.swift.example"), "*.swift.example")


def test_another_issuer_breaks_the_name_by_issuer_and_subject(tmp_path: Path) -> None:
    causes = _causes(tmp_path, _certificate(tmp_path / "new.pem", "mail.swift.example", issuer="R12"))
    assert "B01" in causes and "A01" not in causes


def test_a_lost_client_purpose_is_told_without_a_claim_about_the_cloud(tmp_path: Path) -> None:
    new = _certificate(tmp_path / "new.pem", "mail.swift.example", purposes=(ExtendedKeyUsageOID.SERVER_AUTH,))
    assert "D01" in _causes(tmp_path, new)


def test_the_same_names_break_neither_connector(tmp_path: Path) -> None:
    assert _causes(tmp_path, _certificate(tmp_path / "new.pem", "mail.swift.example")).isdisjoint({"A01", "B01", "D01"})


def test_a_file_without_certificate_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "new.pem").write_text("550 5.7.64 TenantAttribution; Relay Access Denied\n")
    with pytest.raises(NoCertificate, match="not a certificate"):
        rehearsed(read_files([tmp_path / "new.pem"]), read_files([tmp_path / "new.pem"]), NOW.timestamp())


def test_a_second_connector_that_takes_the_next_certificate_saves_the_mail(tmp_path: Path) -> None:
    _certificate(tmp_path / "old.pem", "mail.swift.example")
    new = _certificate(tmp_path / "new.pem", "post.swift.example")
    names = ("mail.swift.example", "post.swift.example")
    connectors = ", ".join((CONNECTOR % each).strip("[]").replace("From HQ", each) for each in names)
    (tmp_path / "connectors.json").write_text(f"[{connectors}]")
    evidence = read_files([tmp_path / "old.pem", tmp_path / "connectors.json"])
    found = [
        each for each in rehearsed(read_files([new]), evidence, NOW.timestamp()).findings if "A01" in each.catalogue
    ]
    assert [each.confidence for each in found] == ["medium"]
    assert "so connector 'post.swift.example' takes its sessions" in found[0].summary
