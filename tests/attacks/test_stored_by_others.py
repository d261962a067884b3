"""What a tenant stores costs the sessions of others: each of thousands of connectors was looked at, for every verdict.

Judged by counts, not by the clock: how many connectors a verdict looks at, and how many chains it judges.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest

from gatepost.mail.address import NULL_REVERSE_PATH
from gatepost.store.directory.bulk import SqliteBulkEditor
from gatepost.store.directory.sqlite_directory import SqliteDirectory
from gatepost.tenancy.attribution import Attribution, attribute
from gatepost.tenancy.candidates import MOST_CANDIDATES, MOST_JUDGEMENTS, Candidates, gather
from gatepost.tenancy.evidence import CertificateFacts, ClientCertificate, Evidence
from gatepost.tenancy.tenant import ConnectorType, InboundConnector, Tenant
from tenancy.attribution_cases import client_certificate, domain, path, presented, tls

NOW = datetime.now(UTC)
MANY = 3000


class CountingJudge:
    """Nothing verifies; every judgement is counted."""

    def __init__(self) -> None:
        self.judged = 0

    def __call__(
        self, chain: tuple[CertificateFacts, ...], trust_anchors: tuple[str, ...], at: datetime, tenant: str = ""
    ) -> ClientCertificate:
        self.judged += 1
        return presented(chain[0], "issuer-unknown")


def of_evil(make: Callable[[int], dict[str, object]]) -> list[InboundConnector]:
    return [InboundConnector(tenant="evil", name=f"c{at}", **make(at)) for at in range(MANY)]  # type: ignore[arg-type]


STORED = {
    "disabled ones with contoso's name": of_evil(
        lambda at: {"certificate_names": ("mail.contoso.com",), "enabled": False}
    ),
    "contoso's address": of_evil(lambda at: {"addresses": (ip_network("192.0.2.1/32"),)}),
    "disabled ones with anchors and contoso's name": of_evil(
        lambda at: {"certificate_names": ("mail.contoso.com",), "trust_anchors": (f"CA {at}",), "enabled": False}
    ),
    "contoso's certificate": of_evil(lambda at: {"certificate_sha256": ("aa" * 32,)}),
    "own names with anchors": of_evil(
        lambda at: {"certificate_names": ("mail.evil.example",), "trust_anchors": (f"CA {at}",)}
    ),
    "partners with anchors": of_evil(
        lambda at: {
            "type": ConnectorType.PARTNER,
            "certificate_names": ("mail.evil.example",),
            "trust_anchors": (f"CA {at}",),
        }
    ),
}


def directory(folder: Path, connectors: Sequence[InboundConnector]) -> SqliteDirectory:
    file = folder / "directory.sqlite"
    editor = SqliteBulkEditor(file, who="test")
    with editor.change():
        for name, owned in (("contoso", "contoso.com"), ("evil", "evil.example")):
            editor.put_tenant(Tenant(name=name, created_at=NOW), "add")
            editor.put_domain(domain(owned, name), "add")
        own = InboundConnector(
            tenant="contoso",
            name="own",
            certificate_names=("mail.contoso.com",),
            addresses=(ip_network("192.0.2.1/32"),),
            trust_anchors=("Contoso CA",),
        )
        editor.put_inbound_connector(own, "add")
        editor.write_inbound_connectors([(None, each) for each in connectors])
    editor.close()
    return SqliteDirectory(file)


def session(name: str, sender: str, to: str) -> Evidence:
    certificate = client_certificate({"names": [name], "state": "issuer-unknown", "sha256": "aa" * 32})
    return Evidence(
        address=ip_address("192.0.2.1"),
        listener="l",
        tls=tls(certificate),
        ehlo="e",
        reverse_path=path(sender) if sender else NULL_REVERSE_PATH,
        forward_paths=(path(to),),
    )


def judged(directory: SqliteDirectory, evidence: Evidence) -> tuple[Candidates, Attribution, int]:
    judge = CountingJudge()
    found = gather(directory, evidence, judge, NOW)
    return found, attribute(evidence, found, NOW), judge.judged


@pytest.mark.parametrize("stored", STORED)
def test_a_verdict_looks_at_a_bounded_number_of_connectors(tmp_path: Path, stored: str) -> None:
    crowded = directory(tmp_path, STORED[stored])
    for name in ("mail.contoso.com", "mail.evil.example"):
        for sender in ("a@contoso.com", "a@evil.example", "", "a@outside.example"):
            for to in ("x@outside.example", "x@evil.example"):
                found, _, judgements = judged(crowded, session(name, sender, to))
                assert len(found.connectors) <= MOST_CANDIDATES
                assert judgements <= 2 * MOST_JUDGEMENTS


@pytest.mark.parametrize(
    "stored", [each for each in STORED if each not in ("own names with anchors", "partners with anchors")]
)
def test_what_evil_stores_changes_nothing_for_contoso(tmp_path: Path, stored: str) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    alone, crowded = directory(tmp_path / "a", ()), directory(tmp_path / "b", STORED[stored])
    for sender in ("a@contoso.com", "", "a@outside.example"):
        for certificate in (True, False):
            evidence = session("mail.contoso.com", sender, "x@outside.example")
            if not certificate:
                evidence = replace(evidence, tls=None)
            _, before, judged_before = judged(alone, evidence)
            _, after, judged_after = judged(crowded, evidence)
            assert (before.outcome, before.tenant, before.refusal) == (after.outcome, after.tenant, after.refusal)
            assert judged_before == judged_after
