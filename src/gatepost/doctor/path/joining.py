"""Facts into a path.

What flows: every fact of the bundle that tells of an object becomes part of that object; a file or server that a fact
belongs to is taken from its columns, its prompt, its log, last its file's name. Law: nothing is joined on a guess: two
facts are one object only where what identifies it is equal.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace

from gatepost.doctor.evidence import CertificateSeen, EventLogEntry, EvidenceBundle, SmtpSession
from gatepost.doctor.path.objects import End, MailPath, Pin, Presented, Session, Store, Symptom, When
from gatepost.doctor.path.told import seen
from gatepost.exchange.distinguished_names import issuer_and_subject
from gatepost.exchange.objects import ReceiveConnector, SendConnector

_BEFORE = re.compile(
    r"(?:^|[^a-z])(?:before|old|prev(?:ious)?|prior|vorher|alt|avant|antes|prima)(?:[^a-z]|$)", re.IGNORECASE
)
_AFTER = re.compile(
    r"(?:^|[^a-z])(?:after|new|now|current|nachher|neu|jetzt|apres|despues|dopo)(?:[^a-z]|$)", re.IGNORECASE
)
_CONNECTOR_OF_EVENT = re.compile(
    r"\b(?:connector|Connector)\s+'?(?P<name>.{2,120}?)'?\s{1,40}with (?:a|an|the) FQDN", re.IGNORECASE
)
_FQDN_OF_EVENT = re.compile(r"FQDN parameter of '?(?P<fqdn>[\w-]{1,63}(?:\.[\w-]{1,63}){0,10})", re.IGNORECASE)
_PIN_OF_EVENT = re.compile(r"(?P<pin><I>[^<]{1,400}?<S>.{1,190}?)\s{1,40}in the personal store", re.IGNORECASE)
_IN_PERSONAL_STORE = re.compile(r"domain name\s+(?P<name>[\w.*-]{1,253})\s+in the personal store", re.IGNORECASE)
_CLOUD = ("protection.outlook", "mail.onmicrosoft", "office365.us", "mx.microsoft")


def mail_path(bundle: EvidenceBundle, symptoms: tuple[Symptom, ...]) -> MailPath:
    ends = _without_former(_ends(bundle))
    return MailPath(
        bundle=bundle,
        ends=tuple(_with_servers(each, ends) for each in ends),
        stores=_stores(bundle, [name for each in ends for name in each.servers]),
        sessions=tuple(map(_session, bundle.sessions)),
        presented=tuple(_presented(bundle)),
        symptoms=symptoms,
        now=seen(bundle.clocks[-1].at, bundle.clocks[-1]) if bundle.clocks else None,
    )


def when_of(file: str) -> When:
    """`before` where the file's name says so."""
    stem = file.rsplit("/", 1)[-1].rsplit(".", 1)[0]
    return "before" if _BEFORE.search(stem) and not _AFTER.search(stem) else "now"


# --- connectors -----------------------------------------------------------------------------------------------------


def _ends(bundle: EvidenceBundle) -> Iterator[End]:
    for sending in bundle.send_connectors:
        yield _end(bundle, sending)
    for receiving in bundle.receive_connectors:
        yield _end(bundle, receiving)
    for event in bundle.events:
        if event.event_id == 12014:
            yield _end_of_event(event)


def _end(bundle: EvidenceBundle, connector: SendConnector | ReceiveConnector) -> End:
    told = connector.attribute("TlsCertificateName")
    identity = connector.text("Identity") or connector.name or _named_by_command(bundle, connector)
    server = connector.server or (identity.partition("\\")[0] if "\\" in identity else "")
    return End(
        name=identity,
        way="out" if isinstance(connector, SendConnector) else "in",
        servers=_servers(connector, server),
        fqdn=connector.text("Fqdn").casefold() if connector.has("Fqdn") else None,
        pin=_pin(connector.certificate_name),
        pin_is_empty=told is not None and not told.value.strip("{} ") and not told.truncated,
        when=when_of(connector.source.file),
        fact=told or connector,
        enabled=connector.enabled is not False,
        to_cloud=_is_to_cloud(connector),
    )


def _servers(connector: SendConnector | ReceiveConnector, server: str) -> tuple[str, ...]:
    sources = tuple(each.strip() for each in connector.values("SourceTransportServers") if each.strip())
    return sources or ((server,) if any(map(str.isalnum, server)) else ())


def _with_servers(end: End, ends: Sequence[End]) -> End:
    """A send connector whose servers are not told runs where a receive connector has the same FQDN."""
    if end.servers or end.way == "in" or not end.fqdn:
        return end
    same = [name for each in ends if each.way == "in" and each.fqdn == end.fqdn for name in each.servers]
    return replace(end, servers=tuple(dict.fromkeys(same)))


_ASKED_FOR = re.compile(
    r"Get-(?:Send|Receive)Connector\s+(?:-Identity\s+)?(?:'([^']{1,120})'|\"([^\"]{1,120})\"|([^\s|'\"-]\S{0,120}))",
    re.IGNORECASE,
)


def _named_by_command(bundle: EvidenceBundle, connector: SendConnector | ReceiveConnector) -> str:
    """The name in the command whose output the object is."""
    above = [
        match
        for each in bundle.commands
        if each.source.file == connector.source.file
        and 0 < connector.source.line - each.source.line <= 4
        and (match := _ASKED_FOR.search(each.command))
    ]
    return next((group for group in above[-1].groups() if group), "") if above else ""


