"""Family K: from Exchange Online to the organisation's own server, often reported in the words of the other way."""

# ruff: noqa: E501 - a pattern or a sentence broken over lines reads worse

from gatepost.doctor.addresses import (
    is_of_exchange_online,
    joined,
    parsed_address,
    parsed_networks,
    without_port,
)
from gatepost.doctor.derived import Derived
from gatepost.doctor.evidence import EvidenceBundle, QueueError, ReplySeen, SmtpSession
from gatepost.doctor.finding import Cited, Finding, Fix, RuledOut, cite, found, rule, ruled_out
from gatepost.doctor.sentences import sentence, speaks_of
from gatepost.exchange.objects import ReceiveConnector
from gatepost.exchange.powershell import argument, quoted


def _from_cloud(bundle: EvidenceBundle, name: str) -> Cited | None:
    """The first reply or queue error that Exchange Online's side tells, by its text."""
    for reply in bundle.replies:
        if speaks_of(_whole(reply), name):
            return cite(reply.source, reply.quote or _whole(reply))
    for error in bundle.queue_errors:
        if speaks_of(_whole_error(error), name):
            return cite(error.source, error.quote or error.last_error)
    said = sentence(bundle, name)
    return cite(said) if said else None


def _whole(reply: ReplySeen) -> str:
    return f"{reply.code} {reply.enhanced} {reply.text} {reply.quote}"


def _whole_error(error: QueueError) -> str:
    return f"{error.last_error} {error.outer} {error.inner} {error.message} {error.details}"


def _listening_without_starttls(bundle: EvidenceBundle) -> SmtpSession | None:
    return next(
        (
            each
            for each in bundle.sessions
            if each.log == "receive" and each.ehlo_seen and each.starttls_offered is False and not each.starttls_sent
        ),
        None,
    )


def _frontend(bundle: EvidenceBundle) -> str:
    return next(
        (
            each.text("Identity") or each.name
            for each in bundle.receive_connectors
            if "frontend" in (each.name + each.text("Identity")).casefold()
        ),
        "",
    ) or next((each.connector for each in bundle.sessions if each.log == "receive" and each.connector), "")


def _bind_again(bundle: EvidenceBundle) -> tuple[Fix, ...]:
    connector = _frontend(bundle) or r"SERVER\Default Frontend SERVER"
    stored = next(
        (
            each
            for each in bundle.certificates
            if each.role in ("stored", "file", "new")
            and each.self_signed is not True
            and each.issuer
            and each.subject
            and each.thumbprint
        ),
        None,
    )
    fixes = []
    if stored is not None:
        fixes.append(
            Fix(
                "Exchange",
                f"$cert = Get-ExchangeCertificate -Thumbprint {argument(stored.thumbprint)}; Enable-ExchangeCertificate -Thumbprint $cert.Thumbprint -Services SMTP   # answer No to replacing the default certificate",
            )
        )
    else:
        fixes.append(
            Fix(
                "Exchange",
                "$cert = Get-ExchangeCertificate | Where-Object { $_.RootCAType -eq 'ThirdParty' -and $_.Status -eq 'Valid' } | Sort-Object NotAfter | Select-Object -Last 1",
            )
        )
    fixes.append(
        Fix(
            "Exchange",
            f'Set-ReceiveConnector -Identity {argument(connector)} -TlsCertificateName "<I>$($cert.Issuer)<S>$($cert.Subject)"; Restart-Service MSExchangeFrontEndTransport',
        )
    )
    return tuple(fixes)


def _names_no_stored(bundle: EvidenceBundle, facts: Derived) -> Cited | None:
    """A receive connector whose TlsCertificateName fits no certificate of the store shown."""
    stored = [(each.issuer.key, each.subject.key) for each in facts.stored if each.issuer and each.subject]
    for connector in bundle.receive_connectors:
        wanted = connector.certificate_issuer_and_subject
        if stored and wanted and (wanted[0].key, wanted[1].key) not in stored:
            return cite(
                connector.where("TlsCertificateName"),
                f"TlsCertificateName of '{connector.text('Identity') or connector.name}' fits no certificate of the store",
            )
    return None


