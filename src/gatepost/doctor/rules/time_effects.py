"""Family M: a change that has not arrived everywhere, or that nobody could see had not worked."""

# ruff: noqa: E501 - a pattern or a sentence broken over lines reads worse

from gatepost.doctor.addresses import egress_addresses, identity_connectors, lists_address, refused_by_attribution
from gatepost.doctor.derived import Derived
from gatepost.doctor.evidence import EvidenceBundle, Moment
from gatepost.doctor.finding import Finding, Fix, RuledOut, cite, found, rule, ruled_out
from gatepost.doctor.moments import moment
from gatepost.doctor.rules.connector_object import name_matches
from gatepost.doctor.sentences import sentence, speaks_of
from gatepost.exchange.objects import InboundConnector
from gatepost.exchange.powershell import argument
from gatepost.exchange.source import Source

SPREADS_WITHIN = 3600.0
"""One hour: what the vendor's own worked example waited. No figure is published."""


def _changed(connector: InboundConnector) -> Moment | None:
    text = connector.text("WhenChangedUTC") or connector.text("WhenChanged")
    return moment(text) if text else None


@rule("change-not-spread", "M01", title="The change has not reached every front end yet", side="none")
def change_not_spread(bundle: EvidenceBundle, facts: Derived) -> Finding | RuledOut | None:
    refused = [each for each in bundle.replies if refused_by_attribution(each)]
    if not refused:
        return None
    moments = [
        each.at.at if each.at and each.at.at is not None else each.trailer_at.at if each.trailer_at else None
        for each in refused
    ]
    times = [each for each in moments if each is not None]
    seen = egress_addresses(bundle)
    names = [name for each in bundle.certificates if each.role == "sent" for name in each.all_names]
    waiting = next(bundle.prose_of("waiting-for-change", "changed-connector"), None)
    for connector in identity_connectors(bundle.inbound_connectors):
        changed = _changed(connector)
        matches = any(lists_address(connector, each.address) for each in seen if each.refused) or (
            bool(names) and any(name_matches(connector.certificate_name, each) for each in names)
        )
        decisive = bool(seen and connector.addresses) or bool(names and connector.certificate_name.strip())
        if decisive and not matches and changed:
            return ruled_out(f"'{connector.name}' does not match even as it stands now")
        if changed and changed.at is not None and times and changed.certainty in ("exact", "zone-unknown"):
            lag = [each - changed.at for each in times]
            if all(each > SPREADS_WITHIN for each in lag):
                return ruled_out(f"'{connector.name}' was changed more than an hour before the refusals")
            young = [each for each in lag if 0 <= each <= SPREADS_WITHIN]
            later_ok = any(
                s.accepted and s.at and s.at.at is not None and s.at.at > changed.at for s in bundle.sessions
            )
            if young and (matches or later_ok):
                return found(
                    "high" if matches and later_ok else "medium",
                    90 if matches and later_ok else 84 if matches else 66,
                    f"'{connector.name}' was changed {int(min(young) // 60)} minutes before the refusal and matches as it stands: the change was not everywhere yet.",
                    [
                        cite(connector.where("WhenChangedUTC", "WhenChanged"), f"changed {changed.text}"),
                        cite(refused[0]),
                    ],
                    fix=(
                        Fix(
                            "Exchange Online",
                            "# wait an hour and test again with several new sessions; change nothing meanwhile",
                        ),
                    ),
                    verify="Ten new sessions in a row pass.",
                )
            if all(each < 0 for each in lag) and matches:
                return found(
                    "medium",
                    82,
                    f"The refusals are older than the last change of '{connector.name}', which matches as it stands: it may be repaired already.",
                    [
                        cite(connector.where("WhenChangedUTC", "WhenChanged"), f"changed {changed.text}"),
                        cite(refused[-1]),
                    ],
                    verify="A new session passes.",
                )
    if (
        waiting
        and speaks_of(waiting.quote, "change-not-spread.shown")
        and not any(each.refused and bundle.inbound_connectors for each in seen)
    ):
        mixed = next(bundle.prose_of("intermittent", "retry-works"), None)
        mixed_sessions = any(each.accepted for each in bundle.sessions)
        return found(
            "medium",
            76 if mixed or mixed_sessions else 54,
            "The connector was changed a few minutes before; changes take a while (an hour is a safe wait) to reach every front end.",
            [cite(waiting)] + ([cite(mixed)] if mixed else []) + [cite(refused[0])],
            fix=(),
            verify="An hour after the change, ten new sessions in a row pass.",
            missing=("the connector with WhenChangedUTC: Get-InboundConnector | fl",),
        )
    return None


