"""Who owns which domain, how the owner proves it, and what happens when the proof is gone."""

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta

import pytest

from gatepost.admin.directory import domains, inbound_connectors, send_connectors, tenants, verification
from gatepost.admin.directory.ownership import record_value
from gatepost.admin.directory.send_connectors import CredentialVerdict
from gatepost.admin.directory.verification import TxtAnswer
from gatepost.errors import BadRequest, NotAllowed
from gatepost.queue.next_hop import DnsProblem
from gatepost.store.directory.editor import SqliteDirectoryEditor as Editor

GRACE = timedelta(days=7)
DAY = timedelta(days=1)
NO_SUCH_NAME = DnsProblem(permanent=True, status="5.1.2", why="does not exist in DNS")
SERVFAIL = DnsProblem(permanent=False, status="4.4.3", why="the name servers failed (SERVFAIL)")


class Zone:
    """What DNS says, name by name."""

    def __init__(self, records: Mapping[str, TxtAnswer]) -> None:
        self.records = dict(records)
        self.asked: list[str] = []

    async def txt(self, name: str) -> TxtAnswer:
        self.asked.append(name)
        return self.records.get(name, NO_SUCH_NAME)


def added(
    editor: Editor, at: datetime, name: str, tenant: str = "contoso", *, verified: bool = False, below: bool = False
):
    return domains.add(editor, tenant, name, match_subdomains=below, verified=verified, at=at).domain


def test_a_contact_is_a_mailbox_and_can_be_taken_away(editor: Editor) -> None:
    assert tenants.change(editor, "contoso", contact="Post@Contoso.com").contact == "Post@Contoso.com"
    with pytest.raises(BadRequest, match="--contact nobody: the mailbox has no domain"):
        tenants.change(editor, "contoso", contact="nobody")
    assert tenants.change(editor, "contoso", contact=None).contact == "Post@Contoso.com"
    assert tenants.change(editor, "contoso", contact="").contact is None


def zone_of(*found) -> Zone:
    return Zone({f"_gatepost.{domain.domain}": (record_value(domain),) for domain in found})


def verify(editor: Editor, zone: Zone, name: str, at: datetime):
    return asyncio.run(verification.verify(editor, zone, name, at))


def recheck(editor: Editor, zone: Zone, at: datetime):
    return [(event.domain, event.kind) for event in asyncio.run(verification.recheck(editor, zone, at, GRACE))]


class TestTenants:
    def test_a_tenant_is_added_once_however_it_is_cased(self, editor: Editor, at: datetime) -> None:
        with pytest.raises(NotAllowed, match="contoso exists already"):
            tenants.add(editor, "Contoso", at)

    def test_an_unknown_tenant_names_the_nearest_known_one(self, editor: Editor) -> None:
        with pytest.raises(NotAllowed, match="did you mean 'fabrikam'"):
            tenants.contents(editor, "fabricam")
        with pytest.raises(NotAllowed, match="gatepost tenant list"):
            tenants.contents(editor, "zzz")

    def test_a_tenant_with_anything_left_is_not_removed_by_accident(self, editor: Editor, at: datetime) -> None:
        added(editor, at, "contoso.com")
        with pytest.raises(NotAllowed, match=r"still has 1 accepted domain; .*--yes"):
            tenants.remove(editor, "contoso", with_contents=False)
        assert editor.tenant("contoso")

    def test_removing_a_tenant_with_everything_leaves_the_other_alone(self, editor: Editor, at: datetime) -> None:
        for tenant in ("contoso", "fabrikam"):
            added(editor, at, f"{tenant}.com", tenant, verified=True)
            wish = {"certificate_names": [f"mail.{tenant}.com"]}
            inbound_connectors.add(editor, tenant, "mail", wish)
            spaces = {"tenant": tenant, "address_spaces": ["*"]}
            send_connectors.add(editor, f"out-{tenant}", spaces, lambda *_: CredentialVerdict())
        before = editor.version
        tenants.remove(editor, "contoso", with_contents=True)
        removed = [(entry.action, entry.subject) for entry in editor.audit(after=before)]
        assert removed == [
            ("remove", "tenant contoso"),
            ("remove", "domain contoso.com"),
            ("remove", "inbound-connector contoso/mail"),
            ("remove", "send-connector out-contoso"),
        ]
        kept = tenants.contents(editor, "fabrikam")
        assert kept.summary == "1 accepted domain, 1 inbound connector, 1 send connector"


