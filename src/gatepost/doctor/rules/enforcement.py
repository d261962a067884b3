"""Family L: the service refuses for what it knows of the sender or tenant; no connector will change it."""

# ruff: noqa: E501 - a pattern or a sentence broken over lines reads worse

import re

from gatepost.doctor.addresses import weighed
from gatepost.doctor.derived import Derived
from gatepost.doctor.evidence import EvidenceBundle, ReplySeen
from gatepost.doctor.finding import Finding, Fix, RuledOut, cite, found, rule
from gatepost.doctor.senders import domain_of, senders


def _reply(bundle: EvidenceBundle, enhanced: str, words: str = r"(?!)") -> ReplySeen | None:
    code = re.compile(enhanced + r"\Z")
    text = re.compile(words, re.IGNORECASE)
    return next(
        (each for each in bundle.replies if each.code >= 400 and (code.match(each.enhanced) or text.search(each.text))),
        None,
    )


@rule("exchange-build-too-old", "L01", title="The sending Exchange server is out of date", side="sender")
def exchange_build_too_old(bundle: EvidenceBundle, facts: Derived) -> Finding | RuledOut | None:
    reply = _reply(bundle, r"[45]\.7\.230", r"Exchange server version is out.of.date")
    if reply is None:
        return None
    rate = re.search(r"(throttled|blocked) for (\d+) min", reply.text, re.IGNORECASE)
    return found(
        "high",
        weighed(bundle, reply, 96),
        f"The service {rate[1] if rate else 'throttles'} mail of this Exchange server because its build is out of date{f' ({rate[2]} minutes an hour)' if rate else ''}; applies to OnPremises connectors.",
        [cite(reply.source, reply.quote or reply.text)],
        fix=(
            Fix("Exchange", "# install the current cumulative and security update (HealthChecker.ps1 names it)"),
            Fix(
                "Exchange Online",
                "New-TenantExemptionInfo -BlockingScenario UnpatchedOnPremServer -NumberOfDays 30   # a pause, up to 90 days a year",
            ),
        ),
        verify="Get-OnPremServerReportInfo no longer lists the server.",
    )


@rule(
    "unregistered-sending-domains",
    "L02",
    title="Too much mail from domains the tenant has not registered",
    side="tenant",
)
def unregistered_sending_domains(bundle: EvidenceBundle, facts: Derived) -> Finding | RuledOut | None:
    reply = _reply(bundle, r"5\.7\.750", r"unregistered domains")
    if reply is None:
        return None
    domains = sorted(
        {each.domain for each in senders(bundle) if each.domain} | {domain_of(reply.reverse_path or "")} - {""}
    )
    return found(
        "high",
        weighed(bundle, reply, 96),
        "The tenant is blocked for sending much mail from domains that are not its accepted domains.",
        [cite(reply.source, reply.quote or reply.text)],
        fix=(
            Fix(
                "Exchange Online",
                f"# register the sending domains{f' ({chr(44).join(domains)})' if domains else ''} as accepted domains, stop what sends from others (report: Non-accepted domain), then ask support to lift the block",
            ),
        ),
        verify="The Non-accepted domain report is empty for a day.",
    )


@rule("tenant-or-address-reputation", "L03", title="The tenant's or the address's reputation", side="sender")
def tenant_or_address_reputation(bundle: EvidenceBundle, facts: Derived) -> Finding | RuledOut | None:
    reply = _reply(
        bundle,
        r"5\.7\.70[0-9]|5\.7\.711|5\.7\.50[1-3]|4\.7\.(?:5\d\d|6\d\d|7\d\d|8\d\d)|5\.1\.8",
        r"tenant has exceeded threshold|traffic not accepted from this IP|bad inbound connector",
    )
    if reply is None:
        return None
    blocked = reply.enhanced == "5.7.711"
    return found(
        "high",
        weighed(bundle, reply, 94),
        "The inbound connector is blocked as suspicious: mail over it looked abused."
        if blocked
        else f"The service limits this {'address' if reply.enhanced in ('5.7.708',) or reply.enhanced.startswith('4.7') else 'tenant'} for its reputation ({reply.enhanced}); the connector is not the reason.",
        [cite(reply.source, reply.quote or reply.text)],
        fix=(
            Fix(
                "Exchange Online",
                "Get-BlockedConnector; Remove-BlockedConnector -ConnectorId '<id>'   # once the abused account or server is found and secured"
                if blocked
                else "# find and stop the unwanted mail, then open a support request with the reply",
            ),
        ),
        verify="New mail is answered 250; unblocking takes up to an hour.",
    )


@rule("external-recipient-rate", "L04", title="The tenant's daily limit for outside recipients", side="tenant")
def external_recipient_rate(bundle: EvidenceBundle, facts: Derived) -> Finding | RuledOut | None:
    reply = _reply(bundle, r"5\.7\.23[236]", r"exceeded its daily limit for sending email to external recipients")
    if reply is None:
        return None
    moera = reply.enhanced == "5.7.236"
    return found(
        "high",
        weighed(bundle, reply, 96),
        "The tenant has used up its daily limit of outside recipients"
        + (" for its onmicrosoft.com domains." if moera else "."),
        [cite(reply.source, reply.quote or reply.text)],
        fix=(
            Fix(
                "application",
                "send from a domain of your own instead of onmicrosoft.com"
                if moera
                else "spread the mailing over days, or send bulk mail over a service made for it",
            ),
        ),
        verify="The limit is over a rolling 24 hours; mail passes again afterwards.",
    )


@rule("basic-auth-retired", "L05", title="SMTP AUTH with a password is disabled", side="sender")
def basic_auth_retired(bundle: EvidenceBundle, facts: Derived) -> Finding | RuledOut | None:
    reply = _reply(
        bundle,
        r"5\.7\.(?:139|3\b(?!))|5\.7\.30",
        r"SmtpClientAuthentication is disabled|basic authentication is (?:disabled|not supported)|authentication unsuccessful.{0,190}(?:disabled|security defaults|blocked)",
    )
    if reply is None:
        return None
    return found(
        "high",
        weighed(bundle, reply, 95),
        "The device logs in with a password (SMTP AUTH), and that is disabled for the tenant or mailbox; no connector is involved yet.",
        [cite(reply.source, reply.quote or reply.text)],
        fix=(
            Fix(
                "Exchange Online",
                "New-InboundConnector -Name 'Devices' -ConnectorType OnPremises -SenderDomains * -SenderIPAddresses '<public address>'   # relay by connector; on the device: the MX name, port 25, no user name",
            ),
            Fix("application", "or log in with OAuth; for inside recipients only, High Volume Email"),
        ),
        verify="A test page from the device arrives inside and outside.",
    )