@rule("directory-replication-lag", "M02", title="The send connector's change has not reached every site", side="sender")
def directory_replication_lag(bundle: EvidenceBundle, facts: Derived) -> Finding | RuledOut | None:
    said = next(
        (
            each
            for each in bundle.prose
            if speaks_of(each.quote, "directory-replication-lag.said")
            and not speaks_of(each.quote, "directory-replication-lag.said-2")
        ),
        None,
    )
    versions: dict[str, dict[str, str]] = {}
    for connector in bundle.send_connectors:
        server = connector.server or connector.text("OriginatingServer", "PSComputerName")
        value = connector.certificate_name or connector.fqdn
        if server and value:
            versions.setdefault(connector.name, {})[server] = value
    split = next(((name, each) for name, each in versions.items() if len(set(each.values())) > 1), None)
    command = next((each for each in bundle.commands if "Set-SendConnector" in each.command), None)
    if split:
        name, by_server = split
        one = next(each for each in bundle.send_connectors if each.name == name)
        return found(
            "high",
            90,
            f"Send connector '{name}' has different values on {' and '.join(by_server)}: the directory has not replicated the change.",
            [cite(one.source, f"{server}: {value}") for server, value in by_server.items()],
            fix=(
                Fix(
                    "Windows",
                    "repadmin /syncall /AdeP   # then restart MSExchangeTransport on the servers that had the old value",
                ),
            ),
            verify="Get-SendConnector -DomainController of each site shows the same value.",
        )
    if (
        said
        and (command or next(bundle.prose_of("only-one-server", "changed-connector", "renewed-certificate"), None))
        and speaks_of(said.quote, "directory-replication-lag.shown")
    ):
        return found(
            "medium",
            95 if speaks_of(said.quote, "directory-replication-lag.shown-2") else 74,
            "The change of the send connector has not reached every Active Directory site.",
            [cite(said)] + ([cite(command.source, command.command)] if command else []),
            fix=(Fix("Windows", "repadmin /syncall /AdeP"),),
            verify="Get-SendConnector -DomainController of each site shows the same value.",
            missing=("Get-SendConnector | fl TlsCertificateName from a server of each site",),
        )
    return None


@rule("protocol-log-not-active", "M03", title="The protocol log was not active, so nothing is known yet", side="none")
def protocol_log_not_active(bundle: EvidenceBundle, facts: Derived) -> Finding | RuledOut | None:
    header_only = next(
        (
            each
            for each in bundle.read
            if each.kind in ("exchange-send-log", "exchange-receive-log", "protocol-log") and each.items == 0
        ),
        None,
    )
    none = next(
        (each for each in bundle.send_connectors if each.text("ProtocolLoggingLevel").casefold() == "none"), None
    )
    said = sentence(bundle, "protocol-log-not-active.said")
    if any(each.log == "send" for each in bundle.sessions):
        return None
    if not (header_only or said or (none and (said or header_only))):
        return None
    reply = next((each for each in bundle.replies if each.code >= 400), None)
    name = none.name if none else next((each.name for each in bundle.send_connectors), "")
    evidence = [cite(none.where("ProtocolLoggingLevel"), f"'{none.name}' ProtocolLoggingLevel None")] if none else []
    evidence += [cite(said)] if said else []
    evidence += [cite(Source(header_only.source), "only a header, no session")] if header_only else []
    return found(
        "high" if none and (said or header_only) else "low" if reply else "medium",
        80 if none and (said or header_only) else 58 if header_only and not reply else 44,
        "There is no protocol log to judge by: logging of this connector is off, or starts only after the transport service is restarted.",
        evidence,
        fix=(
            Fix(
                "Exchange",
                f"Set-SendConnector -Identity {argument(name or '<connector>')} -ProtocolLoggingLevel Verbose",
            ),
            Fix("Exchange", "Restart-Service MSExchangeTransport   # then send one message and look again"),
        ),
        verify="The SmtpSend folder holds a file with rows of a new session.",
        missing=("a send log of one failure",),
        symptom=True,
    )


