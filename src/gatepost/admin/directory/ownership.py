"""What a change of ownership means for connectors, and what an administrator does about an unowned name."""

from dataclasses import dataclass
from shlex import quote

from gatepost.admin.directory.editor import DirectoryEditor
from gatepost.tenancy.ownership import UnownedName, unowned_names
from gatepost.tenancy.tenant import AcceptedDomain, InboundConnector

RECORD_PREFIX = "gatepost-verification="


def record_name(domain: str) -> str:
    """Where the verification record of `domain` stands."""
    return f"_gatepost.{domain}"


def record_value(domain: AcceptedDomain) -> str:
    return f"{RECORD_PREFIX}{domain.token}"


def txt_record(domain: AcceptedDomain) -> str:
    """The record in zone file form (RFC 1035 5.1)."""
    return f'{record_name(domain.domain)} TXT "{record_value(domain)}"'


def unowned_names_of_enabled(editor: DirectoryEditor, tenant: str) -> frozenset[tuple[str, str]]:
    """The tenant's enabled connectors with the names that do not count, as (connector, certificate name)."""
    return frozenset(
        (connector.name, unowned.name)
        for connector in editor.all_inbound_connectors(tenant)
        if connector.enabled
        for unowned in unowned_names(connector, editor)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """Why a connector cannot be enabled and what to do."""

    to_operator: str
    to_tenant: str
    """Names nobody else."""
    next_step: str = ""

    def __str__(self) -> str:
        return self._line(self.to_operator)

    @property
    def line_for_tenant(self) -> str:
        return self._line(self.to_tenant)

    def _line(self, message: str) -> str:
        return f"{message}; {self.next_step}" if self.next_step else message


def what_is_missing(editor: DirectoryEditor, connector: InboundConnector) -> Missing | None:
    """None: nothing stands in the way."""
    unowned = unowned_names(connector, editor)
    if not unowned:
        return None
    return Missing(
        to_operator="; ".join(_advice(each, connector.tenant) for each in unowned),
        to_tenant="; ".join(_own_advice(each, connector.tenant) for each in unowned),
        next_step=f"then run: gatepost inbound-connector enable {quote(connector.tenant)} {quote(connector.name)}",
    )


def _advice(unowned: UnownedName, tenant: str) -> str:
    owner = unowned.owner
    if owner and not unowned.can_be_verified:
        return (
            f"certificate name {unowned.name} belongs to tenant {owner.tenant}, which has verified {owner.domain}: "
            f"use a name {tenant} owns, or have {owner.tenant} give up {owner.domain}"
        )
    above = f" ({owner.tenant} has verified {owner.domain})" if owner else ""
    return _own_advice(unowned, tenant, above)


def _own_advice(unowned: UnownedName, tenant: str, above: str = "") -> str:
    if unowned.added:
        return (
            f"certificate name {unowned.name} is not owned by {tenant}: publish the TXT record "
            f"{txt_record(unowned.added)}, then run: gatepost domain verify {unowned.domain}"
        )
    return (
        f"certificate name {unowned.name} is not owned by {tenant}{above}: run: gatepost domain add {quote(tenant)} "
        f"{unowned.domain}, publish the TXT record it prints at {record_name(unowned.domain)}, "
        f"then run: gatepost domain verify {unowned.domain}"
    )
