"""How much a notification may carry. It goes to whoever the reverse-path names, who need not be the sender.

What flows through: a claim whose sender is to be told, and the directory; out comes what its notification may hold.

Law: mail that another's server sent, or that came in from outside, reaches no tenant by way of a notification: not its
content, and nothing at all where that tenant's partner connectors keep out what their certificates do not vouch for,
or where the sender's domain has changed hands since a tenant's server sent the message.
"""

from collections.abc import Sequence
from enum import Enum, auto
from typing import Final, Protocol

from gatepost.delivery.ownership import Tenants, is_later, still_there
from gatepost.mail.address import Mailbox
from gatepost.mail.domain import pattern_covers
from gatepost.queue.message import Claim
from gatepost.tenancy.tenant import AcceptedDomain, InboundConnector

_SHOWN: Final = ("from", "to", "subject", "date", "message-id")
_MOST_OF_A_FIELD: Final = 100


class Domains(Tenants, Protocol):
    """The part of the directory that is asked."""

    def covering_domain(self, domain: str) -> AcceptedDomain | None: ...

    def partner_connectors(self, tenant: str) -> Sequence[InboundConnector]: ...


class Telling(Enum):
    FREELY = auto()
    IN_BRIEF = auto()
    """Five fields of the header, cut short, and little of what the next hop said."""
    NOT_AT_ALL = auto()


def telling(claim: Claim, domains: Domains) -> Telling:
    """What the sender of the claim's message may be told."""
    sender = claim.message.envelope.reverse_path
    owner = domains.covering_domain(sender.domain) if isinstance(sender, Mailbox) else None
    # The claim is of the tenant that was proven to send the message, else of the recipient's.
    if not isinstance(sender, Mailbox) or owner is None or owner.tenant == still_there(domains, claim):
        return Telling.FREELY
    if is_later(owner, claim) and claim.recipients[0].connector is not None:
        return Telling.NOT_AT_ALL
    partners = domains.partner_connectors(owner.tenant)
    locked = any(_keeps_out(partner, sender.domain) for partner in partners)
    return Telling.NOT_AT_ALL if locked else Telling.IN_BRIEF


def _keeps_out(partner: InboundConnector, domain: str) -> bool:
    if not (partner.restrict_to_certificate or partner.restrict_to_address):
        return False
    return not partner.sender_domains or any(pattern_covers(each, domain) for each in partner.sender_domains)


def brief(header: bytes) -> bytes:
    """Of a header in CRLF form, the first of each field by which people know a message, on one line of ASCII."""
    shown: dict[str, str] = {}
    for line in header.replace(b"\r\n ", b" ").replace(b"\r\n\t", b" ").split(b"\r\n"):
        name, colon, value = line.decode("utf-8", "replace").partition(":")
        if colon and name.lower() in _SHOWN:
            shown.setdefault(name.lower(), f"{name.title()}: {_visible(value.strip())}")
    return "".join(f"{shown[name]}\r\n" for name in _SHOWN if name in shown).encode("ascii")


def _visible(text: str) -> str:
    escaped = "".join(each if each.isprintable() else f"\\x{ord(each):02x}" for each in text[:_MOST_OF_A_FIELD])
    said = escaped.encode("ascii", "backslashreplace").decode()
    return said if len(said) <= _MOST_OF_A_FIELD and len(text) <= _MOST_OF_A_FIELD else f"{said[:_MOST_OF_A_FIELD]}..."
