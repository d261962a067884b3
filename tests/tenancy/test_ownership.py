"""Who owns a connector's name, and what an administrator has to do about one that is not owned."""

import pytest

from gatepost.tenancy.attribution import EOP, GATEPOST
from gatepost.tenancy.ownership import is_owned, ownership, unowned_names
from gatepost.tenancy.tenant import AcceptedDomain
from tenancy.attribution_cases import domain, inbound_connector
from tenancy.memory_directory import MemoryDirectory


def owned(pattern: str, *domains: AcceptedDomain) -> tuple[bool, bool]:
    directory = MemoryDirectory(domains=domains)
    found = ownership(directory, pattern, "ours")
    return is_owned(pattern, "ours", found, GATEPOST), is_owned(pattern, "ours", found, EOP)


@pytest.mark.parametrize(
    ("pattern", "domains", "gatepost", "eop"),
    [
        ("*.contoso.com", [("contoso.com", "ours")], True, True),
        ("*.contoso.com", [("japan.contoso.com", "ours")], False, True),
        ("exchange.contoso.com", [("exchange.contoso.com", "ours")], True, True),
        ("exchange.contoso.com", [("contoso.com", "ours")], True, False),
        ("*.sub.contoso.com", [("contoso.com", "ours")], True, False),
        ("gw.vendor.example", [("contoso.com", "ours")], False, False),
        ("mail.contoso.com", [("contoso.com", "ours"), ("mail.contoso.com", "theirs")], False, False),
        ("*.contoso.com", [("contoso.com", "ours"), ("mail.contoso.com", "theirs")], True, True),
        ("mail.contoso.com", [("contoso.com", "theirs"), ("mail.contoso.com", "ours")], True, True),
    ],
)
def test_the_nearest_verified_owner_decides(
    pattern: str, domains: list[tuple[str, str]], gatepost: bool, eop: bool
) -> None:
    assert owned(pattern, *(domain(name, tenant) for name, tenant in domains)) == (gatepost, eop)


def test_a_domain_that_is_not_verified_owns_nothing() -> None:
    assert owned("contoso.com", domain("contoso.com", "ours", verified=False)) == (False, False)


def test_match_subdomains_owns_names_below_where_equality_is_asked() -> None:
    assert owned("mail.contoso.com", domain("contoso.com", "ours", match_subdomains=True)) == (True, True)


def unowned(*names: str, domains: tuple[AcceptedDomain, ...] = (), type: str = "on-premises"):
    connector = inbound_connector({"tenant": "ours", "name": "c", "certificate_names": names, "type": type})
    return unowned_names(connector, MemoryDirectory(domains=domains))


def test_a_connector_with_owned_names_can_be_enabled() -> None:
    assert unowned("*.contoso.com", "mail.contoso.com", domains=(domain("contoso.com", "ours"),)) == ()


def test_a_name_of_a_domain_nobody_added_asks_for_that_name() -> None:
    (name,) = unowned("*.contoso.com")
    assert (name.name, name.domain, name.added, name.owner) == ("*.contoso.com", "contoso.com", None, None)
    assert name.can_be_verified


def test_a_name_below_an_added_domain_asks_for_that_domains_record() -> None:
    added = domain("contoso.com", "ours", verified=False)
    (name,) = unowned("mail.contoso.com", domains=(added,))
    assert (name.domain, name.added) == ("contoso.com", added)


def test_a_name_below_another_tenants_domain_can_be_had_as_a_domain_of_its_own() -> None:
    (name,) = unowned("mail.contoso.com", domains=(domain("contoso.com", "theirs"),))
    assert (name.domain, name.can_be_verified) == ("mail.contoso.com", True)
    assert name.owner is not None
    assert name.owner.tenant == "theirs"


def test_a_name_that_is_another_tenants_domain_cannot_be_had() -> None:
    (name,) = unowned("*.contoso.com", domains=(domain("contoso.com", "theirs"),))
    assert not name.can_be_verified


def test_an_added_domain_above_the_other_tenants_does_not_help() -> None:
    domains = (domain("contoso.com", "ours", verified=False), domain("east.contoso.com", "theirs"))
    (name,) = unowned("mail.east.contoso.com", domains=domains)
    assert (name.domain, name.added) == ("mail.east.contoso.com", None)


def test_a_partner_connector_may_name_anybody() -> None:
    assert unowned("gw.filter.example", type="partner") == ()
