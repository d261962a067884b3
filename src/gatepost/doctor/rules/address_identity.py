"""Family E: the address the sender comes from is not the one the connector lists."""

# ruff: noqa: E501 - a pattern or a sentence broken over lines reads worse

from collections.abc import Sequence
from dataclasses import replace
from ipaddress import IPv4Address
from shlex import quote as shell_quoted

from gatepost.doctor.addresses import (
    SHARED_ADDRESS_SPACE,
    Egress,
    Network,
    addresses_told,
    egress_addresses,
    identity_connectors,
    is_private,
    joined,
    left_behind,
    lines_told,
    list_is_complete,
    listed_networks,
    listed_told,
    lists_address,
    parsed_address,
    parsed_networks,
    refused_by_attribution,
)
from gatepost.doctor.derived import Derived
from gatepost.doctor.evidence import EvidenceBundle, ProseFact
from gatepost.doctor.finding import Cited, Finding, Fix, RuledOut, cite, found, rule, ruled_out
from gatepost.doctor.senders import domain_of, is_own, own_domains, told_in_other_tenant
from gatepost.doctor.sentences import all_of, sentence, speaks_of
from gatepost.exchange.objects import InboundConnector
from gatepost.exchange.powershell import argument, object_of, quoted


def _by_address(bundle: EvidenceBundle) -> tuple[InboundConnector, ...]:
    """Connectors that could give relay rights and identify by address."""
    return tuple(each for each in identity_connectors(bundle.inbound_connectors) if each.addresses)


def _matching_certificate(bundle: EvidenceBundle, facts: Derived) -> bool:
    """Whether the refused sessions presented a certificate although a connector goes by one: then the certificate is
    what should have counted, and the address is beside the point."""
    by_name = [each for each in identity_connectors(bundle.inbound_connectors) if each.certificate_name.strip()]
    return bool(by_name) and any(each.role == "sent" for each in bundle.certificates)


def _add_address(connector: InboundConnector, addresses: Sequence[str]) -> tuple[Fix, ...]:
    name = connector.name
    values = ",".join(quoted(each) for each in addresses)
    # Gatepost's `set` replaces a list, so those that are listed already are named again.
    whole = (*connector.addresses, *addresses)
    return (
        Fix(
            "Exchange Online",
            f"Set-InboundConnector -Identity {argument(name or '<connector>')} -SenderIPAddresses @{{Add={values}}}",
        ),
        _gatepost_addresses(name, whole),
        Fix(
            "network",
            f"or translate outgoing port 25 to one of the listed addresses ({joined(connector.addresses)}) and keep the connector",
        ),
    )


def _gatepost_addresses(name: str, addresses: Sequence[str]) -> Fix:
    listed = " ".join(f"--address {shell_quoted(each)}" for each in addresses)
    return Fix("Gatepost", f"gatepost inbound-connector set TENANT {shell_quoted(name or 'NAME')} {listed}")


def _refused_outside(bundle: EvidenceBundle) -> tuple[list[Egress], list[Egress]]:
    """Addresses in no list, and addresses in a list."""
    connectors = _by_address(bundle)
    outside: list[Egress] = []
    inside: list[Egress] = []
    refused = any(refused_by_attribution(each) for each in bundle.replies)
    former = left_behind(bundle)
    seen = [each for each in egress_addresses(bundle) if each.address not in former]
    for each in seen:
        listed = any(lists_address(connector, each.address) for connector in connectors)
        if refused and not each.refused and not each.accepted and not any(one.refused for one in seen):
            # The refusal is told elsewhere (a bounce), the address by a session that sent nothing.
            each = replace(each, refused=int(not listed or len(seen) == 1))
        (inside if listed else outside).append(each)
    return outside, inside


def _all_complete(connectors: Sequence[InboundConnector]) -> bool:
    return all(list_is_complete(each) for each in connectors)


