"""What a send connector that the wizard set up really presents: a copy of the last certificate that a rehearsal passed.

`data/hybrid/in-use/<n>.pem` holds chain and key of one pair of files, for the server alone. Workers present the copy in
place of the files, so that a renewed file is shown to the relay only after a rehearsal, across restarts too.

Law: a copy is replaced whole or not at all, and only by a certificate with its key.
"""

from functools import lru_cache
from hashlib import sha256
from pathlib import Path

from gatepost.hybrid.errors import UnusableFile
from gatepost.hybrid.journal import private_folder, write_private
from gatepost.hybrid.ports import CertificateFiles, Credentials


@lru_cache(maxsize=1024)
def copy_name(certificate: str, key: str) -> str:
    return sha256(f"{certificate}\0{key}".encode()).hexdigest()[:24] + ".pem"


class PresentedCertificates:
    """The copies, to be read and replaced."""

    def __init__(self, folder: Path, files: CertificateFiles) -> None:
        self._folder = folder
        self._files = files

    def keep(self, certificate: str, key: str) -> Credentials:
        """From now on this is what is presented for these files. Raises `UnusableFile`."""
        credentials = self._files.credentials(Path(certificate), Path(key))
        try:
            content = Path(certificate).read_text("ascii").rstrip() + "\n" + Path(key).read_text("ascii")
        except (OSError, UnicodeDecodeError):
            raise UnusableFile(
                f"certificate file {certificate} or key file {key} is not text: write them as PEM "
                "(openssl x509 -inform DER …)"
            ) from None
        private_folder(self._folder.parent)
        private_folder(self._folder)
        write_private(self._folder / copy_name(certificate, key), content)
        return credentials

    def of(self, certificate: str, key: str) -> Credentials | None:
        """The copy for these files; None: there is none, the files themselves are presented."""
        file = self._folder / copy_name(certificate, key)
        try:
            return self._files.credentials(file, file)
        except UnusableFile:
            return None

    def is_in_use(self, certificate: str, key: str) -> bool:
        """Whether the copy for these files holds what they hold. Raises `UnusableFile`."""
        copy = self.of(certificate, key)
        in_files = self._files.credentials(Path(certificate), Path(key))
        return copy is not None and copy.leaf.sha256 == in_files.leaf.sha256

    def keep_only(self, pair: tuple[str, str] | None) -> None:
        """Files that the wizard does not answer for any more are presented as they are."""
        kept = copy_name(*pair) if pair else None
        for file in self._folder.glob("*.pem") if self._folder.is_dir() else ():
            if file.name != kept:
                file.unlink(missing_ok=True)


class PresentedFiles:
    """Which files have a copy: looked at every few seconds, asked for every session."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
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
