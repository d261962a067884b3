"""Which certificate a server's connectors name, hold and present."""

# ruff: noqa: E501 - a pattern or a sentence broken over lines reads worse

from collections.abc import Callable, Iterator
from functools import partial
from typing import Final

from gatepost.doctor.certificates_told import (
    at,
    is_internal_name,
    is_public,
    is_self_signed,
    names_of,
    same_certificate,
    shown,
)
from gatepost.doctor.checks.check import Check, Need
from gatepost.doctor.evidence import CertificateSeen, EventLogEntry
from gatepost.doctor.path.objects import End, MailPath, Pin, Store, carries
from gatepost.doctor.path.told import Told, claimed, inferred, seen
from gatepost.doctor.repairs import (
    Advice,
    Edit,
    EnableForSmtp,
    ImportWithKey,
    Mechanisms,
    RemoveCertificate,
    RestartTransport,
    SetCapabilities,
    SetPin,
    pin_of,
)
from gatepost.exchange.powershell import quoted

Answer = Callable[..., Check]
"""`Check` with what every answer of a question has in common."""

_OUT: Final = frozenset(("no-certificate-found", "nothing-goes", "not-attributed"))
_NEVER_DIALLED: Final = _OUT - {"not-attributed"}
"""A connector that finds its certificate nowhere opens no session, so nobody refuses it."""
_IN: Final = frozenset(("no-starttls", "nothing-comes", "listener-refused", "partner-lock"))
_LISTING: Final = (
    "Get-ExchangeCertificate | Format-List Thumbprint,Services,Status,NotAfter,Issuer,Subject,HasPrivateKey"
)


def _listing_of(server: str) -> Need:
    return Need(f"the certificates of {server or 'the server'}: {_LISTING}", 1)


# --- the certificate that a connector names is there ----------------------------------------------------------------


def named_certificate_is_stored(path: MailPath) -> Iterator[Check]:
    """Senders and listeners alike: an export, an event or a checker tells which certificate is named."""
    answers = [answer for end in path.ends_now() if end.pin and end.enabled for answer in _named(path, end, end.pin)]
    yield from _of_one_server(answers)


def _named(path: MailPath, end: End, pin: Pin) -> Iterator[Check]:
    for server, store in path.stores_of(end):
        cause = "connector-names-missing-certificate" if end.way == "out" else "listener-withdrew-starttls"
        explains = _NEVER_DIALLED if end.way == "out" else _IN
        answer = partial(
            Check, cause=cause, subject=f"{end.name}@{server}", explains=explains, way=end.way, servers=end.servers
        )
        names = seen(pin, end.fact, f"{end.name or 'the connector'} names {pin.text}")
        if store is None or not store.whole:
            yield answer(standing="unknown", says="", premises=(names,), needs=(_listing_of(server),))
            continue
        if (held := store.find(pin)) is not None:
            there = seen(held, held, f"it is in the store{_at(server)}: {held.thumbprint or shown(held)}")
            says = f"the certificate that {end.label} names is in the store"
            yield answer(standing="holds", says=says, premises=(names, there))
            continue
        if store.may_hold(pin):
            subject_only = [each for each in store.held if each.subject and each.subject.key == pin.subject.key]
            if not (subject_only and _server_says_so(path)):
                yield answer(standing="unknown", says="", premises=(names,), needs=(_listing_of(server),))
                continue
        elsewhere = next((one for _, other in path.stores_of(end) if other and (one := other.find(pin))), None)
        if elsewhere is not None and server:
            yield _missing_on_one(end, pin, elsewhere, store, server, answer)
        else:
            yield _missing(path, end, pin, store, server, answer)


def _at(server: str) -> str:
    return f" of {server}" if server else ""


def _server_says_so(path: MailPath) -> bool:
    """The server itself found no such certificate: event 12014, or the connector's error in its queue."""
    told = path.symptoms_of(("no-certificate-found", "no-starttls"))
    return any(each.kind == "no-certificate-found" or isinstance(each.fact, EventLogEntry) for each in told)