@rule("egress-address-changed", "E01", title="Mail leaves from an address no connector lists", side="tenant")
def egress_address_changed(bundle: EvidenceBundle, facts: Derived) -> Finding | RuledOut | None:
    connectors = _by_address(bundle)
    outside, inside = _refused_outside(bundle)
    refused = [each for each in outside if each.refused and each.address.version == 4 and not is_private(each.address)]
    changed = next(bundle.prose_of("changed-network"), None)
    if connectors and inside and any(each.refused for each in inside) and not refused:
        one = next(each for each in inside if each.refused)
        return ruled_out(f"the refused sessions come from {one.text}, which is listed")
    if connectors and refused and not inside:
        if all(is_private(network.network_address) for each in connectors for network in listed_networks(each)):
            return None
        connector, listed = connectors[0], joined(connectors[0].addresses)
        addresses = [each.text for each in refused]
        evidence = [
            cite(each.source, f"{each.quote}: the service sees {each.text}, and refuses") for each in refused[:3]
        ]
        evidence.append(cite(connector.where("SenderIPAddresses"), f"connector {connector.label} lists {listed}"))
        evidence += [cite(changed.source, changed.quote)] if changed else []
        elsewhere = any(each.elsewhere for each in refused)
        certain = _all_complete(connectors) and not (
            _matching_certificate(bundle, facts) or left_behind(bundle) or elsewhere
        )
        return found(
            "high" if certain else "medium",
            88 if certain or elsewhere or left_behind(bundle) else 55,
            f"Mail leaves from {joined(addresses)}, but the connector lists {listed}: the service cannot attribute the mail.",
            evidence,
            fix=_add_address(connector, addresses),
            verify=f"A new session greets you with Hello [{addresses[0]}] and RCPT TO is answered 250 2.1.5; add the address to SPF too.",
            missing=() if certain else ("the whole list: Get-InboundConnector | ConvertTo-Json",),
        )
    if refused and not connectors and not bundle.inbound_connectors and changed:
        return found(
            "medium",
            45,
            f"Mail leaves from {refused[0].text} since the network was changed; a connector by address will still list the old one.",
            [cite(refused[0].source, f"{refused[0].quote}, refused"), cite(changed.source, changed.quote)],
            verify="Compare Hello [address] with SenderIPAddresses of the inbound connector.",
        )
    if changed and not bundle.inbound_connectors and not egress_addresses(bundle):
        return _by_words(bundle, changed)
    told = [each for each in addresses_told(bundle) if not any(lists_address(one, each.address) for one in connectors)]
    if told and connectors and not egress_addresses(bundle) and any(map(refused_by_attribution, bundle.replies)):
        if _matching_certificate(bundle, facts):
            return None
        return found(
            "medium",
            74 if changed else 66,
            f"Mail is said to leave from {told[0].text}, and the connector lists {joined(connectors[0].addresses)}.",
            [
                cite(told[0].source, told[0].quote),
                cite(
                    connectors[0].where("SenderIPAddresses"),
                    f"'{connectors[0].name}' lists {joined(connectors[0].addresses)}",
                ),
            ],
            fix=_add_address(connectors[0], [told[0].text]),
            verify="Hello [..] in the send log shows that address; then RCPT TO is answered 250 2.1.5.",
            missing=("the send log with the EHLO reply, Hello [address]",),
        )
    if changed and connectors and not egress_addresses(bundle) and any(map(refused_by_attribution, bundle.replies)):
        if _matching_certificate(bundle, facts):
            return None
        connector = connectors[0]
        return found(
            "medium",
            42,
            f"The network was changed and the connector goes by address ({joined(connector.addresses)}): the address seen outside is probably another one now.",
            [
                cite(changed.source, changed.quote),
                cite(connector.where("SenderIPAddresses"), f"lists {joined(connector.addresses)}"),
            ],
            verify="Read Hello [address] in the send log, or ask any address reflector from the mail server on port 25.",
        )
    return None


