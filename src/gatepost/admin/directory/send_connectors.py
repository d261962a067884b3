"""Send connectors: where mail leaves, and how."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from shlex import quote
from typing import Protocol

from gatepost.admin.directory.editor import DirectoryEditor
from gatepost.admin.directory.limits import must_have_room, send_must_fit
from gatepost.admin.directory.list_edit import ListChange, ListEdit, edited, with_edit
from gatepost.admin.directory.lookups import send_connector_named, tenant_named
from gatepost.admin.directory.notation import address_space, host_name, object_name, smart_host
from gatepost.admin.refusal import AlreadyExists, BadRequest
from gatepost.queue import routing
from gatepost.tenancy.allowance import Owned
from gatepost.tenancy.reach import PORTS_OF_TENANTS, needs_allowance, port_not_allowed
from gatepost.tenancy.tenant import AcceptedDomain, AddressSpace, SendConnector, Tenant, TlsLevel

_SOMEWHERE = "somewhere-else.invalid"
"""A domain that nobody has (RFC 6761 6.4): how mail to the outside is routed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialVerdict:
    """Whether a certificate file and a key file can be used together."""

    problem: str | None = None
    """One line: which file, what is wrong, what to do."""
    warnings: tuple[str, ...] = ()


class CredentialCheck(Protocol):
    def __call__(self, certificate: Path, key: Path) -> CredentialVerdict: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SendConnectorChanges:
    """What is asked for, as it was written. None: not mentioned; empty: nothing of that kind."""

    tenant: str | None = None
    address_spaces: ListChange = None
    smart_hosts: ListChange = None
    certificate: str | None = None
    key: str | None = None
    tls: str | None = None
    tls_domain: str | None = None
    fqdn: str | None = None
    protocol_log: str | None = None
    allow_internal: str | None = None
    by_tenant: bool = False
    """A tenant asks: it may not allow itself anything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    connector: SendConnector
    warnings: tuple[str, ...] = ()


def add(
    editor: DirectoryEditor, name: str, changes: SendConnectorChanges, check: CredentialCheck, *, enabled: bool = True
) -> Saved:
    object_name(name.removeprefix(f"{changes.tenant}/"), "connector")
    if not changes.address_spaces:
        raise BadRequest("--address-space is missing: which mail leaves here? Everything is '*'")
    with editor.change():
        if editor.send_connector(name):
            raise already_exists(name)
        return _saved(editor, SendConnector(name=name, address_spaces=(), enabled=enabled), changes, check, "add")


def already_exists(name: str) -> AlreadyExists:
    return AlreadyExists(
        f"there is a send connector '{name}' already; to change it: gatepost send-connector set {quote(name)} …"
    )


def stored_name(editor: DirectoryEditor, tenant: str, name: str) -> str:
    """The name under which the directory has `tenant`'s connector `name`, or would have a new one.

    Names of send connectors are the server's. So that no tenant learns from a name that is taken what another has, what
    a tenant makes itself stands under `tenant/name`; what the operator made for it keeps the name it was given.
    """
    own = f"{tenant}/{name}"
    if editor.send_connector(own) is None:
        given = editor.send_connector(name)
        if given and given.tenant == tenant:
            return given.name
    return own


def name_for_tenant(connector: SendConnector) -> str:
    return connector.name.removeprefix(f"{connector.tenant}/")


def change(editor: DirectoryEditor, name: str, changes: SendConnectorChanges, check: CredentialCheck) -> Saved:
    """A list that is mentioned replaces the stored one."""
    with editor.change():
        return _saved(editor, send_connector_named(editor, name), changes, check, "set")


def put(
    editor: DirectoryEditor, name: str, changes: SendConnectorChanges, check: CredentialCheck, *, enabled: bool | None
) -> Saved:
    """Store a new connector or change the one there is. `enabled` None: as it was, and a new one is."""
    with editor.change():
        existing = editor.send_connector(name)
        if existing is None:
            return add(editor, name, changes, check, enabled=enabled is not False)
        connector = existing if enabled is None else replace(existing, enabled=enabled)
        return _saved(editor, connector, changes, check, "set")


def enable(editor: DirectoryEditor, name: str, *, enabled: bool) -> SendConnector:
    with editor.change():
        connector = replace(send_connector_named(editor, name), enabled=enabled)
        editor.put_send_connector(connector, "enable" if enabled else "disable")
        return connector


def remove(editor: DirectoryEditor, name: str) -> SendConnector:
    with editor.change():
        connector = send_connector_named(editor, name)
        editor.remove_send_connector(connector)
        return connector


def every(editor: DirectoryEditor, tenant: str | None) -> Iterator[SendConnector]:
    return editor.all_send_connectors(tenant_named(editor, tenant).name if tenant else None)


def domains_without_mailboxes(editor: DirectoryEditor, most: int) -> tuple[list[str], str | None]:
    """Where this server hands mail to a relay that knows it by its certificate: up to `most` verified domains for which
    no other way is set, and the name of the connector to the relay."""
    everybodys = [each for each in editor.all_send_connectors() if each.enabled and each.tenant is None]
    to_relay = routing.choose(everybodys, None, _SOMEWHERE)
    if to_relay is None or not (to_relay.smart_hosts and to_relay.certificate):
        return [], None
    lacking = (
        domain.domain
        for domain in editor.all_domains()
        if domain.verified and _way_to(editor, domain, everybodys) == to_relay
    )
    return list(islice(lacking, most)), to_relay.name


def _way_to(
    editor: DirectoryEditor, domain: AcceptedDomain, everybodys: Sequence[SendConnector]
) -> SendConnector | None:
    own = [each for each in editor.all_send_connectors(domain.tenant) if each.enabled and each.tenant == domain.tenant]
    return routing.choose([*own, *everybodys], domain.tenant, domain.domain)


def _saved(
    editor: DirectoryEditor,
    connector: SendConnector,
    changes: SendConnectorChanges,
    check: CredentialCheck,
    action: str,
) -> Saved:
    return save(editor, apply_changes(editor, connector, changes), check, action)


def save(editor: DirectoryEditor, connector: SendConnector, check: CredentialCheck, action: str) -> Saved:
    """Store `connector` if its certificate can be used and its tenant may have it."""
    warnings = _credential_warnings(connector, check)
    if connector.tenant is not None:
        _must_fit(editor, connector, tenant_named(editor, connector.tenant))
    editor.put_send_connector(connector, action)
    return Saved(connector=connector, warnings=warnings)


def _must_fit(editor: DirectoryEditor, connector: SendConnector, tenant: Tenant) -> None:
    stored = editor.send_connector(connector.name)
    if stored is None or stored.tenant != tenant.name:
        must_have_room(editor, tenant, Owned.SEND_CONNECTORS)
    send_must_fit(editor.allowance, tenant, connector, stored)


def apply_changes(editor: DirectoryEditor, connector: SendConnector, changes: SendConnectorChanges) -> SendConnector:
    """`connector` as the changes would have it. Raises `Refused` where that makes no sense."""
    if changes.tenant is not None:
        connector = replace(connector, tenant=tenant_named(editor, changes.tenant).name if changes.tenant else None)
    return apply_changes_but_tenant(connector, changes)


def apply_changes_but_tenant(connector: SendConnector, changes: SendConnectorChanges) -> SendConnector:
    """Raises `BadRequest` where the changes makes no sense."""
    before = connector
    if changes.address_spaces is not None:
        connector = replace(connector, address_spaces=_edited_spaces(connector.address_spaces, changes.address_spaces))
    if changes.smart_hosts is not None:
        hosts = edited(connector.smart_hosts, changes.smart_hosts, smart_host, "smart-host")
        connector = replace(connector, smart_hosts=hosts)
    if changes.certificate is not None:
        connector = replace(connector, certificate=_absolute(changes.certificate))
    if changes.key is not None:
        connector = replace(connector, key=_absolute(changes.key))
    if changes.tls is not None:
        connector = replace(connector, tls=_tls_level(changes.tls))
    if changes.tls_domain is not None:
        connector = replace(connector, tls_domain=(changes.tls_domain and _tls_domain(changes.tls_domain)) or None)
    if changes.fqdn is not None:
        connector = replace(connector, fqdn=(changes.fqdn and host_name(changes.fqdn, "--fqdn")) or None)
    if changes.protocol_log is not None:
        connector = replace(connector, protocol_log=_on_or_off("--protocol-log", changes.protocol_log))
    connector = replace(connector, allow_internal=_allows_internal(before, connector, changes))
    _must_make_sense(connector)
    if changes.smart_hosts is not None or changes.tenant is not None or changes.allow_internal is not None:
        _must_be_within_reach(connector, changes.by_tenant)
    return connector


def _allows_internal(before: SendConnector, connector: SendConnector, changes: SendConnectorChanges) -> bool | None:
    """What the operator writes as an address is allowed by that; a tenant's change takes the allowance back."""
    if changes.by_tenant:
        return before.allow_internal if connector.smart_hosts == before.smart_hosts else None
    if changes.allow_internal is not None:
        return _on_or_off("--allow-internal", changes.allow_internal)
    if changes.smart_hosts is None:
        return before.allow_internal
    written = connector.tenant is not None and any(map(needs_allowance, connector.smart_hosts))
    return True if written else before.allow_internal


