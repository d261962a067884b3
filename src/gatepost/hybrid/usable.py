"""Certificates that can be presented now."""

from datetime import datetime, timedelta
from pathlib import Path

from gatepost.hybrid.errors import UnusableFile
from gatepost.hybrid.ports import CertificateFiles, Credentials
from gatepost.tenancy.evidence import CertificateFacts

CLOCK_SKEW = timedelta(minutes=5)
"""How far clocks of two well-kept machines are apart at most."""


def usable_credentials(files: CertificateFiles, certificate: Path, key: Path, at: datetime) -> Credentials:
    """Raises `UnusableFile`."""
    credentials = files.credentials(certificate, key)
    _check_time(certificate, credentials.leaf, at)
    return credentials


def usable_certificate(files: CertificateFiles, certificate: Path, at: datetime) -> CertificateFacts:
    """The same where the key is elsewhere. Raises `UnusableFile`."""
    leaf = files.chain(certificate)[0]
    _check_time(certificate, leaf, at)
    return leaf


def read_anchor(file: Path) -> str:
    """An authority's root, as PEM. Raises `UnusableFile`."""
    try:
        return file.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError):
        raise UnusableFile(f"--trust-anchor {file} cannot be read; it is your authority's root as PEM") from None


def _check_time(certificate: Path, leaf: CertificateFacts, at: datetime) -> None:
    if leaf.not_before and leaf.not_before > at + CLOCK_SKEW:
        raise UnusableFile(
            f"certificate {certificate} is not valid before {leaf.not_before:%Y-%m-%d %H:%M}Z, and the clock here says "
            f"{at:%Y-%m-%d %H:%M}Z: set the clock (timedatectl), or wait"
        )
    if leaf.not_after and leaf.not_after <= at:
        raise UnusableFile(f"certificate {certificate} expired on {leaf.not_after:%Y-%m-%d}; name the renewed one")