def _by_words(bundle: EvidenceBundle, changed: ProseFact) -> Finding | None:
    """The line was changed, and somebody names the address of today."""
    listed = {each.address for each in listed_told(bundle)}
    new = [each for each in addresses_told(bundle) if each.address not in listed]
    refused = next((each for each in bundle.replies if refused_by_attribution(each)), None)
    if len(new) != 1 or refused is None:
        return None
    return found(
        "medium",
        60,
        f"By what is said the line was changed and mail leaves from {new[0].text} now: a connector by address still lists the old one.",
        [cite(changed.source, changed.quote), cite(new[0].source, new[0].quote), cite(refused)],
        fix=(
            Fix(
                "Exchange Online",
                f"Set-InboundConnector -Identity '<connector>' -SenderIPAddresses @{{Add={quoted(new[0].text)}}}",
            ),
        ),
        verify=f"A new session greets you with Hello [{new[0].text}], and RCPT TO is answered 250; add the address to SPF too.",
        missing=("Get-InboundConnector | ConvertTo-Json", "the send log with the EHLO reply, Hello [address]"),
    )


@rule(
    "egress-address-partly-listed", "E02", title="Only some of the addresses mail leaves from are listed", side="tenant"
)
def egress_address_partly_listed(bundle: EvidenceBundle, facts: Derived) -> Finding | RuledOut | None:
    connectors = _by_address(bundle)
    outside, inside = _refused_outside(bundle)
    outside = [each for each in outside if each.refused and not is_private(each.address)]
    if connectors and len(inside) > 1 and not outside:
        return ruled_out("every address seen is listed")
    if any(each.address.version == 6 for each in outside):
        return None
    if not connectors:
        seen = egress_addresses(bundle)
        refused, passed = (
            [each for each in seen if each.refused and not each.accepted],
            [each for each in seen if each.accepted and not each.refused],
        )
        if not seen:
            return _lines_told(bundle)
        if not (refused and passed) or {each.address.version for each in (*refused, *passed)} != {4}:
            return None
        return found(
            "medium",
            72,
            f"Whether mail is refused follows the address it leaves from: {joined([each.text for each in refused])} refused, {joined([each.text for each in passed])} accepted.",
            [
                cite(each.source, f"{each.quote}: refused {each.refused}, accepted {each.accepted}")
                for each in (*refused[:3], *passed[:3])
            ],
            verify="Compare both addresses with SenderIPAddresses of the inbound connector.",
        )
    if not outside or not inside:
        return None
    if any(each.refused and not each.accepted for each in inside) and not any(each.accepted for each in inside):
        return None
    connector = next(each for each in connectors if any(lists_address(each, one.address) for one in inside))
    listed = joined(connector.addresses)
    addresses = [each.text for each in outside]
    exact = (
        _all_complete(connectors)
        and all(not each.refused for each in inside)
        and all(not each.accepted for each in outside)
    )
    return found(
        "high" if exact and not any(each.elsewhere for each in outside) else "medium",
        91 if exact else 60,
        f"Mail leaves from several addresses; {joined(addresses)} {'is' if len(addresses) == 1 else 'are'} outside {listed}, and only that mail is refused.",
        [
            cite(each.source, f"{each.quote}: refused {each.refused}, accepted {each.accepted}")
            for each in (*outside[:3], *inside[:3])
        ]
        + [cite(connector.where("SenderIPAddresses"), f"connector {connector.label} lists {listed}")],
        fix=_add_address(connector, addresses),
        verify="Every address in Hello [..] of a day's log is in the list; a connector by certificate ends the question.",
    )