def _must_be_within_reach(connector: SendConnector, by_tenant: bool) -> None:
    """Only for what a tenant owns: the server's smart hosts are the operator's own."""
    if connector.tenant is None or connector.reaches_internal:
        return
    for host in connector.smart_hosts:
        if needs_allowance(host):
            why = port_not_allowed(host.port) if host.port not in PORTS_OF_TENANTS else "it is an internal address"
            cure = "ask the operator of this relay to allow it" if by_tenant else "allow it with --allow-internal on"
            raise BadRequest(f"smart host {host}: {why}; {cure}")


def _must_make_sense(connector: SendConnector) -> None:
    if not connector.address_spaces:
        raise BadRequest(
            "a send connector needs at least one --address-space; to stop using it: send-connector disable"
        )
    if bool(connector.certificate) != bool(connector.key):
        missing = "--key" if connector.certificate else "--certificate"
        raise BadRequest(f"{missing} is missing: a certificate and its private key go together")
    if connector.certificate and connector.tls is TlsLevel.NONE:
        raise BadRequest("--tls none presents no certificate: leave --certificate away, or choose another --tls level")
    if connector.tls_domain and connector.tls is not TlsLevel.VERIFY:
        raise BadRequest("--tls-domain says which name is verified: it needs --tls verify")


