"""Objects that a cmdlet printed, as evidence: Get-ExchangeCertificate's are certificates like any other."""

import re
from dataclasses import replace
from typing import Any, Final

from gatepost.doctor.evidence import CertificateSeen
from gatepost.doctor.moments import moment
from gatepost.exchange.cmdlet_output import object_from
from gatepost.exchange.distinguished_names import distinguished_name
from gatepost.exchange.objects import ExportedObject, Property
from gatepost.exchange.source import Fact, Source


def exported(
    properties: tuple[Property, ...], source: Source, *, hint: str = "", server: str = "", quote: str = ""
) -> Fact | None:
    """The fact that an object with such properties is."""
    found = object_from(properties, source, hint=hint, server=server, quote=quote)
    if found is None:
        return None
    kind, value = found
    return _certificate(value) if kind == "certificate" else value


_PURPOSES = {
    "1.3.6.1.5.5.7.3.1": "serverAuth",
    "1.3.6.1.5.5.7.3.2": "clientAuth",
    "server authentication": "serverAuth",
    "client authentication": "clientAuth",
    "serverauthentifizierung": "serverAuth",
    "clientauthentifizierung": "clientAuth",
    "tls web server authentication": "serverAuth",
    "tls web client authentication": "clientAuth",
    "serverauth": "serverAuth",
    "clientauth": "clientAuth",
}


def purpose(text: str) -> str:
    """`serverAuth`, `clientAuth`, or the text itself."""
    cleaned = text.strip().strip("{}").casefold()
    for sign, name in _PURPOSES.items():
        if sign in cleaned:
            return name
    return text.strip()


def _certificate(found: ExportedObject) -> CertificateSeen:
    domains = found.attribute("CertificateDomains", "DnsNameList", "DomainNames")
    usage = found.attribute("EnhancedKeyUsageList", "EnhancedKeyUsages")
    size = found.text("PublicKeySize")
    subject, issuer = _apart(found.attribute("Subject"), found.attribute("Issuer"))
    return CertificateSeen(
        source=found.source,
        quote=found.quote,
        role="stored",
        subject=distinguished_name(subject.value) if subject and not subject.truncated else _cut_name(subject),
        issuer=distinguished_name(issuer.value) if issuer and not issuer.truncated else _cut_name(issuer),
        names=tuple(each.casefold() for each in domains.values) if domains else (),
        names_told=bool(domains),
        names_truncated=bool(domains and (domains.truncated or domains.type_name_only)),
        serial=found.text("SerialNumber").upper(),
        thumbprint=re.sub(r"[^0-9A-F]", "", found.text("Thumbprint").upper()),
        not_before=moment(found.text("NotBefore")),
        not_after=moment(found.text("NotAfter")),
        purposes=tuple(purpose(each) for each in usage.values) if usage else None,
        self_signed=found.flag("IsSelfSigned"),
        root_type=found.text("RootCAType"),
        services=found.text("Services") if found.has("Services") else None,
        has_private_key=found.flag("HasPrivateKey"),
        status=found.text("Status"),
        key_bits=int(size) if size.isdecimal() else None,
        server=found.server,
    )


_BEGINS_A_NAME: Final = re.compile(r"\s{0,3}[A-Za-z][\w.]{0,30}=")
_BETWEEN_NAMES: Final = re.compile(r"(?<![,;+\s])\s{1,9}(?=(?:CN|E|O|OU|C|L|S|ST|DC|T)=)")


def _apart(subject: Property | None, issuer: Property | None) -> tuple[Property | None, Property | None]:
    """Of a row whose issuer is wider than its column, the rest of it stands before the subject."""
    if subject is None or issuer is None or _BEGINS_A_NAME.match(subject.value) or "=" not in subject.value:
        return subject, issuer
    between = [*_BETWEEN_NAMES.finditer(subject.value)]
    if len(between) != 1:
        return subject, issuer
    rest, own = subject.value[: between[0].start()], subject.value[between[0].end() :]
    return replace(subject, value=own), replace(issuer, value=f"{issuer.value.rstrip()} {rest.lstrip()}")


def _cut_name(found: Property | None) -> Any:
    if found is None:
        return None
    whole = distinguished_name(found.value.removesuffix("...").removesuffix("…"))
    return whole._replace(attributes=whole.attributes[:1])