def _lines_told(bundle: EvidenceBundle) -> Finding | None:
    """By people's words, mail leaves by several lines, and the connector lists some of them."""
    listed, lines = listed_told(bundle), lines_told(bundle)
    outside = [each for each in lines if each.address not in {one.address for one in listed}]
    mixed = next(bundle.prose_of("intermittent", "retry-works"), None)
    refused = next((each for each in bundle.replies if refused_by_attribution(each)), None)
    if not listed or not outside or len(lines) == len(outside) or mixed is None or refused is None:
        return None
    addresses = [each.text for each in outside]
    return found(
        "medium",
        78,
        f"By what is said, mail leaves from {joined([each.text for each in lines])}, and the connector lists {joined([each.text for each in listed])} only: that share of the mail is refused.",
        [*(cite(each.source, each.quote) for each in (*outside[:1], *listed[:1])), cite(mixed), cite(refused)],
        fix=(
            Fix(
                "Exchange Online",
                f"Set-InboundConnector -Identity '<connector>' -SenderIPAddresses @{{Add={','.join(map(quoted, addresses))}}}",
            ),
            Fix("network", f"or translate outgoing port 25 to {listed[0].text} on every line"),
        ),
        verify="Every address in Hello [..] of a day's log is in the list.",
        missing=("a day's send log: Hello [address] of refused and of accepted sessions",),
    )


@rule("ipv6-egress", "E03", title="Mail leaves over IPv6, which a connector cannot list", side="sender")
def ipv6_egress(bundle: EvidenceBundle, facts: Derived) -> Finding | RuledOut | None:
    seen = [each for each in egress_addresses(bundle) if each.address.version == 6]
    refused6 = [each for each in seen if each.refused]
    by_relay = [
        (each.source, each.relay_address, each.response)
        for each in bundle.postfix_deliveries
        if ":" in each.relay_address
        and each.status != "sent"
        and (each.enhanced in ("5.7.64", "4.4.62", "4.7.26", "5.7.25") or "ipv6" in each.response.casefold())
    ]
    by_relay += [
        (each.source, each.host_address, each.text or each.quote)
        for each in bundle.exim
        if ":" in each.host_address and each.mark in ("**", "==") and speaks_of(each.quote, "ipv6-egress.shown")
    ]
    delivered = [each.relay_address for each in bundle.postfix_deliveries if each.status == "sent"]
    delivered += [each.host_address for each in bundle.exim if each.mark in ("=>", "->")]
    passed4 = any(isinstance(parsed_address(each), IPv4Address) for each in delivered)
    rule26 = next(
        (
            each
            for each in bundle.replies
            if each.enhanced in ("4.7.26", "5.7.26", "5.7.25", "5.7.510") and "ipv6" in each.text.casefold()
        ),
        None,
    )
    if not (refused6 or by_relay or rule26):
        addresses = egress_addresses(bundle)
        if (
            addresses
            and all(each.address.version == 4 for each in addresses)
            and any("ipv6" in each.quote.casefold() for each in bundle.prose)
        ):
            return ruled_out("every session seen leaves over IPv4")
        return None
    if _matching_certificate(bundle, facts) and not passed4:
        return None
    evidence = [cite(each.source, f"{each.quote}, refused") for each in refused6[:2]]
    evidence += [
        cite(source, f"delivered over IPv6 to [{address}]: {response[:120]}")
        for source, address, response in by_relay[:2]
    ]
    evidence += [cite(rule26.source, rule26.quote)] if rule26 else []
    connectors = _by_address(bundle)
    evidence += [
        cite(each.where("SenderIPAddresses"), f"'{each.name}' lists {joined(each.addresses)}: IPv4 only")
        for each in connectors[:1]
    ]
    accepted4 = passed4 or any(each.address.version == 4 and each.accepted for each in egress_addresses(bundle))
    high = bool((refused6 or by_relay) and (connectors or accepted4))
    shown = refused6[0].text if refused6 else "IPv6"
    return found(
        "high" if high else "medium",
        92 if high else 62,
        f"The refused mail leaves over IPv6 ({shown}); an inbound connector can list IPv4 addresses only.",
        evidence,
        fix=(
            Fix(
                "Postfix",
                "postconf -e inet_protocols=ipv4 && postfix reload   # or smtp_address_preference=ipv4 for this transport",
            ),
            Fix("Exim", "disable_ipv6 = true   # in the main section; then restart"),
            Fix(
                "Exchange",
                "# route to the service's IPv4 addresses only: remove the AAAA-capable path (for example Set-NetIPv6Protocol is not enough; use a smart host name that has A records only)",
            ),
            Fix(
                "application",
                "Or let the sender present a certificate and know it by that: then its address does not count",
            ),
        ),
        verify="Hello [..] in the next session shows an IPv4 address of the list.",
    )