def _missing_on_one(end: End, pin: Pin, held: CertificateSeen, store: Store, server: str, answer: Answer) -> Check:
    """The other servers of the connector hold it: what differs is this server, not the connector."""
    return answer(
        standing="broken",
        says=f"{server} lacks the certificate that {end.label} names, although the connector's other servers hold it: {pin.host}.",
        premises=(
            seen(pin, end.fact, f"{end.name or 'the connector'} names {pin.text}"),
            seen(held, held, f"held by another server: {held.thumbprint or shown(held)}"),
            *(seen(each, each, f"stored{_at(server)}: {shown(each)}") for each in store.held[:2]),
        ),
        edits=(ImportWithKey(store, held), RestartTransport(server)),
        verify="Get-ExchangeCertificate lists the same thumbprint on every server of the connector.",
        alone=True,
        place=8,
    )


def _missing(path: MailPath, end: End, pin: Pin, store: Store, server: str, answer: Answer) -> Check:
    meant = _meant(end, pin, store)
    strange = pin.host and end.fqdn and pin.host != end.fqdn and _named_elsewhere(path, end, pin)
    cause = "connector-names-missing-certificate" if end.way == "out" else "listener-withdrew-starttls"
    why = f"{end.label} names a certificate that the store{_at(server)} does not hold: {pin.text}."
    catalogue: tuple[str, ...] = ()
    if strange:
        cause, catalogue = "renewal-hook-misses-smtp", ("B10", "B01" if end.way == "out" else "K01")
        why = (
            f"{end.label} names {pin.host}, the certificate of other servers; the store{_at(server)} does not hold it."
        )
    elif meant and _same_authority(pin, meant) and end.way == "out":
        cause, catalogue = "issuer-changes-at-every-renewal", ("B02", "B01")
        issuer = meant.issuer.common_name if meant.issuer else ""
        why = (
            f"{end.label} still names the old issuer {pin.issuer.common_name}; the renewed certificate is of {issuer}. "
            "The authority's issuer changes from renewal to renewal, so this comes back."
        )
    stored = [
        seen(each, each, f"stored{_at(server)}: {shown(each)}") for each in ([meant] if meant else store.held[:2])
    ]
    edits: list[Edit] = []
    if meant is not None and meant.smtp_bound is False:
        edits.append(EnableForSmtp(store, meant))
    if meant is not None and (pin_of(meant) is not None):
        edits.append(SetPin(end, meant))
    elif meant is not None and end.fqdn and carries(meant, end.fqdn):
        edits.append(SetPin(end, None))
    if cause == "issuer-changes-at-every-renewal" and edits:
        hook = "# put that command, for send and receive connectors, into the renewal hook of every server"
        script = f"param($thumbprint) $cert = Get-ExchangeCertificate -Thumbprint $thumbprint; Get-SendConnector | Where-Object TlsCertificateName -like '*CN={pin.host}*' | Set-SendConnector -TlsCertificateName \"<I>$($cert.Issuer)<S>$($cert.Subject)\""
        edits.append(Advice("Exchange", hook))
        edits.append(
            Advice(
                "Exchange",
                f"{script}   # that script; win-acme: --installation script --script FILE --scriptparameters '{{CertThumbprint}}'; the same for Get-ReceiveConnector, then Restart-Service MSExchangeTransport",
            )
        )
    return answer(
        cause=cause,
        catalogue=catalogue,
        standing="broken",
        says=why,
        premises=(seen(pin, end.fact, f"{end.name or 'the connector'} names {pin.text}"), *stored),
        edits=tuple(edits),
        verify="Get-Queue drains, and the next session's log shows the new thumbprint after 'Sending certificate'."
        if end.way == "out"
        else "EHLO from outside lists STARTTLS, and no new event 12014 is written.",
        needs=() if meant else (Need(f"the new certificate, imported with its key{_at(server)}", 2),),
        alone=True,
        place=10 if end.way == "out" else 20,
    )


def _meant(end: End, pin: Pin, store: Store) -> CertificateSeen | None:
    """The stored certificate that the connector ought to name: of its FQDN, else of the name it asks for."""
    for host in (end.fqdn or "", pin.host):
        found = [each for each in store.covering(host) if not is_self_signed(each)]
        found.sort(key=lambda each: not each.smtp_bound)
        if found:
            return found[0]
    return next((each for each in store.held if each.subject and each.subject.key == pin.subject.key), None)


