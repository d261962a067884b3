"""Keys by which mail is signed for a domain (DKIM, RFC 6376), and the record that the world finds them by.

A key begins pending: nobody signs with it before DNS shows its record. Active, it signs. Retiring, it signs no more,
but mail signed with it may still wait or lie unread, so the record stays; retired, the record may go.

Law: what is private about a key is not here.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

STAYS_FOR: Final = timedelta(days=7)
"""How long the record stays after a key has stopped signing: mail waits 5 days at most by default, and receivers
verify a little later."""

MOST_OF_A_DOMAIN: Final = 10
"""Keys of one domain, whatever their state."""

_LONGEST_STRING: Final = 255
"""RFC 1035 3.3: one string of a TXT record."""


class Algorithm(StrEnum):
    RSA_2048 = "rsa2048"
    RSA_4096 = "rsa4096"
    ED25519 = "ed25519"

    @property
    def signature(self) -> str:
        """The `a=` tag (RFC 6376 3.3, RFC 8463 3)."""
        return "ed25519-sha256" if self is Algorithm.ED25519 else "rsa-sha256"

    @property
    def kind(self) -> str:
        """The `k=` tag of the record."""
        return "ed25519" if self is Algorithm.ED25519 else "rsa"


class KeyState(StrEnum):
    PENDING = "pending"
    ACTIVE = "active"
    RETIRING = "retiring"
    RETIRED = "retired"


IN_DNS: Final = (KeyState.ACTIVE, KeyState.RETIRING)
"""States in which receivers may need the record."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKey:
    tenant: str | None
    """None: the operator's, for the relay's own messages."""
    domain: str
    selector: str
    algorithm: Algorithm
    public_key: str
    """As the `p=` tag has it."""
    state: KeyState
    created_at: datetime
    activated_at: datetime | None = None
    retired_at: datetime | None = None
    """When it stopped signing."""
    seen_at: datetime | None = None
    """When DNS last showed the record."""
    missing_since: datetime | None = None
    """DNS does not show the record any more."""
    rotate_days: int | None = None
    """Age at which another key is made in its place; None: never."""

    @property
    def record_name(self) -> str:
        """RFC 6376 3.6.2.1."""
        return f"{self.selector}._domainkey.{self.domain}"

    @property
    def record_value(self) -> str:
        return f"v=DKIM1; k={self.algorithm.kind}; p={self.public_key}"

    @property
    def label(self) -> str:
        return f"{self.domain}/{self.selector}"

    @property
    def record_may_go_at(self) -> datetime | None:
        return self.retired_at and self.retired_at + STAYS_FOR


def zone_line(key: SigningKey) -> str:
    """The record in zone file form, in strings of the length that a TXT record may have (RFC 1035 5.1)."""
    value = key.record_value
    strings = [f'"{value[at : at + _LONGEST_STRING]}"' for at in range(0, len(value), _LONGEST_STRING)]
    return f"{key.record_name}. IN TXT ( {' '.join(strings)} )"


def why_not_published(key: SigningKey, records: Iterable[str]) -> str | None:
    """What is wrong with the TXT records at the key's name; None: one of them is the key's, and it is the only one."""
    keys = [tags for record in records if "p" in (tags := _tags(record)) and tags.get("v", "DKIM1") == "DKIM1"]
    if not keys:
        return "there is no DKIM record"
    if len(keys) > 1:
        return f"there are {len(keys)} DKIM records: keep the one of this key"
    tags = keys[0]
    published = "".join(tags["p"].split())
    if not published:
        return "the record says that the key is revoked (an empty p=)"
    if tags.get("k", "rsa") != key.algorithm.kind:
        return f"the record is for k={tags.get('k', 'rsa')[:20]}, and this key needs k={key.algorithm.kind}"
    if published != key.public_key:
        if key.public_key.startswith(published):
            return f"the key in the record is cut off after {len(published)} characters: publish it in several strings"
        return "the record has another public key"
    if "h" in tags and "sha256" not in tags["h"].split(":"):
        return "the record does not allow sha256 (h=)"
    if "s" in tags and not {"*", "email"} & set(tags["s"].split(":")):
        return "the record does not allow mail (s=)"
    return None


def _tags(record: str) -> Mapping[str, str]:
    """RFC 6376 3.2. Some DNS consoles keep the quotes that people paste."""
    tags = (each.partition("=") for each in record.replace('"', "").split(";"))
    return {name.strip(): value.strip() for name, sign, value in tags if sign}