@rule("listener-withdrew-starttls", "K01", title="The on-premises listener no longer offers STARTTLS", side="sender")
def listener_withdrew_starttls(bundle: EvidenceBundle, facts: Derived) -> Finding | RuledOut | None:
    silent = _listening_without_starttls(bundle)
    trace = _from_cloud(bundle, "cloud-to-on-premises.no-starttls")
    inbound_words = next(bundle.prose_of("cloud-to-on-premises"), None)
    event = next(
        (
            each
            for each in bundle.events
            if each.event_id == 12014 and speaks_of(each.provider + each.message, "listener-withdrew-starttls.event")
        ),
        None,
    )
    if silent is None and trace is None and not (event and inbound_words):
        return None
    stars = next(
        (
            each
            for each in bundle.sessions
            if each.banner.count("*") > 5 or any(k.startswith("XXXX") for k in each.keywords)
        ),
        None,
    )
    if stars:
        return ruled_out(
            "the banner or keywords are masked on the way: an inspecting firewall", cite(stars.source, stars.banner)
        )
    if (
        trace is None
        and silent is not None
        and not (
            event
            or inbound_words
            or speaks_of(silent.ehlo_name + silent.remote_name, "listener-withdrew-starttls.shown")
        )
    ):
        return None
    evidence = (
        [cite(silent.source, f"EHLO is answered without STARTTLS ({joined(silent.keywords, 8)})")] if silent else []
    )
    evidence += [trace] if trace else []
    evidence += [cite(event.source, event.message or event.quote)] if event else []
    broken = next(
        (each for each in bundle.certificates if each.status and each.status.casefold() != "valid"),
        None,
    )
    evidence += [cite(broken.source, f"certificate {broken.thumbprint[:8]} status {broken.status}")] if broken else []
    stale = _names_no_stored(bundle, facts)
    evidence += [stale] if stale else []
    proof = sum(bool(each) for each in (silent, trace, event, broken, stale))
    return found(
        "high" if proof > 1 else "medium",
        93 if proof > 1 else 74,
        "Exchange Online finds no STARTTLS at your server: the certificate its receive connector names is gone, or its chain is broken, so the listener withdrew TLS.",
        evidence,
        fix=_bind_again(bundle),
        verify="EHLO from outside shows STARTTLS again; Test-Certificate on the bound certificate shows no CERT_TRUST_ flag.",
        missing=()
        if proof > 1
        else (
            "Get-ReceiveConnector '*Default Frontend*' | fl TlsCertificateName and Get-ExchangeCertificate | fl of that server",
        ),
    )


@rule(
    "listener-presents-other-certificate",
    "K02",
    title="The on-premises listener presents another certificate than the cloud expects",
    side="sender",
)
def listener_presents_other_certificate(bundle: EvidenceBundle, facts: Derived) -> Finding | RuledOut | None:
    mismatch = _from_cloud(bundle, "cloud-to-on-premises.subject-mismatch")
    failed = _from_cloud(bundle, "cloud-to-on-premises.validation-failed")
    validation = sentence(bundle, "listener-presents-other-certificate.validation")
    queued = {each.source for each in bundle.queue_errors if not each.details}
    if failed is not None and failed.source in queued:
        failed = None  # our own queue's 4.7.5 is our verdict on the peer
    if mismatch is None and failed is None:
        return None
    remote = next(
        (
            each
            for each in bundle.certificates
            if each.role in ("remote", "sent")
            and each.self_signed
            and any(s.log == "receive" for s in bundle.sessions if each in s.certificates)
        ),
        None,
    )
    names = speaks_of(mismatch.says if mismatch else "", "cloud-to-on-premises.mismatch")
    expected = (names["expected"] or "").strip() if names else ""
    presented = (names["presented"] or "").strip() if names else ""
    outbound = next((each for each in bundle.outbound_connectors if each.text("TlsDomain")), None)
    expected = expected or (outbound.text("TlsDomain") if outbound else "")
    cited = mismatch or failed
    assert cited is not None
    evidence = [cited] + (
        [
            cite(
                outbound.where("TlsDomain"),
                f"outbound connector {outbound.label} TlsDomain {outbound.text('TlsDomain')}",
            )
        ]
        if outbound
        else []
    )
    evidence += [cite(remote, "the listener's certificate is self-signed")] if remote else []
    evidence += [cite(validation)] if validation else []
    certain = bool(mismatch) or bool(outbound and (remote or bundle.receive_connectors))
    return found(
        "high" if certain else "medium",
        94 if mismatch else 84 if certain else 72,
        f"Exchange Online expects a certificate for {expected or 'the name in its outbound connector'}"
        + (f" and your server presents {presented}." if presented else ", and your server presents another.")
        + " This is the way from the cloud to you; your own logs show nothing of it.",
        evidence,
        fix=_bind_again(bundle),
        verify="Validate-OutboundConnector passes; the trace shows the message delivered on-premises.",
        missing=()
        if certain
        else (
            "Get-OutboundConnector | fl TlsDomain,TlsSettings and Get-ReceiveConnector '*Frontend*' | fl TlsCertificateName,Fqdn",
        ),
    )