def _named_elsewhere(path: MailPath, end: End, pin: Pin) -> bool:
    """Whether a connector of other servers, for that name, names the same certificate."""
    others = [
        each for each in path.ends_now() if each is not end and each.pin and each.pin.subject.key == pin.subject.key
    ]
    return any(each.fqdn == pin.host for each in others)


def _same_authority(pin: Pin, certificate: CertificateSeen) -> bool:
    issuer = certificate.issuer
    return bool(
        issuer
        and issuer.organization
        and issuer.organization == pin.issuer.organization
        and issuer.common_name != pin.issuer.common_name
    )


def _of_one_server(answers: list[Check]) -> Iterator[Check]:
    """Connectors of one server that one hand spoilt are one fault with several edits."""
    merged: dict[tuple[str, tuple[str, ...]], Check] = {}
    for each in answers:
        if each.standing != "broken" or each.cause != "renewal-hook-misses-smtp":
            yield each
            continue
        key = (each.cause, each.servers)
        before = merged.get(key)
        merged[key] = each if before is None else _both(before, each)
    yield from merged.values()


def _both(one: Check, other: Check) -> Check:
    return Check(
        cause=one.cause,
        catalogue=one.catalogue,
        standing="broken",
        subject=one.subject,
        says=f"{one.says} {other.says}",
        premises=tuple(dict.fromkeys((*one.premises, *other.premises))),
        explains=one.explains | other.explains,
        servers=one.servers,
        edits=(*one.edits, *other.edits),
        verify=one.verify,
        alone=True,
        place=min(one.place, other.place),
    )


# --- the certificate in use is enabled for SMTP ---------------------------------------------------------------------


def certificate_is_enabled_for_smtp(path: MailPath) -> Iterator[Check]:
    for store in path.stores:
        if store.when == "now":
            yield from _enabled(path, store)


def _enabled(path: MailPath, store: Store) -> Iterator[Check]:
    before = next((each for each in path.stores if each.when == "before" and each.server == store.server), None)
    for host, why in _hosts_in_use(path, store, before):
        fitting = [each for each in store.covering(host) if each.services is not None]
        answer = partial(
            Check,
            cause="certificate-not-bound-to-smtp",
            subject=f"{host}@{store.server}",
            servers=(store.server,) if store.server else (),
            explains=_OUT | _IN,
        )
        if not fitting:
            continue
        bound = next((each for each in fitting if each.smtp_bound), None)
        if bound is not None and (over := _replaced(path, bound, fitting[0])) is not None:
            yield answer(
                standing="broken",
                says=f"The renewed certificate for {host} is in the store{_at(store.server)}, but only the old one is enabled for SMTP.",
                premises=(
                    seen(
                        fitting[0],
                        fitting[0],
                        f"{fitting[0].thumbprint or shown(fitting[0])}: Services is '{fitting[0].services}'",
                    ),
                    over,
                ),
                edits=(EnableForSmtp(store, fitting[0]), RestartTransport(store.server)),
                verify="Get-ExchangeCertificate shows S in its Services; the next session's log shows its thumbprint.",
                alone=True,
                place=5,
            )
            continue
        if bound is not None:
            yield answer(
                standing="holds",
                says=f"{shown(bound)} is enabled for SMTP",
                premises=(seen(bound, bound, f"Services {bound.services}"),),
            )
            continue
        new = fitting[0]
        lost = before.bound(host) if before else None
        premises: list[Told[object]] = [
            seen(new, new, f"{new.thumbprint or shown(new)}: Services is '{new.services}'"),
            why,
        ]
        says = f"The certificate for {host} is in the store{_at(store.server)}, but not enabled for SMTP."
        if lost is not None:
            premises.append(seen(lost, lost, f"before: Services was '{lost.services}'"))
            says = f"The renewed certificate for {host} lost the service SMTP that the old one had ({lost.services})."
        web = bool(lost and _has_web(lost) and not _has_web(new))
        yield answer(
            standing="broken",
            says=says,
            premises=tuple(premises),
            edits=(EnableForSmtp(store, new, "IIS" if web else ""),),
            verify="Get-ExchangeCertificate shows S in its Services.",
            alone=True,
            place=5,
        )


