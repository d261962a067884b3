"""How an Exchange server's listeners meet the service and their own clients: by certificate, by firewall, by address."""

# ruff: noqa: E501 - a sentence broken over lines reads worse

from collections.abc import Iterator
from typing import Final

from gatepost.doctor.addresses import is_private, parsed_address, parsed_networks
from gatepost.doctor.certificates_told import shown
from gatepost.doctor.checks.check import Check, Need
from gatepost.doctor.checks.handshake import signs
from gatepost.doctor.path.objects import MailPath, carries
from gatepost.doctor.path.told import Told, claimed, inferred, seen
from gatepost.doctor.repairs import RESTART_FRONT_END, Advice, Edit, SetPin
from gatepost.exchange.objects import ReceiveConnector, TransportService
from gatepost.exchange.powershell import argument, quoted

_CLOUD: Final = ("outlook.com", "office365.us", "partner.outlook.cn", "mx.microsoft")


# --- the certificate that the service expects -----------------------------------------------------------------------


def listener_presents_what_the_service_expects(path: MailPath) -> Iterator[Check]:
    """Exchange Online compares the name of the host it dials, or TlsDomain, with the certificate that answers."""
    expected = _expected(path)
    if expected is None:
        return
    for session in path.sessions:
        presented = session.ours
        if session.way != "in" or presented is None or carries(presented, expected.value) is not False:
            continue
        connector = session.log.connector
        yield Check(
            cause="listener-presents-other-certificate",
            standing="broken",
            subject=connector,
            says=f"The service expects a certificate for {expected.value}; {connector or 'the listener'} presents {shown(presented)}.",
            premises=(expected, seen(presented, presented, f"presented: {shown(presented)}")),
            explains=frozenset(("listener-refused", "nothing-comes", "no-starttls")),
            way="in",
            edits=tuple(_pinned_to(path, connector, expected.value)),
            verify="The service's trace shows no further SubjectMismatch, and the deferred mail arrives.",
            place=20,
        )
        return


def _expected(path: MailPath) -> Told[str] | None:
    for error in path.bundle.queue_errors:
        text = f"{error.last_error} {error.message}".casefold()
        attempted = dict(error.details).get("LastAttemptedServerName", "") or error.fqdn
        if attempted and ("subjectmismatch" in text or "4.7.320" in text):
            return seen(attempted.casefold(), error)
    for connector in path.bundle.outbound_connectors:
        domain = connector.text("TlsDomain").strip().casefold()
        if domain and connector.enabled is not False:
            return seen(domain.removeprefix("*."), connector, f"{connector.label}: TlsDomain {domain}")
    return None


def _pinned_to(path: MailPath, connector: str, host: str) -> Iterator[Edit]:
    end = next((each for each in path.ends_now("in") if each.name.casefold() == connector.casefold()), None)
    stores = [store for _, store in path.stores_of(end) if store] if end else list(path.stores)
    fitting = [each for store in stores for each in store.covering(host)]
    if end is not None and fitting:
        yield SetPin(end, fitting[0])
        return
    which = (
        f"-Thumbprint {fitting[0].thumbprint}"
        if fitting and fitting[0].thumbprint
        else f"-DomainName {host} | Sort-Object NotAfter | Select-Object -Last 1"
    )
    name = connector or "SERVER\\Default Frontend SERVER"
    yield Advice(
        "Exchange",
        f'$cert = Get-ExchangeCertificate {which}; Set-ReceiveConnector -Identity {argument(name)} -TlsCertificateName "<I>$($cert.Issuer)<S>$($cert.Subject)"   # the public certificate for {host}, enabled for SMTP',
    )
    yield Advice("Exchange", RESTART_FRONT_END)


