"""What every `Directory` must do, whatever it is made of. A test module gives `build` and inherits the rest."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from ipaddress import ip_address, ip_network

from gatepost.tenancy.directory import Directory
from gatepost.tenancy.evidence import CertificateFacts
from gatepost.tenancy.tenant import (
    AcceptedDomain,
    AddressSpace,
    ConnectorType,
    InboundConnector,
    SendConnector,
    Tenant,
)

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
NEAR = ("contoso", "fabrikam")


@dataclass(frozen=True)
class Holdings:
    """What a directory is built from."""

    tenants: Sequence[str] = ("contoso", "fabrikam")
    domains: Sequence[AcceptedDomain] = ()
    connectors: Sequence[InboundConnector] = ()
    send_connectors: Sequence[SendConnector] = field(default=())

    @property
    def tenant_objects(self) -> list[Tenant]:
        return [Tenant(name=name, created_at=AT) for name in self.tenants]


Build = Callable[[Holdings], Directory]


def domain(name: str, tenant: str = "contoso", *, verified: bool = True, match_subdomains: bool = False):
    return AcceptedDomain(
        domain=name,
        tenant=tenant,
        token="t",
        verified=verified,
        match_subdomains=match_subdomains,
        verified_at=AT if verified else None,
    )


def connector(name: str, tenant: str = "contoso", **said: object) -> InboundConnector:
    return InboundConnector(tenant=tenant, name=name, **said)  # type: ignore[arg-type]


def send_connector(name: str, *spaces: str, tenant: str | None = None, enabled: bool = True) -> SendConnector:
    address_spaces = tuple(AddressSpace(space=space) for space in spaces)
    return SendConnector(name=name, tenant=tenant, address_spaces=address_spaces, enabled=enabled)


def leaf(sha256: str, public_key_sha256: str) -> CertificateFacts:
    return CertificateFacts(
        der=b"",
        sha256=sha256,
        public_key_sha256=public_key_sha256,
        subject="",
        issuer="",
        serial="1",
        not_before=None,
        not_after=None,
        common_names=(),
        dns_names=(),
        purposes=None,
        key="",
        signature_algorithm="",
    )


def labels(connectors: Sequence[InboundConnector]) -> list[str]:
    return sorted(each.label for each in connectors)


def names(connectors: Sequence[SendConnector]) -> list[str]:
    return sorted(each.name for each in connectors)


class DirectoryContract:
    def test_a_tenant_is_found_by_its_name_and_nothing_else(self, build: Build) -> None:
        directory = build(Holdings())
        assert directory.tenant("contoso") == Tenant(name="contoso", created_at=AT)
        assert directory.tenant("conto") is None

    def test_a_connector_is_handed_out_whole(self, build: Build) -> None:
        whole = connector(
            "whole",
            type=ConnectorType.PARTNER,
            certificate_names=("*.contoso.example", "mail.contoso.example"),
            certificate_sha256=("a" * 64,),
            public_key_sha256=("b" * 64,),
            addresses=(ip_network("192.0.2.0/24"), ip_network("2001:db8::/32")),
            sender_domains=("*", "*.partner.example"),
            require_tls=True,
            restrict_to_certificate=True,
            restrict_to_address=True,
            trust_anchors=("-----BEGIN CERTIFICATE-----\n",),
        )
        assert list(build(Holdings(connectors=[whole])).partner_connectors("contoso")) == [whole]

    def test_a_certificate_name_finds_itself_its_wildcard_and_each_parents_wildcard(self, build: Build) -> None:
        directory = build(
            Holdings(
                connectors=[
                    connector("exact", certificate_names=("a.mail.contoso.example",)),
                    connector("own-wildcard", certificate_names=("*.a.mail.contoso.example",)),
                    connector("parent", certificate_names=("*.mail.contoso.example",)),
                    connector("grandparent", certificate_names=("*.contoso.example",), enabled=False),
                    connector("sibling", certificate_names=("b.mail.contoso.example",)),
                    connector("below", certificate_names=("x.a.mail.contoso.example",)),
                    connector("parent-exact", certificate_names=("contoso.example",)),
                ]
            )
        )
        found = labels(directory.connectors_naming(["a.mail.contoso.example"], NEAR))
        assert found == ["contoso/exact", "contoso/grandparent", "contoso/own-wildcard", "contoso/parent"]

    def test_a_wildcard_name_also_finds_the_hosts_directly_below_it(self, build: Build) -> None:
        directory = build(
            Holdings(
                connectors=[
                    connector("wildcard", certificate_names=("*.contoso.example",)),
                    connector("host", "fabrikam", certificate_names=("mail.contoso.example",)),
                    connector("deep", certificate_names=("a.mail.contoso.example",)),
                    connector("above", certificate_names=("*.example",)),
                    connector("apex", certificate_names=("contoso.example",)),
                ]
            )
        )
        found = labels(directory.connectors_naming(["*.contoso.example"], NEAR))
        assert found == ["contoso/above", "contoso/wildcard", "fabrikam/host"]

    def test_at_most_fifty_hosts_below_a_wildcard_name_are_told(self, build: Build) -> None:
        hosts = [connector(f"h{at}", certificate_names=(f"h{at}.contoso.example",)) for at in range(60)]
        wildcard = connector("wildcard", "fabrikam", certificate_names=("*.contoso.example",))
        found = build(Holdings(connectors=[*hosts, wildcard])).connectors_naming(["*.contoso.example"], NEAR)
        assert len(found) == 51
        assert "fabrikam/wildcard" in labels(found)

    def test_a_connector_found_twice_is_told_once(self, build: Build) -> None:
        both = connector("both", certificate_names=("*.contoso.example", "mail.contoso.example"))
        found = build(Holdings(connectors=[both])).connectors_naming(
            ["mail.contoso.example", "x.contoso.example"], NEAR
        )
        assert labels(found) == ["contoso/both"]

    def test_no_name_finds_no_connector(self, build: Build) -> None:
        assert not build(Holdings()).connectors_naming([], NEAR)

    def test_a_certificate_is_found_by_its_own_pin_and_by_its_public_keys(self, build: Build) -> None:
        directory = build(
            Holdings(
                connectors=[
                    connector("certificate", certificate_sha256=("a" * 64,)),
                    connector("key", "fabrikam", public_key_sha256=("b" * 64,)),
                    connector("other", certificate_sha256=("c" * 64,)),
                ]
            )
        )
        assert labels(directory.connectors_pinning(leaf("a" * 64, "b" * 64), NEAR)) == [
            "contoso/certificate",
            "fabrikam/key",
        ]
        assert not directory.connectors_pinning(leaf("d" * 64, ""), NEAR)

    def test_an_address_finds_every_network_that_holds_it(self, build: Build) -> None:
        directory = build(
            Holdings(
                connectors=[
                    connector("host", addresses=(ip_network("192.0.2.10/32"),)),
                    connector("network", "fabrikam", addresses=(ip_network("192.0.2.0/24"),)),
                    connector("odd", addresses=(ip_network("192.0.0.0/13"),)),
                    connector("everything", addresses=(ip_network("0.0.0.0/0"),)),
                    connector("neighbour", addresses=(ip_network("192.0.3.0/24"),)),
                    connector("six", addresses=(ip_network("2001:db8::/33"),)),
                ]
            )
        )
        found = labels(directory.connectors_listing(ip_address("192.0.2.10"), NEAR))
        assert found == ["contoso/everything", "contoso/host", "contoso/odd", "fabrikam/network"]
        assert labels(directory.connectors_listing(ip_address("2001:db8:7fff::1"), NEAR)) == ["contoso/six"]
        assert not directory.connectors_listing(ip_address("2001:db8:8000::1"), NEAR)

    def test_an_accepted_domain_is_found_verified_or_not(self, build: Build) -> None:
        directory = build(Holdings(domains=[domain("contoso.example", verified=False)]))
        found = directory.accepted_domain("contoso.example", "contoso")
        assert found is not None and not found.verified
        assert directory.accepted_domain("mail.contoso.example", "contoso") is None

    def test_several_tenants_claim_a_domain_and_each_finds_its_own(self, build: Build) -> None:
        claims = [
            domain("contoso.example", "fabrikam", verified=False),
            domain("contoso.example", "contoso"),
            domain("mail.contoso.example", "fabrikam", verified=False),
        ]
        directory = build(Holdings(domains=claims))
        assert directory.accepted_domain("contoso.example", "fabrikam") == claims[0]
        assert directory.accepted_domain("contoso.example", "contoso") == claims[1]
        assert directory.accepted_domain("mail.contoso.example", "contoso") is None
        for name in ("contoso.example", "mail.contoso.example"):
            assert directory.nearest_owner(name) == claims[1]
        assert directory.covering_domain("contoso.example") == claims[1]
        assert directory.verified_below("fabrikam", "example") is None

    def test_the_nearest_verified_domain_owns_a_name(self, build: Build) -> None:
        directory = build(
            Holdings(
                domains=[
                    domain("contoso.example"),
                    domain("lab.contoso.example", "fabrikam"),
                    domain("x.lab.contoso.example", verified=False),
                ]
            )
        )
        owners = {
            name: owner and owner.domain
            for name in ("contoso.example", "a.b.contoso.example", "x.lab.contoso.example", "ontoso.example", "example")
            for owner in [directory.nearest_owner(name)]
        }
        assert owners == {
            "contoso.example": "contoso.example",
            "a.b.contoso.example": "contoso.example",
            "x.lab.contoso.example": "lab.contoso.example",
            "ontoso.example": None,
            "example": None,
        }

    def test_a_domain_covers_its_subdomains_only_when_added_so(self, build: Build) -> None:
        directory = build(
            Holdings(
                domains=[
                    domain("contoso.example", match_subdomains=True),
                    domain("plain.contoso.example", "fabrikam"),
                ]
            )
        )
        covering = {
            name: found and found.domain
            for name in ("contoso.example", "a.contoso.example", "plain.contoso.example", "a.plain.contoso.example")
            for found in [directory.covering_domain(name)]
        }
        assert covering == {
            "contoso.example": "contoso.example",
            "a.contoso.example": "contoso.example",
            "plain.contoso.example": "plain.contoso.example",
            "a.plain.contoso.example": None,
        }

    def test_a_verified_domain_below_another_is_found_for_its_tenant_only(self, build: Build) -> None:
        directory = build(
            Holdings(
                domains=[
                    domain("contoso.example"),
                    domain("a.b.contoso.example"),
                    domain("unverified.fabrikam.example", verified=False),
                    domain("xcontoso2.example"),
                    domain("lab.contoso2.example", "fabrikam"),
                ]
            )
        )
        below = directory.verified_below("contoso", "contoso.example")
        assert below is not None and below.domain == "a.b.contoso.example"
        assert directory.verified_below("contoso", "a.b.contoso.example") is None
        assert directory.verified_below("contoso", "fabrikam.example") is None
        assert directory.verified_below("contoso", "contoso2.example") is None

    def test_partner_connectors_are_the_tenants_enabled_ones_by_name(self, build: Build) -> None:
        directory = build(
            Holdings(
                connectors=[
                    connector("b", type=ConnectorType.PARTNER),
                    connector("a", type=ConnectorType.PARTNER),
                    connector("off", type=ConnectorType.PARTNER, enabled=False),
                    connector("own"),
                    connector("theirs", "fabrikam", type=ConnectorType.PARTNER),
                ]
            )
        )
        assert [each.name for each in directory.partner_connectors("contoso")] == ["a", "b"]

    def test_connectors_of_a_tenant_come_by_name_and_at_most_fifty(self, build: Build) -> None:
        many = [connector(f"c{at:02}", enabled=at % 2 == 0) for at in range(60)]
        directory = build(Holdings(connectors=[*reversed(many), connector("theirs", "fabrikam")]))
        assert [each.name for each in directory.connectors_of("contoso")] == [f"c{at:02}" for at in range(50)]

    def test_send_connectors_are_the_tenants_and_the_server_wide_ones_that_cover_the_domain(self, build: Build) -> None:
        directory = build(
            Holdings(
                send_connectors=[
                    send_connector("internet", "*"),
                    send_connector("exact", "mail.partner.example"),
                    send_connector("below", "*.partner.example"),
                    send_connector("other", "other.example"),
                    send_connector("off", "*", enabled=False),
                    send_connector("own", "*.example", tenant="contoso"),
                    send_connector("theirs", "*", tenant="fabrikam"),
                ]
            )
        )
        assert names(directory.send_connectors("contoso", "mail.partner.example")) == [
            "below",
            "exact",
            "internet",
            "own",
        ]
        assert names(directory.send_connectors(None, "partner.example")) == ["below", "internet"]
