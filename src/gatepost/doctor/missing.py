"""What to bring next, most telling first, and only what is not there yet."""

from collections.abc import Iterator

from gatepost.doctor.addresses import egress_addresses
from gatepost.doctor.evidence import EvidenceBundle


def missing(bundle: EvidenceBundle) -> tuple[str, ...]:
    """The ordered list."""
    return tuple(_missing(bundle))


def _missing(bundle: EvidenceBundle) -> Iterator[str]:
    replies = bundle.replies
    if not any(each.trailer_host or each.said_by for each in replies) and not bundle.sessions:
        yield "the full reply with the bracket at its end, and the SMTP command it answered"
    if not any(bundle.prose_of("only-external", "internal-works", "everything", "only-null-sender", "only-forwarded")):
        yield "whether recipients in your own tenant still get mail, or only outside ones bounce"
    if not bundle.inbound_connectors and not any(each.role == "sent" for each in bundle.certificates):
        yield "whether the connector goes by a certificate name or by addresses"
    if not any(bundle.prose_of("renewed-certificate", "changed-network", "ran-hcw", "migrated", "changed-connector")):
        yield "when it began and what changed: certificate renewal, ISP or firewall, Hybrid Configuration Wizard"
    if not bundle.sessions and not bundle.postfix_tls and not bundle.exim:
        yield "the sending server's protocol log around one failure (SmtpSend, or the mail log)"
    if not bundle.certificates:
        yield "the certificate with its chain as PEM"
    if not bundle.inbound_connectors:
        yield "the connectors of the tenant that refuses: Get-InboundConnector | ConvertTo-Json"
    if not bundle.accepted_domains:
        yield "its accepted domains: Get-AcceptedDomain"
    paths = [each.reverse_path for each in bundle.sessions] + [each.reverse_path for each in replies]
    if all(each is None for each in paths):
        yield "the envelope sender (MAIL FROM), and whether it was empty"
    if not egress_addresses(bundle):
        yield "the address your mail leaves from as seen outside, IPv4 and IPv6"
