"""Family H: the mail goes to the wrong place, or is refused before it gets there."""

# ruff: noqa: E501 - a pattern or a sentence broken over lines reads worse

from shlex import quote as shell_quoted

from gatepost.doctor.addresses import joined, parsed_address, refused_by_attribution, without_port
from gatepost.doctor.derived import Derived
from gatepost.doctor.evidence import EvidenceBundle
from gatepost.doctor.finding import Cited, Finding, Fix, RuledOut, cite, found, rule, ruled_out
from gatepost.doctor.senders import accepted_domain_keys, is_local_name, senders
from gatepost.doctor.sentences import speaks_of
from gatepost.exchange.powershell import argument

"""A tenant's name, not a front end's."""


def _sending_domain(bundle: EvidenceBundle) -> str:
    """The sender's domain by its mail server's own settings; empty where they do not tell."""
    for name in ("mydomain", "myorigin", "myhostname"):
        setting = bundle.postfix_setting(name)
        value = setting.value.strip().casefold() if setting else ""
        if speaks_of(value, "endpoint.host-name") and not is_local_name(value):
            return value.partition(".")[2] if name == "myhostname" and value.count(".") > 1 else value
    return ""


def _own_endpoint(bundle: EvidenceBundle) -> str:
    """The name the tenant's mail exchanger should have, where the domain is known."""
    keys = sorted(accepted_domain_keys(bundle), key=lambda each: (each.endswith(".onmicrosoft.com"), each))
    if not keys and (domain := _sending_domain(bundle)):
        keys = [domain]
    if not keys:
        keys = [each.domain for each in senders(bundle) if _is_public(each.domain)]
    mx = next(
        (
            value.split()[-1].rstrip(".")
            for each in bundle.dns
            if each.kind == "MX"
            for value in each.values
            if "mail.protection" in value or "mx.microsoft" in value
        ),
        "",
    )
    return mx or (keys[0].replace(".", "-") + ".mail.protection.outlook.com" if keys else "")


def _is_public(domain: str) -> bool:
    """Whether it may have a mail exchanger at the service: a machine's own name inside has none."""
    return "." in domain and not is_local_name(domain)


def _set_smart_host(bundle: EvidenceBundle, host: str) -> tuple[Fix, ...]:
    fixes: list[Fix] = []
    connector = next((each for each in bundle.send_connectors if each.name), None)
    if connector is not None:
        fixes.append(
            Fix(
                "Exchange",
                f"Set-SendConnector -Identity {argument(connector.name)} -SmartHosts {argument(host)} -DNSRoutingEnabled $false",
            )
        )
    if bundle.postfix_settings or bundle.postfix_deliveries:
        fixes.append(Fix("Postfix", f"postconf -e {shell_quoted(f'relayhost=[{host}]:25')} && postfix reload"))
    if not fixes:
        fixes.append(
            Fix(
                "Exchange",
                f"Set-SendConnector -Identity '<connector>' -SmartHosts {argument(host)} -DNSRoutingEnabled $false",
            )
        )
    return tuple(fixes)


def _smart_host_sources(bundle: EvidenceBundle) -> list[tuple[str, Cited]]:
    """What the sender's side has as next hop, with where it says so."""
    found_: list[tuple[str, Cited]] = []
    for connector in bundle.send_connectors:
        found_ += [
            (host, cite(connector.where("SmartHosts"), f"send connector {connector.label} SmartHosts {host}"))
            for host in connector.smart_hosts
        ]
    for setting in bundle.postfix_settings:
        if setting.name in ("relayhost", "transport_maps") and setting.value:
            found_.append((setting.value, cite(setting.source, f"{setting.name} = {setting.value}")))
    found_ += [
        (each.relay, cite(each.source, f"relay={each.relay}")) for each in bundle.postfix_deliveries if each.relay
    ]
    found_ += [
        (each.next_hop or each.fqdn, cite(each.source, f"next hop {each.next_hop or each.fqdn}"))
        for each in bundle.queue_errors
        if each.next_hop or each.fqdn
    ]
    found_ += [
        (each.value, cite(each.source, f"{each.value} is named as where mail goes"))
        for each in bundle.names
        if speaks_of(each.value, "endpoint.legacy")
        or speaks_of(each.value, "endpoint.submission")
        or speaks_of(each.value, "endpoint.of-a-tenant")
    ]
    return found_


