"""Session records: what was written is found by the id alone, whichever file, line or moment it was written in."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gatepost.logs.log_writer import LogWriter
from gatepost.logs.session_records import SESSION_LIMITS, SessionRecords, StoredSessions
from gatepost.mail.session_id import SessionIds
from gatepost.tenancy.evidence import (
    CertificateFacts,
    PresentedCertificate,
    TlsEvidence,
    VerificationError,
    VerifiedCertificate,
)
from gatepost.tenancy.session_record import tls_record

NOON = 1_767_268_800.0  # 2026-01-01 12:00 UTC
HOUR = 3600.0


def facts(name: str) -> CertificateFacts:
    return CertificateFacts(
        der=name.encode(),
        sha256=name.encode().hex().ljust(64, "0"),
        public_key_sha256="",
        subject=f"CN={name}",
        issuer="CN=CA",
        serial="0a",
        not_before=datetime(2026, 1, 1, tzinfo=UTC),
        not_after=None,
        common_names=(),
        dns_names=(name,),
        purposes=("serverAuth",),
        key="EC secp256r1",
        signature_algorithm="ecdsa-with-SHA256",
    )


LEAF, ISSUER = facts("mail.contoso.com"), facts("ca")
TLS = TlsEvidence(
    protocol="TLSv1.3",
    cipher="TLS_AES_256_GCM_SHA384",
    cipher_bits=256,
    server_name=None,
    certificate=VerifiedCertificate(leaf=LEAF, chain=(LEAF, ISSUER), anchor="CN=Root"),
)


def record(session_id: str, **more: Any) -> dict[str, Any]:
    return {
        "session_id": session_id,
        "at": "2026-01-01T12:00:00Z",
        "closed_at": None,
        "closed": "Remote",
        "tls": None,
        "transactions": [],
        **more,
    }


class Log:
    """One worker's records with a clock that is set by hand."""

    def __init__(self, folder: Path, worker: int = 1, **limits: float) -> None:
        self.now = NOON
        self.ids = SessionIds(worker)
        self.records: SessionRecords[tuple[dict[str, Any], TlsEvidence | None]] = SessionRecords(
            folder, worker, self._describe, LogWriter(), replace(SESSION_LIMITS, **limits), lambda: self.now
        )

    @staticmethod
    def _describe(entry: tuple[dict[str, Any], TlsEvidence | None]) -> tuple[dict[str, Any], Any]:
        line, tls = entry
        return line, tls.certificate.chain if tls and tls.certificate else ()

    def write(self, session_id: str, tls: TlsEvidence | None = None, **more: Any) -> None:
        self.records.add((record(session_id, tls=tls and tls_record(tls), **more), tls))
        self.records.flush()


def test_a_session_is_found_by_its_id_among_other_workers_and_hours(tmp_path: Path) -> None:
    logs = [Log(tmp_path, worker) for worker in (1, 11)]
    made = []
    for _ in range(3):
        for log in logs:
            made.append(log.ids.next(log.now))
            log.write(made[-1])
            log.now += HOUR
    sessions = StoredSessions(tmp_path)
    assert [sessions.find(each) for each in made] == [record(each) for each in made]
    assert sessions.find(SessionIds(1).next(NOON + 1)) is None
    assert sessions.find("F" * 16) is None
    assert sessions.find("0" * 16) is None
    assert sessions.oldest() == datetime(2026, 1, 1, 12, tzinfo=UTC)


def test_where_nothing_was_ever_written_nothing_is_found(tmp_path: Path) -> None:
    sessions = StoredSessions(tmp_path / "none")
    assert sessions.find(SessionIds(1).next(NOON)) is None
    assert sessions.oldest() is None


def test_a_session_that_ends_hours_after_it_began_is_found(tmp_path: Path) -> None:
    log = Log(tmp_path)
    session_id = log.ids.next(log.now)
    log.now += 20 * HOUR
    log.write(session_id)
    assert StoredSessions(tmp_path).find(session_id) == record(session_id)


