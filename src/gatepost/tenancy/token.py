"""Tokens of the Management API: who may ask and change what, and until when.

A token reads `gp_<id>_<secret>`. The id is no secret: it stands in the audit and in lists. Of the secret only its
SHA-256 is kept; with 256 random bits in it, nothing slower than that is needed.

Law: neither a token nor its secret can be had again from what is stored.
"""

import hmac
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256

_TOKEN = re.compile(r"gp_([0-9a-f]{12})_([A-Za-z0-9_-]{43})\Z", re.ASCII)


class Scope(StrEnum):
    READ = "read"
    WRITE = "write"
    RENEW = "renew"
    """It may put off its own end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    id: str
    tenant: str | None
    """None: the operator's, for all tenants and what belongs to none."""
    scopes: frozenset[Scope]
    secret_sha256: str
    created_at: datetime
    """Or renewed."""
    expires_at: datetime | None
    revoked_at: datetime | None = None
    used_at: datetime | None = None
    """Last use, to the minute or so."""

    def is_opened_by(self, secret: str) -> bool:
        return hmac.compare_digest(self.secret_sha256, sha256(secret.encode()).hexdigest())

    @property
    def lifetime(self) -> timedelta | None:
        return self.expires_at - self.created_at if self.expires_at else None

    def is_overdue(self, at: datetime) -> bool:
        """Whether one that renews itself should have done so long ago."""
        return self.expires_at is not None and is_overdue(self.created_at, self.expires_at, at)

    def has_expired(self, at: datetime) -> bool:
        return self.expires_at is not None and at >= self.expires_at


def is_due(created_at: datetime, expires_at: datetime, at: datetime) -> bool:
    """Whether it is time to renew: a third of its life is left."""
    return expires_at - at < (expires_at - created_at) / 3


def is_overdue(created_at: datetime, expires_at: datetime, at: datetime) -> bool:
    return expires_at - at < (expires_at - created_at) / 4


def token_text(id: str, secret: str) -> str:
    return f"gp_{id}_{secret}"


def id_and_secret(text: str) -> tuple[str, str] | None:
    """What a token's text consists of; None where it is none."""
    found = _TOKEN.match(text)
    return (found[1], found[2]) if found else None
