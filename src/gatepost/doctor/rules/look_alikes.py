"""Family N: it looks like a relay refusal and is not a connector problem. Each says so plainly."""

# ruff: noqa: E501 - a pattern or a sentence broken over lines reads worse

from gatepost.doctor.addresses import joined, refused_by_attribution, weighed
from gatepost.doctor.derived import Derived
from gatepost.doctor.evidence import EvidenceBundle
from gatepost.doctor.finding import Finding, Fix, RuledOut, cite, found, rule, ruled_out
from gatepost.doctor.path.values import endpoint_made_of
from gatepost.doctor.senders import domain_of
from gatepost.doctor.sentences import sentence, speaks_of
from gatepost.exchange.source import Fact

NOT_A_CONNECTOR = "This is not a connector problem: "


@rule(
    "relay-pool-refused-by-next-hop",
    "N01",
    title="Exchange Online forwards from its relay pool, and the next gateway refuses",
    side="tenant",
)
def relay_pool_refused_by_next_hop(bundle: EvidenceBundle, facts: Derived) -> Finding | RuledOut | None:
    reply = next(
        (
            each
            for each in bundle.replies
            if each.enhanced == "5.7.367" or "not permitted to relay" in each.text.casefold()
        ),
        None,
    )
    pool = next(
        (
            each
            for each in bundle.headers
            if "RelayOutboundPool" in each.value or "relayoutboundpool" in each.name.casefold()
        ),
        None,
    )
    pool_words = sentence(bundle, "relay-pool-refused-by-next-hop.pool-words")
    if reply is None or (reply.enhanced != "5.7.367" and bundle.postfix_deliveries and not pool and not pool_words):
        return None  # an own relay met it: the service forwarded nothing
    peer = (
        next((each.said_by or each.said_by_address for each in bundle.replies if each.inner and each.said_by), "")
        or reply.said_by
    )
    # "Unable to relay" is how Exchange says it: the next hop may be the organisation's own server.
    exchange = any("unable to relay" in each.text.casefold() for each in bundle.replies)
    return found(
        "high" if (pool or pool_words) and not exchange else "medium",
        weighed(
            bundle,
            reply,
            80 if bundle.receive_connectors and exchange else 95,
        ),
        NOT_A_CONNECTOR
        + f"Exchange Online forwarded the message and the next gateway{f' ({peer})' if peer and not speaks_of(peer, 'look-alikes.service') else ''} refused it, as it does not know the address of Microsoft's relay pool.",
        [cite(reply)] + ([cite(pool)] if pool else []) + ([cite(pool_words)] if pool_words else []),
        fix=(
            Fix(
                "Exchange Online",
                "# make the original mail pass SPF or DKIM when it enters (then it leaves by the normal pool), or forward by a rule that keeps the tenant's sender",
            ),
            Fix("network", "or let the next gateway accept the service's relay pool addresses for these recipients"),
        ),
        verify="Message trace shows OutboundIpPoolName without Relay.",
        catalogue=() if pool or pool_words else ("N01", "N03"),
    )


def _where_it_belongs(bundle: EvidenceBundle, recipient: str) -> str:
    """The recipient's SPF record names the service that has its mailboxes."""
    spf = [each for each in bundle.dns if each.kind == "TXT" and each.name.casefold().rstrip(".") == recipient]
    if any("include:spf.protection.outlook.com" in value for each in spf for value in each.values):
        return f" ({endpoint_made_of(recipient)}, as their SPF record lets expect)"
    return ""


@rule("refused-by-recipients-own-server", "N03", title="The recipient's own server refuses to relay", side="none")
def refused_by_recipients_own_server(bundle: EvidenceBundle, facts: Derived) -> Finding | RuledOut | None:
    reply = next(
        (
            each
            for each in bundle.replies
            if each.code >= 500
            and speaks_of(each.text, "refused-by-recipients-own-server.reply")
            and not refused_by_attribution(each)
            and each.enhanced not in ("5.7.367",)
            and each.said_by
            and not speaks_of(each.said_by + each.trailer_host, "look-alikes.service")
        ),
        None,
    )
    if reply is None or any(each.enhanced == "5.7.367" for each in bundle.replies) or bundle.relay_rejects:
        return None
    host = reply.said_by
    recipient = domain_of(reply.forward_path or "")
    exchanger = [each for each in bundle.dns if each.kind == "MX"]
    configured = any(
        host.casefold() in (setting.value.casefold())
        for setting in bundle.postfix_settings
        if setting.name in ("relayhost", "transport_maps")
    ) or any(
        host.casefold() in (each.casefold() for each in connector.smart_hosts) for connector in bundle.send_connectors
    )
    if configured:
        return None
    kin = bool(recipient) and (
        host.casefold().endswith(recipient)
        or any(host.casefold().rstrip(".") in value.casefold() for each in exchanger for value in each.values)
    )
    return found(
        "high" if kin or exchanger else "medium",
        weighed(bundle, reply, 90 if kin or exchanger else 66),
        NOT_A_CONNECTOR
        + f"{host} said it, a server of the recipient's side, not Microsoft's: {'the domain ' + recipient + ' is not set up there, or its MX record points to the wrong server' if recipient else 'it does not take mail for that domain'}.",
        [cite(reply)] + [cite(each, f"{each.name} MX {joined(each.values)}") for each in exchanger[:2]],
        fix=(
            Fix(
                "network",
                f"tell the recipient's postmaster (by telephone or another mailbox): {recipient or 'the domain'} has its MX record at {host}, which answers {reply.code} {reply.enhanced} and takes no mail for it. Correct the MX record{_where_it_belongs(bundle, recipient)}, or set the domain up on {host}; nothing is to be changed on your side",
            ),
        ),
        verify=f"dig MX {recipient or '<domain>'} names a server that takes its mail.",
    )


