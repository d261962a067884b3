"""What a send connector that the wizard set up really presents: a copy of the last certificate that a rehearsal passed.

`data/hybrid/in-use/<n>.pem` holds chain and key of one pair of files, for the server alone. Workers present the copy in
place of the files, so that a renewed file is shown to the relay only after a rehearsal, across restarts too.

Law: a copy is replaced whole or not at all, and only by a certificate with its key.
"""

from functools import lru_cache
from hashlib import sha256
from pathlib import Path

from gatepost.config import Config
from gatepost.hybrid.journal import private_folder, write_private
from gatepost.net.certificates import CredentialError
from gatepost.net.credentials import Credentials, load_credentials


def in_use_folder(config: Config) -> Path:
    return config.data / "hybrid" / "in-use"


def in_use_file(config: Config, certificate: str, key: str) -> Path:
    return in_use_folder(config) / copy_name(certificate, key)


@lru_cache(maxsize=1024)
def copy_name(certificate: str, key: str) -> str:
    return sha256(f"{certificate}\0{key}".encode()).hexdigest()[:24] + ".pem"


def keep_in_use(config: Config, certificate: str, key: str) -> Credentials:
    """From now on this is what is presented for these files. Raises `CredentialError`."""
    credentials = load_credentials(certificate, key)
    try:
        content = Path(certificate).read_text("ascii").rstrip() + "\n" + Path(key).read_text("ascii")
    except (OSError, UnicodeDecodeError):
        raise CredentialError(
            f"certificate file {certificate} or key file {key} is not text: write them as PEM "
            "(openssl x509 -inform DER …)"
        ) from None
    folder = in_use_folder(config)
    private_folder(folder.parent)
    private_folder(folder)
    write_private(folder / copy_name(certificate, key), content)
    return credentials


def presented_now(config: Config, certificate: str, key: str) -> Credentials | None:
    """The copy for these files; None: there is none, the files themselves are presented."""
    file = in_use_file(config, certificate, key)
    try:
        return load_credentials(file, file)
    except CredentialError:
        return None


def keep_only(config: Config, pair: tuple[str, str] | None) -> None:
    """Files that the wizard does not answer for any more are presented as they are."""
    wanted = copy_name(*pair) if pair else None
    folder = in_use_folder(config)
    for file in folder.glob("*.pem") if folder.is_dir() else ():
        if file.name != wanted:
            file.unlink(missing_ok=True)


class InUse:
    """Which files have a copy: looked at every few seconds, asked for every session."""

    def __init__(self, config: Config) -> None:
        self._folder = in_use_folder(config)
        self._names: frozenset[str] = frozenset()
        self.refresh()

    def refresh(self) -> None:
        try:
            self._names = frozenset(each.name for each in self._folder.iterdir() if each.suffix == ".pem")
        except OSError:
            self._names = frozenset()

    def __call__(self, certificate: str, key: str) -> tuple[str, str]:
        """The files to present in place of these."""
        if not self._names:
            return certificate, key
        name = copy_name(certificate, key)
        if name not in self._names:
            return certificate, key
        copy = str(self._folder / name)
        return copy, copy
