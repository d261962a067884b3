"""Questions to the directory file, each a search in an index: the cost never depends on the number of tenants."""

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Any

from gatepost.mail.domain import is_below, parents
from gatepost.store.directory.file import reporting
from gatepost.tenancy.directory import MOST_CLAIMANTS, MOST_OF_A_TENANT, MOST_OF_OTHERS
from gatepost.tenancy.evidence import Address, CertificateFacts
from gatepost.tenancy.fields import ReadRecord
from gatepost.tenancy.names import covering_patterns, without_wildcard
from gatepost.tenancy.one_time_address import OneTimeAddress, one_time_address_from
from gatepost.tenancy.proof import Proof, proof_from
from gatepost.tenancy.record import (
    domain_from,
    inbound_connector_from,
    send_connector_from,
    signing_key_from,
    tenant_from,
)
from gatepost.tenancy.signing_key import SigningKey
from gatepost.tenancy.tenant import AcceptedDomain, InboundConnector, SendConnector, Tenant

# What an explanation can hold without drowning its reader.
MOST_EXPLAINED = 50

_CONNECTORS_BY_ID = "SELECT definition FROM inbound_connector WHERE id IN ({}) ORDER BY tenant, name"


class DirectoryQueries:
    """Uncached answers over one connection; `tenancy.directory.Directory` says what they mean."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self._path = path
        self._connection = connection

    @property
    def version(self) -> int:
        return int(self._rows("SELECT version FROM directory")[0][0])

    def tenant(self, name: str) -> Tenant | None:
        rows = self._rows("SELECT definition FROM tenant WHERE name = ?", name)
        return tenant_from(json.loads(rows[0][0])) if rows else None

    def connectors_naming(self, names: Sequence[str], near: Sequence[str]) -> Sequence[InboundConnector]:
        ids: set[int] = set()
        for pattern in {pattern for name in names for pattern in covering_patterns(name)}:
            if self._rows("SELECT 1 FROM certificate_name WHERE name = ? LIMIT 1", pattern):
                owner = self.nearest_owner(without_wildcard(pattern))
                ids |= self._of_tenants("certificate_name WHERE name = ?", (pattern,), (*near, *_tenant_of(owner)))
        for name in names:
            if name.startswith("*."):
                ids |= self._hosts_below(name[2:], near)
        return self._connectors(ids)

    def _hosts_below(self, domain: str, near: Sequence[str]) -> set[int]:
        """Of the tenants near and the owner of `domain`, and of any other that owns the host itself."""
        below = "certificate_name WHERE parent = ?"
        found = self._of_tenants(below, (domain,), (*near, *_tenant_of(self.nearest_owner(domain))))
        enabled = f"SELECT name, tenant, connector FROM {below} AND off = 0 LIMIT ?"
        for name, tenant, connector in self._rows(enabled, domain, MOST_OF_A_TENANT):
            owner = self.nearest_owner(name)
            if owner and owner.tenant == tenant:
                found.add(connector)
        return found

    def connectors_pinning(self, leaf: CertificateFacts, near: Sequence[str]) -> Sequence[InboundConnector]:
        return self.connectors_pinning_any((leaf.sha256, leaf.public_key_sha256), near)

    def connectors_pinning_any(self, pins: Sequence[str], near: Sequence[str]) -> Sequence[InboundConnector]:
        ids: set[int] = set()
        for pin in filter(None, pins):
            proven = [proof.tenant for proof in self.proofs_of(pin)]
            ids |= self._of_tenants("pin WHERE sha256 = ?", (bytes.fromhex(pin),), (*near, *proven))
            ids |= self._of_others("pin WHERE sha256 = ?", (bytes.fromhex(pin),))
        return self._connectors(ids)

    def connectors_listing(self, address: Address, near: Sequence[str]) -> Sequence[InboundConnector]:
        return self.connectors_listing_with(address, self.prefix_lengths(address.version), near)

    def connectors_listing_with(
        self, address: Address, prefix_lengths: Sequence[int], near: Sequence[str]
    ) -> Sequence[InboundConnector]:
        """One search for each prefix length that any connector uses: at most 33 or 129."""
        ids: set[int] = set()
        number, bits = int(address), address.max_prefixlen
        listing = "address WHERE family = ? AND prefix_length = ? AND network = ?"
        for length in prefix_lengths:
            network = number >> (bits - length) << (bits - length)
            key = (address.version, length, network.to_bytes(bits // 8, "big"))
            if others := self._of_others(listing, key):
                ids |= others
            if others or near:
                ids |= self._of_tenants(listing, key, near)
        return self._connectors(ids)

    def bystanders(self, names: Sequence[str]) -> Sequence[InboundConnector]:
        ids: set[int] = set()
        for pattern in dict.fromkeys(pattern for name in names for pattern in covering_patterns(name)):
            named = "SELECT connector FROM certificate_name WHERE name = ? LIMIT ?"
            ids |= self._ids(named, pattern, MOST_OF_OTHERS - len(ids))
            if len(ids) >= MOST_OF_OTHERS:
                break
        return self._connectors(ids)

    def tenants_pinning(self, leaf: CertificateFacts) -> Sequence[str]:
        pins = filter(None, (leaf.sha256, leaf.public_key_sha256))
        return self._tenants_in([("pin WHERE sha256 = ?", (bytes.fromhex(pin),)) for pin in pins])

    def tenants_listing(self, address: Address, *, enabled: bool = False) -> Sequence[str]:
        return self.tenants_listing_with(address, self.prefix_lengths(address.version), enabled=enabled)

    def tenants_listing_with(
        self, address: Address, prefix_lengths: Sequence[int], *, enabled: bool = False
    ) -> Sequence[str]:
        number, bits = int(address), address.max_prefixlen
        listing = "address WHERE family = ? AND prefix_length = ? AND network = ?"
        networks = (
            (length, (number >> (bits - length) << (bits - length)).to_bytes(bits // 8, "big"))
            for length in prefix_lengths
        )
        return self._tenants_in([(listing, (address.version, *network)) for network in networks], enabled=enabled)

    def _tenants_in(self, where: Sequence[tuple[str, Sequence[object]]], *, enabled: bool = False) -> Sequence[str]:
        """From one tenant to the next, whatever each of them has stored."""
        found: dict[str, None] = {}
        for condition, key in where:
            for off in (0,) if enabled else (0, 1):
                last = ""
                following = f"SELECT tenant FROM {condition} AND off = ? AND tenant > ? ORDER BY tenant LIMIT 1"
                while len(found) < MOST_CLAIMANTS and (rows := self._rows(following, *key, off, last)):
                    last = rows[0][0]
                    if self.has_verified_domain(last):
                        found[last] = None
        return tuple(found)

    def proofs_of(self, pin: str) -> Sequence[Proof]:
        rows = self._rows("SELECT definition FROM proof WHERE sha256 = ?", pin)
        return tuple(proof_from(json.loads(definition)) for (definition,) in rows)

    def signing_domains(self, tenant: str | None) -> frozenset[str]:
        signs = "SELECT DISTINCT domain FROM signing_key WHERE tenant = ? AND signs"
        return frozenset(domain for (domain,) in self._rows(signs, tenant or ""))

    def active_signing_keys(self, tenant: str | None, domain: str) -> Sequence[tuple[SigningKey, bytes]]:
        signs = "SELECT definition, private FROM signing_key WHERE tenant = ? AND domain = ? AND signs"
        rows = self._rows(signs, tenant or "", domain)
        return tuple((signing_key_from(json.loads(definition)), private) for definition, private in rows)

    def has_verified_domain(self, tenant: str) -> bool:
        return bool(self._rows("SELECT 1 FROM accepted_domain WHERE tenant = ? AND verified LIMIT 1", tenant))

    def _of_tenants(self, where: str, key: Sequence[object], tenants: Sequence[str]) -> set[int]:
        """The enabled ones first."""
        statement = f"SELECT connector FROM {where} AND off IN (0, 1) AND tenant = ? ORDER BY off LIMIT ?"
        return {
            row[0] for tenant in dict.fromkeys(tenants) for row in self._rows(statement, *key, tenant, MOST_OF_A_TENANT)
        }

    def _of_others(self, where: str, key: Sequence[object]) -> set[int]:
        return self._ids(f"SELECT connector FROM {where} AND off = 0 LIMIT ?", *key, MOST_OF_OTHERS)

    def prefix_lengths(self, family: int) -> Sequence[int]:
        """The lengths in use, by one search each."""
        lengths: list[int] = []
        following = (
            "SELECT prefix_length FROM address WHERE family = ? AND prefix_length > ? ORDER BY prefix_length LIMIT 1"
        )
        while rows := self._rows(following, family, lengths[-1] if lengths else -1):
            lengths.append(rows[0][0])
        return lengths

    def accepted_domain(self, domain: str, tenant: str) -> AcceptedDomain | None:
        rows = self._rows("SELECT definition FROM accepted_domain WHERE domain = ? AND tenant = ?", domain, tenant)
        return domain_from(json.loads(rows[0][0])) if rows else None

    def claimants(self, domain: str) -> Sequence[AcceptedDomain]:
        rows = self._rows(
            "SELECT definition FROM accepted_domain WHERE domain = ? AND NOT verified LIMIT ?", domain, MOST_CLAIMANTS
        )
        return tuple(domain_from(json.loads(definition)) for (definition,) in rows)

    def nearest_owner(self, domain: str) -> AcceptedDomain | None:
        candidates = [domain, *parents(domain)]
        rows = self._rows(
            f"SELECT definition FROM accepted_domain WHERE domain IN ({_marks(candidates)}) AND verified"
            " ORDER BY length(domain) DESC LIMIT 1",
            *candidates,
        )
        return domain_from(json.loads(rows[0][0])) if rows else None

    def covering_domain(self, domain: str) -> AcceptedDomain | None:
        owner = self.nearest_owner(domain)
        if owner and is_below(domain, owner.domain) and not owner.match_subdomains:
            return None
        return owner

    def verified_below(self, tenant: str, domain: str) -> AcceptedDomain | None:
        above = top_down(domain)
        # "/" follows "." in ASCII, so this is everything that begins with `above` and a dot.
        rows = self._rows(
            "SELECT definition FROM accepted_domain WHERE tenant = ? AND top_down > ? AND top_down < ? AND verified"
            " LIMIT 1",
            tenant,
            f"{above}.",
            f"{above}/",
        )
        return domain_from(json.loads(rows[0][0])) if rows else None

    def partner_connectors(self, tenant: str) -> Sequence[InboundConnector]:
        return self._definitions(
            "SELECT definition FROM inbound_connector WHERE tenant = ? AND live_partner ORDER BY name", tenant
        )

    def connectors_of(self, tenant: str) -> Sequence[InboundConnector]:
        return self._definitions(
            "SELECT definition FROM inbound_connector WHERE tenant = ? ORDER BY name LIMIT ?", tenant, MOST_EXPLAINED
        )

    def send_connectors(self, tenant: str | None, domain: str) -> Sequence[SendConnector]:
        spaces = ["*", domain, f"*.{domain}", *(f"*.{parent}" for parent in parents(domain))]
        rows = self._rows(
            "SELECT definition FROM send_connector WHERE enabled AND name IN"
            f" (SELECT send_connector FROM address_space WHERE tenant IN ('', ?) AND space IN ({_marks(spaces)}))"
            " ORDER BY name",
            tenant or "",
            *spaces,
        )
        return tuple(send_connector_from(json.loads(definition)) for (definition,) in rows)

    def one_time_address_at(self, local_part: str) -> OneTimeAddress | None:
        rows = self._rows("SELECT definition FROM appointment WHERE local_part = ?", local_part.lower())
        return one_time_address_from(json.loads(rows[0][0])) if rows else None

    def _connectors(self, ids: set[int]) -> Sequence[InboundConnector]:
        return self._definitions(_CONNECTORS_BY_ID.format(_marks(ids)), *ids) if ids else ()

    def _definitions(self, statement: str, *values: Any) -> Sequence[InboundConnector]:
        return tuple(self._connector_from(json.loads(definition)) for (definition,) in self._rows(statement, *values))

    def _connector_from(self, record: ReadRecord) -> InboundConnector:
        return self._with_proofs(inbound_connector_from(record))

    def _with_proofs(self, connector: InboundConnector) -> InboundConnector:
        """With the pins that its tenant has proven: proofs are kept for themselves."""
        if not connector.pins and not connector.proven_pins:
            return connector
        at = datetime.now(UTC)
        proven = [pin for pin in connector.pins if (proof := self.proof(connector.tenant, pin)) and proof.counts(at)]
        return replace(connector, proven_pins=frozenset(proven))

    def proof(self, tenant: str, pin: str) -> Proof | None:
        rows = self._rows("SELECT definition FROM proof WHERE tenant = ? AND sha256 = ?", tenant, pin)
        return proof_from(json.loads(rows[0][0])) if rows else None

    def _ids(self, statement: str, *values: Any) -> set[int]:
        return {row[0] for row in self._rows(statement, *values)}

    def _rows(self, statement: str, *values: Any) -> list[Any]:
        with reporting(self._path):
            return self._connection.execute(statement, values).fetchall()


def network_key(network: IPv4Network | IPv6Network) -> tuple[int, int, bytes]:
    """Family, prefix length and network address, as table `address` has them."""
    return network.version, network.prefixlen, network.network_address.packed


def top_down(domain: str) -> str:
    """`com.contoso.mail` for `mail.contoso.com`."""
    return ".".join(reversed(domain.split(".")))


def _tenant_of(owner: AcceptedDomain | None) -> tuple[str, ...]:
    return (owner.tenant,) if owner else ()


def _marks(values: Any) -> str:
    return ",".join("?" * len(values))
