"""Several tenants claim a domain, the first proof owns it, and a claim without proof is nothing to anybody else."""

import asyncio
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from admin.directory.test_tenants_and_domains import DAY, GRACE, Zone, added, zone_of
from gatepost.admin.directory import domains, inbound_connectors, verification
from gatepost.admin.directory.ownership import what_is_missing
from gatepost.errors import AlreadyExists, BadRequest, DomainNotVerified, NotFound, OwnedByAnother
from gatepost.store.directory.editor import SqliteDirectoryEditor as Editor
from gatepost.store.directory.sqlite_directory import SqliteDirectory

MONTH = timedelta(days=30)


def verify(editor: Editor, zone: Zone, at: datetime, tenant: str | None = None, name: str = "contoso.com"):
    return asyncio.run(verification.verify(editor, zone, name, at, tenant)).domain


def owner_of(editor: Editor, name: str = "contoso.com") -> str | None:
    owner = editor.nearest_owner(name)
    return owner and owner.tenant


def test_a_claim_keeps_nobody_from_claiming_and_the_first_proof_owns(editor: Editor, at: datetime) -> None:
    added(editor, at, "contoso.com", "fabrikam")
    own = added(editor, at, "contoso.com")
    assert owner_of(editor) is None
    assert verify(editor, zone_of(own), at, "contoso").verified
    assert owner_of(editor) == "contoso"
    theirs = editor.accepted_domain("contoso.com", "fabrikam")
    assert theirs and not theirs.verified


def test_an_owned_domain_is_claimed_like_one_that_nobody_has(editor: Editor, at: datetime) -> None:
    """Nobody learns of another's: equal answers, the same number of questions to the directory."""
    added(editor, at, "contoso.com", verified=True)
    for count in range(20):
        wish = {"certificate_names": [f"mail{count}.contoso.com"]}
        inbound_connectors.add(editor, "contoso", f"c{count}", wish)
    statements: list[str] = []
    editor._connection.set_trace_callback(statements.append)
    taken = domains.add(editor, "fabrikam", "contoso.com", match_subdomains=False, verified=False, at=at)
    for_taken = len(statements)
    free = domains.add(editor, "fabrikam", "nobodys.com", match_subdomains=False, verified=False, at=at)
    assert len(statements) == 2 * for_taken
    assert replace(taken.domain, domain="nobodys.com", token=free.domain.token) == free.domain
    assert (taken.stopped, taken.warnings) == (free.stopped, free.warnings) == ((), ())


def test_a_proof_of_what_another_owns_is_refused_and_names_them_to_the_operator_alone(
    editor: Editor, at: datetime
) -> None:
    own = added(editor, at, "contoso.com", verified=True)
    theirs = added(editor, at, "contoso.com", "fabrikam")
    with pytest.raises(DomainNotVerified) as unproven:
        verify(editor, zone_of(own), at, "fabrikam")
    assert "contoso/" not in str(unproven.value.to_tenant) and "somebody else" not in str(unproven.value.to_tenant)
    with pytest.raises(OwnedByAnother, match="verified for tenant contoso, and a domain has one owner") as refused:
        verify(editor, zone_of(theirs), at, "fabrikam")
    assert "tenant contoso" not in str(refused.value.to_tenant)
    assert "somebody else" in str(refused.value.to_tenant) and "_gatepost.contoso.com" in str(refused.value.to_tenant)
    for vouch in (
        lambda: domains.change(editor, "contoso.com", match_subdomains=None, verified=True, at=at, tenant="fabrikam"),
        lambda: added(editor, at, "contoso.com", "tailspin", verified=True),
    ):
        editor.put_tenant(replace(editor.tenant("fabrikam"), name="tailspin"), "add")  # type: ignore[type-var]
        with pytest.raises(OwnedByAnother):
            vouch()
    assert owner_of(editor) == "contoso"


def test_without_a_tenant_the_record_decides_whose_it_is(editor: Editor, at: datetime) -> None:
    added(editor, at, "contoso.com", "fabrikam")
    own = added(editor, at, "contoso.com")
    with pytest.raises(DomainNotVerified, match="no TXT record of a tenant that claims"):
        verify(editor, Zone({}), at)
    assert verify(editor, zone_of(own), at).tenant == "contoso"


def test_the_records_of_two_tenants_decide_nothing(editor: Editor, at: datetime) -> None:
    both = [zone_of(added(editor, at, "contoso.com", tenant)) for tenant in ("contoso", "fabrikam")]
    zone = Zone(
        {"_gatepost.contoso.com": tuple(text for each in both for text in each.records["_gatepost.contoso.com"])}
    )
    with pytest.raises(
        BadRequest, match=r"has the TXT records of several tenants \(contoso, fabrikam\): say .* --tenant"
    ):
        verify(editor, zone, at)
    assert verify(editor, zone, at, "fabrikam").tenant == "fabrikam"


def test_what_others_claim_changes_no_command_about_an_owned_domain(editor: Editor, at: datetime) -> None:
    own = added(editor, at, "contoso.com")
    zone = zone_of(own)
    verify(editor, zone, at)
    added(editor, at, "contoso.com", "fabrikam")
    assert verify(editor, zone, at).tenant == "contoso"
    changed = domains.change(editor, "contoso.com", match_subdomains=True, verified=None, at=at)
    assert changed.domain.tenant == "contoso"
    assert domains.remove(editor, "contoso.com").domain.tenant == "contoso"
    assert domains.remove(editor, "contoso.com").domain.tenant == "fabrikam", "the only claim that is left"


