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


def states(folder: Path) -> tuple[dict[str, State], Pki]:
    """All of them, by name, and the authority that Gatepost is to trust."""
    pki, stranger = Pki(folder / "pki"), Pki(folder / "stranger", name="Stranger")
    now = datetime.now(UTC)
    good = pki.leaf(NAME)
    issued = {
        "good": good,
        "rsa": pki.leaf(NAME, key="RSA-2048"),
        "ed25519": pki.leaf(NAME, key="Ed25519"),
        "server-auth-only": pki.leaf(NAME, purposes=("serverAuth",)),
        "expired": pki.leaf(NAME, not_before=now - timedelta(days=90), not_after=now - timedelta(days=1)),
        "not-yet-valid": pki.leaf(NAME, not_before=now + timedelta(days=1)),
        "self-signed": pki.self_signed(NAME),
        "unknown-issuer": stranger.leaf(NAME),
        "other-name": pki.leaf("mail2.contoso.net"),
    }
    found = {
        name: State(name=name, chain=leaf.chain_file, key=leaf.key_file, refused_for=REASONS[name])
        for name, leaf in issued.items()
    }
    found["none"] = State(name="none", chain=None, key=None, refused_for=REASONS["none"])
    found["missing-intermediate"] = State(
        name="missing-intermediate",
        chain=good.certificate_file,
        key=good.key_file,
        refused_for=REASONS["missing-intermediate"],
    )
    return found, pki
