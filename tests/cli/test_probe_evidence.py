"""A probe becomes evidence that the doctor's rules read like any other, and that can be saved and redacted."""

from dataclasses import replace
from datetime import UTC, datetime

from gatepost.admin.sessions.probe import (
    Masked,
    Outcome,
    OwnCertificate,
    ProbeResult,
    ShownCertificate,
    Stage,
    TlsSeen,
)
from gatepost.cli.probe_evidence import evidence_of, transcript
from gatepost.doctor.bundle_file import dump_bundle, load_bundle
from gatepost.doctor.diagnosis import diagnose
from gatepost.doctor.redaction import redacted

LEAF = ShownCertificate(
    subject="CN=mail.zebra.test",
    issuer="CN=Some CA",
    names=("mail.zebra.test",),
    not_before=datetime(2026, 1, 1, tzinfo=UTC),
    not_after=datetime(2026, 4, 1, tzinfo=UTC),
    purposes=("serverAuth",),
    key="RSA 2048",
    sha256="ab" * 32,
)
REFUSED = ProbeResult(
    host="mail.zanzibar.test:25",
    address="198.51.100.9",
    banner="220 mail.zanzibar.test ESMTP",
    ehlo=("SIZE 100", "STARTTLS"),
    ehlo_after_tls=(),
    seen_address="198.51.100.7",
    masked=Masked(banner=False, keywords=()),
    starttls=True,
    tls=None,
    certificate=OwnCertificate(
        presented=True,
        requested=False,
        sent=False,
        subject=LEAF.subject,
        names=LEAF.names,
        not_after=None,
        chain=(LEAF,),
    ),
    stages=(
        Stage(stage="connect", sent=None, reply="connected to 198.51.100.9", accepted=True),
        Stage(stage="banner", sent=None, reply="220 mail.zanzibar.test ESMTP", accepted=True),
        Stage(
            stage="ehlo",
            sent="EHLO gw.zebra.test",
            reply="250-mail.zanzibar.test Hello [198.51.100.7]\n250-SIZE 100\n250 STARTTLS",
            accepted=True,
        ),
        Stage(stage="mail-from", sent="MAIL FROM:<ann@zebra.test>", reply="250 2.1.0 Ok", accepted=True),
        Stage(
            stage="rcpt-to",
            sent="RCPT TO:<bob@far.test>",
            reply="550 5.7.64 TenantAttribution; Relay Access Denied",
            accepted=False,
        ),
    ),
    verdict=Outcome.REFUSED,
    problems=(),
)


def test_the_dialogue_is_one_session_with_its_refusal():
    bundle = evidence_of(REFUSED)
    (session,) = bundle.sessions
    assert (session.hello_address, session.reverse_path) == ("198.51.100.7", "ann@zebra.test")
    assert session.starttls_offered
    (refusal,) = bundle.replies
    assert (refusal.stage, refusal.forward_path, refusal.enhanced) == ("rcpt", "bob@far.test", "5.7.64")
    assert [(each.source, each.kind) for each in bundle.read] == [("probe of mail.zanzibar.test:25", "probe")]


def test_a_certificate_held_ready_and_not_sent_is_not_called_sent():
    assert [each.role for each in evidence_of(REFUSED).certificates] == ["file"]


def test_a_late_alert_takes_the_handshake_back():
    tls = TlsSeen(
        established=True,
        protocol="TLSv1.3",
        cipher="TLS_AES_256_GCM_SHA384",
        chain=(),
        problem=None,
        failure=None,
        late_alert="tlsv1 alert unknown ca",
    )
    sent = replace(REFUSED.certificate, requested=True, sent=True)
    bundle = evidence_of(replace(REFUSED, tls=tls, certificate=sent))
    (seen,) = [each for each in bundle.tls if each.kind == "probe"]
    assert (seen.established, seen.alert, seen.client_certificate_sent) == (False, 48, True)
    assert [each.role for each in bundle.certificates] == ["sent"]
    assert "=== TLS started" in transcript(
        replace(
            REFUSED,
            tls=tls,
            stages=(*REFUSED.stages, Stage(stage="tls", sent=None, reply="established", accepted=True)),
        )
    )


def test_it_is_judged_saved_loaded_and_redacted_like_any_evidence():
    bundle = evidence_of(REFUSED)
    assert diagnose(bundle).findings
    assert load_bundle(dump_bundle(bundle)) == bundle
    told = dump_bundle(redacted(bundle, b"a key"))
    assert not [each for each in ("zanzibar", "zebra", "198.51.100") if each in told]