@rule("legacy-smart-host", "H01", title="The smart host is an old name or an address of the service", side="sender")
def legacy_smart_host(bundle: EvidenceBundle, facts: Derived) -> Finding | RuledOut | None:
    attr35 = next(
        (each for each in bundle.replies if "ATTR35" in (each.attr + each.text).upper() or each.enhanced == "4.4.62"),
        None,
    )
    hosts = _smart_host_sources(bundle)
    legacy = [each for each in hosts if speaks_of(each[0], "endpoint.legacy")]
    configured = [each for each in hosts if not each[1].says.startswith(("relay=", "next hop"))]
    literal = [
        each
        for each in configured
        if (address := parsed_address(without_port(each[0].strip("[]")))) is not None
        and address.is_global | _documentation(each[0])
    ]
    wrong = legacy or (literal if attr35 else [])
    if not wrong:
        right = [each for each in hosts if speaks_of(each[0], "endpoint.endpoint")]
        keys = accepted_domain_keys(bundle) or {_sending_domain(bundle)} - {""}
        labels = {key.replace(".", "-") for key in keys}
        if right and labels and not any(label in each[0] for label in labels for each in right):
            return None  # another tenant's
        if attr35 and right:
            if not bundle.inbound_connectors:
                return found(
                    "medium",
                    57,
                    "The smart host is the service's own name, so wrong region means here that no usable inbound connector was found (or the name is another tenant's).",
                    [cite(attr35.source, attr35.quote or attr35.text), right[0][1]],
                    verify="Compare the label of the smart host with your MX; look at Get-InboundConnector.",
                    missing=("Get-InboundConnector of the tenant",),
                )
            return ruled_out(
                f"the smart host {right[0][0]} is right; wrong region then means that no connector matched"
            )
        if attr35:
            return found(
                "medium",
                62,
                "The service says wrong region: the smart host is an old name, an address, or another tenant's; if it is right, no inbound connector matched.",
                [cite(attr35.source, attr35.quote or attr35.text)],
                verify="Compare the smart host with your MX record.",
                missing=("the smart host: Get-SendConnector | fl SmartHosts, or postconf relayhost",),
            )
        return None
    host = _own_endpoint(bundle)
    return found(
        "high" if attr35 else "medium",
        93 if attr35 else 60,
        f"Mail is handed to {wrong[0][0].strip('[]')}, {'a name the service left years ago' if legacy else 'a fixed address of the service'}; it belongs to your tenant's own mail exchanger.",
        [each[1] for each in wrong[:3]] + ([cite(attr35.source, attr35.quote or attr35.text)] if attr35 else []),
        fix=_set_smart_host(bundle, host or "<your MX name>.mail.protection.outlook.com"),
        verify="The session's banner is of your tenant's region and RCPT TO is answered 250.",
        missing=() if host else ("your MX record",),
    )


def _documentation(text: str) -> bool:
    return bool(speaks_of(text, "endpoint-documentation.shown"))