def listener_still_offers_starttls(path: MailPath) -> Iterator[Check]:
    """Only words and the service's refusal: the certificate that the receive connector names is what takes STARTTLS away."""
    refused, told = path.symptoms_of(("no-starttls",)), path.symptoms_of(("nothing-comes",))
    if not refused or not told or any("***" in each.log.banner for each in path.sessions):
        return
    if path.bundle.receive_connectors or path.bundle.events:
        return  # the objects speak for themselves
    host = next((each.fqdn for each in path.bundle.queue_errors if each.fqdn), "")
    connector = "SERVER\\Default Frontend SERVER"
    which = (
        f"-DomainName {host}"
        if host
        else "| Where-Object { $_.RootCAType -eq 'ThirdParty' -and $_.Status -eq 'Valid' }"
    )
    yield Check(
        cause="listener-withdrew-starttls",
        standing="broken",
        subject="listener",
        says="Exchange Online finds no STARTTLS at the on-premises server: most often the receive connector still names the certificate that was replaced.",
        premises=(
            claimed(told[0].says, told[0].fact, told[0].says),
            claimed(refused[0].says, refused[0].fact, refused[0].says),
        ),
        explains=frozenset(("no-starttls", "nothing-comes")),
        way="in",
        edits=(
            Advice(
                "Exchange",
                f'$cert = Get-ExchangeCertificate {which} | Sort-Object NotAfter | Select-Object -Last 1; Enable-ExchangeCertificate -Thumbprint $cert.Thumbprint -Services SMTP; Set-ReceiveConnector -Identity {argument(connector)} -TlsCertificateName "<I>$($cert.Issuer)<S>$($cert.Subject)"   # answer No to overwriting the default certificate',
            ),
            Advice("Exchange", RESTART_FRONT_END),
        ),
        verify="EHLO from outside lists STARTTLS.",
        needs=(
            Need(
                "Get-ReceiveConnector '*Default Frontend*' | fl Identity,TlsCertificateName; Get-ExchangeCertificate | fl",
                1,
            ),
        ),
        place=22,
    )


def listeners_trust_the_service_alike(path: MailPath) -> Iterator[Check]:
    """One of the servers that take the service's mail does not take its word for hybrid headers, and the others do."""
    listeners = [
        each
        for each in path.bundle.receive_connectors
        if each.has("TlsDomainCapabilities") and "frontend" in each.text("Identity").casefold().replace(" ", "")
    ]
    model = next((each for each in listeners if _trusts_the_service(each)), None)
    if model is None:
        return
    for each in listeners:
        identity = each.text("Identity")
        if _trusts_the_service(each) or not _is_of_one_role(model, each):
            continue
        capabilities = ",".join(map(quoted, model.values("TlsDomainCapabilities")))
        yield Check(
            cause="tls-domain-capabilities-lost",
            standing="broken",
            subject=identity,
            says=f"'{identity}' does not take Exchange Online's word for hybrid mail: TlsDomainCapabilities is {each.text('TlsDomainCapabilities').strip('{}') or 'empty'}, on '{model.text('Identity')}' it is {model.text('TlsDomainCapabilities')}. What comes by it counts as mail from outside.",
            premises=(
                seen(
                    each,
                    each.attribute("TlsDomainCapabilities") or each,
                    f"'{identity}': TlsDomainCapabilities {each.text('TlsDomainCapabilities') or 'empty'}",
                ),
                seen(
                    model,
                    model.attribute("TlsDomainCapabilities") or model,
                    f"'{model.text('Identity')}': TlsDomainCapabilities {model.text('TlsDomainCapabilities')}",
                ),
            ),
            explains=frozenset(
                ("marked-external", "local-relay-refused", "relay-refused", "nothing-comes", "authenticated-only")
            ),
            way="in",
            edits=(
                Advice(
                    "Exchange",
                    f"Set-ReceiveConnector -Identity {argument(identity)} -TlsDomainCapabilities {capabilities}",
                ),
                Advice("Exchange", RESTART_FRONT_END),
            ),
            verify="The receive log shows TlsDomainCapabilities 'AcceptCloudServicesMail' for a session from Exchange Online on every server.",
            alone=True,
            place=24,
        )


def _trusts_the_service(connector: ReceiveConnector) -> bool:
    return any("acceptcloudservicesmail" in each.casefold() for each in connector.values("TlsDomainCapabilities"))


def _is_of_one_role(one: ReceiveConnector, other: ReceiveConnector) -> bool:
    """`EX1\\Default Frontend EX1` and `EX2\\Default Frontend EX2`."""
    first, second = one.text("Identity").partition("\\"), other.text("Identity").partition("\\")
    return first[0] != second[0] and first[2].split()[:2] == second[2].split()[:2]