def _replaced(path: MailPath, bound: CertificateSeen, newest: CertificateSeen) -> Told[object] | None:
    """Why the certificate that is enabled for SMTP no longer counts: it ended, or somebody says that it was renewed."""
    ends, later = at(bound.not_after), at(newest.not_after)
    if newest.smtp_bound is not False or ends is None or later is None or later <= ends:
        return None
    if newest.issuer is not None and bound.issuer is not None and newest.issuer.key == bound.issuer.key:
        return None  # of two with one issuer and subject transport takes the newer, enabled or not
    over = bound.status.casefold() == "dateinvalid"
    if over or (path.now is not None and (path.now.value.at or 0.0) > ends):
        return seen(bound, bound, f"enabled for SMTP: {bound.thumbprint or shown(bound)}, which has ended")
    said = next(path.bundle.prose_of("renewed-certificate"), None)
    return claimed(said, said, said.quote) if said else None


def a_public_certificate_is_enabled(path: MailPath) -> Iterator[Check]:
    """Without any connector shown: only the machine's own certificates are enabled for SMTP, and mail has stopped."""
    if any(end.pin or end.fqdn for end in path.ends_now()) or path.symptoms_of(("listener-refused",)):
        return
    if not path.symptoms_of(sorted(_OUT)):
        return
    for store in path.stores:
        enabled = [each for each in store.held if each.smtp_bound]
        idle = [each for each in store.held if each.smtp_bound is False and not _is_machines(each)]
        if store.when != "now" or not enabled or not all(map(_is_machines, enabled)) or len(idle) != 1:
            continue
        new = idle[0]
        yield Check(
            cause="certificate-not-bound-to-smtp",
            standing="broken",
            subject=f"{new.thumbprint}@{store.server}",
            says=f"The only certificate for a public name, {shown(new)}, is in the store{_at(store.server)}, but not enabled for SMTP; what is enabled is the machine's own.",
            premises=(
                seen(new, new, f"{new.thumbprint or shown(new)}: Services is '{new.services}'"),
                seen(enabled[0], enabled[0], f"enabled for SMTP: {shown(enabled[0])}"),
            ),
            explains=_OUT,
            way="out",
            servers=(store.server,) if store.server else (),
            edits=(EnableForSmtp(store, new), RestartTransport(store.server)),
            verify="Get-ExchangeCertificate shows S in its Services.",
            alone=True,
            place=5,
        )
        return


def _has_web(certificate: CertificateSeen) -> bool:
    services = (certificate.services or "").casefold()
    return "iis" in services or ("W" in (certificate.services or "") and "." in services)


def _hosts_in_use(path: MailPath, store: Store, before: Store | None) -> Iterator[tuple[str, Told[object]]]:
    """Names that mail goes by on that server: a connector's, or that of a certificate that was enabled before."""
    given: set[str] = set()
    for end in path.ends_now():
        if not any(each is store for _, each in path.stores_of(end)):
            continue
        pinned = end.pin.host if end.pin else ""
        named = end.pin is not None and (store.may_hold(end.pin) or bool(store.covering(pinned)))
        host = pinned if named else end.fqdn or pinned
        if host and host not in given:
            given.add(host)
            known = seen if named or end.pin_is_empty else inferred  # the certificate that it names was not shown
            yield host, known(host, end.fact, f"{end.name or 'the connector'} goes by {host}")
    for each in store.held:
        if each.smtp_bound and not is_self_signed(each) and not _is_machines(each):
            for host in names_of(each)[:1]:
                if host not in given:
                    given.add(host)
                    yield host, seen(host, each, f"{host} is enabled for SMTP")
    for each in before.held if before else ():
        if each.smtp_bound and not is_self_signed(each):
            for host in names_of(each)[:1]:
                if host not in given:
                    given.add(host)
                    yield host, seen(host, each, f"{host} was enabled for SMTP before")


# --- what is presented is the newest that is stored -----------------------------------------------------------------


def newest_certificate_is_presented(path: MailPath) -> Iterator[Check]:
    """A listener that serves the expired twin; a sender that still shows the old certificate."""
    for each in path.presented:
        yield from _presented(path, each.certificate, each.host)


