"""Where the mail is handed over: the tenant's own endpoint, for relaying and not for submission."""

# ruff: noqa: E501 - a sentence broken over lines reads worse

import re
from collections.abc import Iterator
from typing import Final

from gatepost.doctor.addresses import parsed_address
from gatepost.doctor.checks.check import Check, Need
from gatepost.doctor.evidence import SubmissionSettings
from gatepost.doctor.path.objects import MailPath
from gatepost.doctor.path.told import Told, inferred, seen
from gatepost.doctor.repairs import Advice, Edit
from gatepost.doctor.senders import domain_of, endpoint_names
from gatepost.exchange.objects import SendConnector
from gatepost.exchange.powershell import argument, quoted

_ENDPOINT: Final = ".mail.protection.outlook.com"
_SUBMISSION: Final = (
    "smtp.office365.com",
    "smtp.outlook.com",
    "smtp-mail.outlook.com",
    "outlook.office365.com",
    "smtp-legacy.office365.com",
    "smtp.outlook.office365.com",
)
_LEGACY: Final = ("frontbridge.com", "messaging.microsoft.com", "bigfish.com", "mail.eo.outlook.com")
_REFUSED: Final = frozenset(("not-attributed", "wrong-region", "domain-condition"))


def endpoint_of(path: MailPath) -> Told[str] | None:
    """The tenant's endpoint: a name in the evidence, else made of a domain of its own."""
    bundle = path.bundle
    for answer in bundle.dns:
        if answer.name.endswith(_ENDPOINT):
            return seen(answer.name, answer)
    names = [name for name in endpoint_names(bundle) if name.endswith(_ENDPOINT) and name.count(".") == 4]
    names += [each.value for each in bundle.names if each.value.endswith(_ENDPOINT) and each.value.count(".") == 4]
    fact = next(iter((*bundle.send_connectors, *bundle.replies, *bundle.names)), None)
    if names and fact is not None:
        return seen(names[0], fact)
    for connector in bundle.send_connectors:
        for space in connector.values("AddressSpaces"):
            if found := re.search(r"([\w-]{1,63}\.mail\.onmicrosoft\.com)", space, re.IGNORECASE):
                return inferred(found[1].casefold().replace(".", "-") + _ENDPOINT, connector)
    for setting in bundle.submissions:
        if found := re.search(r"[\w.+-]{1,64}@([\w.-]{1,250}\w)", setting.quote):
            return inferred(_made_of(found[1]), setting)
    for each in bundle.names:
        if each.kind == "mailbox" and (domain := domain_of(each.value)):
            return inferred(_made_of(domain), each)
    return None


def _made_of(domain: str) -> str:
    return domain.casefold().replace(".", "-") + _ENDPOINT


# --- the smart host -------------------------------------------------------------------------------------------------


def smart_host_is_the_tenants(path: MailPath) -> Iterator[Check]:
    if not path.symptoms_of(sorted(_REFUSED)):
        return
    endpoint = endpoint_of(path)
    for connector in path.bundle.send_connectors:
        for host in connector.smart_hosts:
            if host.casefold().endswith(_ENDPOINT) or connector.enabled is False:
                continue
            why = _why_not(path, host)
            if why is None or endpoint is None:
                continue
            yield Check(
                cause="legacy-smart-host",
                standing="broken",
                subject=host,
                says=f"The smart host {host} is not the tenant's endpoint ({endpoint.value}).",
                premises=(seen(host, connector, f"SmartHosts {host}"), why),
                explains=_REFUSED,
                way="out",
                edits=(_to_endpoint(connector, endpoint.value),),
                verify="The trailer of the next reply names the tenant's own region; RCPT TO is answered 250.",
                place=50,
            )


