"""Family J: something on the way changes, ends or cuts the session."""

# ruff: noqa: E501 - a pattern or a sentence broken over lines reads worse

from gatepost.doctor.certificates_told import is_appliance_default, same_certificate, shown
from gatepost.doctor.derived import Derived
from gatepost.doctor.evidence import EvidenceBundle
from gatepost.doctor.finding import Cited, Finding, Fix, RuledOut, cite, found, rule, ruled_out
from gatepost.doctor.sentences import every, parts_of, sentence, speaks_of
from gatepost.exchange.powershell import argument, quoted


@rule("inspection-masks-starttls", "J01", title="SMTP inspection on the way masks STARTTLS", side="network")
def inspection_masks_starttls(bundle: EvidenceBundle, facts: Derived) -> Finding | RuledOut | None:
    masked: list[Cited] = []
    for session in bundle.sessions:
        if session.log == "receive":
            continue
        keywords = next((each for each in session.keywords if speaks_of(each, "path-interference.masked-keyword")), "")
        if keywords:
            masked.append(cite(session, f"EHLO offers {keywords} where STARTTLS stood"))
        if speaks_of(session.banner, "path-interference.starred") and session.banner.count("*") >= max(
            6, len(session.banner.replace(" ", "")) // 3
        ):
            masked.append(cite(session, f"the greeting is masked: {session.banner[:80]}"))
    for each in (
        *bundle.replies,
        *bundle.prose,
        *bundle.headers,
        *bundle.postfix_tls,
        *bundle.commands,
        *bundle.events,
    ):
        if speaks_of(each.quote, "path-interference.masked-keyword") or (
            speaks_of(each.quote, "path-interference.starred")
            and speaks_of(each.quote, "inspection-masks-starttls.shown")
        ):
            masked.append(cite(each))
    pix = [cite(each) for each in bundle.postfix_tls if each.kind == "pix-workaround"]
    inspect = [
        cite(each)
        for each in (*bundle.commands, *bundle.prose, *bundle.headers)
        if speaks_of(each.quote, "inspection-masks-starttls.inspect")
    ]
    not_offered = [cite(each) for each in bundle.postfix_tls if each.kind == "not-offered"]
    not_offered += [
        cite(each, "the genuine server's EHLO lacks STARTTLS")
        for each in bundle.sessions
        if each.log != "receive" and each.starttls_offered is False and each.ehlo_seen and not facts.sent
    ]
    if not masked and not pix:
        if inspect and not_offered:
            return _masking([*inspect[:1], *not_offered[:1]], "medium", 84)
        offered = next(
            (
                each
                for each in bundle.sessions
                if each.log != "receive" and each.starttls_offered and each.starttls_sent
            ),
            None,
        )
        if offered and facts.failed_relay:
            return ruled_out("STARTTLS is offered and used", cite(offered))
        return None
    hard = bool(masked) or bool(pix and not_offered)
    return _masking(
        [*masked[:2], *pix[:1], *not_offered[:1], *inspect[:1]], "high" if hard else "medium", 95 if hard else 85
    )


def _masking(evidence: list[Cited], confidence: str, specificity: int) -> Finding:
    return found(
        confidence,  # type: ignore[arg-type]
        specificity,
        "A firewall inspects SMTP and overwrites what it does not know: STARTTLS is hidden, so no TLS and no certificate reach the service.",
        evidence,
        fix=[
            Fix(
                "network",
                "policy-map global_policy / class inspection_default / no inspect esmtp   (Cisco ASA; or a policy with allow-tls)",
            ),
            Fix(
                "network",
                "no fixup protocol smtp 25   (Cisco PIX before 7.0); on other makes: switch SMTP inspection off for the service's ranges",
            ),
        ],
        verify="The banner is readable and the EHLO reply has 250-STARTTLS.",
    )


