"""The directory as use cases change it. Every change carries an action for the audit: `add`, `set`, `enable` ..."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Protocol

from gatepost.tenancy.allowance import Allowance, Owned
from gatepost.tenancy.directory import Directory
from gatepost.tenancy.fields import Record
from gatepost.tenancy.one_time_address import OneTimeAddress, Purpose
from gatepost.tenancy.person import Activity, ActivityFilter, Identity, Passkey, Person, SignedIn
from gatepost.tenancy.proof import Proof
from gatepost.tenancy.signing_key import SigningKey
from gatepost.tenancy.tenant import AcceptedDomain, AuditEntry, AuditFilter, InboundConnector, SendConnector, Tenant
from gatepost.tenancy.token import Token


class People(Protocol):
    """Who may use the console, and their sessions."""

    def named(self, name: str) -> Person | None: ...

    def with_link(self, sha256: str) -> Person | None: ...

    def with_identity(self, identity: Identity) -> Person | None: ...

    def every(self, tenant: str | None = None) -> Sequence[Person]:
        """With `tenant`, that tenant's; without, every one."""

    def put(self, person: Person, action: str) -> None: ...

    def remove(self, person: Person) -> None:
        """With all sessions."""

    def signed_in(self, secret_sha256: str) -> SignedIn | None: ...

    def keep_session(self, session: SignedIn) -> None: ...

    def note_session_used(self, session: SignedIn) -> None:
        """One that has ended meanwhile stays ended."""

    def end_session(self, secret_sha256: str) -> None: ...

    def end_sessions_of(self, person: str) -> None: ...

    def sessions_of(self, person: str) -> Sequence[SignedIn]:
        """Those that were used last first; one that has ended may be among them."""

    def passkey(self, id: str) -> Passkey | None: ...

    def passkeys_of(self, person: str) -> Sequence[Passkey]: ...

    def put_passkey(self, passkey: Passkey) -> None: ...

    def note_passkey_used(self, passkey: Passkey) -> None:
        """With its count; no change of the directory."""

    def remove_passkey(self, passkey: Passkey) -> None: ...

    def key(self) -> bytes:
        """What tickets are signed with; made when it is first asked for."""

    def use_ticket(self, id: str, at: datetime) -> bool:
        """False: it was used before."""

    def note_activity(self, activity: Activity) -> None: ...

    def activities(self, wanted: ActivityFilter, limit: int) -> Sequence[Activity]:
        """Newest first."""

    def forget(self, sessions_before: datetime, activities_before: datetime) -> None:
        """Sessions and tickets that were used last before, and activities from before."""


class SigningKeys(Protocol):
    """Keys by which mail is signed. The private half goes in and never comes out."""

    def every(self, tenant: str | None = None, domain: str | None = None) -> Sequence[SigningKey]:
        """In order of tenant, domain and selector; `tenant` '': the operator's."""

    def add(self, key: SigningKey, private: bytes) -> None:
        """`private`: PKCS #8, DER."""

    def put(self, key: SigningKey, action: str) -> None: ...

    def note(self, key: SigningKey) -> None:
        """What a look at DNS has shown: remembered, but no change of the directory."""

    def remove(self, key: SigningKey) -> None: ...