def _why_not(path: MailPath, host: str) -> Told[object] | None:
    """An old name or an address of the service; or a name that does not lead where the endpoint does."""
    connector = next(each for each in path.bundle.send_connectors if host in each.smart_hosts)
    if parsed_address(host) is not None or any(each in host.casefold() for each in _LEGACY):
        return seen(host, connector, f"{host} is an old name or an address of the service")
    mine = {value for each in path.bundle.dns if each.name == host.casefold() for value in each.values}
    theirs = {
        value for each in path.bundle.dns if each.name.endswith(_ENDPOINT) and each.kind == "A" for value in each.values
    }
    if mine and theirs and not mine & theirs:
        answer = next(each for each in path.bundle.dns if each.name == host.casefold())
        return inferred(
            mine, answer, f"{host} leads to {', '.join(sorted(mine))}, the endpoint to {', '.join(sorted(theirs))}"
        )
    return None


def _to_endpoint(connector: SendConnector, endpoint: str) -> Edit:
    if connector.name:
        return Advice(
            "Exchange",
            f"Set-SendConnector -Identity {argument(connector.name)} -SmartHosts {endpoint} -DNSRoutingEnabled $false",
        )
    host = connector.smart_hosts[0] if connector.smart_hosts else ""
    found = f"Get-SendConnector | Where-Object {{ $_.SmartHostsString -like {quoted(f'*{host}*')} }}"
    return Advice("Exchange", f"{found} | Set-SendConnector -SmartHosts {endpoint} -DNSRoutingEnabled $false")


# --- routing by MX where the connector means the endpoint -----------------------------------------------------------


def connector_routes_to_what_it_expects(path: MailPath) -> Iterator[Check]:
    """DNS routing with TlsDomain of the service: a domain whose MX is elsewhere meets another certificate."""
    for connector in path.bundle.send_connectors:
        expects = connector.text("TlsDomain").casefold()
        if connector.flag("DNSRoutingEnabled") is not True or "protection.outlook" not in expects:
            continue
        if (whole := _routed_by_star(path, connector, expects)) is not None:
            yield whole
            continue
        for domain in (_space(each) for each in connector.values("AddressSpaces")):
            exchanger = next((each for each in path.bundle.dns if each.kind == "MX" and each.name == domain), None)
            if exchanger is None or any(
                "protection.outlook" in value.casefold() or "mx.microsoft" in value.casefold()
                for value in exchanger.values
            ):
                continue
            host = exchanger.values[0].split()[-1].rstrip(".") if exchanger.values else "another host"
            queue = next((each for each in path.bundle.queue_errors if domain == each.next_hop.casefold()), None)
            endpoint = endpoint_of(path)
            if endpoint is None:
                continue
            yield Check(
                cause="dns-routing-instead-of-smart-host",
                standing="broken",
                subject=domain,
                says=f"Connector {connector.label} goes by DNS: the MX of {domain} is {host}, which cannot present a certificate for {expects}.",
                premises=(
                    seen(connector, connector, f"DNSRoutingEnabled True, TlsDomain {expects}, address space {domain}"),
                    seen(exchanger, exchanger),
                    *((seen(queue, queue),) if queue else ()),
                ),
                explains=frozenset(("peer-untrusted", "nothing-goes", "no-secure-channel", "handshake-broke")),
                way="out",
                edits=tuple(_reroute(connector, endpoint.value)),
                verify="The queue for the domain drains; the message arrives with AuthAs Internal and without an external mark.",
                alone=True,
                place=50,
            )


def _routed_by_star(path: MailPath, connector: SendConnector, expects: str) -> Check | None:
    """Address space `*` by DNS: every domain's own exchanger would have to present the service's certificate."""
    endpoint = endpoint_of(path)
    if "*" not in {_space(each) for each in connector.values("AddressSpaces")}:
        return None
    host = endpoint.value if endpoint else f"'<initial-domain>{_ENDPOINT}'"
    failed = next((each for each in path.bundle.queue_errors if each.next_hop and "4.7.5" in each.last_error), None)
    return Check(
        cause="dns-routing-instead-of-smart-host",
        standing="broken",
        subject=connector.name,
        says=f"Connector {connector.label} sends everything to the recipients' own mail exchangers (DNSRoutingEnabled, address space *), and demands a certificate for {expects} there; it never hands anything to the service.",
        premises=(
            seen(connector, connector, f"DNSRoutingEnabled True, TlsDomain {expects}, address space *"),
            *((seen(failed, failed),) if failed else ()),
        ),
        explains=frozenset(("peer-untrusted", "nothing-goes", "no-secure-channel", "handshake-broke")),
        way="out",
        edits=tuple(_reroute(connector, host)),
        verify="The session's banner names the tenant's endpoint; the queue for outside domains drains.",
        alone=True,
        place=50,
    )