@rule("private-address-listed", "E04", title="The connector lists an address only the inside knows", side="tenant")
def private_address_listed(bundle: EvidenceBundle, facts: Derived) -> Finding | RuledOut | None:
    for connector in _by_address(bundle):
        networks = listed_networks(connector)
        private = [each for each in networks if is_private(each.network_address)]
        if not private:
            continue
        seen = [each for each in egress_addresses(bundle) if not is_private(each.address)]
        if any(lists_address(connector, each.address) for each in seen):
            return ruled_out("the address mail leaves from is listed beside the private one")
        if len(private) < len(networks) and not seen:
            continue
        if _matching_certificate(bundle, facts):
            continue
        kind = (
            "shared by a carrier's customers (RFC 6598)"
            if any(each.network_address in SHARED_ADDRESS_SPACE for each in private if each.version == 4)
            else "private (RFC 1918)"
        )
        outside = [each.text for each in seen]
        high = bool(seen and any(each.refused for each in seen)) or (
            len(private) == len(networks) and any(map(refused_by_attribution, bundle.replies))
        )
        return found(
            "high" if high else "medium",
            93 if high else 50,
            f"Connector {connector.label} lists {joined(connector.addresses)}, {kind}; the service sees {joined(outside) if outside else 'your public address'} instead.",
            [cite(connector.where("SenderIPAddresses"), f"SenderIPAddresses {joined(connector.addresses)}")]
            + [cite(each.source, each.quote) for each in seen[:2]],
            fix=_replace_addresses(connector, outside),
            verify="Hello [..] of the next session is in SenderIPAddresses.",
            missing=() if outside else ("the address the service sees: Hello [..] in the send log",),
        )
    return None


def _replace_addresses(connector: InboundConnector, addresses: Sequence[str]) -> tuple[Fix, ...]:
    if not addresses:
        return (
            Fix(
                "Exchange Online",
                f"Set-InboundConnector -Identity {argument(connector.name)} -SenderIPAddresses '<public address>'   # the public address that the service greets you with, Hello [..]; from that server: curl -4 https://ifconfig.me",
            ),
        )
    values = ",".join(quoted(each) for each in addresses)
    return (
        Fix(
            "Exchange Online", f"Set-InboundConnector -Identity {argument(connector.name)} -SenderIPAddresses {values}"
        ),
        _gatepost_addresses(connector.name, addresses),
    )


def _lies_in(text: str, networks: Sequence[Network]) -> bool:
    """Whether it is an address of one of them, and not the network itself."""
    address = parsed_address(text)
    return address is not None and any(
        address in each and address != each.network_address for each in networks if each.version == address.version
    )