def _credential_warnings(connector: SendConnector, check: CredentialCheck) -> tuple[str, ...]:
    if connector.certificate is None or connector.key is None:
        return ()
    verdict = check(Path(connector.certificate), Path(connector.key))
    if verdict.problem:
        raise BadRequest(verdict.problem)
    return verdict.warnings


def _edited_spaces(stored: tuple[AddressSpace, ...], changes: Sequence[str] | ListEdit) -> tuple[AddressSpace, ...]:
    """A space is taken away whatever it costs; one that is added again has its new cost."""
    if not isinstance(changes, ListEdit):
        return _address_spaces(changes)
    added = _address_spaces(changes.add)
    going = [address_space(text).space for text in changes.remove]
    with_edit(tuple(each.space for each in stored), (), going, "address-space")
    replaced = {*going, *(each.space for each in added)}
    return (*(each for each in stored if each.space not in replaced), *added)


def _address_spaces(texts: Sequence[str]) -> tuple[AddressSpace, ...]:
    spaces: dict[str, AddressSpace] = {}
    for space in map(address_space, texts):
        if spaces.get(space.space, space) != space:
            raise BadRequest(f"--address-space {space.space} is given twice, with different costs")
        spaces[space.space] = space
    return tuple(spaces.values())


def _tls_level(text: str) -> TlsLevel:
    if text == "dane":
        raise BadRequest("--tls dane comes with a later release; until then use --tls verify, or encrypt")
    try:
        return TlsLevel(text)
    except ValueError:
        raise BadRequest(f"--tls {text}: one of {', '.join(TlsLevel)} is wanted") from None


def _on_or_off(option: str, text: str) -> bool:
    if text not in ("on", "off"):
        raise BadRequest(f"{option} {text}: on or off is wanted")
    return text == "on"


def _tls_domain(text: str) -> str:
    wildcard = "*." if text.startswith("*.") else ""
    return wildcard + host_name(text.removeprefix("*."), "--tls-domain")


def _absolute(path: str) -> str | None:
    return str(Path(path).expanduser().absolute()) if path else None