def test_of_several_claims_a_command_asks_which(editor: Editor, at: datetime) -> None:
    for tenant in ("contoso", "fabrikam"):
        added(editor, at, "contoso.com", tenant)
    with pytest.raises(BadRequest, match=r"claimed by several tenants and verified for none \(contoso, fabrikam\)"):
        domains.remove(editor, "contoso.com")
    assert domains.remove(editor, "contoso.com", "fabrikam").domain.tenant == "fabrikam"
    with pytest.raises(NotFound, match="of tenant fabrikam"):
        domains.remove(editor, "contoso.com", "fabrikam")
    with pytest.raises(AlreadyExists):
        added(editor, at, "contoso.com")


def test_a_claim_to_a_subdomain_of_an_owned_domain_changes_nothing_until_it_is_proven(
    editor: Editor, at: datetime, tmp_path: Path
) -> None:
    added(editor, at, "contoso.com", verified=True, below=True)
    wish = {"certificate_names": ["mail.lab.contoso.com"]}
    own = inbound_connectors.add(editor, "contoso", "lab", wish).connector
    claim = domains.add(editor, "fabrikam", "lab.contoso.com", match_subdomains=False, verified=False, at=at)
    assert claim.stopped == () and own.enabled
    assert what_is_missing(editor, own) is None
    with closing(SqliteDirectory(tmp_path / "directory.sqlite")) as worker:
        for look_up in (worker.nearest_owner, worker.covering_domain):
            found = look_up("lab.contoso.com")
            assert found and found.tenant == "contoso"
        zone = zone_of(claim.domain)
        taken = asyncio.run(verification.verify(editor, zone, "lab.contoso.com", at))
        assert taken.stopped == ("contoso/lab: mail.lab.contoso.com",)
        assert worker.refresh()
        found = worker.nearest_owner("lab.contoso.com")
        assert found and found.tenant == "fabrikam"


def test_nobody_reads_of_anothers_claim_in_what_is_missing(editor: Editor, at: datetime) -> None:
    wish = {"certificate_names": ["mail.contoso.com"]}
    inbound_connectors.add(editor, "contoso", "mail", wish)
    connector = editor.inbound_connector("contoso", "mail")
    assert connector
    before = what_is_missing(editor, connector)
    added(editor, at, "contoso.com", "fabrikam")
    added(editor, at, "mail.contoso.com", "fabrikam")
    assert what_is_missing(editor, connector) == before


def test_an_unproven_claim_lapses_after_its_time_and_a_verified_domain_never(editor: Editor, at: datetime) -> None:
    added(editor, at, "contoso.com", "fabrikam")
    added(editor, at, "contoso.com", verified=True)
    assert verification.lapse(editor, at + MONTH, MONTH) == []
    (event,) = verification.lapse(editor, at + MONTH + DAY, MONTH)
    assert (event.domain, event.tenant, event.kind) == ("contoso.com", "fabrikam", "lapsed")
    assert "gatepost domain add fabrikam contoso.com" in event.says
    assert editor.accepted_domain("contoso.com", "fabrikam") is None
    assert owner_of(editor) == "contoso"
    assert editor.audit(limit=1)[0].action == "lapse"


def test_ownership_that_is_lost_goes_to_whoever_proves_next(editor: Editor, at: datetime) -> None:
    own = added(editor, at, "contoso.com")
    verify(editor, zone_of(own), at)
    theirs = zone_of(added(editor, at + DAY, "contoso.com", "fabrikam"))
    recheck = verification.recheck

    assert [each.kind for each in asyncio.run(recheck(editor, theirs, at + 2 * DAY, GRACE))] == ["lost"]
    with pytest.raises(OwnedByAnother, match="its record is missing since"):
        verify(editor, theirs, at + 3 * DAY, "fabrikam")
    (event,) = asyncio.run(recheck(editor, theirs, at + 10 * DAY, GRACE))
    assert event.kind == "unverified" and "the next tenant to prove it owns it" in event.says
    assert owner_of(editor) is None, "nobody's until somebody proves it"
    lost = editor.accepted_domain("contoso.com", "contoso")
    assert lost and (lost.verified, lost.claimed_at) == (False, at + 10 * DAY)
    assert verify(editor, theirs, at + 11 * DAY).tenant == "fabrikam"
    assert owner_of(editor) == "fabrikam"
    with pytest.raises(OwnedByAnother):
        verify(editor, zone_of(own), at + 12 * DAY, "contoso")
    assert [each.kind for each in verification.lapse(editor, at + 41 * DAY, MONTH)] == ["lapsed"], "the former owner's"


def test_verification_that_is_taken_back_starts_the_claim_anew(editor: Editor, at: datetime) -> None:
    added(editor, at, "contoso.com", verified=True)
    back = domains.change(editor, "contoso.com", match_subdomains=None, verified=False, at=at + 90 * DAY).domain
    assert back.claimed_at == at + 90 * DAY
    assert verification.lapse(editor, at + 100 * DAY, MONTH) == []