@rule("address-range-too-wide", "E05", title="The address range was refused when it was saved", side="tenant")
def address_range_too_wide(bundle: EvidenceBundle, facts: Derived) -> Finding | RuledOut | None:
    evidence: list[Cited] = []
    wide: list[str] = []
    for error in bundle.powershell_errors:
        text = error.message
        about_range = speaks_of(text, "address-range-too-wide.about-range")
        if about_range and speaks_of(text + error.cmdlet + error.quote, "address-range-too-wide.shown"):
            evidence.append(cite(error.source, error.message or error.quote))
            wide += all_of(text, "address-range-too-wide.range")
    for command in bundle.commands:
        ranges = all_of(command.command, "address-range-too-wide.range")
        if ranges and "InboundConnector" in command.command:
            wide += ranges
            evidence.append(cite(command.source, command.command))
    for each in bundle.prose:
        if speaks_of(each.quote, "address-range-too-wide.shown-2") and speaks_of(
            each.quote, "address-range-too-wide.shown-3"
        ):
            wide += all_of(each.quote, "address-range-too-wide.range")
            evidence.append(cite(each.source, each.quote))
    if not evidence or not wide:
        return None
    stored = [each for each in bundle.inbound_connectors if any(value in each.addresses for value in wide)]
    if stored:
        return ruled_out("the range is stored in the connector")
    networks = [network for text in wide for network in parsed_networks(text)]
    seen = [
        each
        for each in egress_addresses(bundle)
        if any(each.address in one for one in networks if one.version == each.address.version)
    ]
    if any(lists_address(connector, each.address) for connector in bundle.inbound_connectors for each in seen):
        return ruled_out("the address mail leaves from is listed by itself")
    parts = [
        str(each) for each in (networks[0].subnets(new_prefix=24) if networks and networks[0].prefixlen < 24 else ())
    ]
    connector = next(iter(bundle.inbound_connectors), None)
    named = (object_of(each.command) for each in bundle.commands if "InboundConnector" in each.command)
    name = connector.name if connector else next((each for each in named if each), "<connector>")
    named_inside = [each.value for each in bundle.names if each.kind == "address" and _lies_in(each.value, networks)]
    inside = [each.text for each in seen] or named_inside
    fixed = [str(next(iter(parsed_networks(f"{each}/24")))) for each in inside] or parts[:4]
    high = bool(seen and any(each.refused for each in seen)) and bool(bundle.powershell_errors)
    return found(
        "high" if high else "medium",
        94 if high else 64,
        f"{joined(list(dict.fromkeys(wide)))} was never stored: a connector takes single IPv4 addresses and ranges from /24 to /32 only.",
        evidence + [cite(each.source, f"{each.quote}, refused") for each in seen[:2]],
        fix=(
            Fix(
                "Exchange Online",
                f"Set-InboundConnector -Identity {argument(name)} -SenderIPAddresses @{{Add={','.join(quoted(each) for each in dict.fromkeys(fixed))}}}",
            ),
        )
        if fixed
        else (),
        verify="Get-InboundConnector | Select-Object -ExpandProperty SenderIPAddresses shows the ranges.",
    )


@rule("address-shared-with-other-tenants", "E06", "G07", title="Several tenants list the same address", side="tenant")
def address_shared_with_other_tenants(bundle: EvidenceBundle, facts: Derived) -> Finding | RuledOut | None:
    owners: dict[str, dict[str, InboundConnector]] = {}
    for connector in identity_connectors(bundle.inbound_connectors):
        tenant = connector.text("OrganizationId", "Tenant", "OrganizationalUnitRoot", "Organization").casefold()
        if not tenant:
            tenant = connector.source.file
        for value in connector.addresses:
            owners.setdefault(value, {})[tenant] = connector
    shared = {
        value: by_tenant for value, by_tenant in owners.items() if len(by_tenant) > 1 and _different_names(by_tenant)
    }
    other = told_in_other_tenant(bundle)
    conflict = next(
        (each for each in bundle.verdicts if any(code == "conflicting-tenants" for code, _, _ in each.reasons)), None
    )
    if shared and (other or conflict or any(map(refused_by_attribution, bundle.replies))):
        value, by_tenant = next(iter(shared.items()))
        evidence = [
            cite(each.where("SenderIPAddresses"), f"{tenant}: '{each.name}' lists {value}")
            for tenant, each in list(by_tenant.items())[:3]
        ]
        evidence += [cite(other.source, other.quote)] if other else []
        evidence += [cite(conflict.source, conflict.quote)] if conflict else []
        return found(
            "medium",
            86 if other or conflict else 58,
            f"{value} is listed by {len(by_tenant)} tenants: an address does not identify the tenant, the reverse-path has to, and a move inside the service may change the answer.",
            evidence,
            fix=(
                Fix(
                    "Exchange Online",
                    "# in each tenant: a connector by certificate with a name of that tenant only (New-InboundConnector -ConnectorType OnPremises -TlsSenderCertificateName <name of this tenant>)",
                ),
                Fix("Exchange", "# one send connector with its own certificate for each tenant"),
                Fix(
                    "Gatepost", "gatepost inbound-connector add TENANT NAME --certificate-name '<name of this tenant>'"
                ),
            ),
            verify="Message trace of each tenant shows its own mail only.",
        )
    by_address = _by_address(bundle)
    many = sentence(bundle, "address-shared-with-other-tenants.many")
    if other and (many or by_address) and not any(each.role == "sent" for each in bundle.certificates):
        return found(
            "medium",
            66 if many else 48,
            "Mail shows up in another tenant: both seem to claim the same address.",
            [cite(other.source, other.quote)] + ([cite(many.source, many.quote)] if many and many is not other else []),
            verify="Compare SenderIPAddresses of both tenants' connectors.",
        )
    return None


