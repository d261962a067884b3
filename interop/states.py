"""The certificate states a sender can be in, and what Gatepost must make of each."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pki import Pki

NAME = "mail.contoso.com"


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    name: str
    chain: Path | None
    """PEM file with what the sender presents; None: no certificate."""
    key: Path | None
    refused_for: str | None
    """Gatepost's reason code; None: accepted."""

    @property
    def domain(self) -> str:
        """Recipients there are sent to by this certificate."""
        return f"{self.name}.example.net"


REASONS: dict[str, str | None] = {
    "none": "no-certificate-presented",
    "good": None,
    "rsa": None,
    "ed25519": None,
    "server-auth-only": None,
    "expired": "certificate-expired",
    "not-yet-valid": "certificate-not-yet-valid",
    "self-signed": "certificate-self-signed",
    "unknown-issuer": "certificate-issuer-unknown",
    "missing-intermediate": "certificate-intermediate-missing",
    "other-name": "certificate-name-matches-no-connector",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Authorities:
    trusted: Pki
    """Gatepost's client roots."""
    stranger: Pki

    @classmethod
    def made(cls, folder: Path) -> "Authorities":
        return cls(trusted=Pki(folder / "pki"), stranger=Pki(folder / "stranger", name="Stranger"))


def states(authorities: Authorities, *, by_root: bool = False) -> dict[str, State]:
    """All of them, by name. `by_root`: for senders that present the leaf alone, none needs an intermediate but the one
    that lacks it."""
    trusted, stranger = authorities.trusted, authorities.stranger
    issuer = trusted.root if by_root else trusted.intermediate
    now = datetime.now(UTC)
    issued = {
        "good": trusted.leaf(NAME, issuer=issuer),
        "rsa": trusted.leaf(NAME, issuer=issuer, key="RSA-2048"),
        "ed25519": trusted.leaf(NAME, issuer=issuer, key="Ed25519"),
        "server-auth-only": trusted.leaf(NAME, issuer=issuer, purposes=("serverAuth",)),
        "expired": trusted.leaf(
            NAME, issuer=issuer, not_before=now - timedelta(days=90), not_after=now - timedelta(days=1)
        ),
        "not-yet-valid": trusted.leaf(NAME, issuer=issuer, not_before=now + timedelta(days=1)),
        "self-signed": trusted.self_signed(NAME),
        "unknown-issuer": stranger.leaf(NAME, issuer=stranger.root if by_root else stranger.intermediate),
        "other-name": trusted.leaf("mail2.contoso.net", issuer=issuer),
    }
    files = {name: (leaf.chain_file, leaf.key_file) for name, leaf in issued.items()}
    short = trusted.leaf(NAME)
    files["missing-intermediate"] = (short.certificate_file, short.key_file)
    found = {
        name: State(name=name, chain=chain, key=key, refused_for=REASONS[name]) for name, (chain, key) in files.items()
    }
    return found | {"none": State(name="none", chain=None, key=None, refused_for=REASONS["none"])}