@rule("edge-sync-not-run", "M04", title="The Edge server still has the old values", side="sender")
def edge_sync_not_run(bundle: EvidenceBundle, facts: Derived) -> Finding | RuledOut | None:
    said = sentence(bundle, "edge-sync-not-run.said")
    long_name = next((each for each in bundle.send_connectors if len(each.certificate_name) > 256), None)
    edge = [
        each for each in bundle.send_connectors if speaks_of(each.server + each.source.file, "edge-sync-not-run.edge")
    ]
    inside = [each for each in bundle.send_connectors if each not in edge]
    differs = next(
        (
            (a, b)
            for a in edge
            for b in inside
            if a.name.rpartition("- ")[2] == b.name.rpartition("- ")[2]
            and (a.certificate_name, a.fqdn, a.smart_hosts) != (b.certificate_name, b.fqdn, b.smart_hosts)
        ),
        None,
    )
    if long_name:
        return ruled_out(
            "TlsCertificateName is longer than EdgeSync carries (256 characters)",
            cite(long_name.where("TlsCertificateName"), "longer than 256 characters"),
        )
    if differs is None and said is None:
        return None
    evidence = []
    if differs:
        evidence = [
            cite(differs[0].source, f"on the Edge: {differs[0].certificate_name or differs[0].fqdn}"),
            cite(differs[1].source, f"inside: {differs[1].certificate_name or differs[1].fqdn}"),
        ]
    evidence += [cite(said)] if said else []
    return found(
        "high" if differs else "medium",
        91 if differs else 72,
        "The connector was changed inside, but the Edge server still works with the old values: EdgeSync has not run since.",
        evidence,
        fix=(Fix("Exchange", "Start-EdgeSynchronization -ForceFullSync; Test-EdgeSynchronization"),),
        verify="Get-SendConnector on the Edge shows the new values.",
    )


@rule(
    "certificate-connector-never-tested",
    "M05",
    title="The certificate connector never worked; the address connector hid it",
    side="tenant",
)
def certificate_connector_never_tested(bundle: EvidenceBundle, facts: Derived) -> Finding | RuledOut | None:
    refused = [each for each in bundle.replies if refused_by_attribution(each)]
    if not refused:
        return None
    off = [each for each in bundle.inbound_connectors if each.enabled is False and each.addresses]
    on = [each for each in bundle.inbound_connectors if each.enabled is not False and each.certificate_name.strip()]
    said = sentence(bundle, "certificate-connector-never-tested.said")
    if not said and not (off and on):
        return None
    names = [name for each in bundle.certificates if each.role == "sent" for name in each.all_names]
    if on and names and any(name_matches(on[0].certificate_name, each) for each in names) and not said:
        return None
    evidence = [cite(each.where("Enabled"), f"'{each.name}' (by address) Enabled False") for each in off[:1]]
    evidence += [
        cite(each.where("TlsSenderCertificateName"), f"'{each.name}' goes by {each.certificate_name}")
        for each in on[:1]
    ]
    evidence += [cite(said)] if said else []
    evidence.append(cite(refused[0]))
    seen = egress_addresses(bundle)
    by_address = bool(off) and any(lists_address(off[0], each.address) for each in seen if each.refused)
    strong = bool(said and off and on)
    return found(
        "medium",
        90 if strong else 80 if said else 76 if by_address and on else 46,
        "Since the connector by address was disabled, the connector by certificate has to match, and it does not; while both were enabled, nothing showed that.",
        evidence,
        fix=(
            Fix(
                "Exchange Online",
                f"Set-InboundConnector -Identity {argument(off[0].name)} -Enabled $true   # until the certificate is right",
            ),
        )
        if off and off[0].name
        else (),
        verify="With the address connector off for one test server only, a session that presents the certificate passes.",
        missing=("the certificate the server presents (send log row 'Sending certificate')",) if not names else (),
    )
