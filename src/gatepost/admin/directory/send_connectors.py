"""Send connectors: where mail leaves, and how."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from shlex import quote
from typing import Protocol

from gatepost.admin.directory.changes import Changes, ListEdit, Reader, changed, on_or_off, with_edit
from gatepost.admin.directory.editor import DirectoryEditor
from gatepost.admin.directory.limits import must_have_room, send_must_fit
from gatepost.admin.directory.lookups import send_connector_named, tenant_named
from gatepost.errors import AlreadyExists, BadRequest
from gatepost.queue import routing
from gatepost.tenancy.allowance import Owned
from gatepost.tenancy.definitions import SEND_CONNECTOR
from gatepost.tenancy.notation import address_space, object_name
from gatepost.tenancy.reach import PORTS_OF_TENANTS, needs_allowance, port_not_allowed
from gatepost.tenancy.tenant import AcceptedDomain, AddressSpace, SendConnector, Tenant, TlsLevel

_FIELD = SEND_CONNECTOR
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
class SavedSend:
    connector: SendConnector
    warnings: tuple[str, ...] = ()


def add(
    editor: DirectoryEditor, name: str, changes: Changes, check: CredentialCheck, *, enabled: bool = True
) -> SavedSend:
    object_name(name.removeprefix(f"{changes.get('tenant')}/"), "connector")
    must_name_spaces(changes)
    with editor.change():
        if editor.send_connector(name):
            raise already_exists(name)
        new = SendConnector(name=name, address_spaces=(), enabled=enabled)
        return _saved(editor, new, changes, check, "add")


def must_name_spaces(changes: Changes) -> None:
    if not changes.get("address_spaces"):
        raise BadRequest(_FIELD["address_spaces"], " is missing: which mail leaves here? Everything is '*'")


def already_exists(name: str) -> AlreadyExists:
    return AlreadyExists(
        f"there is a send connector '{name}' already",
        next_step=f"to change it: gatepost send-connector set {quote(name)} …",
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


def change(editor: DirectoryEditor, name: str, changes: Changes, check: CredentialCheck) -> SavedSend:
    """A list that is mentioned replaces the stored one."""
    with editor.change():
        return _saved(editor, send_connector_named(editor, name), changes, check, "set")


def put(
    editor: DirectoryEditor, name: str, changes: Changes, check: CredentialCheck, *, enabled: bool | None
) -> SavedSend:
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
    changes: Changes,
    check: CredentialCheck,
    action: str,
) -> SavedSend:
    return save(editor, apply_changes(editor, connector, changes), check, action)


def save(editor: DirectoryEditor, connector: SendConnector, check: CredentialCheck, action: str) -> SavedSend:
    """Store `connector` if its certificate can be used and its tenant may have it."""
    warnings = _credential_warnings(connector, check)
    if connector.tenant is not None:
        _must_fit(editor, connector, tenant_named(editor, connector.tenant))
    editor.put_send_connector(connector, action)
    return SavedSend(connector=connector, warnings=warnings)


def _must_fit(editor: DirectoryEditor, connector: SendConnector, tenant: Tenant) -> None:
    stored = editor.send_connector(connector.name)
    if stored is None or stored.tenant != tenant.name:
        must_have_room(editor, tenant, Owned.SEND_CONNECTORS)
    send_must_fit(editor.allowance, tenant, connector, stored)


def apply_changes(editor: DirectoryEditor, connector: SendConnector, changes: Changes) -> SendConnector:
    """`connector` as the changes would have it. Raises `Refused` where that makes no sense."""
    tenant = changes.get("tenant")
    if tenant is not None:
        connector = replace(connector, tenant=tenant_named(editor, str(tenant)).name if tenant else None)
    return apply_changes_but_tenant(connector, changes, by_tenant=editor.allowance.by_tenant)


def apply_changes_but_tenant(connector: SendConnector, changes: Changes, *, by_tenant: bool = False) -> SendConnector:
    """`by_tenant`: a tenant asks, and may not allow itself anything. Raises `BadRequest`."""
    asked = {name: written for name, written in changes.items() if name not in ("tenant", "allow_internal")}
    made = changed(connector, SEND_CONNECTOR, asked, _READERS)
    made = replace(made, allow_internal=_allows_internal(connector, made, changes, by_tenant=by_tenant))
    _must_make_sense(made)
    if any(changes.get(name) is not None for name in ("smart_hosts", "tenant", "allow_internal")):
        _must_be_within_reach(made, by_tenant)
    return made


def _allows_internal(
    before: SendConnector, connector: SendConnector, changes: Changes, *, by_tenant: bool
) -> bool | None:
    """What the operator writes as an address is allowed by that; a tenant's change takes the allowance back."""
    if by_tenant:
        return before.allow_internal if connector.smart_hosts == before.smart_hosts else None
    said = changes.get("allow_internal")
    if isinstance(said, str | bool):
        return on_or_off(said, _FIELD["allow_internal"])
    if changes.get("smart_hosts") is None:
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
            raise BadRequest(
                f"smart host {host}: {why}",
                field=_FIELD["smart_hosts"],
                next_step="ask the operator of this relay to allow it"
                if by_tenant
                else ("allow it with ", _FIELD["allow_internal"], " on"),
            )