def _different_names(by_tenant: dict[str, InboundConnector]) -> bool:
    """Two exports of one connector are not two tenants'."""
    return len({each.text("Guid") or each.name for each in by_tenant.values()}) > 1


@rule("address-block-listed", "E07", title="The address is on a block list", side="sender")
def address_block_listed(bundle: EvidenceBundle, facts: Derived) -> Finding | RuledOut | None:
    listed = next(
        (
            each
            for each in bundle.dns
            if speaks_of(each.name, "address-block-listed.listed")
            and any(value.startswith("127.0.0.") for value in each.values)
        ),
        None,
    )
    said = next(bundle.prose_of("blocklisted"), None)
    bare = next(
        (
            each
            for each in bundle.sessions
            if each.log != "receive"
            and each.ehlo_seen
            and each.starttls_offered is False
            and each.keywords
            and not _masked(each.banner, each.keywords)
            and "outlook" in (each.banner + each.remote_name).casefold()
        ),
        None,
    )
    attributed = any(map(refused_by_attribution, bundle.replies))
    evidence: list[Cited] = []
    if bare:
        evidence.append(
            cite(bare.source, f"the service greets {bare.hello_address} without STARTTLS, its banner is unmasked")
        )
    if listed:
        evidence.append(cite(listed.source, f"{listed.name} answers {joined(listed.values)}: listed"))
    if said:
        evidence.append(cite(said.source, said.quote))
    if bare and (listed or said):
        return found(
            "high" if listed else "medium",
            90 if listed else 70,
            f"{bare.hello_address or 'The address'} is block-listed: the service answers it without STARTTLS, so every certificate stays unseen.",
            evidence,
            fix=(
                Fix(
                    "network",
                    "find the compromised host behind the address, then ask the list and https://sender.office.com for removal",
                ),
            ),
            verify="EHLO offers STARTTLS again.",
        )
    if bare and not attributed:
        return found(
            "medium",
            56,
            "The service offers no STARTTLS to this address: it does so with block-listed addresses, and an inspecting firewall may remove it too.",
            evidence,
            verify="Look the address up in public lists; try the same from another line.",
        )
    if listed and not attributed:
        return found(
            "medium", 52, "The address is on a public block list.", evidence, verify="Look it up again after removal."
        )
    return None


def _masked(banner: str, keywords: Sequence[str]) -> bool:
    return banner.count("*") > 5 or any(speaks_of(each, "address-identity.masked") for each in keywords)


@rule(
    "allow-list-hides-block-list", "E08", title="The address is in the IP allow list and on a block list", side="tenant"
)
def allow_list_hides_block_list(bundle: EvidenceBundle, facts: Derived) -> Finding | RuledOut | None:
    reply = next((each for each in bundle.replies if "customer allow list" in each.text.casefold()), None)
    if reply is None:
        return None
    address = next((found_ for found_ in all_of(reply.text, "address-identity.address") if parsed_address(found_)), "")
    return found(
        "high",
        96,
        f"{address or 'The address'} is in the tenant's IP allow list as well as in a connector, and on a block list; the allow list hides which one.",
        [cite(reply.source, reply.quote or reply.text)],
        fix=(
            Fix(
                "Exchange Online",
                f"Set-HostedConnectionFilterPolicy -Identity Default -IPAllowList @{{Remove={quoted(address)}}}",
            ),
        )
        if address
        else (),
        verify="The next refusal names the list; ask it for removal.",
    )