class TestOwnership:
    def test_a_tenant_has_a_domain_once(self, editor: Editor, at: datetime) -> None:
        added(editor, at, "contoso.com")
        with pytest.raises(NotAllowed, match="a domain of contoso already"):
            added(editor, at, "Contoso.com")

    def test_a_subdomain_can_be_another_tenants(self, editor: Editor, at: datetime) -> None:
        added(editor, at, "contoso.com", verified=True)
        added(editor, at, "lab.contoso.com", "fabrikam", verified=True)
        owner = editor.nearest_owner("mail.lab.contoso.com")
        assert owner is not None and owner.tenant == "fabrikam"

    def test_taking_a_subdomain_says_whose_connectors_stop_counting(self, editor: Editor, at: datetime) -> None:
        added(editor, at, "contoso.com", verified=True)
        wish = {"certificate_names": ["mail.lab.contoso.com", "mail.contoso.com"]}
        inbound_connectors.add(editor, "contoso", "mail", wish)
        taken = domains.add(editor, "fabrikam", "lab.contoso.com", match_subdomains=False, verified=True, at=at)
        assert taken.stopped == ("contoso/mail: mail.lab.contoso.com",)

    def test_removing_a_domain_says_which_connectors_stop_counting(self, editor: Editor, at: datetime) -> None:
        added(editor, at, "contoso.com", verified=True)
        added(editor, at, "other.com", verified=True)
        wish = {"certificate_names": ["mail.contoso.com", "mail.other.com"]}
        inbound_connectors.add(editor, "contoso", "mail", wish)
        assert domains.remove(editor, "contoso.com").stopped == ("contoso/mail: mail.contoso.com",)

    def test_an_operator_can_vouch_and_take_it_back(self, editor: Editor, at: datetime) -> None:
        added(editor, at, "contoso.com")
        vouched = domains.change(editor, "contoso.com", match_subdomains=True, verified=True, at=at).domain
        assert (vouched.verified, vouched.verified_by_operator, vouched.match_subdomains) == (True, True, True)
        back = domains.change(editor, "contoso.com", match_subdomains=None, verified=False, at=at).domain
        assert (back.verified, back.verified_by_operator, back.match_subdomains) == (False, False, True)

    def test_an_unknown_domain_names_the_nearest_known_one(self, editor: Editor, at: datetime) -> None:
        added(editor, at, "contoso.com")
        with pytest.raises(NotAllowed, match=r"did you mean 'contoso\.com'"):
            domains.remove(editor, "contosso.com")
        with pytest.raises(NotAllowed, match="there is no accepted domain"):
            domains.remove(editor, "no domain!")


class TestVerification:
    def test_the_right_record_verifies(self, editor: Editor, at: datetime) -> None:
        domain = added(editor, at, "contoso.com")
        verify(editor, zone_of(domain), "contoso.com", at)
        found = editor.accepted_domain("contoso.com", "contoso")
        assert found is not None and (found.verified, found.verified_at, found.checked_at) == (True, at, at)

    def test_other_records_and_pasted_quotes_do_not_hide_it(self, editor: Editor, at: datetime) -> None:
        domain = added(editor, at, "contoso.com")
        zone = Zone({"_gatepost.contoso.com": ("v=spf1 -all", f'"{record_value(domain)}" ')})
        assert verify(editor, zone, "contoso.com", at).domain.verified

    @pytest.mark.parametrize(
        ("answer", "says"),
        [
            (NO_SUCH_NAME, r'no TXT record at _gatepost\.contoso\.com: publish .* TXT "gatepost-verification='),
            ((), r"no TXT record at _gatepost\.contoso\.com"),
            (("gatepost-verification=other",), r'says "gatepost-verification=other", not "gatepost-verification='),
            (("v=spf1 -all",), r'a TXT record that says "v=spf1 -all": add one'),
            (SERVFAIL, r"could not be checked: .*SERVFAIL.*try again later"),
        ],
    )
    def test_what_was_seen_instead_is_told(self, editor: Editor, at: datetime, answer: TxtAnswer, says: str) -> None:
        added(editor, at, "contoso.com")
        version = editor.version
        with pytest.raises(NotAllowed, match=says):
            verify(editor, Zone({"_gatepost.contoso.com": answer}), "contoso.com", at)
        assert editor.version == version

    def test_another_tenants_token_proves_nothing(self, editor: Editor, at: datetime) -> None:
        added(editor, at, "contoso.com")
        other = added(editor, at, "fabrikam.com", "fabrikam")
        with pytest.raises(NotAllowed):
            verify(editor, Zone({"_gatepost.contoso.com": (record_value(other),)}), "contoso.com", at)

    def test_verifying_again_changes_nothing(self, editor: Editor, at: datetime) -> None:
        zone = zone_of(added(editor, at, "contoso.com"))
        verify(editor, zone, "contoso.com", at)
        version = editor.version
        verify(editor, zone, "contoso.com", at + DAY)
        assert editor.version == version