@rule("proxy-ends-tls", "J02", "A06", title="A proxy or appliance on the way ends the TLS session", side="network")
def proxy_ends_tls(bundle: EvidenceBundle, facts: Derived) -> Finding | RuledOut | None:
    seen_there = [each for each in bundle.certificates if each.role == "remote"]
    sent = facts.sent_when_refused or next(iter(facts.sent), None)
    device = next((each for each in seen_there if is_appliance_default(each)), None)
    to_microsoft = any(
        "outlook.com" in (each.remote_name + each.remote_endpoint).casefold()
        for each in bundle.sessions
        if each.log != "receive"
    ) or any(
        "protection.outlook.com" in host.casefold() for each in bundle.send_connectors for host in each.smart_hosts
    )
    foreign_server = next(
        (
            each
            for each in seen_there
            if to_microsoft and any(session.session_id == each.session_id and session.log == "send" for session in bundle.sessions) and each.subject is not None
            and each.subject.attributes and not speaks_of(f"{each.subject.text} {each.issuer.text if each.issuer else ''} {' '.join(each.names)}", "proxy-ends-tls.foreign-server")
        ),
        None,
    )  # fmt: skip
    received = next(
        (
            each
            for each in bundle.certificates
            if each.role in ("bounce", "remote")
            and sent is not None
            and same_certificate(each, sent) is False
            and _is_told_as_seen(each.quote)
        ),
        None,
    )
    said = next(
        (
            each
            for each in bundle.prose
            if speaks_of(each.quote, "proxy-ends-tls.said") and speaks_of(each.quote, "proxy-ends-tls.said-2")
        ),
        None,
    )
    box = next(
        (each for each in bundle.prose if _names_box(each.quote) and speaks_of(each.quote, "proxy-ends-tls.box")),
        None,
    )
    abrupt = next(
        (each for each in bundle.replies if each.enhanced == "4.4.318" or "SuspiciousRemoteServer" in each.text), None
    )
    if abrupt and not (device or foreign_server or received):
        named = box or next((each for each in bundle.prose if _names_box(each.quote)), None)
        return found(
            "medium",
            84 if named else 66,
            "The connection is closed abruptly in the middle of the dialogue, as an SMTP proxy or inspection in front of the server does it.",
            [cite(abrupt), *([cite(named)] if named else [])],
            fix=[
                Fix(
                    "network",
                    "except port 25 between the server and the service's ranges from SMTP inspection and malware scanning",
                )
            ],
            verify="The cloud's queue to the server drains; the server's own log shows whole sessions.",
            catalogue=("J02", "J01"),
        )
    seen = device or foreign_server or received
    issuer = sentence(bundle, "proxy-ends-tls.issuer")
    said = issuer or said
    box = issuer or box
    if not seen and said is None:
        return None
    if said and not seen and not box and sent is None:
        return None
    return found(
        "high" if seen and (box or received) and to_microsoft else "medium",
        93 if seen else 85,
        "The session is not end to end: "
        + (f"the certificate met is {shown(seen)}" if seen else "the other side sees another certificate than the one sent")
        + ", so a proxy or appliance ends TLS on the way and your certificate never arrives.",
        [*([cite(seen, f"certificate met: {shown(seen)}, issued by {seen.issuer.text if seen.issuer else 'not shown'}")] if seen else []), *([cite(sent, f"certificate sent: {shown(sent)}")] if sent else []),
         *([cite(said)] if said else []), *([cite(box)] if box else [])],
        fix=[
            Fix("network", "except port 25 to the service's ranges from SMTP proxy, antivirus and TLS inspection; nothing may stand between Exchange and Exchange Online that ends TLS"),
        ],
        verify="The certificate the peer presents is the service's own, and the peer sees yours.",
    )  # fmt: skip


def _is_told_as_seen(quote: str) -> bool:
    """By somebody; the label of a log's own row is nobody's word."""
    words = " ".join(parts_of(quote, "path-interference.label"))
    return bool(speaks_of(words, "path-interference-is-told-as-seen.shown"))


def _names_box(quote: str) -> bool:
    """Whether the sentence says that there is such a box, not that there is none."""
    return any(
        not speaks_of(quote[max(0, found.start() - 60) : found.start()], "path-interference.denied")
        for found in every(quote, "path-interference.box")
    )


@rule(
    "load-balancer-on-the-way",
    "J03",
    "E01",
    title="A load balancer on the way changes address or certificate",
    side="network",
)
def load_balancer_on_the_way(bundle: EvidenceBundle, facts: Derived) -> Finding | RuledOut | None:
    said = sentence(bundle, "load-balancer-on-the-way.said")
    if said is None:
        return None
    through = speaks_of(said.quote, "load-balancer-on-the-way.through")
    is_vip = next(
        (
            each
            for each in bundle.sessions
            if each.hello_address
            and any(
                each.hello_address in prose.quote
                for prose in bundle.prose
                if speaks_of(prose.quote, "load-balancer-on-the-way.is-vip")
            )
        ),
        None,
    )
    if not (through or is_vip) or not (facts.attribution_refusals or facts.failed_relay):
        return None
    return found(
        "high" if is_vip and facts.attribution_refusals else "medium",
        92 if is_vip else 78,
        "Outgoing sessions pass a load balancer that puts its own address (or certificate) in place of the server's.",
        [
            cite(said),
            *(
                [cite(is_vip, f"the service greets Hello [{is_vip.hello_address}], the balancer's address")]
                if is_vip
                else []
            ),
            *[cite(each) for each in facts.attribution_refusals[:1]],
        ],
        fix=[
            Fix(
                "network",
                "let outgoing port 25 go past the balancer, or pass it through at layer 4 without source NAT and TLS offload",
            ),
            *(
                [
                    Fix(
                        "Exchange Online",
                        f"Set-InboundConnector -Identity {argument(bundle.inbound_connectors[0].name or '<connector>')} -SenderIPAddresses @{{Add={quoted(is_vip.hello_address)}}}",
                    )
                ]
                if is_vip and bundle.inbound_connectors
                else []
            ),
        ],
        verify="Hello [address] is the server's own, and the certificate the peer sees is the one sent.",
    )


