"""A relay elsewhere, managed from here: what the commands ask, put to its Management API.

Laws: what is asked is checked here as it is there, in the same words; a change is made only to what was read a moment
before; silence and a refused token are one line that says what to do.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import quote

from gatepost.admin.directory import domains, inbound_connectors, send_connectors, tenants
from gatepost.admin.directory.changes import Changes
from gatepost.admin.directory.connector_use import use_from
from gatepost.admin.directory.domains import DomainChange
from gatepost.admin.directory.inbound_connectors import SavedInbound
from gatepost.admin.directory.ownership import Missing
from gatepost.admin.directory.send_connectors import SavedSend
from gatepost.admin.directory.tenants import TenantContents
from gatepost.admin.forecast.forecast import Prospect, prospect_from
from gatepost.admin.queue.records import overview_from, shown_from
from gatepost.admin.queue.waiting_mail import Overview, Shown
from gatepost.admin.sessions.why import SessionNotFound
from gatepost.app.relay_api import UnusableFile, read_token
from gatepost.errors import AlreadyExists, BadRequest, NameNotOwned, NotFound, refused_with
from gatepost.net.api_client import ApiAnswer, ApiClient, ApiRefused, ApiUnreachable
from gatepost.queue.orders import APPLIES_TO, Action, Order
from gatepost.queue.store import QueueFilter, StoreUnavailable
from gatepost.tenancy.definitions import SEND_CONNECTOR
from gatepost.tenancy.fields import Record
from gatepost.tenancy.notation import object_name
from gatepost.tenancy.record import (
    audit_from,
    domain_from,
    inbound_connector_from,
    inbound_connector_record,
    send_connector_from,
    send_connector_record,
    tenant_from,
)
from gatepost.tenancy.sighting import ConnectorUse
from gatepost.tenancy.tenant import AcceptedDomain, AuditEntry, InboundConnector, SendConnector, Tenant

_NEW = {"If-None-Match": "*"}


@contextmanager
def remote_administration(
    url: str, token_file: Path | None, authority: Path | None, *, beyond_limits: bool = False
) -> "Iterator[RemoteAdministration]":
    """Raises `Refused`, `StoreError`."""
    relay = _opened(url, token_file, authority)
    try:
        yield RemoteAdministration(relay, beyond_limits=beyond_limits)
    finally:
        relay.close()


@contextmanager
def remote_queue(url: str, token_file: Path | None, authority: Path | None) -> "Iterator[RemoteQueueDesk]":
    """Raises `Refused`, `StoreError`."""
    relay = _opened(url, token_file, authority)
    try:
        yield RemoteQueueDesk(relay)
    finally:
        relay.close()


@contextmanager
def remote_sessions(url: str, token_file: Path | None, authority: Path | None) -> "Iterator[RemoteSessions]":
    """Raises `Refused`, `StoreError`."""
    relay = _opened(url, token_file, authority)
    try:
        yield RemoteSessions(relay)
    finally:
        relay.close()


def remote_forecast(url: str, token_file: Path | None, authority: Path | None, tenant: str | None) -> list[Prospect]:
    """Of a tenant, of the token's own, or of all. Raises `Refused`, `StoreError`."""
    relay = _opened(url, token_file, authority)
    try:
        return [prospect_from(each) for each in relay.read(relay.part("forecast", tenant))["prospects"]]
    finally:
        relay.close()


def _opened(url: str, token_file: Path | None, authority: Path | None) -> "_Relay":
    if token_file is None:
        raise BadRequest(
            "--server needs --token-file FILE: a token of that relay, as gatepost token add --out wrote it"
        )
    if not url.startswith("https://"):
        raise BadRequest(f"--server {url}: write it as https://HOST:PORT, as [api] in the relay's gatepost.toml has it")
    try:
        token = read_token(token_file)
    except UnusableFile as error:
        raise BadRequest(str(error)) from None
    try:
        return _Relay(ApiClient(url, token, authority, option="--ca"))
    except ApiUnreachable as error:
        raise StoreUnavailable(str(error)) from None


class _Relay:
    """The API, with its refusals as use cases have them."""

    def __init__(self, client: ApiClient) -> None:
        self._client = client

    def close(self) -> None:
        self._client.close()

    def ask(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, headers: Mapping[str, str] | None = None
    ) -> ApiAnswer:
        try:
            return self._client.request(method, path, body, headers)
        except ApiUnreachable as error:
            raise StoreUnavailable(str(error)) from None
        except ApiRefused as error:
            if error.code == "precondition-failed" and headers == _NEW:
                raise AlreadyExists(error.says, next_step=error.do or "") from None
            raise refused_with(error.code, error.says, field=error.field, next_step=error.do) from None

    def read(self, path: str) -> Any:
        return self.ask("GET", path).body

    def every(self, path: str, **query: object) -> Iterator[Any]:
        """The items of all pages."""
        cursor = None
        while True:
            page = self.read(path + _query(**query, limit=500, cursor=cursor))
            yield from page["items"]
            cursor = page["next"]
            if cursor is None:
                return

    @cached_property
    def tenant(self) -> str | None:
        """Whose the token is; None: the operator's."""
        tenant: str | None = self.who["tenant"]
        return tenant

    @cached_property
    def who(self) -> Any:
        return self.read("/v1/whoami")

    def part(self, name: str, tenant: str | None = None) -> str:
        """The path of one part of the relay, of a tenant's where it is one's that is asked for or asks."""
        owner = tenant or self.tenant
        return f"{_tenant(owner)}/{name}" if owner else f"/v1/{name}"