def _space(text: str) -> str:
    return text.casefold().strip("{} ").removeprefix("smtp:").partition(";")[0].removeprefix("*.").strip()


def _reroute(connector: SendConnector, endpoint: str) -> Iterator[Edit]:
    yield _to_endpoint(connector, endpoint)
    if connector.flag("CloudServicesMailEnabled") is False and connector.name:
        yield Advice(
            "Exchange",
            f"Set-SendConnector -Identity {argument(connector.name)} -CloudServicesMailEnabled $true   # and on the tenant's inbound connector",
        )
    yield Advice(
        "Exchange",
        "Get-Queue | Where-Object Status -eq 'Retry' | Retry-Queue -Resubmit $true   # queued messages keep the old next hop until they are resubmitted",
    )


# --- a connector that is off ----------------------------------------------------------------------------------------


def connector_to_the_cloud_is_enabled(path: MailPath) -> Iterator[Check]:
    """With the connector to the cloud off, its mail takes the next fitting one, by MX and as a stranger's."""
    leading = [each for each in path.ends_now("out") if each.to_cloud]
    if not leading or any(each.enabled for each in leading):
        return
    end = leading[0]
    yield Check(
        cause="dns-routing-instead-of-smart-host",
        standing="broken",
        subject=end.name,
        says=f"Send connector {end.label}, which leads to the cloud, is disabled: its mail leaves by another connector, or waits.",
        premises=(seen(False, end.fact, f"{end.name}: Enabled False"),),
        explains=frozenset(("nothing-goes", "not-attributed", "marked-external")),
        way="out",
        servers=end.servers,
        edits=(Advice("Exchange", f"Set-SendConnector -Identity {argument(end.name)} -Enabled $true"),)
        if end.name
        else (),
        verify="Get-Queue shows the connector as next hop, and the message arrives with AuthAs Internal.",
        alone=True,
        place=15,
    )


# --- submission is not relaying -------------------------------------------------------------------------------------


def relays_at_the_relaying_endpoint(path: MailPath) -> Iterator[Check]:
    """The submission host never asks the inbound connector: it wants a login, and checks who may send as whom."""
    settings = next((each for each in path.bundle.submissions if each.host in _SUBMISSION), None)
    if settings is None:
        return
    by_connector = bool(path.bundle.inbound_connectors) or any(
        "connector" in each.quote.casefold() for each in path.bundle.prose + path.bundle.names
    )
    refused = path.symptoms_of(("submission-refused", "login-demanded", "basic-authentication-retired", "no-starttls"))
    without_login = settings.login is False
    if not by_connector or not (refused or without_login):
        return
    if path.symptoms_of(("not-attributed", "domain-condition")):
        return
    endpoint = endpoint_of(path)
    host = endpoint.value if endpoint else "<initial-domain>.mail.protection.outlook.com"
    yield Check(
        cause="submission-endpoint-for-relay",
        standing="broken",
        subject=settings.host,
        says=f"The program hands its mail to {settings.host}, the host for submission with a login; the inbound connector is asked only at the tenant's endpoint, port 25.",
        premises=(seen(settings, settings, _shown(settings)),),
        explains=frozenset(("submission-refused", "login-demanded", "basic-authentication-retired", "no-starttls")),
        way="out",
        edits=(Advice("application", f"Smart host {host}, port 25, anonymous access (no user name), STARTTLS"),),
        verify="The banner names the tenant's endpoint, and RCPT TO is answered 250.",
        alone=without_login and not refused,
        needs=() if endpoint else (Need("the tenant's MX: Resolve-DnsName -Type MX DOMAIN", 1),),
        place=50,
    )


def _shown(settings: SubmissionSettings) -> str:
    login = {True: "with a login", False: "without a login", None: ""}[settings.login]
    return f"host {settings.host}{f', port {settings.port}' if settings.port else ''}{f', {login}' if login else ''}"