class TestLostVerification:
    def test_a_lost_record_counts_on_for_the_grace_time_and_no_longer(self, editor: Editor, at: datetime) -> None:
        zone = zone_of(added(editor, at, "contoso.com"))
        verify(editor, zone, "contoso.com", at)
        wish = {"certificate_names": ["mail.contoso.com"]}
        inbound_connectors.add(editor, "contoso", "mail", wish)
        zone.records.clear()
        assert recheck(editor, zone, at + 2 * DAY) == [("contoso.com", "lost")]
        assert recheck(editor, zone, at + 4 * DAY) == []
        assert editor.nearest_owner("contoso.com") is not None
        (event,) = asyncio.run(verification.recheck(editor, zone, at + 9 * DAY + DAY, GRACE))
        assert event.kind == "unverified" and "contoso/mail: mail.contoso.com" in event.says
        assert editor.nearest_owner("contoso.com") is None
        assert recheck(editor, zone, at + 20 * DAY) == []

    def test_a_record_found_again_in_time_is_as_if_never_lost(self, editor: Editor, at: datetime) -> None:
        domain = added(editor, at, "contoso.com")
        zone = zone_of(domain)
        verify(editor, zone, "contoso.com", at)
        zone.records.clear()
        recheck(editor, zone, at + 2 * DAY)
        zone.records.update(zone_of(domain).records)
        assert recheck(editor, zone, at + 4 * DAY) == [("contoso.com", "found-again")]
        found = editor.accepted_domain("contoso.com", "contoso")
        assert found is not None and found.verified and found.lost_at is None

    def test_a_failing_dns_takes_nothing_away(self, editor: Editor, at: datetime) -> None:
        domain = added(editor, at, "contoso.com")
        verify(editor, zone_of(domain), "contoso.com", at)
        broken = Zone({"_gatepost.contoso.com": SERVFAIL})
        for days in (2, 10, 100):
            assert recheck(editor, broken, at + days * DAY) == [("contoso.com", "dns-failure")]
        assert editor.nearest_owner("contoso.com") is not None

    def test_the_check_is_daily_and_leaves_the_vouched_for_alone(self, editor: Editor, at: datetime) -> None:
        proven = added(editor, at, "contoso.com")
        added(editor, at, "fabrikam.com", "fabrikam", verified=True)
        zone = zone_of(proven)
        verify(editor, zone, "contoso.com", at)
        zone.asked.clear()
        assert recheck(editor, zone, at + DAY / 2) == []
        assert zone.asked == []
        assert recheck(editor, zone, at + 2 * DAY) == []
        assert zone.asked == ["_gatepost.contoso.com"]

    def test_verifying_by_hand_ends_a_loss(self, editor: Editor, at: datetime) -> None:
        domain = added(editor, at, "contoso.com")
        verify(editor, zone_of(domain), "contoso.com", at)
        recheck(editor, Zone({}), at + 2 * DAY)
        again = verify(editor, zone_of(domain), "contoso.com", at + 3 * DAY).domain
        assert again.lost_at is None and again.verified_at == at


def test_a_wildcard_or_top_level_domain_is_wrong_use(editor: Editor, at: datetime) -> None:
    for name in ("*.contoso.com", "com"):
        with pytest.raises(BadRequest):
            added(editor, at, name)
