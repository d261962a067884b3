"""An identity provider as the operator set it up, what its groups give, and what it says of somebody."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gatepost.errors import NotAllowed
from gatepost.tenancy.person import Identity, Role


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupRole:
    group: str
    role: Role
    tenant: str | None = None
    """None: of the operators."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    name: str
    """In addresses, on the sign-in page, and in the audit."""
    issuer: str
    client_id: str
    client_secret_file: Path | None = None
    """None: a public client, which PKCE alone protects."""
    groups_claim: str | None = None
    groups: tuple[GroupRole, ...] = ()

    def role_of(self, groups: Sequence[str]) -> GroupRole | None:
        """What the first group in the file gives that is among `groups`."""
        return next((each for each in self.groups if each.group in groups), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Assertion:
    identity: Identity
    preferred_name: str | None
    """What the provider calls them; it identifies nobody."""
    groups: Sequence[str] | None
    """None: the provider says nothing of groups."""


class ProviderFault(NotAllowed):
    """The provider is away, or what it says does not hold."""

    code = "provider-fault"

    def __init__(self, provider: str, says: str) -> None:
        super().__init__(f"provider {provider}: {says}", next_step="try again, or sign in with your password")
