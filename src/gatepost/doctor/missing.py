"""What to bring next, most telling first, and only what is not there yet."""

from collections.abc import Iterator

from gatepost.doctor.addresses import egress_addresses
from gatepost.doctor.derived import Derived
from gatepost.doctor.evidence import EvidenceBundle


def missing(bundle: EvidenceBundle, facts: Derived) -> tuple[str, ...]:
    """The ordered list."""
    if (facts.tls_failures or facts.lost_after_certificate) and not bundle.replies:
        return tuple(_after_a_failed_handshake(bundle, facts))
    return tuple(_missing(bundle, facts))


def _after_a_failed_handshake(bundle: EvidenceBundle, facts: Derived) -> Iterator[str]:
    """Nobody was asked for a tenant yet: what tells is both ends' view of the handshake."""
    peers = [each.peer for each in bundle.postfix_tls] + [each.peer for each in bundle.tls]
    host = next(filter(None, peers), "HOST")
    yield (
        f"openssl s_client -starttls smtp -connect {host}:25 </dev/null from the sending server, again with -tls1_2,"
        " and where a client certificate is set for sending with -cert FILE -key FILE: which of them ends well"
    )
    yield "the relay's own log of that session: why it hung up"
    if not _has_log(bundle):
        yield "the sending server's protocol log around one failure (SmtpSend, or the mail log)"
    yield from _certificate(bundle)
    yield from _beginning(bundle, facts)


def _missing(bundle: EvidenceBundle, facts: Derived) -> Iterator[str]:
    replies = bundle.replies
    if not any(each.trailer_host or each.said_by for each in replies) and not bundle.sessions:
        yield "the full reply with the bracket at its end, and the SMTP command it answered"
    if not any(bundle.prose_of("only-external", "internal-works", "everything", "only-null-sender", "only-forwarded")):
        yield "whether recipients in your own tenant still get mail, or only outside ones bounce"
    if not bundle.inbound_connectors and not any(each.role == "sent" for each in bundle.certificates):
        yield "whether the connector goes by a certificate name or by addresses"
    yield from _beginning(bundle, facts)
    if not _has_log(bundle):
        yield "the sending server's protocol log around one failure (SmtpSend, or the mail log)"
    yield from _certificate(bundle)
    if not bundle.inbound_connectors:
        yield "the connectors of the tenant that refuses: Get-InboundConnector | ConvertTo-Json"
    if not bundle.accepted_domains:
        yield "its accepted domains: Get-AcceptedDomain"
    paths = [each.reverse_path for each in bundle.sessions] + [each.reverse_path for each in replies]
    paths += [each.reverse_path for each in bundle.postfix_deliveries]
    if all(each is None for each in paths):
        yield "the envelope sender (MAIL FROM), and whether it was empty"
    if not egress_addresses(bundle):
        yield "the address your mail leaves from as seen outside, IPv4 and IPv6"


def _has_log(bundle: EvidenceBundle) -> bool:
    return bool(bundle.sessions or bundle.postfix_tls or bundle.postfix_deliveries or bundle.exim)


def _beginning(bundle: EvidenceBundle, facts: Derived) -> Iterator[str]:
    told = bundle.prose_of("renewed-certificate", "changed-network", "ran-hcw", "migrated", "changed-connector")
    if not any(told) and facts.renewal is None:
        yield "when it began and what changed: certificate renewal, ISP or firewall, Hybrid Configuration Wizard"


def _certificate(bundle: EvidenceBundle) -> Iterator[str]:
    if not bundle.certificates:
        yield "the certificate with its chain as PEM"
