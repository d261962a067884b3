"""What exports of Exchange Server and Exchange Online show, for the wizard: the doctor reads them."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from gatepost.doctor.evidence import EvidenceBundle
from gatepost.doctor.reading import NothingToRead, read_files
from gatepost.exchange.distinguished_names import issuer_and_subject
from gatepost.exchange.objects import ExportedObject
from gatepost.hybrid.errors import UnusableFile
from gatepost.hybrid.ports import Exported, Exports


def read_exports(paths: Iterable[Path], tls_certificate_name: str) -> Exports:
    """`hybrid.ports.ReadExports`."""
    try:
        bundle = read_files(paths)
    except NothingToRead as error:
        raise UnusableFile(f"exports: {error}") from None
    return Exports(
        objects=tuple(_exported(bundle, tls_certificate_name)),
        accepted_domains=tuple(each.domain for each in bundle.accepted_domains if each.domain),
    )


def _exported(bundle: EvidenceBundle, tls_certificate_name: str) -> Iterator[Exported]:
    for kind, objects in (
        ("SendConnector", bundle.send_connectors),
        ("ReceiveConnector", bundle.receive_connectors),
        ("InboundConnector", bundle.inbound_connectors),
        ("OutboundConnector", bundle.outbound_connectors),
    ):
        for each in objects:
            yield _one(kind, each, tls_certificate_name)


def _one(kind: str, found: ExportedObject, tls_certificate_name: str) -> Exported:
    values: dict[str, str | Sequence[str]] = {}
    cut = set()
    for each in found.properties:
        values[each.name] = each.values if len(each.values) != 1 else each.value
        if each.truncated or each.type_name_only:
            cut.add(each.name)
    if _same_certificate(found.text("TlsCertificateName"), tls_certificate_name):
        # However it is spelled there: it is this certificate.
        values["TlsCertificateName"] = tls_certificate_name
    # `EX1\Default Frontend EX1`: a name alone means the server one is on.
    identity = found.text("Identity")
    name = identity if kind == "ReceiveConnector" and "\\" in identity else found.name
    return Exported(kind=kind, name=name, values=values, cut=frozenset(cut))


def _same_certificate(one: str, other: str) -> bool:
    first, second = issuer_and_subject(one), issuer_and_subject(other)
    return first is not None and second is not None and all(a.key == b.key for a, b in zip(first, second, strict=True))