def test_records_of_a_session_that_went_on_are_put_together(tmp_path: Path) -> None:
    log = Log(tmp_path)
    session_id = log.ids.next(log.now)
    log.write(session_id, closed=None, transactions=[news(0, 0, "ann", "bob")])
    log.write(session_id, closed=None, transactions=[news(0, 2, "eve")])
    log.now += HOUR
    log.write(session_id, transactions=[news(0, 3, reply="250"), news(1, 0, "joe", reply="451")])
    found = StoredSessions(tmp_path).find(session_id)
    assert found is not None
    assert found["closed"] == "Remote"
    assert found["transactions"] == [
        {"number": 0, "recipients": ["ann", "bob", "eve"], "reply": "250"},
        {"number": 1, "recipients": ["joe"], "reply": "451"},
    ]


def news(number: int, first: int, *recipients: str, reply: str | None = None) -> dict[str, object]:
    return {"number": number, "first": first, "recipients": list(recipients), "reply": reply}


def test_certificates_are_written_once_a_file_and_every_file_has_its_own(tmp_path: Path) -> None:
    log = Log(tmp_path)
    made = []
    for _ in range(2):
        for _ in range(3):
            made.append(log.ids.next(log.now))
            log.write(made[-1], TLS)
        log.now += HOUR
    for path in tmp_path.iterdir():
        assert path.read_text().count('{"certificate":') == 2
    for each in made:
        found = StoredSessions(tmp_path).find(each)
        assert found is not None
        certificate = found["tls"]["certificate"]
        assert (certificate["verified"], certificate["anchor"], certificate["subject"]) == (
            True,
            "CN=Root",
            "CN=mail.contoso.com",
        )
        assert [link["subject"] for link in certificate["chain"]] == ["CN=mail.contoso.com", "CN=ca"]
        assert certificate["chain"][0]["der"] == "bWFpbC5jb250b3NvLmNvbQ=="


def test_a_certificate_that_did_not_verify_keeps_every_error(tmp_path: Path) -> None:
    log = Log(tmp_path)
    errors = (VerificationError(code=20, depth=0, text="unable to get local issuer certificate"),)
    session_id = log.ids.next(log.now)
    log.write(session_id, replace(TLS, certificate=PresentedCertificate(leaf=LEAF, chain=(LEAF,), errors=errors)))
    found = StoredSessions(tmp_path).find(session_id)
    assert found is not None
    assert found["tls"]["certificate"]["verified"] is False
    assert found["tls"]["certificate"]["errors"] == [
        {"code": 20, "depth": 0, "text": "unable to get local issuer certificate"}
    ]


def test_a_line_that_is_still_being_written_is_not_read(tmp_path: Path) -> None:
    log = Log(tmp_path)
    session_id = log.ids.next(log.now)
    log.write(log.ids.next(log.now))
    [path] = tmp_path.iterdir()
    path.write_bytes(path.read_bytes() + f'{{"session_id":"{session_id}","at'.encode())
    assert StoredSessions(tmp_path).find(session_id) is None


def test_an_id_that_a_peer_put_into_its_own_words_is_not_taken_for_a_record(tmp_path: Path) -> None:
    log = Log(tmp_path)
    session_id, other = log.ids.next(log.now), log.ids.next(log.now)
    log.write(other, ehlo=f'x\n{{"session_id":"{session_id}"')
    assert StoredSessions(tmp_path).find(session_id) is None


def test_the_folder_keeps_its_size(tmp_path: Path) -> None:
    log = Log(tmp_path, file_size=10_000, folder_size=30_000)
    for _ in range(100):
        log.write(log.ids.next(log.now), ehlo="x" * 1000)
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 40_000


def test_a_session_is_found_among_a_hundred_thousand(tmp_path: Path) -> None:
    log = Log(tmp_path)
    made = [log.ids.next(log.now) for _ in range(100_000)]
    for at in range(0, len(made), 10_000):
        for each in made[at : at + 10_000]:
            log.records.add((record(each, ehlo="mail.contoso.com" * 30), None))
        log.records.flush()
    sessions = StoredSessions(tmp_path)
    assert sessions.find(made[70_000]) == record(made[70_000], ehlo="mail.contoso.com" * 30)