@rule("gateway-between", "J04", "E10", title="A hygiene service stands between the sender and the cloud", side="tenant")
def gateway_between(bundle: EvidenceBundle, facts: Derived) -> Finding | RuledOut | None:
    header = next(
        (
            each
            for each in bundle.headers
            if each.name.casefold() == "received" and speaks_of(each.value or each.quote, "path-interference.gateways")
        ),
        None,
    )
    host = next((each for each in bundle.sessions if speaks_of(each.remote_name, "path-interference.gateways")), None)
    smart = next(
        (
            each
            for each in bundle.send_connectors
            if any(speaks_of(name, "path-interference.gateways") for name in each.smart_hosts)
        ),
        None,
    )
    relayed = next(
        (each for each in bundle.postfix_deliveries if speaks_of(each.relay, "path-interference.gateways")), None
    )
    said = next(
        (
            each
            for each in bundle.prose
            if speaks_of(each.quote, "path-interference.gateways") and speaks_of(each.quote, "gateway-between.said")
        ),
        None,
    )
    quoted_by = next(
        (each for each in facts.attribution_refusals if speaks_of(each.quoted_by, "path-interference.gateways")), None
    )
    proof = header or quoted_by or smart or host or relayed
    if said and not proof and speaks_of(said.quote, "gateway-between.shown"):
        return None  # the box on the way: J02
    if not facts.attribution_refusals or not (proof or said):
        return None
    if speaks_of(facts.attribution_refusals[0].said_by, "path-interference.gateways"):
        return None
    return found(
        "high" if quoted_by or (header and said) else "medium",
        91 if quoted_by else 87 if header else 80 if smart or host or relayed else 72,
        "It is the hygiene service that hands the mail to the cloud, from its own addresses and with its own certificate; the connector knows yours.",
        [cite(each, each.quote[:300]) for each in (quoted_by, header, smart, host, relayed, said) if each][:3]
        + [cite(each) for each in facts.attribution_refusals[:1]],
        fix=[
            Fix(
                "Exchange Online",
                "New-InboundConnector -Name 'From gateway' -ConnectorType OnPremises -TlsSenderCertificateName '<name agreed with the vendor>' -RequireTls $true -SenderDomains '*'",
            ),
            Fix(
                "Exchange Online",
                "Set-InboundConnector -Identity 'From gateway' -EFSkipLastIP $true   # Enhanced Filtering, so that the true source still counts",
            ),
        ],
        verify="A test message through the gateway is relayed; its trace names the new connector.",
    )


@rule(
    "certificate-flight-lost",
    "J05",
    title="The packets with the client certificate are lost on the way",
    side="network",
)
def certificate_flight_lost(bundle: EvidenceBundle, facts: Derived) -> Finding | RuledOut | None:
    if any("credentials" in each.failure.casefold() for each in bundle.tls):
        return None
    stalled = next((each for each in bundle.sessions if each.log != "receive" and each.sent_certificate and not any(reply.code for reply in each.replies if reply.code >= 400 and reply.stage in ("mail", "rcpt", "data"))
                    and (speaks_of(each.ended, "certificate-flight-lost.stalled") or (each.tls and speaks_of(each.tls.failure, "certificate-flight-lost.stalled")) or _long(each.at, each.ended_at))), None)  # fmt: skip
    timed = [cite(each) for each in bundle.queue_errors if speaks_of(each.last_error, "certificate-flight-lost.timed")]
    timed += [cite(each) for each in bundle.replies if speaks_of(each.text, "certificate-flight-lost.shown")]
    timed += [cite(each) for each in bundle.tls if "timedout" in each.failure.casefold().replace(" ", "")]
    box = sentence(bundle, "certificate-flight-lost.box")
    postfix = next(
        (each for each in bundle.postfix_deliveries if speaks_of(each.response, "certificate-flight-lost.postfix")),
        None,
    )
    if not stalled and not (timed and facts.sent) and not (timed and box) and not (postfix and (box or facts.sent)):
        return None
    if facts.attribution_refusals and not stalled:
        return None
    evidence = [
        *(
            [cite(stalled.sent_certificate or stalled, "the log's last step is the certificate sent; then nothing")]
            if stalled
            else []
        ),
        *timed[:2],
        *([cite(postfix)] if postfix else []),
        *([cite(box)] if box else []),
    ]
    proved = bool((stalled or facts.sent) and timed)
    return found(
        "high" if proved and box else "medium",
        94 if proved and box else 88 if proved else 80,
        "The session stalls right after the client certificate is sent and times out: the larger packets that carry it do not arrive (an IDS rule, or the path's MTU).",
        evidence,
        fix=[
            Fix(
                "network",
                "except port 25 to the service from the IDS rule that drops the flight; clamp the MSS on the tunnel (ip tcp adjust-mss 1360)",
            ),
            Fix(
                "Windows",
                "ping -f -l 1472 '<next hop>'   # finds the largest packet that passes; lower the interface's MTU to it plus 28",
            ),
        ],
        verify="A capture on both sides of the firewall shows the flight; the log goes on after 'Sending certificate'.",
        missing=() if box else ("a packet capture on both sides of the firewall around one session",),
    )


def _long(start: object, end: object) -> bool:
    begun, ended = getattr(start, "at", None), getattr(end, "at", None)
    return bool(begun and ended and ended - begun > 120)