@rule(
    "smart-host-of-other-tenant", "H02", title="The smart host is another tenant's or another region's", side="sender"
)
def smart_host_of_other_tenant(bundle: EvidenceBundle, facts: Derived) -> Finding | RuledOut | None:
    keys = accepted_domain_keys(bundle) or frozenset({_sending_domain(bundle)} - {""})
    mx = [value.split()[-1].rstrip(".").casefold() for each in bundle.dns if each.kind == "MX" for value in each.values]
    trouble = next((each for each in bundle.replies if refused_by_attribution(each) or each.enhanced == "4.4.62"), None)
    own_labels = {key.replace(".", "-") for key in keys} | {
        key.partition(".")[0] + "-" + key.partition(".")[2].replace(".", "-") for key in keys
    }
    own_labels |= {host.partition(".")[0] for host in mx if "mail.protection" in host}
    if not own_labels:
        own = {each.domain for each in senders(bundle) if _is_public(each.domain)}
        own_labels = {each.replace(".", "-") for each in own} if len(own) == 1 else set()
        weak = True
    else:
        weak = False
    for host, cited in _smart_host_sources(bundle):
        name = without_port(host).strip("[]").casefold()
        name = name.partition("]")[0]
        if not speaks_of(name, "smart-host-of-other-tenant.shown") or trouble is None or not own_labels:
            continue
        label = name.partition(".")[0]
        if label in own_labels:
            return ruled_out(f"{name} is the tenant's own")
        if any(label.startswith(each) or each.startswith(label) or each.endswith(f"-{label}") for each in own_labels):
            continue  # the domain itself, or the one that it lies below
        right = _own_endpoint(bundle)
        said = next(bundle.prose_of("migrated"), None)
        attr35 = trouble.enhanced == "4.4.62"
        strong = not weak and attr35
        return found(
            "high" if strong else "medium",
            91 if strong else 68 if not weak else 50,
            f"Mail is handed to {name}, the mail exchanger of another tenant; yours would be {right}.",
            [cited, cite(trouble.source, trouble.quote or trouble.text)]
            + ([cite(said.source, said.quote)] if said else []),
            fix=_set_smart_host(bundle, right) if right and not weak else (),
            verify="The smart host equals your MX record.",
        )
    return None


@rule("submission-endpoint-for-relay", "H03", title="The submission host is used for anonymous relay", side="sender")
def submission_endpoint_for_relay(bundle: EvidenceBundle, facts: Derived) -> Finding | RuledOut | None:
    reply = next(
        (
            each
            for each in bundle.replies
            if each.enhanced == "5.7.57"
            or "client was not authenticated to send" in each.text.casefold()
            or "client not authenticated to send" in each.text.casefold()
        ),
        None,
    )
    hosts = [each for each in _smart_host_sources(bundle) if speaks_of(each[0], "endpoint.submission")]
    starttls = next((each for each in bundle.replies if each.enhanced == "5.7.3" and 400 <= each.code != 535), None)
    banner = next(
        (
            each
            for each in bundle.sessions
            if speaks_of(each.banner + each.remote_name, "endpoint.submission")
            or (
                speaks_of(each.banner, "submission-endpoint-for-relay.banner")
                and any(k.startswith("AUTH") for k in (*each.keywords, *each.keywords_after_tls))
            )
        ),
        None,
    )
    if reply is None and not (starttls and (hosts or banner)):
        return None
    trouble = reply or starttls
    assert trouble is not None
    host = _own_endpoint(bundle)
    return found(
        "high" if reply else "medium",
        94 if reply else 72,
        "The mail goes to the submission host (smtp.office365.com), which wants a user name; relaying by connector goes to the tenant's mail exchanger on port 25.",
        [cite(trouble.source, trouble.quote or trouble.text)] + [each[1] for each in hosts[:2]],
        fix=_set_smart_host(bundle, host)
        if host
        else (Fix("application", "server <your MX name>.mail.protection.outlook.com, port 25, TLS on, no user name"),),
        verify="The banner is ...mail.protection.outlook.com and RCPT TO is answered 250; an inbound connector must list the address or certificate.",
    )