def _presented(path: MailPath, certificate: CertificateSeen, host: str) -> Iterator[Check]:
    stores = [each for each in path.stores if each.when == "now"]
    for store in stores:
        newer = _newer_twin(store, certificate)
        answer = partial(
            Check,
            cause="old-certificate-in-memory",
            subject=f"presented@{store.server}",
            servers=(store.server,) if store.server else (),
            way="in",
            explains=_IN | {"peer-sees-expired"},
        )
        if newer is None:
            if (held := store.holding(certificate)) is not None and held.smtp_bound:
                yield answer(
                    standing="holds",
                    says=f"what {host or 'the listener'} presents is in the store and enabled",
                    premises=(seen(certificate, certificate, f"presents {shown(certificate)}"),),
                )
            continue
        twin = store.holding(certificate)
        now = path.now.value.at if path.now else None
        ends = at(certificate.not_after)
        expired = ends is not None and now is not None and ends < now
        premises: list[Told[object]] = [
            seen(certificate, certificate, f"{host or 'the listener'} presents the one that ends {_end(certificate)}"),
            seen(newer, newer, f"stored and enabled: {newer.thumbprint or shown(newer)}, ends {_end(newer)}"),
        ]
        if path.now and expired:
            premises.append(Told(value=now, how=path.now.how, source=path.now.source, says=f"now: {path.now.says}"))
        edits: list[Edit] = []
        if twin is not None and twin.thumbprint and expired:
            edits.append(RemoveCertificate(store, twin))
            premises.append(seen(twin, twin, f"its twin is still stored: {twin.thumbprint}"))
        edits.append(RestartTransport(store.server))
        yield answer(
            catalogue=("B09", "B04") if twin is not None else ("B09",),
            standing="broken",
            says=f"{host or 'The listener'} still presents the {'expired ' if expired else ''}certificate"
            f" that ends {_end(certificate)}, although {newer.thumbprint or 'a newer one'} with the same name is stored and enabled.",
            premises=tuple(premises),
            edits=tuple(edits),
            verify="The fingerprint seen from outside is the new certificate's.",
            alone=True,
            place=20,
        )


def _end(certificate: CertificateSeen) -> str:
    return certificate.not_after.text if certificate.not_after else "at a time not shown"


def _newer_twin(store: Store, presented: CertificateSeen) -> CertificateSeen | None:
    """A stored certificate for the same name that ends later and is enabled for SMTP."""
    ends = at(presented.not_after)
    for host in names_of(presented)[:4]:
        for each in store.covering(host):
            later = at(each.not_after)
            if each.smtp_bound and ends and later and later > ends and same_certificate(each, presented) is False:
                return each
    return None


# --- its key is there -----------------------------------------------------------------------------------------------


def key_is_there(path: MailPath) -> Iterator[Check]:
    """A certificate that a connector names, or that is enabled, without its private key."""
    for store in path.stores:
        for each in store.held if store.when == "now" else ():
            if each.has_private_key is None or each.is_authority or is_public(each) is False:
                continue
            used = [end for end in path.ends_now() if end.pin and end.pin.names(each) is not False]
            if not used and not each.smtp_bound:
                continue
            held = seen(each, each, f"{each.thumbprint or shown(each)}: HasPrivateKey {each.has_private_key}")
            broken = not each.has_private_key
            yield Check(
                cause="private-key-missing",
                standing="broken" if broken else "holds",
                subject=f"{each.thumbprint}@{store.server}",
                says=f"The certificate {shown(each)} is in the store{_at(store.server)} without its private key."
                if broken
                else f"the private key of {shown(each)} is there",
                premises=(held, *(seen(end.pin, end.fact, f"{end.name} names it") for end in used[:1])),
                explains=frozenset(("key-unusable", "nothing-goes", "no-starttls", "nothing-comes")),
                servers=(store.server,) if store.server else (),
                edits=(ImportWithKey(store, each), RestartTransport(store.server)) if broken else (),
                verify="HasPrivateKey is True, and the queue drains.",
                alone=broken,
                place=3,
            )


# --- listeners of several servers -----------------------------------------------------------------------------------