class DirectoryEditor(Directory, Protocol):
    """Look-ups as in `Directory`, never stale; listings; changes, each with its audit entry."""

    @property
    def allowance(self) -> Allowance:
        """On whose behalf changes are made, and how much they may store."""

    @property
    def audited_octets(self) -> int:
        """How much the changes made here have added to the audit, undone ones too."""

    @property
    def people(self) -> People: ...

    @property
    def signing_keys(self) -> SigningKeys: ...

    def close(self) -> None: ...

    def change(self) -> AbstractContextManager[None]:
        """What is read and written inside is one transaction; an exception undoes it. May be nested."""

    def inbound_connector(self, tenant: str, name: str) -> InboundConnector | None: ...

    def send_connector(self, name: str) -> SendConnector | None: ...

    # Listings are in order, and may begin `after` a name (of an inbound connector of any tenant: `tenant/name`).

    def all_tenants(self, after: str = "") -> Iterator[Tenant]: ...

    def all_domains(self, tenant: str | None = None, after: str = "") -> Iterator[AcceptedDomain]:
        """With every claim to each; of any tenant `after` is `domain/tenant`."""

    def all_inbound_connectors(self, tenant: str | None = None, after: str = "") -> Iterator[InboundConnector]: ...

    def all_send_connectors(self, tenant: str | None = None, after: str = "") -> Iterator[SendConnector]:
        """With `tenant`, that tenant's own; without, every one."""

    def domains_last_checked_before(self, at: datetime) -> Iterator[AcceptedDomain]:
        """Verified domains under daily check, the longest unchecked first."""

    def count(self, tenant: str, owned: Owned, most: int) -> int:
        """How many the tenant has; counting ends at `most`."""

    def claims(self, domain: str) -> Sequence[AcceptedDomain]:
        """Every tenant's claim to exactly `domain`, its owner's first."""

    def claims_made_before(self, at: datetime) -> Iterator[AcceptedDomain]:
        """Unproven ones, the oldest first."""

    def tenant_names(self, like: str, limit: int) -> Sequence[str]:
        """Up to `limit` names, those that begin as `like` does first."""

    def put_tenant(self, tenant: Tenant, action: str) -> None: ...

    def remove_tenant(self, tenant: Tenant) -> None:
        """Once nothing belongs to it any more."""

    def put_domain(self, domain: AcceptedDomain, action: str) -> None: ...

    def note_domain_checked(self, domain: AcceptedDomain, at: datetime) -> None:
        """Remembered, but no change of the directory."""

    def remove_domain(self, domain: AcceptedDomain, action: str = "remove") -> None: ...

    def put_inbound_connector(self, connector: InboundConnector, action: str) -> None: ...

    def remove_inbound_connector(self, connector: InboundConnector) -> None: ...

    def put_send_connector(self, connector: SendConnector, action: str) -> None: ...

    def remove_send_connector(self, connector: SendConnector) -> None: ...

    def token(self, id: str) -> Token | None: ...

    def all_tokens(self, tenant: str | None = None) -> Iterator[Token]:
        """With `tenant`, that tenant's; without, every one."""

    def put_token(self, token: Token, action: str) -> None: ...

    def note_token_used(self, token: Token, at: datetime) -> None:
        """Remembered, but no change of the directory."""

    def remove_token(self, token: Token) -> None: ...

    def one_time_address(self, id: str) -> OneTimeAddress | None: ...

    def one_time_addresses(self, tenant: str, purpose: Purpose) -> Sequence[OneTimeAddress]:
        """The newest first."""

    def note(self, action: str, subject: str, said: Record) -> None:
        """Audit what was done elsewhere; `said` names the tenant that it concerns, if any."""

    def make_one_time_address(self, one_time_address: OneTimeAddress) -> None:
        """Audited without the secret that its address is."""

    def keep_one_time_address(self, one_time_address: OneTimeAddress) -> bool:
        """Store what was seen; False when somebody has been seen there already."""

    def note_refused(self, one_time_address: OneTimeAddress) -> None:
        """Remember a session that proved nothing, as long as none has been seen that did; no change."""

    def unseen_enrolments(self, tenant: str | None = None) -> Sequence[OneTimeAddress]:
        """With `tenant`, that tenant's."""

    def forget_one_time_addresses(self, before: datetime) -> None:
        """Those that expired before."""

    def proven(self, tenant: str, pins: Sequence[str]) -> frozenset[str]:
        """Those of `pins` that the tenant has proven, in a way that counts."""

    def proof(self, tenant: str, pin: str) -> Proof | None:
        """The tenant's, whether it still counts or not."""

    def all_proofs(self, tenant: str | None = None) -> Iterator[tuple[str, Proof]]:
        """Each with the pin that it is of; with `tenant`, that tenant's."""

    def put_proof(self, proof: Proof) -> None:
        """Does nothing for a pin of which the tenant has a proof that counts."""

    def remove_proof(self, proof: Proof, pin: str) -> None: ...

    def audit(
        self,
        *,
        subject: str | None = None,
        tenant: str | None = None,
        after: int = 0,
        before: int | None = None,
        limit: int = -1,
        wanted: AuditFilter = ...,
    ) -> Sequence[AuditEntry]:
        """Newest first."""

    def audit_entry(self, version: int) -> AuditEntry | None: ...


class BulkEditor(DirectoryEditor, Protocol):
    """The directory as whole parts of it are read and written: by the thousand, one kind of object at a time."""

    def snapshot(self) -> AbstractContextManager[None]:
        """Everything read inside is of one version; nobody is hindered meanwhile."""

    def settle(self) -> None:
        """After a large change, once it is done: give back the room that it took beside the directory."""

    def counts(self, tenants: Sequence[str], owned: Owned, most: int) -> Sequence[int]:
        """`count` for each of `tenants`."""

    def stored_tenants(self, names: Sequence[str]) -> Sequence[Tenant | None]:
        """For each of `names` the tenant, or None."""

    def stored_claims(self, keys: Sequence[tuple[str, str]]) -> Sequence[AcceptedDomain | None]:
        """Keys are (domain, tenant)."""

    def stored_owners(self, domains: Sequence[str]) -> Sequence[AcceptedDomain | None]:
        """Whoever has verified exactly that domain."""

    def stored_inbound_connectors(self, keys: Sequence[tuple[str, str]]) -> Sequence[InboundConnector | None]:
        """Keys are (tenant, name)."""

    def write_tenants(self, changes: Sequence[tuple[Tenant | None, Tenant]]) -> None:
        """Store what stands second in each pair. First stands what is stored now, None where nothing is."""

    def write_domains(self, changes: Sequence[tuple[AcceptedDomain | None, AcceptedDomain]]) -> None: ...

    def write_inbound_connectors(self, changes: Sequence[tuple[InboundConnector | None, InboundConnector]]) -> None: ...
