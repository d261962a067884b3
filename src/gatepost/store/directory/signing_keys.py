"""Signing keys in the directory file. What is private about them is sealed under a key file beside it.

Laws: whoever has the directory file alone, or a copy of it, cannot sign; a sealed key opens only as that of its tenant,
domain and selector; the key file is made once, for its owner's eyes, and never replaced.
"""

import json
import os
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Any, Final

from gatepost.queue.store import StoreDamaged, StoreUnavailable
from gatepost.store.queue.spool import sync_folder
from gatepost.tenancy.fields import Record
from gatepost.tenancy.record import signing_key_from, signing_key_record
from gatepost.tenancy.signing_key import KeyState, SigningKey

_KEY_OCTETS: Final = 32
_NONCE_OCTETS: Final = 12


class Seal:
    """Opens and closes private keys."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def close(self, key: SigningKey, private: bytes) -> bytes:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        nonce = os.urandom(_NONCE_OCTETS)
        return nonce + AESGCM(self._secret(make=True)).encrypt(nonce, private, _bound_to(key))

    def open(self, key: SigningKey, sealed: bytes) -> bytes:
        """Raises `StoreDamaged` where the file is another's, `StoreUnavailable` where it cannot be read."""
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        nonce, text = sealed[:_NONCE_OCTETS], sealed[_NONCE_OCTETS:]
        try:
            return AESGCM(self._secret(make=False)).decrypt(nonce, text, _bound_to(key))
        except InvalidTag:
            raise StoreDamaged(
                f"{self._file} does not open the signing key {key.label}; restore it from the same backup as the "
                "directory file"
            ) from None

    def _secret(self, *, make: bool) -> bytes:
        if make:
            with suppress(FileExistsError):
                self._make()
        try:
            secret = bytes.fromhex(self._file.read_text("ascii"))
        except OSError as error:
            raise StoreUnavailable(f"{self._file}, which opens signing keys: {error.strerror}") from None
        except ValueError:
            secret = b""
        if len(secret) != _KEY_OCTETS:
            raise StoreDamaged(f"{self._file} is damaged; restore it from a backup")
        return secret

    def _make(self) -> None:
        """Whole or not at all, and of the folder's owner, who serves."""
        temporary = self._file.with_name(f"{self._file.name}.{os.getpid()}")
        try:
            with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
                out.write(os.urandom(_KEY_OCTETS).hex())
                out.flush()
                os.fsync(out.fileno())
                if os.geteuid() == 0:
                    owner = self._file.parent.stat()
                    os.fchown(out.fileno(), owner.st_uid, owner.st_gid)
            os.link(temporary, self._file)
            sync_folder(self._file.parent)
        except FileExistsError:
            raise
        except OSError as error:
            raise StoreUnavailable(f"{self._file} cannot be written: {error.strerror}") from None
        finally:
            temporary.unlink(missing_ok=True)


def seal_beside(directory_file: Path) -> Path:
    return directory_file.with_name("dkim.key")


class SqliteSigningKeys:
    """`admin.directory.editor.SigningKeys`, through an editor's connection."""

    def __init__(
        self,
        rows: Callable[..., list[Any]],
        change: Callable[[], AbstractContextManager[None]],
        audit: Callable[[str, str, Record | None, Record | None], None],
        seal: Seal,
    ) -> None:
        self._rows = rows
        self._change = change
        self._audit = audit
        self._seal = seal

    def every(self, tenant: str | None = None, domain: str | None = None) -> Sequence[SigningKey]:
        """`tenant` '': the operator's."""
        of = (
            "SELECT definition FROM signing_key WHERE (?1 IS NULL OR tenant = ?1) AND (?2 IS NULL OR domain = ?2)"
            " ORDER BY tenant, domain, selector"
        )
        return [signing_key_from(json.loads(definition)) for (definition,) in self._rows(of, tenant, domain)]

    def add(self, key: SigningKey, private: bytes) -> None:
        with self._change():
            sealed = self._seal.close(key, private)
            self._rows("INSERT INTO signing_key VALUES (?, ?, ?, ?, ?, ?)", *_name(key), False, sealed, _text(key))
            self._audit("add", f"signing-key {key.label}", None, signing_key_record(key))

    def put(self, key: SigningKey, action: str) -> None:
        with self._change():
            before = self._stored(key)
            self._write(key)
            self._audit(action, f"signing-key {key.label}", before, signing_key_record(key))

    def note(self, key: SigningKey) -> None:
        """Remembered, but no change of the directory."""
        with self._change():
            self._write(key)

    def remove(self, key: SigningKey) -> None:
        with self._change():
            self._rows("DELETE FROM signing_key WHERE tenant = ? AND domain = ? AND selector = ?", *_name(key))
            self._audit("remove", f"signing-key {key.label}", signing_key_record(key), None)

    def _write(self, key: SigningKey) -> None:
        write = "UPDATE signing_key SET signs = ?, definition = ? WHERE tenant = ? AND domain = ? AND selector = ?"
        self._rows(write, key.state is KeyState.ACTIVE, _text(key), *_name(key))

    def _stored(self, key: SigningKey) -> Record | None:
        stored = "SELECT definition FROM signing_key WHERE tenant = ? AND domain = ? AND selector = ?"
        rows = self._rows(stored, *_name(key))
        return json.loads(rows[0][0]) if rows else None


def _name(key: SigningKey) -> tuple[str, str, str]:
    return key.tenant or "", key.domain, key.selector


def _text(key: SigningKey) -> str:
    return json.dumps(signing_key_record(key))


def _bound_to(key: SigningKey) -> bytes:
    return "\n".join(_name(key)).casefold().encode()
