"""What a case holds: notes within their bound, and a refusal that begins with its reason."""

from gatepost.tenancy.reasons import Reason, ReasonCode
from gatepost.tenancy.refusal import RELAY_DENIED
from gatepost.tenancy.rules import EOP
from tenancy.case_scenes import case_of

DISABLED = ReasonCode.CONNECTOR_DISABLED


def test_however_many_connectors_there_are_the_notes_are_bounded() -> None:
    case = case_of()
    for _ in range(500):
        case.note(DISABLED, None, "The connector is disabled.")
    assert len(case.reasons) == 50


def test_a_refusal_begins_with_its_reason_and_says_it_once() -> None:
    case = case_of()
    case.note(ReasonCode.RECIPIENT_NOT_HOSTED, None, "first")
    case.note(DISABLED, None, "second")
    refused = case.refuse(RELAY_DENIED, case.noted(DISABLED))
    assert [reason.says for reason in refused.reasons] == ["second", "first"]
    assert refused.refusal and refused.refusal.reason is DISABLED and refused.tenant is None


def test_what_was_not_noted_is_worded_by_its_meaning() -> None:
    assert case_of().noted(DISABLED) == Reason(DISABLED, None, case_of().noted(DISABLED).says)
    assert case_of().noted(DISABLED).says


def test_a_tenant_speaks_for_a_domain_it_owns_or_has_added_while_nobody_owns_it() -> None:
    listing = {"tenant": "contoso", "addresses": ["203.0.113.0/24"]}
    for unverified in ((), ("contoso",)):
        case = case_of(listing, mail_from="a@contoso.com", unverified=unverified)
        assert case.speaks_for_sender("contoso") and not case.speaks_for_sender("fabrikam")
        assert case.is_of_sender("contoso") is not bool(unverified)


def test_the_paths_and_the_certificate_are_worded() -> None:
    assert case_of().sender_text() == "null" and case_of(mail_from="a@contoso.com").sender_text() == "contoso.com"
    assert "not encrypted" in case_of().certificate_text()
    assert "no client certificate" in case_of(encrypted=True).certificate_text()
    assert case_of(certificate={"names": ["mail.contoso.com"]}).certificate_text().endswith("for mail.contoso.com")


def test_an_address_of_ipv6_counts_where_the_rules_say_so() -> None:
    assert case_of(address="2001:db8::1").address_counts()
    assert not case_of(address="2001:db8::1", rules=EOP).address_counts()
    assert case_of(address="::ffff:192.0.2.1", rules=EOP).address_counts()