# --- the way to the listener ----------------------------------------------------------------------------------------


def service_reaches_the_listener(path: MailPath) -> Iterator[Check]:
    """4.4.315 and 4.4.316 of the service: nothing answers at the host it dials; a firewall's log says why."""
    unreached = path.symptoms_of(("listener-unreachable",))
    if not unreached:
        return
    denied = signs(path, "smtp-denied")
    host = _dialled(path)
    sources = list(dict.fromkeys(address for each in denied for address in _public_addresses(each.quote)))[:4]
    named = f" ({', '.join(sources)} among them)" if sources else ""
    yield Check(
        cause="firewall-lists-old-ranges",
        standing="broken",
        subject="firewall",
        says=f"Exchange Online gets no connection to {host}"
        + (
            ": the firewall denies some of the addresses it dials from."
            if denied
            else "; a firewall or an address list between them keeps it out."
        ),
        premises=(
            (seen if denied else inferred)(unreached[0].says, unreached[0].fact, unreached[0].says),
            *(seen(each, each) for each in denied[:2]),
        ),
        explains=frozenset(("listener-unreachable", "nothing-comes")),
        way="in",
        edits=(
            Advice(
                "network",
                f"Allow today's whole list of Exchange Online's addresses to {host} port 25{named}: https://endpoints.office.com/endpoints/worldwide, service area Exchange, port 25; bring the firewall's published range up to date by script",
            ),
            Advice(
                "Exchange",
                "Get-ReceiveConnector | Where-Object { $_.Bindings -like '*:25' } | Format-List 'Identity','RemoteIPRanges'   # a connector scoped to the service needs the same list",
            ),
        ),
        verify="The firewall's log shows no further denial for names in outbound.protection.outlook.com; deferred mail arrives.",
        needs=() if denied else (Need("the firewall's log of port 25 at the time of one deferral", 3),),
        place=75,
    )


def _dialled(path: MailPath) -> str:
    for error in path.bundle.queue_errors:
        if host := dict(error.details).get("LastAttemptedServerName", "") or error.fqdn:
            return host
    return "the on-premises host"


def _public_addresses(text: str) -> Iterator[str]:
    for word in text.replace("/", " ").replace(":", " ").replace("=", " ").replace(",", " ").split():
        address = parsed_address(word)
        if address is not None and "." in word and not is_private(address):
            yield word


# --- own clients ----------------------------------------------------------------------------------------------------


def relay_listener_lists_its_clients(path: MailPath) -> Iterator[Check]:
    """A connector for relaying serves the addresses in RemoteIPRanges; others fall to the default one, which relays nothing."""
    refused = path.symptoms_of(("relay-refused", "local-relay-refused"))
    if not refused or any(each in refused[0].says.casefold() for each in _CLOUD):
        return
    relaying = [each for each in path.bundle.receive_connectors if _is_for_relaying(each)]
    client = _unlisted_client(path, relaying)
    if client is None:
        return
    connector = relaying[0]
    identity = connector.text("Identity") or connector.name
    yield Check(
        cause="recipient-not-in-accepted-domains",
        standing="broken",
        subject=identity,
        says=f"{client.value} is not among the RemoteIPRanges of '{identity}', so the default connector takes its session, and that relays to accepted domains only.",
        premises=(
            seen(connector, connector, f"'{identity}': RemoteIPRanges {', '.join(connector.values('RemoteIPRanges'))}"),
            client,
        ),
        explains=frozenset(("relay-refused", "local-relay-refused")),
        edits=(
            Advice(
                "Exchange",
                f"Set-ReceiveConnector -Identity {argument(identity)} -RemoteIPRanges @{{Add='{client.value}'}}",
            ),
        ),
        verify=f"RCPT TO for an outside recipient from {client.value} is answered 250.",
        place=40,
    )


def _is_for_relaying(connector: ReceiveConnector) -> bool:
    ranges = [each for text in connector.values("RemoteIPRanges") for each in parsed_networks(text)]
    if not ranges or any(each.prefixlen < 8 for each in ranges) or connector.enabled is False:
        return False
    return "anonymous" in connector.text("PermissionGroups").casefold() or "relay" in connector.name.casefold()


