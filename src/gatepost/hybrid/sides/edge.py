"""The edge's side of the wizard: its own directory."""

import secrets
from collections.abc import Iterable, Iterator

from gatepost.hybrid import edge_defaults
from gatepost.hybrid.apply import same
from gatepost.hybrid.desire import DOMAIN, INBOUND, SEND, TENANT, kind_and_name
from gatepost.hybrid.errors import ApplyError, NotChanged
from gatepost.hybrid.merge import Fields
from gatepost.hybrid.plan import Change, Objects
from gatepost.hybrid.ports import Clock, Directory
from gatepost.queue.store import StoreError
from gatepost.tenancy.record import (
    domain_record,
    inbound_connector_from,
    inbound_connector_record,
    send_connector_from,
    send_connector_record,
)
from gatepost.tenancy.tenant import AcceptedDomain, Tenant

_DOMAIN_FIELDS = ("tenant", "match_subdomains", "verified")
_UNSEEN_INBOUND_FIELDS = ("tenant", "name", "proven_pins")


class EdgeSide:
    """Each change is one transaction with a look before it, so that a command run meanwhile is never overwritten."""

    def __init__(self, directory: Directory, clock: Clock) -> None:
        self._directory = directory
        self._clock = clock

    def everything(self) -> dict[str, Fields]:
        try:
            return dict(self._all())
        except StoreError as error:
            raise ApplyError(str(error)) from None

    def read(self, names: Iterable[str]) -> Objects:
        everything = self.everything()
        return {name: everything.get(name) for name in names}

    def write(self, change: Change) -> None:
        kind, name = kind_and_name(change.object)
        try:
            with self._directory.change():
                if not same(self.read([change.object])[change.object], change.before):
                    raise NotChanged(
                        f"{change.object} on this edge was changed by somebody else just now; look with gatepost "
                        "audit, then make a new plan: gatepost hybrid plan"
                    )
                self._put(kind, name, change.after)
        except StoreError as error:
            raise ApplyError(str(error)) from None

    def _all(self) -> Iterator[tuple[str, Fields]]:
        directory = self._directory
        for tenant in directory.all_tenants():
            yield f"{TENANT} {tenant.name}", {}
        # On an edge several tenants seldom claim one domain; then the owner's is the wizard's to see, which is last.
        for domain in sorted(directory.all_domains(), key=lambda each: each.verified):
            record = domain_record(domain)
            yield f"{DOMAIN} {domain.domain}", {field: record[field] for field in _DOMAIN_FIELDS}
        for inbound in directory.all_inbound_connectors():
            record = inbound_connector_record(inbound)
            fields = {field: value for field, value in record.items() if field not in _UNSEEN_INBOUND_FIELDS}
            yield f"{INBOUND} {inbound.label}", fields
        for sent in directory.all_send_connectors():
            record = send_connector_record(sent)
            yield f"{SEND} {sent.name}", {field: value for field, value in record.items() if field != "name"}

    def _put(self, kind: str, name: str, fields: Fields | None) -> None:
        if kind == TENANT:
            self._put_tenant(name, fields)
        elif kind == DOMAIN:
            self._put_domain(name, fields)
        elif kind == INBOUND:
            self._put_inbound(name, fields)
        else:
            self._put_send(name, fields)

    def _put_tenant(self, name: str, fields: Fields | None) -> None:
        existing = self._directory.tenant(name)
        if fields is not None:
            new = Tenant(name=name, created_at=self._clock.now(), limits=edge_defaults.LIMITS)
            self._directory.put_tenant(existing or new, "hybrid")
        elif existing:
            self._directory.remove_tenant(existing)

    def _put_domain(self, name: str, fields: Fields | None) -> None:
        if fields is None:
            for claim in self._directory.claims(name)[:1]:
                self._directory.remove_domain(claim)
            return
        existing = self._directory.accepted_domain(name, fields["tenant"])
        owner = self._directory.nearest_owner(name)
        if fields["verified"] and owner and owner.domain == name and owner.tenant != fields["tenant"]:
            raise NotChanged(
                f"{name} is verified for tenant {owner.tenant} on this edge, and a domain has one owner; if it is not "
                f"theirs: gatepost domain set {name} --tenant {owner.tenant} --no-verified"
            )
        now = self._clock.now()
        self._directory.put_domain(
            AcceptedDomain(
                domain=name,
                tenant=fields["tenant"],
                token=existing.token if existing else secrets.token_hex(16),
                match_subdomains=fields["match_subdomains"],
                verified=fields["verified"],
                verified_at=now if fields["verified"] else None,
                claimed_at=existing.claimed_at if existing else now,
                # Nobody but this organisation speaks for the domains on its own edge.
                verified_by_operator=fields["verified"],
            ),
            "hybrid",
        )

    def _put_inbound(self, label: str, fields: Fields | None) -> None:
        tenant, _, name = label.partition("/")
        existing = self._directory.inbound_connector(tenant, name)
        if fields is not None:
            proven = sorted(existing.proven_pins) if existing else []
            record = {**fields, "tenant": tenant, "name": name, "proven_pins": proven}
            self._directory.put_inbound_connector(inbound_connector_from(record), "hybrid")
        elif existing:
            self._directory.remove_inbound_connector(existing)

    def _put_send(self, name: str, fields: Fields | None) -> None:
        if fields is not None:
            self._directory.put_send_connector(send_connector_from({**fields, "name": name}), "hybrid")
        elif existing := self._directory.send_connector(name):
            self._directory.remove_send_connector(existing)
