"""Why a message goes round in circles: a connector that claims a filter's addresses, a relay domain, a rule that routes out."""

# ruff: noqa: E501 - a sentence broken over lines reads worse

import re
from collections.abc import Iterator
from typing import Final

from gatepost.doctor.addresses import lists_address, parsed_address
from gatepost.doctor.checks.check import Check
from gatepost.doctor.path.objects import MailPath, Symptom
from gatepost.doctor.path.told import Told, inferred, seen
from gatepost.doctor.repairs import Advice, Edit
from gatepost.doctor.senders import domain_of
from gatepost.exchange.objects import InboundConnector, TransportService
from gatepost.exchange.powershell import argument, quoted

_CAUSE: Final = "mail-loop"
_ADDRESS: Final = re.compile(r"(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?![\d.])")
_VERIFY: Final = "The Received lines of a new message name every server once."


def message_goes_round(path: MailPath) -> Iterator[Check]:
    """The roots that objects show; without one, the reply alone speaks (causes.toml)."""
    told = path.symptoms_of(("loop",))
    if not told:
        return
    roots = [*_claimed_addresses(path, told[0]), *_rules_that_route(path, told[0]), *_relay_domains(path, told[0])]
    yield from roots[:1]


def _broken(subject: str, says: str, premises: tuple[Told[object], ...], edits: tuple[Edit, ...]) -> Check:
    return Check(
        cause=_CAUSE,
        standing="broken",
        subject=subject,
        says=says,
        premises=premises,
        explains=frozenset(("loop",)),
        edits=edits,
        verify=_VERIFY,
        place=61,
    )


# --- an on-premises connector for addresses that others use too ------------------------------------------------------


def _claimed_addresses(path: MailPath, loop: Symptom) -> Iterator[Check]:
    """An OnPremises connector takes what comes from its addresses as the tenant's own, and relays it out again."""
    for connector in path.bundle.inbound_connectors:
        if connector.connector_type != "onpremises" or connector.enabled is False or not connector.addresses:
            continue
        hop = _hop_within(path, connector)
        if hop is None:
            continue
        name = connector.name or "<connector>"
        yield _broken(
            name,
            f"Connector {connector.label} is of type OnPremises and lists the address of a hop of the loop, {hop.value}: mail that comes back from there, also another customer's, counts as the tenant's own and is sent out again.",
            (
                inferred(
                    connector.addresses, connector, f"{connector.label}: OnPremises, {', '.join(connector.addresses)}"
                ),
                hop,
                seen(loop.says, loop.fact, loop.says),
            ),
            (
                Advice(
                    "Exchange Online",
                    f"Remove-InboundConnector -Identity {argument(name)}   # or first Set-InboundConnector -Identity {argument(name)} -Enabled $false",
                ),
                Advice(
                    "Exchange Online",
                    f"New-InboundConnector -Name {argument(name + ' partner')} -ConnectorType Partner -SenderDomains * -SenderIPAddresses {','.join(map(quoted, connector.addresses))} -RestrictDomainsToIPAddresses $true   # if mail shall come through that filter only: a type Partner connector claims nothing",
                ),
            ),
        )


def _hop_within(path: MailPath, connector: InboundConnector) -> Told[str] | None:
    """An address of a Received line or a named one that the connector lists within a range."""
    told = [seen(text, each, each.value[:120]) for each in path.bundle.headers for text in _ADDRESS.findall(each.value)]
    told += [seen(each.value, each) for each in path.bundle.names if each.kind == "address"]
    for one in told:
        address = parsed_address(one.value)
        if one.value not in connector.addresses and address is not None and lists_address(connector, address):
            return one
    return None


# --- a rule that routes out -----------------------------------------------------------------------------------------


def _rules_that_route(path: MailPath, loop: Symptom) -> Iterator[Check]:
    for rule in path.bundle.transport_services:
        connector = rule.text("RouteMessageOutboundConnector")
        if not connector or _has_exception(rule):
            continue
        name = rule.text("Name") or rule.text("Identity") or "<rule>"
        yield _broken(
            name,
            f"The mail flow rule '{name}' routes to the connector '{connector}' and has no exception for messages that came back from there.",
            (
                inferred(
                    connector, rule, f"'{name}': RouteMessageOutboundConnector {connector}, no exception by header"
                ),
                seen(loop.says, loop.fact, loop.says),
            ),
            (
                Advice(
                    "Exchange Online",
                    f"Set-TransportRule -Identity {argument(name)} -ExceptIfHeaderContainsMessageHeader 'X-Routed-Back' -ExceptIfHeaderContainsWords 'yes'   # the header that the other service sets on what it returns; it must set one",
                ),
            ),
        )


def _has_exception(rule: TransportService) -> bool:
    names = ("ExceptIfHeaderContainsMessageHeader", "ExceptIfHeaderMatchesMessageHeader", "ExceptIfSenderIpRanges")
    return any(rule.text(each).strip("{} ") for each in names)


# --- a relay domain ---------------------------------------------------------------------------------------------------


def _relay_domains(path: MailPath, loop: Symptom) -> Iterator[Check]:
    """Unknown recipients of an InternalRelay domain are handed on, and come back where the other side does so too."""
    recipients = {domain_of(each.value) for each in path.bundle.names if each.kind == "mailbox"}
    relayed = [each for each in path.bundle.accepted_domains if "internalrelay" in each.text("DomainType").casefold()]
    for domain in relayed:
        parent = [each for each in recipients if each == domain.domain or each.endswith("." + domain.domain)]
        if recipients - {""} and not parent:
            continue
        below = next((each for each in parent if each != domain.domain), "")
        yield _broken(
            domain.domain,
            f"{domain.domain} is an internal relay domain: what it does not know is handed on, and comes back from where it was sent."
            + (f" {below} lies below it and is no domain of its own." if below else ""),
            (
                inferred("InternalRelay", domain, f"{domain.domain}: DomainType InternalRelay"),
                seen(loop.says, loop.fact, loop.says),
            ),
            (
                Advice(
                    "Exchange Online",
                    f"Set-AcceptedDomain -Identity {argument(domain.domain)} -DomainType Authoritative   # where all its recipients are; else point its outbound connector at the server that holds the others",
                ),
                *(
                    tuple(
                        Advice(
                            where,
                            f"New-AcceptedDomain -Name {below} -DomainName {below} -DomainType InternalRelay   # so that it is known as the organisation's own",
                        )
                        for where in ("Exchange", "Exchange Online")
                    )
                    if below
                    else ()
                ),
            ),
        )
