"""From a claim and the directory to the tenant that configures the way of the mail, and who may know that way.

Law: mail belongs to the tenant that it was accepted for, not to that tenant's name, and not to whoever owns the domain
later. A tenant that is younger than the message is another tenant of the same name, and an owner that came after the
message gets none that was accepted for the owner before it.
"""

from enum import Enum
from typing import Final, Literal, Protocol

from gatepost.mail.address import NullReversePath
from gatepost.queue.message import Claim
from gatepost.tenancy.directory import Directory
from gatepost.tenancy.tenant import AcceptedDomain, ConnectorType, SendConnector, Tenant


class Tenants(Protocol):
    """The part of the directory that knows tenants."""

    def tenant(self, name: str) -> Tenant | None: ...


class ChangedHands(Enum):
    CHANGED_HANDS = 0


CHANGED_HANDS: Final = ChangedHands.CHANGED_HANDS


def whose_way(directory: Directory, claim: Claim) -> str | Literal[ChangedHands.CHANGED_HANDS] | None:
    """Mail for a tenant's domain goes the way that tenant configured, or the server: never another sender's own way.
    None: the server's way alone. `CHANGED_HANDS`: nobody's, until the operator decides."""
    sender = still_there(directory, claim)
    owner = directory.covering_domain(claim.domain)
    if owner is None:
        return sender
    if owner.tenant == sender or not _came_later(directory, owner, claim):
        return owner.tenant
    # What a tenant's server sent goes the way it would have gone.
    return sender if _connector_type(directory, claim) is ConnectorType.ON_PREMISES else CHANGED_HANDS


def is_anothers(directory: Directory, connector: SendConnector, claim: Claim) -> bool:
    """Whether the next hop is a tenant's own server, and the sender not of that tenant."""
    if connector.tenant is None or not connector.smart_hosts:
        return False
    return claim.tenant != connector.tenant or _connector_type(directory, claim) is not ConnectorType.ON_PREMISES


def still_there(directory: Tenants, claim: Claim) -> str | None:
    """The claim's tenant, unless it was removed."""
    tenant = directory.tenant(claim.tenant) if claim.tenant is not None else None
    if tenant is None or tenant.created_at.timestamp() > claim.message.received_at:
        return None
    return tenant.name


def is_later(owner: AcceptedDomain, claim: Claim) -> bool:
    return owner.verified_at is not None and owner.verified_at.timestamp() > claim.message.received_at


def _came_later(directory: Directory, owner: AcceptedDomain, claim: Claim) -> bool:
    """Whether the domain became `owner`'s after the message was accepted."""
    if is_later(owner, claim):
        return True
    # A session may outlast the change, and a parent domain may have been verified long before: incoming mail is always
    # accepted for the owner of that time. Notifications are ours, and made for the owner of now.
    if claim.tenant in (None, owner.tenant) or isinstance(claim.message.envelope.reverse_path, NullReversePath):
        return False
    return claim.recipients[0].connector is None or _connector_type(directory, claim) is ConnectorType.PARTNER


def _connector_type(directory: Directory, claim: Claim) -> ConnectorType | None:
    """Of the inbound connector the mail came by: on-premises ones give a tenant's server the right to send, partner
    ones label what comes in. None: by none, or it was removed."""
    if claim.tenant is None:
        return None
    came_by = claim.recipients[0].connector
    return next((each.type for each in directory.connectors_of(claim.tenant) if each.name == came_by), None)
