"""Questions to the directory file, each a search in an index: the cost never depends on the number of tenants."""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Any

from gatepost.mail.domain import is_below, parents
from gatepost.store.directory_file import reporting
from gatepost.tenancy.appointment import Appointment, appointment_from
from gatepost.tenancy.evidence import Address, CertificateFacts
from gatepost.tenancy.record import domain_from, inbound_connector_from, send_connector_from, tenant_from
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

    def connectors_naming(self, names: Sequence[str]) -> Sequence[InboundConnector]:
        covering = sorted({candidate for name in names for candidate in _names_that_cover(name)})
        ids = self._ids(f"SELECT connector FROM certificate_name WHERE name IN ({_marks(covering)})", *covering)
        for name in names:
            if name.startswith("*."):
                below = "SELECT connector FROM certificate_name WHERE parent = ? LIMIT ?"
                ids |= self._ids(below, name[2:], MOST_EXPLAINED)
        return self._connectors(ids)

    def connectors_pinning(self, leaf: CertificateFacts) -> Sequence[InboundConnector]:
        return self.connectors_pinning_any((leaf.sha256, leaf.public_key_sha256))

    def connectors_pinning_any(self, pins: Sequence[str]) -> Sequence[InboundConnector]:
        keys = [bytes.fromhex(pin) for pin in pins if pin]
        return self._connectors(self._ids(f"SELECT connector FROM pin WHERE sha256 IN ({_marks(keys)})", *keys))

    def connectors_listing(self, address: Address) -> Sequence[InboundConnector]:
        return self.connectors_listing_with(address, self.prefix_lengths(address.version))

    def connectors_listing_with(self, address: Address, prefix_lengths: Sequence[int]) -> Sequence[InboundConnector]:
        """One search for each prefix length that any connector uses: at most 33 or 129."""
        ids: set[int] = set()
        number, bits = int(address), address.max_prefixlen
        statement = "SELECT connector FROM address WHERE family = ? AND prefix_length = ? AND network = ?"
        for length in prefix_lengths:
            network = number >> (bits - length) << (bits - length)
            ids |= self._ids(statement, address.version, length, network.to_bytes(bits // 8, "big"))
        return self._connectors(ids)

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

    def appointment_at(self, local_part: str) -> Appointment | None:
        rows = self._rows("SELECT definition FROM appointment WHERE local_part = ?", local_part.lower())
        return appointment_from(json.loads(rows[0][0])) if rows else None

    def _connectors(self, ids: set[int]) -> Sequence[InboundConnector]:
        return self._definitions(_CONNECTORS_BY_ID.format(_marks(ids)), *ids) if ids else ()

    def _definitions(self, statement: str, *values: Any) -> Sequence[InboundConnector]:
        rows = self._rows(statement, *values)
        return tuple(inbound_connector_from(json.loads(definition)) for (definition,) in rows)

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


def _names_that_cover(name: str) -> Iterator[str]:
    """The connector names that cover a certificate's `name`."""
    if name.startswith("*."):
        yield name
        name = name[2:]
    else:
        yield name
        yield f"*.{name}"
    for parent in parents(name):
        yield f"*.{parent}"


def _marks(values: Any) -> str:
    return ",".join("?" * len(values))
