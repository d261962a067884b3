"""What the hybrid configuration and the service themselves say of the connectors."""

# ruff: noqa: E501 - a sentence broken over lines reads worse

from collections.abc import Iterator

from gatepost.doctor.causes import cause_named
from gatepost.doctor.certificates_told import at, is_self_signed, shown
from gatepost.doctor.checks.check import Check
from gatepost.doctor.evidence import CertificateSeen
from gatepost.doctor.path.objects import MailPath, Pin, Store
from gatepost.doctor.path.told import inferred, seen
from gatepost.doctor.repairs import Advice
from gatepost.exchange.distinguished_names import issuer_and_subject
from gatepost.exchange.objects import TransportService
from gatepost.exchange.powershell import argument


def wizard_names_a_stored_certificate(path: MailPath) -> Iterator[Check]:
    """Get-HybridConfiguration keeps the certificate of the wizard's last run; the connectors were set from it."""
    for configuration in path.bundle.transport_services:
        pin = _pin_of(configuration)
        if pin is None or not _is_hybrid(configuration) or any(end.pin for end in path.ends_now()):
            continue
        for store in path.stores:
            if store.when == "now" and store.whole and not store.may_hold(pin) and (new := _successor(store, pin)):
                yield _stale(configuration, pin, new)
                return


def _is_hybrid(configuration: TransportService) -> bool:
    return any(configuration.has(each) for each in ("SendingTransportServers", "ReceivingTransportServers")) or (
        configuration.cmdlet.casefold() == "hybridconfiguration"
    )


def _pin_of(configuration: TransportService) -> Pin | None:
    told = configuration.text("TlsCertificateName")
    pair = issuer_and_subject(told)
    return Pin(issuer=pair[0], subject=pair[1], text=told.strip()) if pair else None


def _successor(store: Store, pin: Pin) -> CertificateSeen | None:
    """The stored certificate for the same name, of longest life."""
    found = [each for each in store.covering(pin.host) if not is_self_signed(each)]
    return max(found, key=lambda each: at(each.not_after) or 0.0, default=None)


def _stale(configuration: TransportService, pin: Pin, new: CertificateSeen) -> Check:
    which = f"-Thumbprint {new.thumbprint}" if new.thumbprint else f"-DomainName {pin.host}"
    take = f"$cert = Get-ExchangeCertificate {which}"
    value = '"<I>$($cert.Issuer)<S>$($cert.Subject)"'
    return Check(
        cause="connector-names-missing-certificate",
        catalogue=("B01", "K01", "G10"),
        standing="broken",
        subject="hybrid configuration",
        says=f"The hybrid configuration, and with it the connectors that the wizard made, still names {pin.text}; the store holds {shown(new)} by another issuer or subject.",
        premises=(
            seen(pin, configuration, f"TlsCertificateName {pin.text}"),
            inferred(new, new, f"stored: {new.thumbprint or shown(new)}"),
        ),
        explains=frozenset(
            ("no-certificate-found", "no-starttls", "nothing-goes", "nothing-comes", "listener-refused")
        ),
        edits=(
            Advice(
                "Exchange",
                f"{take}; Get-SendConnector | Where-Object CloudServicesMailEnabled | Set-SendConnector -TlsCertificateName {value}",
            ),
            Advice(
                "Exchange",
                f"{take}; Get-ReceiveConnector | Where-Object TlsCertificateName | Set-ReceiveConnector -TlsCertificateName {value}",
            ),
            Advice(
                "Exchange",
                f"{take}; Set-HybridConfiguration -TlsCertificateName {value}; Restart-Service MSExchangeTransport; Restart-Service MSExchangeFrontEndTransport",
            ),
        ),
        verify="The next session's log shows the new thumbprint, and EHLO from outside lists STARTTLS.",
        alone=True,
        place=10,
    )