class RemoteAdministration:
    """`admin.administration.Administration` of a relay elsewhere."""

    def __init__(self, relay: _Relay, *, beyond_limits: bool = False) -> None:
        self._relay = relay
        self._beyond_limits = beyond_limits

    # --- tenants ----------------------------------------------------------------------------------------------------

    def add_tenant(self, name: str) -> Tenant:
        object_name(name, "tenant")
        try:
            return tenant_from(self._relay.ask("PUT", _tenant(name), {}, _NEW).body)
        except AlreadyExists:
            raise tenants.already_exists(name) from None

    def change_tenant(self, name: str, *, contact: str | None, limits: Mapping[str, int | None]) -> Tenant:
        if limits:
            raise BadRequest("limits of a tenant are set on the relay itself: gatepost tenant set")
        found = self._relay.ask("GET", _tenant(name))
        body = {"contact": found.body["contact"] if contact is None else contact or None}
        return tenant_from(self._relay.ask("PUT", _tenant(name), body, _unchanged(found)).body)

    def tenants(self) -> Sequence[Tenant]:
        return [tenant_from(each) for each in self._relay.every("/v1/tenants")]

    def holding(self, name: str) -> TenantContents:
        tenant = tenant_from(self._relay.read(_tenant(name)))
        return TenantContents(
            tenant=tenant,
            domains=tuple(self.domains(tenant.name)),
            inbound_connectors=tuple(self.inbound_connectors(tenant.name)),
            send_connectors=tuple(self.send_connectors(tenant.name)),
        )

    def remove_tenant(self, name: str, *, with_holding: bool) -> TenantContents:
        found = self.holding(name)
        self._relay.ask("DELETE", _tenant(name) + ("?with_holding=true" if with_holding else ""))
        return found

    # --- domains ----------------------------------------------------------------------------------------------------

    def add_domain(self, tenant: str, name: str, *, match_subdomains: bool, verified: bool) -> DomainChange:
        body: dict[str, Any] = {"match_subdomains": match_subdomains, **({"verified": True} if verified else {})}
        path = f"{_tenant(tenant)}/domains/{_part(name)}"
        try:
            return _domain_change(self._relay.ask("PUT", path, body, _NEW).body)
        except AlreadyExists:
            raise domains.already_exists(tenant, name) from None

    def verify_domain(self, name: str, tenant: str | None) -> tuple[DomainChange, InboundConnector | None]:
        found = self.domain(name, tenant)
        made = _domain_change(self._relay.ask("POST", f"{_domain(found)}/verification").body)
        waiting = (
            inbound_connector_from(each)
            for each in self._relay.every(f"{_tenant(found.tenant)}/inbound-connectors")
            if not each["enabled"] and each["missing"] is None
        )
        return made, next(waiting, None)

    def change_domain(
        self, name: str, tenant: str | None, *, match_subdomains: bool | None, verified: bool | None
    ) -> DomainChange:
        answer = self._relay.ask("GET", _claim(name, tenant))
        found = domain_from(answer.body)
        body = {
            "match_subdomains": found.match_subdomains if match_subdomains is None else match_subdomains,
            "verified": verified,
        }
        return _domain_change(self._relay.ask("PUT", _domain(found), body, _unchanged(answer)).body)

    def domain(self, name: str, tenant: str | None) -> AcceptedDomain:
        return domain_from(self._relay.read(_claim(name, tenant)))

    def domains(self, tenant: str | None) -> Sequence[AcceptedDomain]:
        path = f"{_tenant(tenant)}/domains" if tenant else "/v1/domains"
        return [domain_from(each) for each in self._relay.every(path)]

    def remove_domain(self, name: str, tenant: str | None) -> DomainChange:
        found = self.domain(name, tenant)
        self._relay.ask("DELETE", _domain(found))
        return DomainChange(domain=found)

    # --- inbound connectors -----------------------------------------------------------------------------------------

    def add_inbound_connector(self, tenant: str, name: str, changes: Changes, *, enabled: bool) -> SavedInbound:
        object_name(name, "connector")
        asked = inbound_connectors.apply_changes(InboundConnector(tenant=tenant, name=name, enabled=enabled), changes)
        try:
            return self._put_inbound(asked, _NEW)
        except NameNotOwned:
            stored = self._put_inbound(_disabled(asked), _NEW)
            _, missing = self.inbound_connector(tenant, name)
            return SavedInbound(connector=stored.connector, warnings=stored.warnings, not_enabled_because=missing)
        except AlreadyExists:
            raise inbound_connectors.already_exists(tenant, name) from None

    def change_inbound_connector(self, tenant: str, name: str, changes: Changes) -> SavedInbound:
        answer = self._relay.ask("GET", _inbound(tenant, name))
        changed = inbound_connectors.apply_changes(inbound_connector_from(answer.body), changes)
        return self._put_inbound(changed, _unchanged(answer))

    def enable_inbound_connector(self, tenant: str, name: str) -> SavedInbound:
        return _saved_inbound(self._relay.ask("PATCH", _inbound(tenant, name), {"enabled": True}).body)

    def disable_inbound_connector(self, tenant: str, name: str) -> InboundConnector:
        return inbound_connector_from(self._relay.ask("PATCH", _inbound(tenant, name), {"enabled": False}).body)

    def inbound_connector(self, tenant: str, name: str) -> tuple[InboundConnector, Missing | None]:
        found = self._relay.read(_inbound(tenant, name))
        missing = found["missing"]
        return inbound_connector_from(found), Missing(to_operator=missing, to_tenant=missing) if missing else None

    def inbound_connectors(self, tenant: str | None) -> Sequence[InboundConnector]:
        return [
            inbound_connector_from(each) for each in self._relay.every(self._relay.part("inbound-connectors", tenant))
        ]

    def remove_inbound_connector(self, tenant: str, name: str) -> InboundConnector:
        found, _ = self.inbound_connector(tenant, name)
        self._relay.ask("DELETE", _inbound(tenant, name))
        return found

    def uses(self, tenant: str | None) -> Sequence[ConnectorUse]:
        return [use_from(each) for each in self._relay.every(self._relay.part("connector-use", tenant))]

    def _put_inbound(self, connector: InboundConnector, headers: Mapping[str, str]) -> SavedInbound:
        path = _inbound(connector.tenant, connector.name) + ("?beyond_limits=true" if self._beyond_limits else "")
        return _saved_inbound(self._relay.ask("PUT", path, inbound_connector_record(connector), headers).body)

    # --- send connectors --------------------------------------------------------------------------------------------

    def add_send_connector(self, name: str, changes: Changes, *, enabled: bool) -> SavedSend:
        object_name(name, "connector")
        send_connectors.must_name_spaces(changes)
        new = SendConnector(name=name, address_spaces=(), enabled=enabled)
        asked = send_connectors.apply_changes_but_tenant(new, changes)
        try:
            return self._put_send(
                self._send(name, str(changes.get("tenant") or "") or None),
                asked,
                _NEW,
                changes.get("allow_internal") is not None,
            )
        except AlreadyExists:
            raise send_connectors.already_exists(name) from None

    def change_send_connector(self, name: str, changes: Changes) -> SavedSend:
        answer = self._relay.ask("GET", self._send(name))
        found = send_connector_from(answer.body)
        if changes.get("tenant") not in (None, found.tenant or ""):
            raise BadRequest(
                *(SEND_CONNECTOR["tenant"], " cannot be changed from elsewhere: do that on the relay, or make a new "),
                "connector",
            )
        changed = send_connectors.apply_changes_but_tenant(found, changes)
        return self._put_send(self._send(name), changed, _unchanged(answer), changes.get("allow_internal") is not None)

    def enable_send_connector(self, name: str, *, enabled: bool) -> SendConnector:
        return send_connector_from(self._relay.ask("PATCH", self._send(name), {"enabled": enabled}).body)

    def send_connector(self, name: str) -> tuple[SendConnector, list[Record]]:
        who = self._relay.who
        source = {"server": who["hostname"], "protocol_log_folder": who["protocol_log_folder"]}
        return send_connector_from(self._relay.read(self._send(name))), [source]

    def send_connectors(self, tenant: str | None) -> Sequence[SendConnector]:
        return [send_connector_from(each) for each in self._relay.every(self._relay.part("send-connectors", tenant))]

    def remove_send_connector(self, name: str) -> SendConnector:
        found = send_connector_from(self._relay.read(self._send(name)))
        self._relay.ask("DELETE", self._send(name))
        return found

    def _send(self, name: str, tenant: str | None = None) -> str:
        # An operator's names may have a `/` in them: tenant/name.
        return f"{self._relay.part('send-connectors', tenant)}/{quote(name, safe='/')}"

    def _put_send(
        self, path: str, connector: SendConnector, headers: Mapping[str, str], mentions_internal: bool
    ) -> SavedSend:
        record = send_connector_record(connector)
        if not mentions_internal:
            # The relay knows whose connector it is, and what its smart hosts need.
            del record["allow_internal"]
        body = self._relay.ask("PUT", path, record, headers).body
        return SavedSend(connector=send_connector_from(body), warnings=tuple(body["warnings"]))

    # --- the audit --------------------------------------------------------------------------------------------------

    def changes(self, *, subject: str | None, after: int, limit: int) -> Sequence[AuditEntry]:
        found: list[AuditEntry] = []
        for each in self._relay.every(self._relay.part("audit")):
            entry = audit_from(each)
            if entry.version <= after or (limit and len(found) >= limit):
                break
            if entry.subject.startswith(subject or ""):
                found.append(entry)
        return found

    def change(self, version: int) -> AuditEntry:
        return audit_from(self._relay.read(f"{self._relay.part('audit')}/{version}"))