def listeners_agree(path: MailPath) -> Iterator[Check]:
    """One of the servers that take the same mail names no certificate, or another than the rest."""
    listeners = [
        each for each in path.ends_now("in") if "frontend" in each.name.casefold().replace(" ", "") and each.servers
    ]
    pinned = [each for each in listeners if each.pin is not None]
    if len(listeners) < 2 or not pinned:
        return
    for end in listeners:
        model = next((each for each in pinned if each.servers != end.servers and _same_role(each, end)), None)
        if model is None or model.pin is None or not end.pin_is_empty:
            continue
        yield Check(
            cause="listener-presents-other-certificate",
            standing="broken",
            subject=end.name,
            says=f"{end.label} names no certificate, so {end.servers[0]} presents its own; {model.label} names {model.pin.host}.",
            premises=(
                seen("", end.fact, f"{end.name}: TlsCertificateName is empty"),
                seen(model.pin, model.fact, f"{model.name}: {model.pin.text}"),
            ),
            explains=_IN | {"handshake-broke"},
            way="in",
            servers=end.servers,
            edits=tuple(_as_the_others(path, end, model)),
            verify="The certificate seen from outside is the same on every server.",
            alone=True,
            place=20,
        )


def _same_role(one: End, other: End) -> bool:
    return one.name.partition("\\")[2].split()[:2] == other.name.partition("\\")[2].split()[:2]


def _as_the_others(path: MailPath, end: End, model: End) -> Iterator[Edit]:
    yield SetPin(end, None, model.pin)
    connectors = path.bundle.receive_connectors
    told = [each for each in connectors if model.name in (each.text("Identity"), each.name)]
    capabilities = told[0].values("TlsDomainCapabilities") if told else ()
    if capabilities and end.name:
        yield SetCapabilities(end, capabilities)


def one_authority_answers_for_a_name(path: MailPath) -> Iterator[Check]:
    """Two certificates of one name enabled for SMTP, one of a private authority: Exchange may take either."""
    for store in path.stores:
        if store.when != "now":
            continue
        for private in store.held:
            if not private.smtp_bound or is_public(private) is not False or _is_machines(private):
                continue
            public = next((each for each in _twins_of(store, private) if is_public(each)), None)
            if public is None or not private.thumbprint:
                continue
            others = [each for each in ("IIS", "POP", "IMAP") if each in (private.services or "").upper()]
            yield Check(
                cause="private-certificate-bound-to-smtp",
                standing="broken",
                subject=private.thumbprint,
                says=f"Two certificates for {shown(private)} are enabled for SMTP{_at(store.server)}, one of them of a private authority ({private.issuer.common_name if private.issuer else ''}): Exchange may present either.",
                premises=(
                    seen(
                        private,
                        private,
                        f"{private.thumbprint}: issued by {private.issuer.text if private.issuer else 'a private authority'}",
                    ),
                    seen(public, public, f"{public.thumbprint}: public, enabled for SMTP"),
                ),
                explains=_OUT | _IN | {"we-are-untrusted"},
                servers=(store.server,) if store.server else (),
                edits=(
                    Advice(
                        "Exchange",
                        f"Enable-ExchangeCertificate -Thumbprint {private.thumbprint} -Services {','.join(map(quoted, others or ['IIS', 'POP', 'IMAP']))}   # takes SMTP away from it; or Remove-ExchangeCertificate where nothing else needs it",
                    ),
                    RestartTransport(store.server),
                ),
                verify="Get-ExchangeCertificate shows S for the public certificate alone.",
                alone=True,
                place=7,
            )
            return


def _twins_of(store: Store, certificate: CertificateSeen) -> Iterator[CertificateSeen]:
    names = set(names_of(certificate))
    for each in store.held:
        if each is not certificate and each.smtp_bound and names & set(names_of(each)):
            yield each


def edges_hold_one_certificate(path: MailPath) -> Iterator[Check]:
    """Hybrid mail needs one authority and one subject on every Edge server: the tenant's connector knows one name."""
    stores = [each for each in path.stores if each.when == "now" and "edge" in each.server.casefold()]
    for store in stores:
        for other in stores:
            held = next((each for each in other.held if each.smtp_bound and not _is_machines(each)), None)
            if store is other or held is None or store.holding(held) or _has_its_like(store, held):
                continue
            yield Check(
                cause="edge-servers-differ",
                standing="broken",
                subject=store.server,
                says=f"{other.server} presents {shown(held)}; {store.server} has no certificate of that name enabled for SMTP.",
                premises=(
                    seen(held, held, f"{other.server}: {held.thumbprint or shown(held)}"),
                    *(seen(each, each, f"{store.server}: {each.thumbprint or shown(each)}") for each in store.held[:1]),
                ),
                explains=_OUT | {"we-are-untrusted"},
                way="out",
                edits=(ImportWithKey(store, held), RestartTransport(store.server)),
                verify="Get-ExchangeCertificate on every Edge shows the same thumbprint for SMTP.",
                alone=True,
                place=9,
            )
            return