_OF_THE_CLOUD = ("frontend", "office 365", "office365", "exchange online", "microsoft 365", "m365", "o365", "eop")


def _serves_the_cloud(bundle: EvidenceBundle, connector: ReceiveConnector) -> bool:
    """By its name, or by a session in which the service showed its certificate."""
    name = (connector.text("Identity") or connector.name).casefold()
    if any(each in name for each in _OF_THE_CLOUD):
        return True
    return any(
        each.role == "remote" and each.subject is not None and "microsoft" in each.subject.text.casefold()
        for each in bundle.certificates
        if not name or each.connector.casefold() == name
    )


@rule(
    "tls-domain-capabilities-lost",
    "K03",
    title="The receive connector no longer trusts Exchange Online's certificate for hybrid mail",
    side="sender",
)
def tls_domain_capabilities_lost(bundle: EvidenceBundle, facts: Derived) -> Finding | RuledOut | None:
    frontend = [each for each in bundle.receive_connectors if each.has("TlsDomainCapabilities")]
    old = next(
        (
            each
            for each in frontend
            if speaks_of(
                each.text("TlsDomainCapabilities") + " ".join(each.values("TlsDomainCapabilities")),
                "tls-domain-capabilities-lost.old",
            )
        ),
        None,
    )
    empty = next(
        (each for each in frontend if not each.values("TlsDomainCapabilities") and _serves_the_cloud(bundle, each)),
        None,
    )
    healthy = next(
        (
            each
            for each in frontend
            if "acceptcloudservicesmail"
            in " ".join((each.text("TlsDomainCapabilities"), *each.values("TlsDomainCapabilities"))).casefold()
            and each is not old
        ),
        None,
    )
    trouble = next(
        (
            each
            for each in bundle.replies
            if speaks_of(each.text, "tls-domain-capabilities-lost.trouble") and each.code >= 400
        ),
        None,
    )
    receive = next(
        (
            each
            for each in bundle.sessions
            if each.log == "receive"
            and each.tls
            and "TlsDomainCapabilities='None'" in (each.tls.quote + each.tls.chain_status)
        ),
        None,
    )
    one = old or empty
    if one is None:
        if healthy and trouble:
            return ruled_out(f"'{healthy.name}' has TlsDomainCapabilities for cloud mail")
        if trouble and "PRX5" in trouble.text:
            return found(
                "medium",
                52,
                "Temporary server error PRX5 is seen when the on-premises receive connector no longer trusts Exchange Online's certificate.",
                [cite(trouble)],
                verify="Look at TlsDomainCapabilities of the Default Frontend connector.",
                missing=("Get-ReceiveConnector '*Frontend*' | fl TlsDomainCapabilities",),
            )
        return None
    if trouble is None and next(bundle.prose_of("cloud-to-on-premises", "marked-external"), None) is None:
        return None
    name = one.text("Identity") or one.name
    return found(
        "high" if trouble else "medium",
        92 if trouble else 66,
        f"Receive connector '{name}' {'names an old Microsoft certificate' if old else 'names nothing'} in TlsDomainCapabilities, so mail from Exchange Online counts as anonymous.",
        [
            cite(
                one.where("TlsDomainCapabilities"),
                f"TlsDomainCapabilities {one.text('TlsDomainCapabilities') or 'empty'}",
            )
        ]
        + ([cite(trouble)] if trouble else [])
        + ([cite(receive)] if receive else []),
        fix=(
            Fix(
                "Exchange",
                f"Set-ReceiveConnector -Identity {argument(name)} -TlsDomainCapabilities 'mail.protection.outlook.com:AcceptCloudServicesMail'",
            ),
            Fix("Exchange", "Restart-Service MSExchangeFrontEndTransport"),
        ),
        verify="The receive log shows TlsDomainCapabilities 'AcceptCloudServicesMail' for a session from Exchange Online.",
    )