def outbound_policy_can_be_met(path: MailPath) -> Iterator[Check]:
    """An outbound connector that demands DANE delivers nothing to a domain which publishes no TLSA record (RFC 7672 2.2)."""
    for connector in path.bundle.outbound_connectors:
        if connector.text("SmtpDaneMode").casefold() != "mandatory" or connector.enabled is False:
            continue
        bare = [each for each in path.bundle.dns if each.kind == "TLSA" and not each.values]
        domains = [
            each.casefold()
            for each in connector.values("RecipientDomains")
            if any(answer.name.casefold().rstrip(".").endswith(each.casefold()) for answer in bare)
        ]
        waiting = path.symptoms_of(("dane-or-mta-sts", "nothing-goes"))
        if not domains and not waiting:
            continue
        named = connector.name or "<connector>"
        yield Check(
            cause="recipient-policy-demands-tls",
            standing="broken",
            subject=named,
            says=f"Connector {connector.label} demands DANE (SmtpDaneMode Mandatory)"
            + (
                f", and {', '.join(domains)} publishes no TLSA record: its mail waits and is returned after a day."
                if domains
                else "; mail to a domain without valid TLSA records waits and is returned after a day."
            ),
            premises=(
                seen("Mandatory", connector, f"{connector.label}: SmtpDaneMode Mandatory"),
                *(
                    (seen(bare[0], bare[0], f"{bare[0].name}: no TLSA record"),)
                    if domains
                    else (inferred(waiting[0], waiting[0].fact, waiting[0].says),)
                ),
            ),
            explains=frozenset(("dane-or-mta-sts", "nothing-goes")),
            edits=(
                Advice(
                    "Exchange Online", f"Set-OutboundConnector -Identity {argument(named)} -SmtpDaneMode Opportunistic"
                ),
                Advice(
                    "Exchange Online",
                    f"Set-OutboundConnector -Identity {argument(named)} -RecipientDomains '<the domains that publish TLSA>'   # or this: leave the others to a connector of their own",
                ),
            ),
            verify="Waiting mail goes within the next retry.",
            alone=bool(domains),
            place=85,
        )
        return


def rule_that_routes_acts(path: MailPath) -> Iterator[Check]:
    """A connector for mail flow rules only carries what a rule sends to it, and a rule that is off or only tried sends
    nothing: nobody gets an error, the mail takes another way."""
    scoped = [each for each in path.bundle.outbound_connectors if each.flag("IsTransportRuleScoped")]
    for connector in scoped:
        rules = [
            each
            for each in path.bundle.transport_services
            if each.text("RouteMessageOutboundConnector").casefold() == connector.name.casefold() != ""
        ]
        if not rules or any(_acts(each) for each in rules):
            continue
        rule = rules[0]
        name = rule.text("Name") or rule.text("Identity")
        off = rule.text("State").casefold() == "disabled"
        how = "is disabled" if off else f"runs in mode {rule.text('Mode')}, which changes nothing"
        command = (
            f"Enable-TransportRule -Identity {argument(name)}"
            if off
            else f"Set-TransportRule -Identity {argument(name)} -Mode Enforce"
        )
        yield Check(
            cause="routing-rule-does-not-act",
            standing="broken",
            subject=connector.name,
            says=f"Connector {connector.label} carries only what mail flow rules send to it, and the rule '{name}' that routes to it {how}: its mail leaves by another way, without any error.",
            premises=(
                seen(True, connector, f"{connector.label}: IsTransportRuleScoped True"),
                seen(name, rule, f"'{name}': State {rule.text('State')}, Mode {rule.text('Mode')}"),
            ),
            explains=frozenset(("nothing-goes",)),
            edits=(Advice("Exchange Online", f"{command}   # the mail flow rule routes again within the hour"),),
            verify="The next message that the rule is for shows the connector in its trace.",
            alone=True,
            place=80,
        )


def _acts(rule: TransportService) -> bool:
    return rule.text("State").casefold() != "disabled" and rule.text("Mode").casefold() in ("", "enforce")


def connectors_are_not_blocked(path: MailPath) -> Iterator[Check]:
    """Get-BlockedConnector lists the connector, with why."""
    for listed in path.bundle.transport_services:
        identity = listed.text("ConnectorId")
        if not identity or not listed.has("Reason"):
            continue
        cause = cause_named("inbound-connector-blocked")
        yield Check(
            cause=cause.id,
            standing="broken",
            subject=cause.id,
            says=cause.says,
            premises=(seen(identity, listed, f"Get-BlockedConnector: {identity}, {listed.text('Reason')[:120]}"),),
            explains=frozenset(("connector-blocked", "bad-reputation")),
            edits=(
                Advice(
                    "network",
                    "First find the host or account that sent what was counted as spam, and stop it: the mail log by client, or the message trace by sender",
                ),
                Advice(
                    "Exchange Online",
                    f"Remove-BlockedConnector -ConnectorId {identity}   # admin centre: Restricted entities",
                ),
            ),
            verify=cause.verify,
            alone=True,
            place=88,
        )
        return