@rule(
    "dns-routing-instead-of-smart-host",
    "H04",
    title="Mail leaves to the recipients' exchangers, not through the smart host",
    side="sender",
)
def dns_routing_instead_of_smart_host(bundle: EvidenceBundle, facts: Derived) -> Finding | RuledOut | None:
    attributed = any(map(refused_by_attribution, bundle.replies))
    for connector in bundle.send_connectors:
        if connector.enabled is False or connector.flag("DNSRoutingEnabled") is not True:
            continue
        spaces = [each.casefold() for each in connector.values("AddressSpaces")]
        hybrid = spaces and all("onmicrosoft.com" in each for each in spaces)
        if hybrid or attributed:
            continue
        thought = next((each for each in bundle.prose if speaks_of(each.quote, "endpoint.through-cloud")), None)
        elsewhere = [
            each
            for each in bundle.sessions
            if each.log == "send"
            and (not each.connector or each.connector == connector.name)
            and each.remote_name
            and "outlook.com" not in each.remote_name.casefold()
        ]
        elsewhere_replies = [
            each
            for each in bundle.replies
            if each.code >= 400
            and (each.said_by or thought)
            and "outlook.com" not in (each.said_by + each.trailer_host).casefold()
        ]
        if not (elsewhere or elsewhere_replies):
            continue
        host = _own_endpoint(bundle)
        where = elsewhere[0].source if elsewhere else elsewhere_replies[0].source
        peer = (elsewhere[0].remote_name if elsewhere else elsewhere_replies[0].said_by) or "the recipient's exchanger"
        return found(
            "high" if thought and not connector.smart_hosts else "medium",
            96 if thought and not connector.smart_hosts else 80,
            f"Send connector {connector.label} routes by DNS, so mail goes straight to {peer} instead of through the cloud relay.",
            [
                cite(
                    connector.where("DNSRoutingEnabled"),
                    f"DNSRoutingEnabled True, SmartHosts {joined(connector.smart_hosts) or 'empty'}",
                ),
                cite(where, f"the peer is {peer}"),
                *([cite(thought)] if thought else []),
            ],
            fix=(
                Fix(
                    "Exchange",
                    f"Set-SendConnector -Identity {argument(connector.name)} -DNSRoutingEnabled $false -SmartHosts {argument(host or '<your MX name>.mail.protection.outlook.com')}",
                ),
            ),
            verify="The next session's peer is the smart host.",
        )
    return None


@rule("other-cloud-tls-domain", "H05", title="TlsDomain is of another cloud than the smart host", side="sender")
def other_cloud_tls_domain(bundle: EvidenceBundle, facts: Derived) -> Finding | RuledOut | None:
    clouds = {
        "outlook.com": "mail.protection.outlook.com",
        "office365.us": "mail.protection.office365.us",
        "partner.outlook.cn": "mail.protection.partner.outlook.cn",
    }

    def cloud(text: str) -> str:
        folded = text.casefold().rstrip(".")
        return next(
            (
                each
                for each in ("partner.outlook.cn", "office365.us", "outlook.com")
                if folded.endswith("protection." + each)
            ),
            "",
        )

    for connector in bundle.send_connectors:
        wanted = cloud(connector.text("TlsDomain"))
        peers = [(host, connector.where("SmartHosts")) for host in connector.smart_hosts]
        peers += [(each.remote_name, each.source) for each in bundle.sessions if each.remote_name]
        peers += [(value.split()[-1], each.source) for each in bundle.dns if each.kind == "MX" for value in each.values]
        peers += [(each.fqdn, each.source) for each in bundle.queue_errors if each.fqdn]
        peers += [
            (name, each.source) for each in bundle.certificates if each.role == "remote" for name in each.all_names
        ]
        real = next(((host, source) for host, source in peers if cloud(host)), None)
        if not wanted or real is None:
            continue
        if cloud(real[0]) == wanted or any(cloud(host) == wanted for host, _ in peers):
            return ruled_out(f"TlsDomain and the peer are of the same cloud ({wanted})")
        return found(
            "high",
            93,
            f"Send connector {connector.label} demands a certificate for {connector.text('TlsDomain')}, but the mail goes to {real[0]}, in another cloud.",
            [
                cite(connector.where("TlsDomain"), f"TlsDomain {connector.text('TlsDomain')}"),
                cite(real[1], f"peer {real[0]}"),
            ],
            fix=(
                Fix(
                    "Exchange",
                    f"Set-SendConnector -Identity {argument(connector.name)} -TlsDomain {clouds[cloud(real[0])]}",
                ),
            ),
            verify="The queue drains; the log shows MAIL FROM after the handshake.",
        )
    return None