def _unlisted_client(path: MailPath, relaying: list[ReceiveConnector]) -> Told[str] | None:
    """The one client that is told of and that no relay connector lists."""
    if not relaying:
        return None
    listed = [each for one in relaying for text in one.values("RemoteIPRanges") for each in parsed_networks(text)]
    told: dict[str, Told[str]] = {}
    for session in path.sessions:
        if session.way == "in" and session.log.refusal is not None:
            told[session.log.remote_endpoint.rpartition(":")[0]] = seen(
                session.log.remote_endpoint, session.log, f"session from {session.log.remote_endpoint}"
            )
    for name in path.bundle.names:
        if name.kind == "address":
            told.setdefault(name.value, claimed(name.value, name))
    unlisted = {
        text: each
        for text, each in told.items()
        if (address := parsed_address(text)) is not None
        and is_private(address)
        and not any(address in network for network in listed if network.version == address.version)
    }
    if len(unlisted) != 1:
        return None
    text, found = next(iter(unlisted.items()))
    return Told(value=text, how=found.how, source=found.source, says=found.says)


# --- the Edge -------------------------------------------------------------------------------------------------------


def _too_long(path: MailPath, status: TransportService, edge: str) -> Check:
    told = status.attribute("FailureDetail") or status
    return Check(
        cause="certificate-name-too-long-for-edge",
        standing="broken",
        subject=edge or "edge",
        says="EdgeSync cannot carry a send connector: its TlsCertificateName is longer than the 256 characters that the Edge server's directory takes.",
        premises=(seen(status.text("FailureDetail"), told),),
        explains=frozenset(("not-attributed", "nothing-goes", "we-are-untrusted", "marked-external")),
        way="out",
        edits=(
            Advice(
                "Exchange",
                "Set-SendConnector -Identity '<connector>' -TlsCertificateName $null -Fqdn '<name on the certificate>'   # then Exchange selects by name; or raise rangeUpper of ms-Exch-Smtp-TLS-Certificate to 1024 in the Edge server's AD LDS schema",
            ),
            Advice("Exchange", "Start-EdgeSynchronization -ForceFullSync; Test-EdgeSynchronization"),
        ),
        verify="Test-EdgeSynchronization says SyncStatus Normal.",
        alone=True,
        place=15,
    )


def edge_has_the_same_values(path: MailPath) -> Iterator[Check]:
    """EdgeSync carries connectors to the Edge; its own status says whether it did."""
    for status in path.bundle.transport_services:
        told = status.attribute("SendConnectorStatus", "ConfigurationStatus", "SyncStatus")
        if told is None or told.value.casefold() in ("synchronized", "normal", "success", ""):
            continue
        edge = status.text("Name")
        if "256" in status.text("FailureDetail"):
            yield _too_long(path, status, edge)
            return
        yield Check(
            cause="edge-sync-not-run",
            standing="broken",
            subject=edge or "edge",
            says=f"EdgeSync has not carried the changes to {edge or 'the Edge server'}: {told.name} is {told.value}"
            + (f", the last time was {last}." if (last := status.text("LastSynchronizedUtc")) else "."),
            premises=(seen(told.value, told),),
            explains=frozenset(
                ("not-attributed", "nothing-goes", "we-are-untrusted", "marked-external", *_stale(path))
            ),
            way="out",
            edits=(
                Advice(
                    "Exchange",
                    "Set-Service MSExchangeEdgeSync -StartupType Automatic; Start-Service MSExchangeEdgeSync   # on the mailbox servers of the subscribed site, where it is stopped",
                ),
                Advice(
                    "Exchange",
                    "Start-EdgeSynchronization -ForceFullSync; Test-EdgeSynchronization   # on a mailbox server of the subscribed site",
                ),
            ),
            verify="Test-EdgeSynchronization says SyncStatus Normal, and Get-SendConnector on the Edge shows the new values.",
            alone=True,
            place=16,
        )
        return


def _stale(path: MailPath) -> tuple[str, ...]:
    """Where one connector is shown with two certificates, the Edge's is the one of before."""
    named: dict[str, set[str]] = {}
    for each in path.bundle.send_connectors:
        named.setdefault(each.name.casefold(), set()).add(each.certificate_name)
    return ("no-certificate-found",) if any(len(each - {""}) > 1 for each in named.values()) else ()
