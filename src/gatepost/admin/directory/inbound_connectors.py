"""Inbound connectors: a tenant's statements "this is my server".

Law: a connector whose certificate name its tenant does not own is never enabled.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from shlex import quote

from gatepost.admin.directory.changes import Changes, ListEdit, changed, with_edit
from gatepost.admin.directory.editor import DirectoryEditor
from gatepost.admin.directory.limits import inbound_must_fit, must_have_room
from gatepost.admin.directory.lookups import inbound_connector_named, tenant_named
from gatepost.admin.directory.ownership import Missing, what_is_missing
from gatepost.admin.directory.trust_anchors import trust_anchors
from gatepost.errors import AlreadyExists, BadRequest, NameNotOwned, Said, Sentence
from gatepost.tenancy.allowance import Owned
from gatepost.tenancy.definitions import INBOUND_CONNECTOR
from gatepost.tenancy.notation import object_name
from gatepost.tenancy.tenant import ConnectorType, InboundConnector, Tenant

_FIELD = INBOUND_CONNECTOR


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedInbound:
    connector: InboundConnector
    warnings: tuple[Sentence, ...] = ()
    not_enabled_because: Missing | None = None
    """Asked to be enabled, stored disabled: what is missing, and what to do."""


def add(editor: DirectoryEditor, tenant: str, name: str, changes: Changes, *, enabled: bool = True) -> SavedInbound:
    """Store a new connector. One with an unowned name is stored disabled, so that nothing has to be written twice."""
    object_name(name, "connector")
    with editor.change():
        owner = tenant_named(editor, tenant)
        if editor.inbound_connector(owner.name, name):
            raise already_exists(owner.name, name)
        connector = _applied(editor, owner, InboundConnector(tenant=owner.name, name=name, enabled=enabled), changes)
        must_have_room(editor, owner, Owned.INBOUND_CONNECTORS)
        missing = what_is_missing(editor, connector) if enabled else None
        connector = replace(connector, enabled=enabled and missing is None)
        editor.put_inbound_connector(connector, "add")
        return SavedInbound(connector=connector, warnings=warnings_of(editor, connector), not_enabled_because=missing)


def already_exists(tenant: str, name: str) -> AlreadyExists:
    return AlreadyExists(
        f"tenant {tenant} has an inbound connector '{name}' already",
        next_step=f"to change it: gatepost inbound-connector set {quote(tenant)} {quote(name)} …",
    )


def change(editor: DirectoryEditor, tenant: str, name: str, changes: Changes) -> SavedInbound:
    """A list that is mentioned replaces the stored one. An enabled connector keeps its old form rather than take a
    name its tenant does not own."""
    with editor.change():
        stored = inbound_connector_named(editor, tenant, name)
        connector = _applied(editor, tenant_named(editor, tenant), stored, changes)
        if connector.enabled and (missing := what_is_missing(editor, connector)):
            raise _not_owned("nothing was changed", missing)
        editor.put_inbound_connector(connector, "set")
        return SavedInbound(connector=connector, warnings=warnings_of(editor, connector))


def put(editor: DirectoryEditor, tenant: str, name: str, changes: Changes, *, enabled: bool | None) -> SavedInbound:
    """Store a new connector or change the one there is, all at once: as it is asked for, or not at all. `enabled` None:
    as it was, and a new one is."""
    with editor.change():
        owner = tenant_named(editor, tenant)
        existing = editor.inbound_connector(owner.name, name)
        if existing is None:
            object_name(name, "connector")
        connector = _applied(editor, owner, existing or InboundConnector(tenant=owner.name, name=name), changes)
        if existing is None:
            must_have_room(editor, owner, Owned.INBOUND_CONNECTORS)
        connector = replace(connector, enabled=_said(enabled, connector.enabled))
        if connector.enabled and (missing := what_is_missing(editor, connector)):
            raise _not_owned("nothing was changed", missing)
        editor.put_inbound_connector(connector, "set" if existing else "add")
        return SavedInbound(connector=connector, warnings=warnings_of(editor, connector))


def must_be_storable(editor: DirectoryEditor, owner: Tenant, connector: InboundConnector) -> None:
    """As a whole, as it is. Raises `Refused`."""
    existing = editor.inbound_connector(owner.name, connector.name)
    _must_make_sense(connector)
    inbound_must_fit(editor.allowance, owner, connector, existing)
    if existing is None:
        must_have_room(editor, owner, Owned.INBOUND_CONNECTORS)
    if connector.enabled and (missing := what_is_missing(editor, connector)):
        raise _not_owned("nothing was changed", missing)


def enable(editor: DirectoryEditor, tenant: str, name: str) -> SavedInbound:
    with editor.change():
        connector = inbound_connector_named(editor, tenant, name)
        if missing := what_is_missing(editor, connector):
            raise _not_owned(f"{connector.label} stays disabled", missing)
        connector = replace(connector, enabled=True)
        editor.put_inbound_connector(connector, "enable")
        return SavedInbound(connector=connector, warnings=warnings_of(editor, connector))


def disable(editor: DirectoryEditor, tenant: str, name: str) -> InboundConnector:
    with editor.change():
        connector = replace(inbound_connector_named(editor, tenant, name), enabled=False)
        editor.put_inbound_connector(connector, "disable")
        return connector


def remove(editor: DirectoryEditor, tenant: str, name: str) -> InboundConnector:
    with editor.change():
        connector = inbound_connector_named(editor, tenant, name)
        editor.remove_inbound_connector(connector)
        return connector


def every(editor: DirectoryEditor, tenant: str | None) -> Iterator[InboundConnector]:
    return editor.all_inbound_connectors(tenant_named(editor, tenant).name if tenant else None)


def ready_to_enable(editor: DirectoryEditor, tenant: str) -> Iterator[InboundConnector]:
    """Disabled connectors that nothing keeps from being enabled: after a verification, what to do next."""
    for connector in editor.all_inbound_connectors(tenant):
        if not connector.enabled and what_is_missing(editor, connector) is None:
            yield connector


def apply_changes(connector: InboundConnector, changes: Changes) -> InboundConnector:
    """`connector` as the changes would have it. Raises `BadRequest` where that makes no sense."""
    made = changed(connector, INBOUND_CONNECTOR, changes, {"trust_anchors": _anchors})
    if made.proven_pins:
        made = replace(made, proven_pins=made.proven_pins.intersection(made.pins))
    _must_make_sense(made)
    return made


def _applied(editor: DirectoryEditor, owner: Tenant, connector: InboundConnector, changes: Changes) -> InboundConnector:
    """As the changes would have it, with the pins that the tenant has proven."""
    changed = apply_changes(connector, changes)
    inbound_must_fit(editor.allowance, owner, changed, connector)
    return replace(changed, proven_pins=changed.proven_pins | editor.proven(changed.tenant, changed.pins))


def _not_owned(what: str, missing: Missing) -> NameNotOwned:
    return NameNotOwned(
        f"{what}: {missing.to_operator}",
        field=_FIELD["certificate_names"],
        next_step=missing.next_step,
        to_tenant=Said(message=f"{what}: {missing.to_tenant}", next_step=missing.next_step),
    )


def _must_make_sense(connector: InboundConnector) -> None:
    names, addresses = _FIELD["certificate_names"], _FIELD["addresses"]
    restrict_to_certificate, restrict_to_address = _FIELD["restrict_to_certificate"], _FIELD["restrict_to_address"]
    by_certificate = bool(connector.certificate_names or connector.pins)
    if connector.type is ConnectorType.ON_PREMISES:
        if connector.restrict_to_certificate or connector.restrict_to_address:
            raise BadRequest(
                *(restrict_to_certificate, " and ", restrict_to_address, " are for ", _FIELD["type"]),
                " partner: an on-premises connector grants, it does not restrict",
            )
        if not by_certificate and not connector.addresses:
            pins = (_FIELD["certificate_sha256"], ", ", _FIELD["public_key_sha256"])
            raise BadRequest(
                "nothing identifies the server: give ", names, " (recommended), ", *pins, " or ", addresses
            )
    elif not (by_certificate or connector.addresses or connector.sender_domains or connector.require_tls):
        raise BadRequest(
            "the partner connector says nothing: give ", _FIELD["sender_domains"], ", ", names, " or ", addresses
        )
    if connector.restrict_to_certificate and not by_certificate:
        raise BadRequest(restrict_to_certificate, " needs ", names, ": which certificate must the partner show?")
    if connector.restrict_to_address and not connector.addresses:
        raise BadRequest(restrict_to_address, " needs ", addresses, ": from where may the partner come?")
    if connector.trust_anchors and not connector.certificate_names:
        raise BadRequest(_FIELD["trust_anchors"], " needs ", names, ": an authority is trusted for these names only")


def warnings_of(editor: DirectoryEditor, connector: InboundConnector) -> tuple[Sentence, ...]:
    """What is allowed, but perhaps not meant."""
    warnings: list[Sentence] = []
    if connector.type is ConnectorType.ON_PREMISES:
        if connector.sender_domains:
            no_effect = " has no effect on an on-premises connector: it narrows partner connectors"
            warnings.append((_FIELD["sender_domains"], no_effect))
        anybody = f" is every host: whoever knows a domain of {connector.tenant} can relay"
        warnings += [(_FIELD["addresses"], f" {each}{anybody}") for each in connector.addresses if each.prefixlen == 0]
        warnings += _listed_twice(editor, connector)
        if set(connector.pins) - connector.proven_pins:
            warnings.append(
                "a pinned certificate counts like an address, with a reverse-path in a verified domain only, until the "
                f"tenant has proved to hold its key: gatepost enroll {quote(connector.tenant)}"
            )
    if any(domain.verified for domain in editor.all_domains(connector.tenant)):
        return tuple(warnings)
    if connector.type is ConnectorType.ON_PREMISES and not connector.certificate_names:
        warnings.append(
            f"{connector.tenant} has no verified domain yet, and without one this connector identifies nobody: "
            f"gatepost domain add {quote(connector.tenant)} DOMAIN"
        )
    return tuple(warnings)


_MOST_NETWORKS = 10
"""Of a connector's, that are looked for in others."""


