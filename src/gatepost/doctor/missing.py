"""What to bring next, most telling first, only what is not there yet, and with the command that shows it on that system.

What flows: the path and what the evidence derives to. Law: a command names the host, recipient or connector that the
evidence shows; what nothing shows stands in capitals.
"""

# ruff: noqa: E501 - a command broken over lines cannot be copied

from collections.abc import Iterator
from typing import Final

from gatepost.doctor.addresses import egress_addresses
from gatepost.doctor.derived import Derived
from gatepost.doctor.evidence import EvidenceBundle
from gatepost.doctor.gaps import sender_name
from gatepost.doctor.path import values
from gatepost.doctor.path.objects import MailPath
from gatepost.doctor.path.software import programs_of
from gatepost.exchange.powershell import argument

_CONNECTORS: Final = "Get-InboundConnector | Format-List Name,Enabled,ConnectorType,TlsSenderCertificateName,SenderIPAddresses,SenderDomains,RestrictDomains*"


def missing(path: MailPath, facts: Derived) -> tuple[str, ...]:
    """The ordered list."""
    if (facts.tls_failures or facts.lost_after_certificate) and not path.bundle.replies:
        return tuple(_after_a_failed_handshake(path, facts))
    return tuple(_missing(path, facts))


def _after_a_failed_handshake(path: MailPath, facts: Derived) -> Iterator[str]:
    """Nobody was asked for a tenant yet: what tells is both ends' view of the handshake."""
    yield from _by_hand(path)
    yield "the relay's own log of that session: why it hung up"
    if not _has_log(path.bundle):
        yield _log(path)
    yield from _certificate(path)
    yield from _beginning(path.bundle, facts)


def _by_hand(path: MailPath) -> Iterator[str]:
    bundle = path.bundle
    peers = [each.peer for each in bundle.postfix_tls] + [each.peer for each in bundle.tls]
    host = next(filter(None, peers), "") or values.next_hop(path) or "HOST"
    yield (
        f"openssl s_client -starttls smtp -connect {host}:25 </dev/null from the sending server, again with -tls1_2,"
        " and where a client certificate is set for sending with -cert FILE -key FILE: which of them ends well"
    )
    if "Postfix" in programs_of(bundle):
        yield f"posttls-finger -c -l may -L summary,ssl-debug {host}, and the log with smtp_tls_loglevel = 2 for that host"


def _missing(path: MailPath, facts: Derived) -> Iterator[str]:
    bundle, replies = path.bundle, path.bundle.replies
    if facts.tls_failures:
        yield from _by_hand(path)
    if not any(each.trailer_host or each.said_by for each in replies) and not bundle.sessions:
        yield f"the full reply with the bracket at its end, and the SMTP command it answered: {_where_the_reply_stands(path)}"
    if not any(bundle.prose_of("only-external", "internal-works", "everything", "only-null-sender", "only-forwarded")):
        yield "whether recipients in your own tenant still get mail, or only outside ones bounce"
    if not bundle.inbound_connectors and not any(each.role == "sent" for each in bundle.certificates):
        yield "whether the connector goes by a certificate name or by addresses"
    yield from _beginning(bundle, facts)
    if not _has_log(bundle):
        yield _log(path)
    yield from _certificate(path)
    if not bundle.inbound_connectors:
        yield f"the connectors of the tenant that refuses: {_CONNECTORS}"
    if not bundle.accepted_domains:
        yield "its accepted domains: Get-AcceptedDomain"
    paths = [each.reverse_path for each in bundle.sessions] + [each.reverse_path for each in replies]
    paths += [each.reverse_path for each in bundle.postfix_deliveries]
    if all(each is None for each in paths):
        yield "the envelope sender (MAIL FROM), and whether it was empty"
    if not egress_addresses(bundle):
        yield "the public address your mail leaves from, IPv4 and IPv6: Hello [address] in the service's EHLO answer, or curl -4 https://ifconfig.me and curl -6 https://ifconfig.me on the sending server"


def _has_log(bundle: EvidenceBundle) -> bool:
    return bool(bundle.sessions or bundle.postfix_tls or bundle.postfix_deliveries or bundle.exim)


_LOGS: Final = {
    "Postfix": "grep {word} /var/log/mail.log, and postconf -n",
    "Exim": "exigrep {word} /var/log/exim4/mainlog",
    "sendmail": "grep {word} /var/log/maillog",
    "OpenSMTPD": "grep {word} /var/log/maillog",
    "qmail": "grep {word} /var/log/qmail/current",
}


def _log(path: MailPath) -> str:
    what = "the sending server's protocol log around one failure"
    there = programs_of(path.bundle)
    program = next((each for each in _LOGS if each in there), "")
    if program:
        return f"{what}: {_LOGS[program].format(word=values.recipient(path) or values.next_hop(path) or 'RECIPIENT')}"
    if "Exchange" in there:
        connector = sender_name(path)
        identity = argument(connector) if connector else "CONNECTOR"
        return f"{what}: Set-SendConnector -Identity {identity} -ProtocolLoggingLevel Verbose, then one message; it is in TransportRoles\\Logs\\Hub\\ProtocolLog\\SmtpSend"
    return f"{what} (Exchange: SmtpSend; elsewhere the mail log)"


def _where_the_reply_stands(path: MailPath) -> str:
    if "Exchange" in programs_of(path.bundle):
        return "Get-Queue | Format-List Identity,NextHopDomain,Status,LastError, or the bounce with its headers"
    if path.bundle.traced:
        return f"Get-MessageTraceV2 -RecipientAddress {values.recipient(path) or 'RECIPIENT'} | Get-MessageTraceDetailV2 | Format-List Event,Detail"
    return "the bounce with its headers, or the mail log's line of that message"


def _beginning(bundle: EvidenceBundle, facts: Derived) -> Iterator[str]:
    told = bundle.prose_of("renewed-certificate", "changed-network", "ran-hcw", "migrated", "changed-connector")
    if not any(told) and facts.renewal is None:
        yield "when it began and what changed: certificate renewal, ISP or firewall, Hybrid Configuration Wizard"


def _certificate(path: MailPath) -> Iterator[str]:
    if path.bundle.certificates:
        return
    what = "the certificate with its chain as PEM"
    if "Exchange" in programs_of(path.bundle):
        what += ", and Get-ExchangeCertificate | Format-List Thumbprint,Services,Status,NotAfter,Issuer,Subject,HasPrivateKey"
    yield what