@rule(
    "receive-connector-ranges-stale",
    "K04",
    "J06",
    title="A receive connector or firewall admits only old addresses of the service",
    side="sender",
)
def receive_connector_ranges_stale(bundle: EvidenceBundle, facts: Derived) -> Finding | RuledOut | None:
    said = next(bundle.prose_of("cloud-to-on-premises"), None)
    for connector in bundle.receive_connectors:
        ranges = [network for value in connector.values("RemoteIPRanges") for network in parsed_networks(value)]
        if not ranges or any(each.prefixlen == 0 for each in ranges):
            continue
        scoped = speaks_of(connector.name + connector.text("Identity"), "receive-connector-ranges-stale.scoped")
        peers = [
            (address, each.source, "")
            for each in bundle.sessions
            if each.log == "receive"
            and (address := parsed_address(without_port(each.remote_endpoint)))
            and ("outlook.com" in (each.ehlo_name + each.remote_name).casefold() or is_of_exchange_online(address))
        ]
        peers += [
            (address, each.source, each.text)
            for each in bundle.relay_rejects
            if (address := parsed_address(each.client_address))
            and ("outlook.com" in (each.client_name + each.helo).casefold() or is_of_exchange_online(address))
        ]
        outside = [
            each
            for each in peers
            if not any(each[0] in network for network in ranges if network.version == each[0].version)
        ]
        if not outside or not (scoped or said):
            continue
        refused = [each for each in bundle.replies if each.code >= 500] or bundle.relay_rejects
        return found(
            "high" if refused else "medium",
            88 if refused else 70,
            f"Exchange Online comes from {outside[0][0]}, which '{connector.name}' does not admit: its ranges are out of date.",
            [
                cite(connector.where("RemoteIPRanges"), f"RemoteIPRanges {joined(connector.values('RemoteIPRanges'))}"),
                cite(outside[0][1], f"session from {outside[0][0]}"),
            ],
            fix=(
                Fix(
                    "Exchange",
                    f"Set-ReceiveConnector -Identity {argument(connector.text('Identity') or connector.name)} -RemoteIPRanges '40.92.0.0/15','40.107.0.0/16','52.100.0.0/14','104.47.0.0/17','2a01:111:f400::/48','2a01:111:f403::/48'   # the published ranges at the time of this release; compare with today's list: https://endpoints.office.com/endpoints/worldwide, service area Exchange, port 25",
                ),
            ),
            verify="Every session from *.outbound.protection.outlook.com lands on this connector.",
        )
    stale = sentence(bundle, "receive-connector-ranges-stale.stale")
    if stale and (said or bundle.receive_connectors):
        return found(
            "medium",
            64,
            "The list of the service's addresses that is let in is out of date.",
            [cite(stale)] + ([cite(said)] if said else []),
            verify="Compare with https://endpoints.office.com.",
            missing=("Get-ReceiveConnector | fl Name,RemoteIPRanges and the firewall rule",),
        )
    return None