class RemoteQueueDesk:
    """`admin.queue_desk.QueueDesk` of a relay elsewhere."""

    def __init__(self, relay: _Relay) -> None:
        self._relay = relay

    def unreadable(self) -> Sequence[str]:
        return ()

    def overview(self, wanted: QueueFilter, limit: int) -> Overview:
        part = self._relay.part("queue", wanted.tenant)
        query = _query(
            message_id=wanted.message_id,
            domain=wanted.domain,
            state=wanted.state,
            older_than=_seconds(wanted),
            sender=_sender(wanted),
            limit=min(limit, 500),
        )
        return overview_from(self._relay.read(part + query))

    def shown(self, message_id: str) -> Shown:
        return shown_from(self._relay.read(f"{self._relay.part('queue')}/messages/{_part(message_id)}"))

    def affected(self, action: Action, wanted: QueueFilter) -> int:
        counts = self.overview(wanted, 0).counts
        return sum(count.recipients for count in counts if count.state in APPLIES_TO[action])

    def carry_out(self, action: Action, wanted: QueueFilter) -> int:
        said = {
            "message_id": wanted.message_id,
            "domain": wanted.domain,
            "state": wanted.state,
            "older_than": _seconds(wanted),
            "sender": _sender(wanted),
        }
        body = {**said, "all": all(each is None for each in said.values())}
        path = f"{self._relay.part('queue', wanted.tenant)}/{action}"
        changed: int = self._relay.ask("POST", path, body).body["recipients"]
        return changed

    def orders(self, limit: int) -> Sequence[tuple[str, Order]]:
        raise BadRequest("orders can be listed on the relay itself only: gatepost queue orders")


