"""Edits of objects that repair them, and the commands that make them.

Laws: an edit is built from objects, so that no command has an empty name; applied to the model it shows whether the
fault is gone; it changes one property and keeps every other.
"""

from dataclasses import dataclass, replace
from typing import Protocol

from gatepost.doctor.certificates_told import same_certificate, shown
from gatepost.doctor.evidence import CertificateSeen
from gatepost.doctor.finding import Fix
from gatepost.doctor.path.objects import End, MailPath, Pin, Store
from gatepost.exchange.powershell import argument, quoted

RESTART_BOTH = "Restart-Service MSExchangeTransport; Restart-Service MSExchangeFrontEndTransport"
RESTART_FRONT_END = "Restart-Service MSExchangeFrontEndTransport"


class Edit(Protocol):
    def applied(self, path: MailPath) -> MailPath:
        """The path as it is after the edit."""
        ...

    def commands(self) -> tuple[Fix, ...]: ...


@dataclass(frozen=True, slots=True)
class Advice:
    """An edit of what the model does not hold: another program, the network, another party."""

    where: str
    command: str

    def applied(self, path: MailPath) -> MailPath:
        return path

    def commands(self) -> tuple[Fix, ...]:
        return (Fix(self.where, self.command),)


@dataclass(frozen=True, slots=True)
class Edited:
    """An edit that was tried already, on a model of its own: the tenant, asked of attribution."""

    fixes: tuple[Fix, ...]

    def applied(self, path: MailPath) -> MailPath:
        return path

    def commands(self) -> tuple[Fix, ...]:
        return self.fixes


# --- Exchange -------------------------------------------------------------------------------------------------------


def _on(server: str) -> str:
    return f"   # on {server}" if server else ""


def _connector(end: End, action: str) -> str:
    """`Set-SendConnector -Identity 'name' action`; of one whose name was not shown, by what was."""
    noun = "SendConnector" if end.way == "out" else "ReceiveConnector"
    if end.name:
        return f"Set-{noun} -Identity {argument(end.name)} {action}"
    told = f"$_.Fqdn -eq {quoted(end.fqdn)}" if end.fqdn else "$_.TlsCertificateName -like '*<S>*'"
    return f"Get-{noun} | Where-Object {{ {told} }} | Set-{noun} {action}"


@dataclass(frozen=True, slots=True)
class SetPin:
    """The connector names another certificate, or none and goes by its FQDN."""

    end: End
    certificate: CertificateSeen | None
    like: Pin | None = None
    """The name that another server's connector has."""

    def applied(self, path: MailPath) -> MailPath:
        pin = pin_of(self.certificate) if self.certificate else self.like
        ends = tuple(each.with_pin(pin) if each is self.end else each for each in path.ends)
        return replace(path, ends=ends)

    def commands(self) -> tuple[Fix, ...]:
        restart = RESTART_BOTH if self.end.way == "out" else RESTART_FRONT_END
        if self.certificate is None:
            value = quoted(self.like.text) if self.like else "$null"
            return (
                Fix("Exchange", _connector(self.end, f"-TlsCertificateName {value}")),
                Fix("Exchange", restart + _on(", ".join(self.end.servers))),
            )
        if self.certificate.thumbprint:
            value = '"<I>$($cert.Issuer)<S>$($cert.Subject)"'
            command = f"$cert = Get-ExchangeCertificate -Thumbprint {self.certificate.thumbprint}"
            pin = pin_of(self.certificate)
            names = f"   # {shown(self.certificate)}{f': {pin.text}' if pin and pin.issuer.text else ''}"
            return (
                Fix("Exchange", f"{command}; {_connector(self.end, f'-TlsCertificateName {value}')}{names}"),
                Fix("Exchange", restart + _on(", ".join(self.end.servers))),
            )
        pin = pin_of(self.certificate)
        value = quoted(pin.text) if pin else "$null"
        return (
            Fix("Exchange", _connector(self.end, f"-TlsCertificateName {value}")),
            Fix("Exchange", restart + _on(", ".join(self.end.servers))),
        )


