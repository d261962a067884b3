"""A tenant sees its own, and of what was refused what it can show to be its own."""

from dataclasses import replace
from ipaddress import ip_network
from typing import Any

from contracts.trace_store_contract import CERTIFICATE, NOON, received
from gatepost.trace.search import OwnDomain, Scope
from gatepost.trace.story import Certificate, Item, Received, item_of
from gatepost.trace.visibility import seen_by

CONTOSO = Scope(
    tenant="contoso",
    since=0.0,
    domains=[OwnDomain("contoso.com", 0.0, False)],
    networks=[ip_network("192.0.2.0/24")],
    pins=frozenset({CERTIFICATE.sha256}),
)
STRANGE: dict[str, Any] = {
    "refused": True,
    "address": "203.0.113.1",
    "certificate": None,
    "mail_from": "eve@x.example",
    "from_domain": "x.example",
}


class Owners:
    """contoso.com and sub.contoso.com's neighbour."""

    def of_path(self, domain: str) -> str | None:
        return {"contoso.com": "contoso", "fabrikam.com": "fabrikam"}.get(domain)

    def of_name(self, name: str) -> str | None:
        if name.endswith("team.contoso.com"):
            return "fabrikam"
        return next((owner for owner in ("contoso", "fabrikam") if name.endswith(f"{owner}.com")), None)


def seen(row: Received, scope: Scope = CONTOSO) -> Item | None:
    return seen_by(scope, item_of(row, ()), Owners())


def with_certificate(*names: str, verified: bool = True) -> Received:
    return received(**{**STRANGE, "certificate": Certificate("11" * 32, "22" * 32, verified, names)})


def test_mail_that_was_attributed_is_its_tenants_alone() -> None:
    assert seen(received()) == item_of(received(), ()) or seen(received())
    assert seen(received(tenant="fabrikam")) is None
    assert seen(received(tenant="fabrikam", refused=True)) is None


def test_what_is_older_than_the_tenant_was_an_earlier_ones() -> None:
    assert seen(received(), replace(CONTOSO, since=NOON + 1)) is None


def test_refused_mail_with_an_own_reverse_path_is_shown_whole_since_the_domain_is_verified() -> None:
    row = received(**{**STRANGE, "mail_from": "ann@contoso.com", "from_domain": "contoso.com"})
    found = seen(row)
    assert found and found.received.mail_from == "ann@contoso.com"
    later = replace(CONTOSO, domains=[OwnDomain("contoso.com", NOON + 1, False)], networks=[])
    assert seen(row, later) is None


def test_a_verified_certificate_of_an_own_name_shows_all_and_one_that_did_not_verify_nothing() -> None:
    found = seen(with_certificate("mail.contoso.com"))
    assert found and found.received.mail_from == "eve@x.example"
    assert seen(with_certificate("mail.contoso.com", verified=False)) is None
    assert seen(with_certificate("mail.team.contoso.com")) is None, "the nearest owner decides"
    assert seen(with_certificate("mail.fabrikam.com")) is None


def test_what_an_address_or_a_pin_alone_leads_to_shows_domains_only() -> None:
    for row in (
        received(**{**STRANGE, "address": "192.0.2.9"}),
        received(**{**STRANGE, "certificate": CERTIFICATE._replace(names=())}),
    ):
        found = seen(row)
        assert found and found.received.mail_from == "…@x.example"
    assert seen(received(**STRANGE)) is None
    assert seen(received(**{**STRANGE, "address": "nonsense"})) is None


def test_an_address_shows_nothing_that_another_tenant_has_a_better_claim_to() -> None:
    another = {**STRANGE, "address": "192.0.2.9", "mail_from": "x@fabrikam.com", "from_domain": "fabrikam.com"}
    assert seen(received(**another)) is None
    assert seen(with_certificate("mail.fabrikam.com")._replace(address="192.0.2.9")) is None