def _is_to_cloud(connector: SendConnector | ReceiveConnector) -> bool:
    if isinstance(connector, ReceiveConnector):
        return False
    texts = (*connector.smart_hosts, connector.text("TlsDomain"), *connector.values("AddressSpaces"), connector.name)
    spoken = " ".join(texts).casefold()
    return bool(connector.flag("CloudServicesMailEnabled")) or any(each in spoken for each in (*_CLOUD, "office 365"))


def _pin(text: str) -> Pin | None:
    pair = issuer_and_subject(text)
    return Pin(issuer=pair[0], subject=pair[1], text=text.strip()) if pair else None


def _end_of_event(event: EventLogEntry) -> End:
    """Event 12014 quotes the connector, its FQDN and the certificate it names."""
    connector = _CONNECTOR_OF_EVENT.search(event.message)
    fqdn = _FQDN_OF_EVENT.search(event.message)
    pinned = _PIN_OF_EVENT.search(event.message)
    name = connector["name"].strip() if connector else event.connector
    spoken = f"{event.message} {event.provider}".casefold()
    inwards = "frontend" in spoken or "receive" in name.casefold()
    server = event.server.split(".")[0]
    if inwards and name and "\\" not in name and server:
        name = f"{server}\\{name}"
    return End(
        name=name,
        way="in" if inwards else "out",
        servers=(event.server,) if event.server else (),
        fqdn=fqdn["fqdn"].casefold() if fqdn else event.fqdn.casefold() or None,
        pin=_pin(pinned["pin"] if pinned else event.certificate_name),
        pin_is_empty=bool(_IN_PERSONAL_STORE.search(event.message)),
        when="now",
        fact=event,
        to_cloud=not inwards,
    )


def _without_former(ends: Iterator[End]) -> tuple[End, ...]:
    """Of a connector that an event and an export both tell of, the export; of equal ones the first."""
    kept: dict[tuple[str, str, str], End] = {}
    for each in ends:
        key = (each.way, each.when, each.name.casefold())
        kept.setdefault(key if each.name else (*key[:2], f"#{len(kept)}"), each)
    return tuple(kept.values())


# --- stores ---------------------------------------------------------------------------------------------------------


def _stores(bundle: EvidenceBundle, servers: Sequence[str]) -> tuple[Store, ...]:
    grouped: defaultdict[tuple[str, str], list[CertificateSeen]] = defaultdict(list)
    for each in bundle.certificates:
        if each.role == "stored":
            server = each.server or _host_asked(bundle, each) or _server_in(each.source.file, servers)
            grouped[each.source.file, server].append(each)
    found = [
        Store(
            server=server,
            held=tuple(held),
            when=when_of(file),
            whole=len(held) > 1 or not _asked_for_one(bundle, held[0]),
            source=held[0].source,
        )
        for (file, server), held in grouped.items()
    ]
    return _joined_stores(found)


def _host_asked(bundle: EvidenceBundle, certificate: CertificateSeen) -> str:
    """What `hostname` answered above it in the same file."""
    above = [
        each.output.strip()
        for each in bundle.shell
        if each.command.strip().casefold() in ("hostname", "$env:computername")
        and each.source.file == certificate.source.file
        and each.source.line < certificate.source.line
    ]
    return above[-1] if above and re.fullmatch(r"[\w.-]{1,63}", above[-1]) else ""


def _joined_stores(stores: Sequence[Store]) -> tuple[Store, ...]:
    """Two listings of one server at one time are one store."""
    joined: dict[tuple[str, str], Store] = {}
    for each in stores:
        key = (each.server.casefold(), each.when)
        if (known := joined.get(key)) is not None:
            new = tuple(one for one in each.held if known.holding(one) is None)
            each = replace(known, held=known.held + new, whole=known.whole or each.whole)
        joined[key] = each
    return tuple(joined.values())


def _server_in(file: str, servers: Sequence[str]) -> str:
    """The server whose name the file's name holds."""
    stem = file.rsplit("/", 1)[-1].casefold()
    short = sorted({each.split(".")[0] for each in servers}, key=len, reverse=True)
    return next((each for each in short if len(each) > 2 and each.casefold() in stem), "")


_ONE_ASKED_FOR = re.compile(r"Get-ExchangeCertificate\s+(?:-Thumbprint\s+)?['\"]?[0-9A-F]{8,40}", re.IGNORECASE)


def _asked_for_one(bundle: EvidenceBundle, certificate: CertificateSeen) -> bool:
    """Whether the listing was of the certificate that the command named, so that others may be there."""
    near = [each for each in bundle.commands if each.source.file == certificate.source.file]
    return any(_ONE_ASKED_FOR.search(each.command) for each in near)


# --- sessions -------------------------------------------------------------------------------------------------------


def _session(log: SmtpSession) -> Session:
    inwards = log.log == "receive"
    theirs = next((each for each in log.certificates if each.role == "remote"), None)
    verdict = log.tls.chain_status if log.tls and inwards else theirs.status if theirs else ""
    return Session(
        way="in" if inwards else "out",
        log=log,
        ours=log.sent_certificate,
        theirs=theirs,
        verdict_on_theirs=verdict,
    )


def _presented(bundle: EvidenceBundle) -> Iterator[Presented]:
    for each in bundle.certificates:
        if each.presented_by:
            host = each.presented_by.rpartition(":")[0].strip("[]").casefold()
            yield Presented(certificate=each, host=host, fact=each)
    own = (each.sent_certificate for each in bundle.sessions if each.log == "receive")
    shown = {(each.thumbprint, each.serial): each for each in own if each is not None}
    for certificate in shown.values():
        yield Presented(certificate=certificate, host="", fact=certificate)