@rule(
    "health-checker-other-server",
    "N05",
    title="HealthChecker warns about a server that carries no hybrid mail",
    side="none",
)
def health_checker_other_server(bundle: EvidenceBundle, facts: Derived) -> Finding | RuledOut | None:
    warning = next(
        (
            each
            for each in bundle.health
            if speaks_of(f"{each.label} {each.value}", "health-checker-other-server.warning")
            and speaks_of(each.value, "health-checker-other-server.warning-2")
        ),
        None,
    )
    if warning is None:
        return None
    carriers = [
        (service, value.casefold())
        for service in bundle.transport_services
        for value in service.values("SendingTransportServers", "ReceivingTransportServers", "EdgeTransportServers")
    ]
    edges: list[tuple[Fact, str]] = [
        (service, value) for service in bundle.transport_services for value in service.values("EdgeTransportServers")
    ]
    listed = [each for each in bundle.health if each.label.casefold() == "edge transport server(s)"]
    edges += [
        (each, name.strip())
        for each in listed
        for name in each.value.split(",")
        if name.strip() and "not set" not in name
    ]
    said = sentence(bundle, "health-checker-other-server.said")
    server = warning.server.partition(".")[0].casefold()
    elsewhere = bool(server and carriers and all(server != value.partition(".")[0] for _, value in carriers)) or bool(
        edges
    )
    if any(refused_by_attribution(each) for each in bundle.replies) or not (elsewhere or said):
        if carriers and server and not elsewhere:
            return ruled_out(f"{warning.server} carries hybrid mail")
        return None
    evidence = (
        [cite(warning)]
        + [cite(service.source, f"hybrid mail goes over {value}") for service, value in (carriers or edges)[:2]]
        + ([cite(said)] if said else [])
    )
    return found(
        "high" if elsewhere else "medium",
        96 if elsewhere else 70,
        NOT_A_CONNECTOR
        + f"HealthChecker looks at {warning.server or 'this server'}, which carries no hybrid mail; its TlsCertificateName does not matter.",
        evidence,
        verify="Get-HybridConfiguration names the servers that count; run HealthChecker there.",
    )


@rule("health-checker-tls-auth-level", "N06", title="HealthChecker flags DomainValidation red by mistake", side="none")
def health_checker_tls_auth_level(bundle: EvidenceBundle, facts: Derived) -> Finding | RuledOut | None:
    warning = next(
        (
            each
            for each in bundle.health
            if "tlsauthlevel" in each.label.replace(" ", "").casefold()
            and "domainvalidation" in each.value.replace(" ", "").casefold()
        ),
        None,
    )
    said = next(
        (
            each
            for each in bundle.prose
            if speaks_of(each.quote, "health-checker-tls-auth-level.said")
            and speaks_of(each.quote, "health-checker-tls-auth-level.said-2")
        ),
        None,
    )
    if warning is None and said is None:
        return None
    if any(each.code >= 400 for each in bundle.replies):
        return ruled_out("mail is refused as well, which this warning does not explain")
    connector = next(
        (each for each in bundle.send_connectors if each.text("TlsAuthLevel").casefold() == "domainvalidation"), None
    )
    marked = said or speaks_of(
        f"{warning.value} {warning.quote}" if warning else "", "health-checker-tls-auth-level.marked"
    )
    if not marked:
        return None
    return found(
        "high" if warning and (connector or next(bundle.prose_of("everything"), None)) else "medium",
        90 if warning else 78,
        NOT_A_CONNECTOR
        + "DomainValidation with a TlsDomain is the value the hybrid wizard itself sets; a build of HealthChecker shows it red by mistake.",
        ([cite(warning)] if warning else [])
        + ([cite(said)] if said else [])
        + ([cite(connector.where("TlsAuthLevel"), "TlsAuthLevel DomainValidation")] if connector else []),
        fix=(
            Fix(
                "Exchange",
                "# update HealthChecker (.\\HealthChecker.ps1 -ScriptUpdateOnly) and leave the connector as it is",
            ),
        ),
        verify="A newer HealthChecker shows the row green; mail flows meanwhile.",
    )


@rule("local-relay-policy", "N07", "H07", title="The refusal is a relay of your own, in Postfix's words", side="sender")
def local_relay_policy(bundle: EvidenceBundle, facts: Derived) -> Finding | RuledOut | None:
    reply = next(
        (
            each
            for each in bundle.replies
            if each.code >= 450
            and speaks_of(each.text, "local-relay-policy.reply")
            and not refused_by_attribution(each)
            and not speaks_of(f"{each.trailer_host} {each.said_by} {each.quoted_by}", "look-alikes.service")
        ),
        None,
    )
    if reply is None or any(each.enhanced == "5.7.367" for each in bundle.replies):
        return None
    if bundle.relay_rejects:
        return None
    host = reply.said_by or reply.quoted_by
    own = bool(host) and not bundle.exim  # the log of a sender whose next hop it is does not tell why
    return found(
        "high" if own else "medium",
        weighed(bundle, reply, 84 if host else 70),
        NOT_A_CONNECTOR
        + f"'Relay access denied' with a small a and d is Postfix; {host or 'a relay before the cloud'} refuses by its own rules (mynetworks, permit_sasl_authenticated). Exchange Online writes 'Relay Access Denied' with 5.7.64.",
        [cite(reply)],
        fix=(
            Fix(
                "Postfix",
                "postconf mynetworks smtpd_relay_restrictions   # on that relay; then add the device's address to mynetworks",
            ),
        ),
        verify="That relay's log shows status=sent for the next message.",
    )