@dataclass(frozen=True, slots=True, kw_only=True)
class NotTold(SessionNotFound):
    """The relay has no such session, or none of ours."""

    says: str

    def __str__(self) -> str:
        return self.says


class RemoteSessions:
    def __init__(self, relay: _Relay) -> None:
        self._relay = relay

    def why(self, session_id: str) -> dict[str, Any] | SessionNotFound:
        try:
            found: dict[str, Any] = self._relay.read(f"/v1/sessions/{_part(session_id)}")
            return found
        except NotFound as error:
            return NotTold(session_id=session_id, what="session records", oldest=None, says=str(error))


def _disabled(connector: InboundConnector) -> InboundConnector:
    return inbound_connector_from({**inbound_connector_record(connector), "enabled": False})


def _saved_inbound(body: Any) -> SavedInbound:
    return SavedInbound(connector=inbound_connector_from(body), warnings=tuple(body["warnings"]))


def _domain_change(body: Any) -> DomainChange:
    return DomainChange(domain=domain_from(body), warnings=tuple(body["warnings"]))


def _unchanged(answer: ApiAnswer) -> dict[str, str]:
    return {"If-Match": answer.etag} if answer.etag else {}


def _seconds(wanted: QueueFilter) -> str | None:
    return None if wanted.older_than_s is None else f"{wanted.older_than_s:f}s"


def _sender(wanted: QueueFilter) -> str | None:
    return "<>" if wanted.sender == "" else wanted.sender


def _query(**values: object) -> str:
    said = [f"{name}={quote(str(value), safe='')}" for name, value in values.items() if value is not None]
    return "?" + "&".join(said) if said else ""


def _tenant(name: str) -> str:
    return f"/v1/tenants/{_part(name)}"


def _domain(domain: AcceptedDomain) -> str:
    return f"{_tenant(domain.tenant)}/domains/{_part(domain.domain)}"


def _claim(name: str, tenant: str | None) -> str:
    return f"{_tenant(tenant)}/domains/{_part(name)}" if tenant else f"/v1/domains/{_part(name)}"


def _inbound(tenant: str, name: str) -> str:
    return f"{_tenant(tenant)}/inbound-connectors/{_part(name)}"


def _part(text: str) -> str:
    return quote(text, safe="")