def _listed_twice(editor: DirectoryEditor, connector: InboundConnector) -> Iterator[Sentence]:
    """What other connectors list too: of the same tenant by mistake, of another one perhaps on purpose, which is the
    operator's to know alone."""
    tenant = connector.tenant
    for name in connector.certificate_names:
        naming = (each for each in editor.connectors_naming([name], [tenant]) if name in each.certificate_names)
        if own := _others(connector, naming, own=True):
            yield _FIELD["certificate_names"], f" {name} is in {own} too: one of them is enough"
    for network in connector.addresses[:_MOST_NETWORKS]:
        found = editor.connectors_listing(network.network_address, [tenant])
        listing = [each for each in found if network in each.addresses]
        if own := _others(connector, listing, own=True):
            yield _FIELD["addresses"], f" {network} is in {own} too: one of them is enough"
        theirs = _others(connector, listing, own=False)
        if theirs and not editor.allowance.by_tenant:
            decides = "the domain of the reverse-path decides whose session it is"
            yield _FIELD["addresses"], f" {network} is in {theirs} too: {decides}"


def _others(connector: InboundConnector, found: Iterable[InboundConnector], *, own: bool) -> str:
    """The labels of other connectors: of the same tenant, or of others."""
    labels = [each.label for each in found if (each.tenant == connector.tenant) is own]
    others = sorted(label for label in labels if label != connector.label)
    return ", ".join(others[:3]) + (f" and {len(others) - 3} more" if others[3:] else "")


def _said(changes: bool | None, otherwise: bool) -> bool:
    return otherwise if changes is None else changes


def _anchors(stored: tuple[str, ...], written: Sequence[str] | ListEdit) -> tuple[str, ...]:
    """A text may hold several certificates."""
    if isinstance(written, ListEdit):
        return with_edit(stored, _each_anchor(written.add), _each_anchor(written.remove), _FIELD["trust_anchors"])
    return tuple(dict.fromkeys(_each_anchor(written)))


def _each_anchor(texts: Iterable[str]) -> list[str]:
    return [anchor for text in texts for anchor in trust_anchors(text.encode(), "given")]
