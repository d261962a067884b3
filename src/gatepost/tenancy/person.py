"""People of the console: who may see and do what, how they prove who they are, and for how long that holds.

Laws: neither a password nor a link nor a session can be had again from what is stored; a link opens once; a session
ends with idleness, with its age, with the person, when the person is disabled, and with the password that it was begun
by; an identity is the issuer and the subject exactly as the provider wrote them.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from typing import Final

LINK_LIFETIME: Final = timedelta(hours=24)
SESSION_IDLE: Final = timedelta(minutes=30)
SESSION_LIFETIME: Final = timedelta(hours=12)


class Role(StrEnum):
    OPERATOR = "operator"
    OPERATOR_READ = "operator-read"
    TENANT_ADMIN = "tenant-admin"
    TENANT_READ = "tenant-read"
    TRACE_WITHOUT_SUBJECT = "trace-without-subject"
    """Of operators or of a tenant: what happened to mail, and not what it is about."""

    def fits(self, tenant: str | None) -> bool:
        """Whether somebody of `tenant`, or with None an operator, may have it."""
        match self:
            case Role.OPERATOR | Role.OPERATOR_READ:
                return tenant is None
            case Role.TENANT_ADMIN | Role.TENANT_READ:
                return tenant is not None
            case _:
                return True

    @property
    def may_write(self) -> bool:
        return self in (Role.OPERATOR, Role.TENANT_ADMIN)

    @property
    def sees_trace_only(self) -> bool:
        return self is Role.TRACE_WITHOUT_SUBJECT


@dataclass(frozen=True, slots=True)
class Identity:
    """Who somebody is at an identity provider (OpenID Connect Core 5.7)."""

    issuer: str
    subject: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    name: str
    tenant: str | None
    """None: of the operators."""
    role: Role
    created_at: datetime
    password_set_at: datetime | None = None
    link_expires_at: datetime | None = None
    """Of the link that was made last, as long as it has not been used."""
    disabled_at: datetime | None = None
    identity: Identity | None = None
    role_by_groups: bool = False
    """The provider's groups decide the role at each sign-in; else only the operator does."""
    password: str | None = field(default=None, repr=False)
    """Its argon2 hash."""
    link_sha256: str | None = field(default=None, repr=False)

    def is_opened_by_link(self, at: datetime) -> bool:
        return self.link_expires_at is not None and at < self.link_expires_at


def secret_sha256(secret: str) -> str:
    """By which the secret of a link or a session is found again."""
    return sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedIn:
    """A session of the console."""

    secret_sha256: str = field(repr=False)
    person: str
    address: str
    begun_at: datetime
    used_at: datetime
    """Last use, to the minute or so."""

    def holds_for(self, person: Person, at: datetime) -> bool:
        if at - self.begun_at >= SESSION_LIFETIME or at - self.used_at >= SESSION_IDLE:
            return False
        if person.disabled_at is not None:
            return False
        return person.password_set_at is None or person.password_set_at <= self.begun_at


@dataclass(frozen=True, slots=True, kw_only=True)
class Passkey:
    """A credential of WebAuthn, on a device of the person."""

    id: str
    """Base64url."""
    person: str
    public_key: bytes = field(repr=False)
    sign_count: int
    label: str
    """What the person calls it."""
    created_at: datetime
    used_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """What a person did that changed nothing: signed in, failed to, looked at something."""

    id: int = field(default=0, compare=False)
    """In the order in which they were noted; 0: not noted yet."""
    at: datetime
    person: str
    address: str
    what: str
    about: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivityFilter:
    """All that is not None holds."""

    person: str | None = None
    tenant: str | None = None
    """That its people did."""
    what: str | None = None
    """Or what it was about: a part of either."""
    since: datetime | None = None
    until: datetime | None = None
    before: int | None = None
    """The `id` of an activity: older ones."""
