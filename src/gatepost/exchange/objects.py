"""Objects of Exchange Server and Exchange Online, as a cmdlet printed them.

Laws: a property that the export left out is None or empty, never guessed; what it cut short is known to be cut short.
"""

from dataclasses import dataclass

from gatepost.exchange.distinguished_names import DistinguishedName, issuer_and_subject
from gatepost.exchange.source import Fact, Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Property(Fact):
    """One property of an exported object."""

    name: str
    value: str = ""
    values: tuple[str, ...] = ()
    """The elements of `{a, b}`; one element for a plain value; empty for `{}`, `$null` and nothing."""
    truncated: bool = False
    """The export cut it (`...`)."""
    type_name_only: bool = False
    """The export wrote the collection's type instead of its elements."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportedObject(Fact):
    """What a cmdlet printed of one object; names are found in any case."""

    properties: tuple[Property, ...] = ()
    server: str = ""

    def attribute(self, *names: str) -> Property | None:
        """The first of `names` that is there."""
        for name in names:
            wanted = name.casefold()
            for each in self.properties:
                if each.name.casefold() == wanted:
                    return each
        return None

    def has(self, name: str) -> bool:
        return self.attribute(name) is not None

    def text(self, *names: str) -> str:
        """The value, empty where there is none."""
        found = self.attribute(*names)
        return found.value if found else ""

    def flag(self, *names: str) -> bool | None:
        """True, False, or None where it is not told."""
        value = self.text(*names).strip().lstrip("$").casefold()
        return True if value in ("true", "yes", "1") else False if value in ("false", "no", "0") else None

    def values(self, *names: str) -> tuple[str, ...]:
        found = self.attribute(*names)
        return found.values if found else ()

    def truncated(self, *names: str) -> bool:
        """Whether elements may be missing from what `values` gives."""
        found = self.attribute(*names)
        return bool(found and (found.truncated or found.type_name_only))

    def where(self, *names: str) -> Source:
        """Where that property stands, else the object."""
        found = self.attribute(*names)
        return found.source if found else self.source

    @property
    def name(self) -> str:
        return self.text("Name") or self.text("Identity").rsplit("\\", 1)[-1]

    @property
    def label(self) -> str:
        """How a sentence names it."""
        return f"'{self.name}'" if self.name else "(not named in the export)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Connector(ExportedObject):
    @property
    def enabled(self) -> bool | None:
        return self.flag("Enabled")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerConnector(Connector):
    """Exchange Server's: it names the certificate to present."""

    @property
    def certificate_name(self) -> str:
        """`TlsCertificateName` with its `<I>` and `<S>` where the paste kept them."""
        return self.text("TlsCertificateName")

    @property
    def certificate_issuer_and_subject(self) -> tuple[DistinguishedName, DistinguishedName] | None:
        return issuer_and_subject(self.certificate_name)


@dataclass(frozen=True, slots=True, kw_only=True)
class InboundConnector(Connector):
    """Exchange Online's, or Gatepost's inbound connector."""

    @property
    def connector_type(self) -> str:
        """`onpremises`, `partner`, or empty."""
        return self.text("ConnectorType").strip().casefold().replace("-", "").replace(" ", "")

    @property
    def certificate_name(self) -> str:
        return self.text("TlsSenderCertificateName")

    @property
    def certificate_name_as_written(self) -> str:
        """With the blanks at its edge, where the export kept them."""
        told = self.attribute("TlsSenderCertificateName")
        if told is None:
            return ""
        return max(told.value, told.values[0], key=len) if len(told.values) == 1 else told.value

    @property
    def addresses(self) -> tuple[str, ...]:
        return self.values("SenderIPAddresses")


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboundConnector(Connector):
    """Exchange Online's: which way its mail leaves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SendConnector(ServerConnector):
    @property
    def smart_hosts(self) -> tuple[str, ...]:
        return tuple(each.strip("[]") for each in self.values("SmartHosts", "SmartHostsString"))

    @property
    def fqdn(self) -> str:
        return self.text("Fqdn")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiveConnector(ServerConnector):
    """Exchange Server's listener."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptedDomain(ExportedObject):
    @property
    def domain(self) -> str:
        return (self.text("DomainName") or self.text("Name") or self.text("Identity")).strip().casefold()

    @property
    def match_subdomains(self) -> bool | None:
        return self.flag("MatchSubDomains")


@dataclass(frozen=True, slots=True, kw_only=True)
class TransportService(ExportedObject):
    """Get-TransportService, Get-HybridConfiguration, Get-TransportConfig ...: `cmdlet` says which."""

    cmdlet: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exports:
    """What the cmdlets of one organisation printed."""

    accepted_domains: tuple[AcceptedDomain, ...] = ()
    inbound_connectors: tuple[InboundConnector, ...] = ()
    outbound_connectors: tuple[OutboundConnector, ...] = ()
    transport_services: tuple[TransportService, ...] = ()
    empty: tuple[str, ...] = ()
    """Commands whose output was shown, and there was none."""

    def lists_no(self, kind: str) -> bool:
        """Whether a command that lists such objects gave nothing."""
        return any(kind.casefold() in command.casefold() for command in self.empty)
