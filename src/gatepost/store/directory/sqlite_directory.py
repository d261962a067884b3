"""The directory as a worker sees it: read-only, cached, at most one `refresh` behind.

Answers are cached in bounded tables, never the directory itself: memory does not grow with the number of tenants.
Every table is emptied when the version changes.
"""

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import ip_address
from pathlib import Path

from gatepost.store.directory.file import open_to_read, reporting
from gatepost.store.directory.queries import DirectoryQueries
from gatepost.tenancy.evidence import Address, CertificateFacts
from gatepost.tenancy.one_time_address import OneTimeAddress
from gatepost.tenancy.proof import Proof
from gatepost.tenancy.signing_key import SigningKey
from gatepost.tenancy.tenant import AcceptedDomain, InboundConnector, SendConnector, Tenant

# Answers are small (most are "none"); answers that hold connectors are the large ones, about 1 KiB each.
_MANY = 8192
_SOME = 2048


class SqliteDirectory:
    """`tenancy.directory.Directory` over the directory file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection = open_to_read(path)
        queries = DirectoryQueries(path, self._connection)
        self._queries = queries
        self._tenant = lru_cache(_SOME)(queries.tenant)
        self._naming = lru_cache(_SOME)(queries.connectors_naming)
        self._pinning = lru_cache(_SOME)(queries.connectors_pinning_any)
        self._prefix_lengths = lru_cache(2)(queries.prefix_lengths)
        self._listing = lru_cache(_SOME)(self._ask_listing)
        self._proofs_of = lru_cache(_SOME)(queries.proofs_of)
        self._has_verified_domain = lru_cache(_SOME)(queries.has_verified_domain)
        self._claimants = lru_cache(_SOME)(queries.claimants)
        self._accepted_domain = lru_cache(_MANY)(queries.accepted_domain)
        self._nearest_owner = lru_cache(_MANY)(queries.nearest_owner)
        self._covering_domain = lru_cache(_MANY)(queries.covering_domain)
        self._verified_below = lru_cache(_SOME)(queries.verified_below)
        self._partners = lru_cache(_SOME)(queries.partner_connectors)
        self._connectors_of = lru_cache(128)(queries.connectors_of)
        self._send_connectors = lru_cache(_MANY)(queries.send_connectors)
        self._signing_domains = lru_cache(_SOME)(queries.signing_domains)
        self._signing_keys = lru_cache(_SOME)(queries.active_signing_keys)
        self._caches = (
            self._tenant,
            self._naming,
            self._pinning,
            self._prefix_lengths,
            self._listing,
            self._proofs_of,
            self._has_verified_domain,
            self._claimants,
            self._accepted_domain,
            self._nearest_owner,
            self._covering_domain,
            self._verified_below,
            self._partners,
            self._connectors_of,
            self._send_connectors,
            self._signing_domains,
            self._signing_keys,
        )
        self._data_version = self._read_data_version()
        self.version = queries.version

    def refresh(self) -> bool:
        """Notice what others have changed. Cheap when they have not; call it several times a second."""
        data_version = self._read_data_version()
        if data_version == self._data_version:
            return False
        self._data_version = data_version
        version = self._queries.version
        if version == self.version:
            return False
        self.version = version
        for cache in self._caches:
            cache.cache_clear()
        return True

    def close(self) -> None:
        self._connection.close()

    def tenant(self, name: str) -> Tenant | None:
        return self._tenant(name)

    def connectors_naming(self, names: Sequence[str], near: Sequence[str]) -> Sequence[InboundConnector]:
        return self._naming(tuple(names), tuple(near))

    def connectors_pinning(self, leaf: CertificateFacts, near: Sequence[str]) -> Sequence[InboundConnector]:
        return self._pinning((leaf.sha256, leaf.public_key_sha256), tuple(near))

    def connectors_listing(self, address: Address, near: Sequence[str]) -> Sequence[InboundConnector]:
        return self._listing(address.version, address.packed, tuple(near))

    def bystanders(self, names: Sequence[str]) -> Sequence[InboundConnector]:
        return self._queries.bystanders(names)

    def tenants_pinning(self, leaf: CertificateFacts) -> Sequence[str]:
        return self._queries.tenants_pinning(leaf)

    def tenants_listing(self, address: Address, *, enabled: bool = False) -> Sequence[str]:
        lengths = self._prefix_lengths(address.version)
        return self._queries.tenants_listing_with(address, lengths, enabled=enabled)

    def proofs_of(self, pin: str) -> Sequence[Proof]:
        return self._proofs_of(pin)

    def has_verified_domain(self, tenant: str) -> bool:
        return self._has_verified_domain(tenant)

    def accepted_domain(self, domain: str, tenant: str) -> AcceptedDomain | None:
        return self._accepted_domain(domain, tenant)

    def claimants(self, domain: str) -> Sequence[AcceptedDomain]:
        return self._claimants(domain)

    def nearest_owner(self, domain: str) -> AcceptedDomain | None:
        return self._nearest_owner(domain)

    def covering_domain(self, domain: str) -> AcceptedDomain | None:
        return self._covering_domain(domain)

    def verified_below(self, tenant: str, domain: str) -> AcceptedDomain | None:
        return self._verified_below(tenant, domain)

    def partner_connectors(self, tenant: str) -> Sequence[InboundConnector]:
        return self._partners(tenant)

    def connectors_of(self, tenant: str) -> Sequence[InboundConnector]:
        return self._connectors_of(tenant)

    def send_connectors(self, tenant: str | None, domain: str) -> Sequence[SendConnector]:
        return self._send_connectors(tenant, domain)

    def signing_domains(self, tenant: str | None) -> frozenset[str]:
        """Domains of the tenant, or the operator's (None), for which an active key signs."""
        return self._signing_domains(tenant)

    def signing_keys(self, tenant: str | None, domain: str) -> Sequence[tuple[SigningKey, bytes]]:
        """The active keys of a domain, each with its private half, sealed."""
        return self._signing_keys(tenant, domain)

    def one_time_address_at(self, local_part: str) -> OneTimeAddress | None:
        """Never from memory: a one-time address is made a moment before it is used."""
        return self._queries.one_time_address_at(local_part)

    def _ask_listing(self, family: int, packed: bytes, near: tuple[str, ...]) -> Sequence[InboundConnector]:
        return self._queries.connectors_listing_with(ip_address(packed), self._prefix_lengths(family), near)

    def _read_data_version(self) -> int:
        with reporting(self._path):
            return int(self._connection.execute("PRAGMA data_version").fetchone()[0])