@rule("cloud-host-without-fixed-address", "E09", title="The sending host has no address of its own", side="sender")
def cloud_host_without_fixed_address(bundle: EvidenceBundle, facts: Derived) -> Finding | RuledOut | None:
    host = next(
        (
            each
            for each in bundle.prose
            if each.topic != "reported-cause" and speaks_of(each.quote, "address-identity.cloud-hosts")
        ),
        None,
    )
    seen = [each for each in egress_addresses(bundle) if each.refused or each.accepted]
    if facts.naming_connectors and not _by_address(bundle):
        return None  # no address is asked for
    if host is None or not (any(map(refused_by_attribution, bundle.replies)) or seen):
        return None
    several = len(seen) > 1
    return found(
        "medium",
        93 if several and len(seen) > 2 else 90 if any(each.refused for each in _refused_outside(bundle)[0]) else 64,
        "The mail is sent from a cloud service whose outgoing address changes: a connector by address cannot hold it.",
        [cite(host.source, host.quote)] + [cite(each.source, each.quote) for each in seen[:4]],
        fix=(
            Fix(
                "network",
                "give the service a fixed outgoing address (a NAT gateway with a static public IP) and list that one",
            ),
            Fix(
                "Exchange Online",
                "Set-InboundConnector -Identity '<connector>' -TlsSenderCertificateName '<name that is an accepted domain>'   # or let it present a certificate and identify by that",
            ),
        ),
        verify="Hello [..] stays the same over a restart of the service.",
    )


@rule("third-party-sends-from-own-addresses", "E10", title="A third party sends from its own addresses", side="tenant")
def third_party_sends_from_own_addresses(bundle: EvidenceBundle, facts: Derived) -> Finding | RuledOut | None:
    refusal = next((each for each in bundle.replies if refused_by_attribution(each)), None)
    if refusal is None or refusal.enhanced == "5.7.68":
        return None
    said = next(
        (
            each
            for each in bundle.prose
            if speaks_of(each.quote, "address-identity.vendor")
            and each.topic not in ("changed-network", "reported-cause")
            and speaks_of(each.quote, "third-party-sends-from-own-addresses.said")
        ),
        None,
    )
    host = refusal.quoted_by.casefold()
    own = own_domains(bundle)
    sender = domain_of(refusal.reverse_path or "") or next(
        (
            domain_of(match[1])
            for each in bundle.headers
            if each.name.casefold() == "from"
            and (match := speaks_of(each.value, "third-party-sends-from-own-addresses.sender"))
        ),
        "",
    )
    foreign_host = (
        "." in host
        and "outlook" not in host
        and bool(own or sender)
        and not is_own(bundle, host)
        and not (sender and host.endswith(sender))
    )
    if not said or (host and "outlook" not in host and (is_own(bundle, host) or (sender and host.endswith(sender)))):
        return None
    if any(each.certificate_name.strip() for each in bundle.inbound_connectors) and not foreign_host:
        return None  # the vendor goes by a certificate, not by its addresses
    evidence = [cite(said.source, said.quote), cite(refusal.source, refusal.quote or refusal.text)]
    if foreign_host:
        evidence.append(cite(refusal.source, f"the refused server is {refusal.quoted_by}, not one of yours"))
    return found(
        "medium",
        74 if foreign_host else 62 if "." in host else 47,
        "The refused mail is handed over by a third party from its own addresses, which no connector of yours lists.",
        evidence,
        fix=(
            Fix(
                "Exchange Online",
                "# a connector of type OnPremises for that vendor, by a certificate name the vendor issues for you and you add as accepted domain",
            ),
            Fix(
                "network",
                "or let the vendor deliver to recipients directly, with its servers in SPF and its own DKIM key",
            ),
        )
        if foreign_host
        else (),
        verify="The vendor's next message shows the vendor connector in its trace.",
    )