def _is_machines(certificate: CertificateSeen) -> bool:
    return is_self_signed(certificate) or all(is_internal_name(each) for each in names_of(certificate))


def _has_its_like(store: Store, certificate: CertificateSeen) -> bool:
    subject = certificate.subject.key if certificate.subject else None
    return any(each.smtp_bound and each.subject and each.subject.key == subject for each in store.held)


def listener_offers_tls(path: MailPath) -> Iterator[Check]:
    """A receive connector whose AuthMechanism lacks Tls never offers STARTTLS, whatever certificate it names."""
    for connector in path.bundle.receive_connectors:
        told = connector.attribute("AuthMechanism")
        bindings = connector.values("Bindings")
        if told is None or not told.value or (bindings and not any(each.endswith(":25") for each in bindings)):
            continue
        methods = [each.strip().casefold() for each in told.value.strip("{}").split(",")]
        if "tls" in methods or not connector.certificate_name:
            continue
        identity = connector.text("Identity") or connector.name
        mechanisms = ", ".join(
            ["Tls", *(each.strip() for each in told.value.strip("{}").split(",") if each.strip() != "None")]
        )
        yield Check(
            cause="listener-withdrew-starttls",
            standing="broken",
            subject=f"{identity} AuthMechanism",
            says=f"'{identity}' answers on port 25 without Tls in its AuthMechanism ({told.value}), so it never offers STARTTLS.",
            premises=(inferred(told.value, told, f"AuthMechanism {told.value}"),),
            explains=_IN,
            way="in",
            edits=(Mechanisms(identity, mechanisms),),
            verify="EHLO on port 25 lists STARTTLS.",
            place=20,
        )


# --- the store that transport reads ---------------------------------------------------------------------------------


def certificate_is_in_the_store_that_is_read(path: MailPath) -> Iterator[Check]:
    """Transport reads the computer's Personal store only."""
    told = [each for each in path.bundle.signs if each.kind == "other-windows-store"]
    ended = _presented_although_over(path)
    observed = path.symptoms_of(("no-certificate-found", "no-starttls", "nothing-goes", "nothing-comes"))
    if not told or not (observed or ended):
        return
    lost = [each for each in path.bundle.events if each.event_id == 12014]
    yield Check(
        cause="certificate-in-wrong-windows-store",
        standing="broken",
        subject="windows store",
        says="The renewed certificate lies in another Windows store than transport reads, which is the computer's Personal store.",
        premises=(
            (seen if lost or ended else inferred)(told[0], told[0]),
            *(seen(each, each) for each in lost[:1]),
            *(
                (seen(ended, ended, f"presented still: ended {ended.not_after.text}"),)
                if ended and ended.not_after
                else ()
            ),
        ),
        explains=_OUT | _IN | {"peer-sees-expired"},
        edits=(
            Advice(
                "Windows",
                "Import-PfxCertificate -FilePath C:\\certificate.pfx -CertStoreLocation Cert:\\LocalMachine\\My   # exported from the other store with its key; on the mail server",
            ),
            Advice(
                "Windows",
                "wacs.exe --source manual --host <name on the certificate> --store certificatestore --certificatestore My   # the renewal writes into LocalMachine\\My (Personal) from now on; then choose that certificate in the mail program's SSL settings and restart its SMTP service",
            ),
            Advice(
                "Exchange",
                "Enable-ExchangeCertificate -Thumbprint '<thumbprint of the renewed certificate>' -Services SMTP",
            ),
        ),
        verify="Get-ExchangeCertificate lists the thumbprint with S in its Services.",
        alone=bool(lost or ended),
        place=4,
    )


def _presented_although_over(path: MailPath) -> CertificateSeen | None:
    now = path.now.value.at if path.now is not None else None
    return next(
        (
            each
            for each in path.bundle.certificates
            if each.presented_by and now is not None and (ends := at(each.not_after)) is not None and ends < now
        ),
        None,
    )