@dataclass(frozen=True, slots=True)
class SetCapabilities:
    """A listener trusts the service's certificate for hybrid mail, as the others do."""

    end: End
    capabilities: tuple[str, ...]

    def applied(self, path: MailPath) -> MailPath:
        return path

    def commands(self) -> tuple[Fix, ...]:
        value = ",".join(map(quoted, self.capabilities))
        return (Fix("Exchange", _connector(self.end, f"-TlsDomainCapabilities {value}")),)


@dataclass(frozen=True, slots=True)
class Mechanisms:
    identity: str
    mechanisms: str

    def applied(self, path: MailPath) -> MailPath:
        return path

    def commands(self) -> tuple[Fix, ...]:
        command = f"Set-ReceiveConnector -Identity {argument(self.identity)} -AuthMechanism {argument(self.mechanisms)}"
        return (Fix("Exchange", command), Fix("Exchange", RESTART_FRONT_END))


def pin_of(certificate: CertificateSeen) -> Pin | None:
    issuer, subject = certificate.issuer, certificate.subject
    if subject is None or not subject.attributes:
        return None
    if issuer is None:  # the table shows no issuer: Exchange fills it in, and the pin names the certificate
        issuer = subject._replace(text="", attributes=())
    return Pin(issuer=issuer, subject=subject, text=f"<I>{issuer.text}<S>{subject.text}")


@dataclass(frozen=True, slots=True)
class EnableForSmtp:
    store: Store
    certificate: CertificateSeen
    others: str = ""
    """Further services to give back: `IIS`."""

    def applied(self, path: MailPath) -> MailPath:
        changed = self.store.with_services(self.certificate, "SMTP")
        return replace(path, stores=tuple(changed if each is self.store else each for each in path.stores))

    def commands(self) -> tuple[Fix, ...]:
        services = f"'{self.others},SMTP'" if self.others else "SMTP"
        which = self.certificate.thumbprint or self.certificate.serial
        warning = "answer No to overwriting the default certificate"
        server = f" on {self.store.server}" if self.store.server else ""
        return (
            Fix(
                "Exchange", f"Enable-ExchangeCertificate -Thumbprint {which} -Services {services}   #{server} {warning}"
            ),
        )


@dataclass(frozen=True, slots=True)
class ImportWithKey:
    """The certificate comes into the store with its private key, enabled for SMTP."""

    store: Store
    certificate: CertificateSeen

    def applied(self, path: MailPath) -> MailPath:
        imported = replace(self.certificate, has_private_key=True, services="SMTP")
        held = tuple(each for each in self.store.held if not same_certificate(each, self.certificate))
        changed = replace(self.store, held=(*held, imported))
        return replace(path, stores=tuple(changed if each is self.store else each for each in path.stores))

    def commands(self) -> tuple[Fix, ...]:
        server = f"on {self.store.server}: " if self.store.server else ""
        read = "[System.IO.File]::ReadAllBytes('C:\\certificate.pfx')"
        return (
            Fix(
                "Exchange",
                f"Import-ExchangeCertificate -FileData ({read}) -Password (Read-Host -AsSecureString)"
                f"   # {server}the PFX with the private key, exported where the key is",
            ),
            Fix("Exchange", f"Enable-ExchangeCertificate -Thumbprint {self.certificate.thumbprint} -Services SMTP"),
        )


@dataclass(frozen=True, slots=True)
class RemoveCertificate:
    store: Store
    certificate: CertificateSeen

    def applied(self, path: MailPath) -> MailPath:
        changed = self.store.without(self.certificate)
        return replace(path, stores=tuple(changed if each is self.store else each for each in path.stores))

    def commands(self) -> tuple[Fix, ...]:
        ends = f"   # it ended {self.certificate.not_after.text}" if self.certificate.not_after else ""
        return (Fix("Exchange", f"Remove-ExchangeCertificate -Thumbprint {self.certificate.thumbprint}{ends}"),)


@dataclass(frozen=True, slots=True)
class RestartTransport:
    """Both services read their certificates again; what the listener presents is then what the store says."""

    server: str = ""

    def applied(self, path: MailPath) -> MailPath:
        return replace(path, presented=(), sessions=tuple(replace(each, ours=None) for each in path.sessions))

    def commands(self) -> tuple[Fix, ...]:
        return (Fix("Exchange", RESTART_BOTH + _on(self.server)),)
