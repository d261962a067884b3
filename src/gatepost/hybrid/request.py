"""What the administrator asked the wizard for, as a value that a plan keeps: the next command asks for the same."""

from dataclasses import dataclass
from pathlib import Path

from gatepost.hybrid.merge import Fields
from gatepost.tenancy.tenant import SmartHost


@dataclass(frozen=True, slots=True, kw_only=True)
class SetupRequest:
    """Paths are absolute, because the plan outlives the working directory."""

    relay: str
    relay_ca: Path | None = None
    token_file: Path
    tenant: str | None = None
    """Only with an operator's token."""
    smart_host: SmartHost
    domains: tuple[str, ...] = ()
    certificate: Path | None = None
    """None: a rehearsal by the address alone."""
    key: Path | None = None
    trust_anchors: tuple[Path, ...] = ()
    postfix: bool = False
    """Postfix on this machine sends, not this edge."""
    config_directory: Path | None = None
    """Of Postfix; None: its own default."""
    mailboxes: SmartHost | None = None
    """The organisation's own mail server, for an edge that has no way there yet."""

    @property
    def files(self) -> tuple[Path, Path]:
        """Certificate and key of a set-up, which always has both."""
        assert self.certificate is not None
        assert self.key is not None
        return self.certificate, self.key

    @property
    def pair(self) -> tuple[str, str]:
        """The same as send connectors have them."""
        certificate, key = self.files
        return str(certificate), str(key)

    def record(self) -> Fields:
        return {
            "relay": self.relay,
            "relay_ca": str(self.relay_ca) if self.relay_ca else None,
            "token_file": str(self.token_file),
            "tenant": self.tenant,
            "smart_host": {"host": self.smart_host.host, "port": self.smart_host.port},
            "domains": list(self.domains),
            "certificate": self.pair[0],
            "key": self.pair[1],
            "trust_anchors": [str(path) for path in self.trust_anchors],
            "postfix": self.postfix,
            "config_directory": str(self.config_directory) if self.config_directory else None,
            "mailboxes": {"host": self.mailboxes.host, "port": self.mailboxes.port} if self.mailboxes else None,
        }


def request_from(record: Fields) -> SetupRequest:
    return SetupRequest(
        relay=record["relay"],
        relay_ca=Path(record["relay_ca"]) if record["relay_ca"] else None,
        token_file=Path(record["token_file"]),
        tenant=record["tenant"],
        smart_host=SmartHost(**record["smart_host"]),
        domains=tuple(record["domains"]),
        certificate=Path(record["certificate"]),
        key=Path(record["key"]),
        trust_anchors=tuple(Path(path) for path in record["trust_anchors"]),
        postfix=record["postfix"],
        config_directory=Path(record["config_directory"]) if record["config_directory"] else None,
        # A plan of a version before this one says nothing of it.
        mailboxes=SmartHost(**mailboxes) if (mailboxes := record.get("mailboxes")) else None,
    )