@rule(
    "cross-premises-headers-lost",
    "K05",
    "G11",
    title="Cross-premises headers are lost between cloud and on-premises",
    side="sender",
)
def cross_premises_headers_lost(bundle: EvidenceBundle, facts: Derived) -> Finding | RuledOut | None:
    anonymous = next(
        (
            each
            for each in bundle.headers
            if speaks_of(each.name, "cross-premises-headers-lost.anonymous")
            and each.value.strip().casefold().startswith("anonymous")
        ),
        None,
    )
    filtered = next(
        (each for each in bundle.headers if each.name.casefold().startswith("x-crosspremisesheadersfiltered")), None
    )
    external = next(bundle.prose_of("marked-external"), None)
    off = [
        each
        for each in (*bundle.send_connectors, *bundle.inbound_connectors)
        if each.flag("CloudServicesMailEnabled") is False
    ]
    if off or filtered or not (anonymous or external):
        return None
    device = sentence(bundle, "cross-premises-headers-lost.device")
    if next((each for each in bundle.replies if each.code >= 500 and each.enhanced == "5.7.64"), None):
        return None
    return found(
        "medium",
        72 if anonymous else 56,
        "Mail between cloud and on-premises arrives as anonymous: a hop strips or does not trust the cross-premises headers. Nothing is refused.",
        ([cite(anonymous)] if anonymous else [])
        + ([cite(external)] if external else [])
        + ([cite(device)] if device else []),
        fix=(
            Fix(
                "Exchange",
                "Set-SendConnector -Identity '<connector>' -CloudServicesMailEnabled $true   # towards the cloud; the tenant's inbound connector needs the same",
            ),
            Fix(
                "Exchange",
                "Get-ReceiveConnector | Where-Object { $_.Name -like 'Default Frontend*' } | Set-ReceiveConnector -TlsDomainCapabilities 'mail.protection.outlook.com:AcceptCloudServicesMail'   # from the cloud; no gateway may stand between",
            ),
        )
        if anonymous
        else (),
        verify="X-MS-Exchange-Organization-AuthAs is Internal on a new message.",
        missing=(
            "Get-SendConnector, Get-ReceiveConnector and Get-InboundConnector with CloudServicesMailEnabled and TlsDomainCapabilities",
            "the full headers of one message",
        ),
    )


@rule("outbound-connector-disabled", "K07", title="The outbound connector is off while it is validated", side="tenant")
def outbound_connector_disabled(bundle: EvidenceBundle, facts: Derived) -> Finding | RuledOut | None:
    words = "outbound-connector-disabled.not-of-the-connector"
    error = _from_cloud(bundle, words) or next(
        (
            cite(each.source, each.message or each.quote)
            for each in bundle.powershell_errors
            if speaks_of(each.message + each.quote, words)
        ),
        None,
    )
    off = next((each for each in bundle.outbound_connectors if each.enabled is False), None)
    if error is None and not (off and next(bundle.prose_of("cloud-to-on-premises"), None)):
        return None
    on = next((each for each in bundle.outbound_connectors if each.enabled is True), None)
    if off is None and on is not None:
        return found(
            "medium",
            60,
            f"Outbound connector {on.label} is on but does not cover the recipient's domain.",
            [error, cite(on.where("RecipientDomains"), f"RecipientDomains {joined(on.values('RecipientDomains'))}")]
            if error
            else [],
            verify="Validate with a recipient of one of its domains.",
        )
    return found(
        "high" if error and off else "medium",
        93 if error and off else 75 if error else 62,
        f"Outbound connector {quoted(off.name) if off else ''} is off: validation and routing need it on.".replace(
            "  ", " "
        ),
        ([error] if error else []) + ([cite(off.where("Enabled"), f"'{off.name}' Enabled False")] if off else []),
        fix=(Fix("Exchange Online", f"Set-OutboundConnector -Identity {argument(off.name)} -Enabled $true"),)
        if off and off.name
        else (),
        verify="Validate-OutboundConnector passes.",
        missing=() if off else ("Get-OutboundConnector | fl Name,Enabled,RecipientDomains",),
    )
