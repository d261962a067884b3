"""People of the console: who may see and do what, how they prove who they are, and for how long that holds.

Laws: neither a password nor a link nor a session can be had again from what is stored; a link opens once; a session
ends with idleness, with its age, with the person, and with the password that it was begun by.
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

    @property
    def is_of_tenant(self) -> bool:
        return self in (Role.TENANT_ADMIN, Role.TENANT_READ)

    @property
    def may_write(self) -> bool:
        return self in (Role.OPERATOR, Role.TENANT_ADMIN)


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
        return person.password_set_at is not None and person.password_set_at <= self.begun_at


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """What a person did that changed nothing: signed in, failed to, looked at something."""

    at: datetime
    person: str
    address: str
    what: str
    about: str
