"""The keys that sign, out of the directory: opened once, and put to use by the worker.

Laws: a tenant's key signs only for a domain that the tenant owns at that moment; a key that cannot be opened stops no
mail, and is told once for each version of the directory.
"""

from collections.abc import Callable, Collection, Sequence
from typing import Final

from gatepost.app import Directory
from gatepost.config import Config
from gatepost.logs.event_log import EventLog
from gatepost.mail.domain import parents
from gatepost.queue.store import StoreError
from gatepost.signing.message import Unsigned, signed_whole
from gatepost.signing.private_key import signing_with
from gatepost.signing.signature import Key
from gatepost.store.directory.signing_keys import Seal, seal_beside
from gatepost.tenancy.signing_key import SigningKey

_OPENED: Final = 1000
"""Keys that are kept ready, of about 3 KiB each."""


def signing_keys_of(config: Config, directory: Directory, events: EventLog) -> "DirectorySigningKeys":
    return DirectorySigningKeys(directory, Seal(seal_beside(config.directory_file)), config.hostname, events.emit)


class DirectorySigningKeys:
    """`signing.message.SigningKeys`."""

    def __init__(self, directory: Directory, seal: Seal, hostname: str, emit: Callable[..., None]) -> None:
        self._directory = directory
        self._hostname = hostname
        self._seal = seal
        self._emit = emit
        self._opened: dict[SigningKey, Key] = {}
        self._told_at = -1
        self._told: set[str] = set()
        """Keys that could not be opened, since that version of the directory."""

    def may_sign(self, tenants: Collection[str]) -> bool:
        return any(self._directory.signing_domains(tenant) for tenant in tenants)

    def keys_of(self, tenants: Collection[str], author: str) -> Sequence[Key] | Unsigned:
        owner = self._directory.nearest_owner(author)
        if owner is None or owner.tenant not in tenants:
            return Unsigned(f"{author} is not a verified domain of the tenant that sends it")
        signing = self._directory.signing_domains(owner.tenant)
        for domain in (author, *parents(author)):
            # An identifier above the author's domain is aligned as well (RFC 9989 4.4.1).
            if domain in signing and self._owns(owner.tenant, domain):
                return self._keys(owner.tenant, domain)
        return Unsigned(f"{author} has no active signing key")

    def own_message(self, message: bytes, at: float) -> bytes:
        """A message that the relay itself wrote, as it leaves: signed where the operator has a key."""
        signing = self._directory.signing_domains(None)
        for domain in (self._hostname, *parents(self._hostname)):
            if domain in signing:
                keys = self._keys(None, domain)
                return message if isinstance(keys, Unsigned) else signed_whole(message, keys, at)
        return message

    def _owns(self, tenant: str, domain: str) -> bool:
        owner = self._directory.nearest_owner(domain)
        return owner is not None and owner.tenant == tenant

    def _keys(self, tenant: str | None, domain: str) -> Sequence[Key] | Unsigned:
        opened = []
        for key, sealed in self._directory.signing_keys(tenant, domain):
            try:
                opened.append(self._open(key, sealed))
            except StoreError as error:
                self._tell(key, error)
        return opened or Unsigned(f"the signing key of {domain} cannot be opened")

    def _tell(self, key: SigningKey, error: StoreError) -> None:
        if self._told_at != self._directory.version:
            self._told_at = self._directory.version
            self._told.clear()
        if key.label not in self._told:
            self._told.add(key.label)
            self._emit("signing-key", tenant=key.tenant, key=key.label, problem=str(error))

    def _open(self, stored: SigningKey, sealed: bytes) -> Key:
        opened = self._opened.get(stored)
        if opened is None:
            sign = signing_with(self._seal.open(stored, sealed))
            if len(self._opened) >= _OPENED:
                self._opened.clear()
            opened = self._opened[stored] = Key(stored.domain, stored.selector, stored.algorithm.signature, sign)
        return opened