def _must_make_sense(connector: SendConnector) -> None:
    certificate, key, tls = _FIELD["certificate"], _FIELD["key"], _FIELD["tls"]
    if not connector.address_spaces:
        raise BadRequest(
            *("a send connector needs at least one ", _FIELD["address_spaces"]),
            next_step="to stop using it: send-connector disable",
        )
    if bool(connector.certificate) != bool(connector.key):
        missing = key if connector.certificate else certificate
        raise BadRequest(missing, " is missing: a certificate and its private key go together")
    if connector.certificate and connector.tls is TlsLevel.NONE:
        raise BadRequest(
            tls, " none presents no certificate: leave ", certificate, " away, or choose another ", tls, " level"
        )
    if connector.tls_domain and connector.tls is not TlsLevel.VERIFY:
        raise BadRequest(_FIELD["tls_domain"], " says which name is verified: it needs ", tls, " verify")


def _credential_warnings(connector: SendConnector, check: CredentialCheck) -> tuple[str, ...]:
    if connector.certificate is None or connector.key is None:
        return ()
    verdict = check(Path(connector.certificate), Path(connector.key))
    if verdict.problem:
        raise BadRequest(verdict.problem)
    return verdict.warnings


def _edited_spaces(stored: tuple[AddressSpace, ...], written: Sequence[str] | ListEdit) -> tuple[AddressSpace, ...]:
    """A space is taken away whatever it costs; one that is added again has its new cost."""
    if not isinstance(written, ListEdit):
        return _address_spaces(written)
    added = _address_spaces(written.add)
    going = [address_space(text).space for text in written.remove]
    with_edit(tuple(each.space for each in stored), (), going, _FIELD["address_spaces"])
    replaced = {*going, *(each.space for each in added)}
    return (*(each for each in stored if each.space not in replaced), *added)


def _address_spaces(texts: Sequence[str]) -> tuple[AddressSpace, ...]:
    spaces: dict[str, AddressSpace] = {}
    for space in map(address_space, texts):
        if spaces.get(space.space, space) != space:
            raise BadRequest(_FIELD["address_spaces"], f" {space.space} is given twice, with different costs")
        spaces[space.space] = space
    return tuple(spaces.values())


def _absolute(_: str | None, path: str) -> str | None:
    return str(Path(path).expanduser().absolute()) if path else None


_READERS: Mapping[str, Reader] = {"address_spaces": _edited_spaces, "certificate": _absolute, "key": _absolute}
"""What a field's definition alone cannot say."""
