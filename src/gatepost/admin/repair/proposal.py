"""The connector that would admit a refused session, as values for the form that makes it.

Law: what is proposed is the narrowest that identifies the server: a verified name that the tenant owns, else the
certificate itself, else the address; what it does not repair is said.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from gatepost.admin.repair.likely_tenants import Likely, Presented
from gatepost.tenancy.directory import Directory
from gatepost.tenancy.names import without_wildcard
from gatepost.tenancy.reasons import ReasonCode
from gatepost.tenancy.tenant import InboundConnector

_AT_THE_SERVER: Final = {
    ReasonCode.CERTIFICATE_EXPIRED: "install a certificate that has not expired",
    ReasonCode.CERTIFICATE_NOT_YET_VALID: "set the server's clock, or wait until the certificate is valid",
    ReasonCode.CERTIFICATE_INTERMEDIATE_MISSING: "install the missing intermediate certificate on the server",
    ReasonCode.CERTIFICATE_PURPOSE: "install a certificate for TLS servers or clients",
    ReasonCode.CERTIFICATE_WEAK_KEY: "install a certificate with a longer key",
    ReasonCode.TLS_REQUIRED: "have the server use STARTTLS",
}
"""What no connector repairs, and what does."""
_PINNABLE: Final = frozenset({ReasonCode.CERTIFICATE_SELF_SIGNED, ReasonCode.CERTIFICATE_ISSUER_UNKNOWN})
_OWNED_REVERSE_PATH: Final = "it admits mail with a reverse-path in a verified domain of the tenant, and no other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    tenant: str
    connector: InboundConnector | None
    """To be changed; None: a new one."""
    adds: Mapping[str, Sequence[str]]
    """By field of the connector."""
    says: str
    """What identifies the server then."""
    beside: Sequence[str] = ()
    """What else is needed, or better."""


def proposal(
    directory: Directory, likely: Likely, presented: Presented, reason: str | None, sha256: str | None
) -> Proposal | None:
    """None: nothing that was presented identifies a server. `sha256`: of the certificate."""
    connector = likely.connectors[0] if likely.connectors else None
    beside = [f"better: {does}" for code, does in _AT_THE_SERVER.items() if code == reason]
    if not any(directory.covering_domain(each) for each in (presented.sender_domain,) if each):
        beside.append(f"the reverse-path is in no verified domain: add and verify it for {likely.tenant}")
    if name := _owned_name(directory, likely.tenant, presented):
        return Proposal(
            tenant=likely.tenant,
            connector=connector,
            adds={"certificate_names": [name]},
            says=f"the certificate name {name}",
            beside=[each for each in beside if "reverse-path" not in each],
        )
    if sha256 and reason in _PINNABLE:
        return Proposal(
            tenant=likely.tenant,
            connector=connector,
            adds={"certificate_sha256": [sha256]},
            says=f"this one certificate; {_OWNED_REVERSE_PATH}",
            beside=[*beside, "better: a certificate of a public authority, or the authority as a trust anchor"],
        )
    if presented.address is None:
        return None
    return Proposal(
        tenant=likely.tenant,
        connector=connector,
        adds={"addresses": [str(presented.address)]},
        says=f"the address {presented.address}; {_OWNED_REVERSE_PATH}",
        beside=beside,
    )


def _owned_name(directory: Directory, tenant: str, presented: Presented) -> str | None:
    """One is enough; the one that the server greets with says most."""
    if not presented.verified:
        return None
    owned = [
        name
        for name in presented.names
        if (owner := directory.nearest_owner(without_wildcard(name))) and owner.tenant == tenant
    ]
    return presented.ehlo if presented.ehlo in owned else next(iter(owned), None)
