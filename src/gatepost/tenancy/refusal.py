"""What a refused peer is told: one line with the reason code, one fact, and where to look for the rest.

Law: a fact is made from the evidence alone. Nothing here can see a connector, so nothing here can give one away.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from gatepost.mail.address import Mailbox
from gatepost.mail.reply import LONGEST_REPLY_LINE, Reply
from gatepost.tenancy.evidence import CertificateFacts, Evidence, PresentedCertificate
from gatepost.tenancy.reasons import ReasonCode

_LONGEST_NAME = 80
_NAMES_SHOWN = 3

RELAY_DENIED: Final = (550, "7.64", "TenantAttribution; Relay Access Denied")
SOURCE_DENIED: Final = (
    550,
    "7.51",
    "TenantInboundAttribution; Recipient domain only accepts this mail from its own connectors",
)
DIRECT_SEND_DENIED: Final = (
    550,
    "7.68",
    "TenantInboundAttribution; Sender domain belongs to the recipient but the source is not recognised",
)
ENCRYPTION_NEEDED: Final = "TenantAttribution; Encryption Needed"


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why the peer is refused, in what may be said to it."""

    code: int
    status: str
    """Subject and detail of the enhanced status code: `7.64`."""
    title: str
    reason: ReasonCode
    fact: str
    """Something the peer presented itself, short and printable."""


def refusal_reply(refusal: Refusal, host: str, at: datetime, session_id: str, help_link: str | None = None) -> Reply:
    """One line of at most 512 octets (RFC 5321 4.5.3.1.5). What is too long is cut from the fact: without the trailer
    nobody finds the session again."""
    stamp = at.astimezone(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00")
    head = f"{refusal.title}; {refusal.reason}"
    trailer = f" [{host} {stamp}Z {session_id}]"
    room = LONGEST_REPLY_LINE - len("\r\n") - len(f"{refusal.code} 5.{refusal.status} ") - len(head) - len(trailer)
    link = f" see {printable(help_link)}" if help_link else ""
    if len(link) > room:
        link = ""
    fact = _shortened(printable(refusal.fact), room - len(link) - 1)
    return Reply(refusal.code, refusal.status, (f"{head}{' ' if fact else ''}{fact}{link}{trailer}",))


def printable(text: str) -> str:
    """Printable ASCII without square brackets, which belong to the trailer: a peer's words cannot fake one."""
    if text.isascii() and text.isprintable() and "[" not in text and "]" not in text:
        return text
    return "".join(
        "(" if char == "[" else ")" if char == "]" else char if char.isascii() and char.isprintable() else "?"
        for char in text
    )


def _shortened(text: str, room: int) -> str:
    if len(text) <= room:
        return text
    return text[: room - 3] + "..." if room > 3 else ""


def fact(code: ReasonCode, evidence: Evidence, at: datetime, presented: str | None = None) -> str:
    """The fact that goes with `code`. `presented`: the certificate name that was decisive, where one was."""
    return printable(_FACTS[code](_Facts(evidence, at, presented)))


@dataclass(frozen=True, slots=True)
class _Facts:
    evidence: Evidence
    at: datetime
    presented: str | None

    def address(self) -> str:
        return f"address {self.evidence.address}"

    def reverse_path(self) -> str:
        path = self.evidence.reverse_path
        return f"reverse-path domain {path.domain}" if isinstance(path, Mailbox) else "a null reverse-path"

    def address_and_reverse_path(self) -> str:
        return f"{self.address()} with {self.reverse_path()}"

    def recipient(self) -> str:
        return f"recipient domain {self.evidence.forward_paths[-1].domain} from {self.address()}"

    def encryption(self) -> str:
        return "this session is not encrypted"

    def certificate(self) -> str:
        certificate = self.evidence.certificate
        if certificate is None:
            return self.no_certificate()
        return f"certificate {self.presented or _name(certificate.leaf)}"

    def certificate_as_it_is(self) -> str:
        """For a demand that only a good certificate meets: what is wrong with the one presented, if anything."""
        certificate = self.evidence.certificate
        if isinstance(certificate, PresentedCertificate):
            return f"{self.certificate()}, which did not verify{self.cause(certificate)}"
        return self.certificate()

    def certificate_with_reverse_path(self) -> str:
        return f"{self.certificate()} with {self.reverse_path()}"

    def certificate_or_address(self) -> str:
        return self.certificate() if self.presented else self.address()

    def no_certificate(self) -> str:
        if self.evidence.tls is None:
            return "no client certificate, since STARTTLS was not used"
        return "no client certificate in this TLS session"

    def names(self) -> str:
        if (certificate := self.evidence.certificate) is None:
            return self.no_certificate()
        names = certificate.leaf.names
        if not names:
            return f"certificate {_name(certificate.leaf)}, which has no DNS name"
        more = f" and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else ""
        shown = ", ".join(name[:_LONGEST_NAME] for name in names[:_NAMES_SHOWN])
        return f"certificate name{'s' if len(names) > 1 else ''} {shown}{more}"

    def expired(self) -> str:
        late = self._first(lambda each: each.not_after is not None and each.not_after < self.at)
        return f"{self._of_chain(late)} expired {_day(late.not_after if late else None)}"

    def not_yet_valid(self) -> str:
        early = self._first(lambda each: each.not_before is not None and each.not_before > self.at)
        return f"{self._of_chain(early)} is valid from {_day(early.not_before if early else None)}"

    def self_signed(self) -> str:
        return f"{self.certificate()} is self-signed"

    def issuer(self) -> str:
        certificate = self.evidence.certificate
        return f"{self.certificate()} issued by {_short(certificate.leaf.issuer) if certificate else 'nobody'}"

    def alone(self) -> str:
        """The issuer that is missing; above more than the leaf where more was sent."""
        certificate = self.evidence.certificate
        missing = certificate.missing_issuer if isinstance(certificate, PresentedCertificate) else ""
        if certificate and missing and missing != certificate.leaf.issuer:
            return f"{self.certificate()} came without {_short(missing)}, which issued the last certificate sent"
        return f"{self.issuer()}, which was not sent"

    def purposes(self) -> str:
        certificate = self.evidence.certificate
        purposes = ", ".join(certificate.leaf.purposes or ()) if certificate else ""
        return f"{self.certificate()} is for {purposes or 'no purpose'}"

    def strength(self) -> str:
        certificate = self.evidence.certificate
        if certificate is None:
            return self.no_certificate()
        return f"{self.certificate()} with key {certificate.leaf.key} signed by {certificate.leaf.signature_algorithm}"

    def invalid(self) -> str:
        certificate = self.evidence.certificate
        cause = self.cause(certificate) if isinstance(certificate, PresentedCertificate) else ""
        return f"{self.certificate()} did not verify{cause}"

    def cause(self, certificate: PresentedCertificate) -> str:
        return f": {_short(certificate.errors[0].text)}" if certificate.errors else ""

    def _first(self, unfit: Callable[[CertificateFacts], bool]) -> CertificateFacts | None:
        """The first certificate of the chain that is `unfit`, the leaf if none is."""
        certificate = self.evidence.certificate
        if certificate is None:
            return None
        return next((each for each in certificate.chain if unfit(each)), certificate.leaf)

    def _of_chain(self, one: CertificateFacts | None) -> str:
        certificate = self.evidence.certificate
        if certificate is None or one is None or one.sha256 == certificate.leaf.sha256:
            return self.certificate()
        return f"{self.certificate()} came with {_short(one.subject)}, which"


def _name(leaf: CertificateFacts) -> str:
    return _short(next(iter(leaf.names), leaf.subject) or "without a name")


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST_NAME else text[: _LONGEST_NAME - 3] + "..."


def _day(at: datetime | None) -> str:
    return at.astimezone(UTC).date().isoformat() if at else "on an unreadable date"


_FACTS: Final[dict[ReasonCode, Callable[[_Facts], str]]] = {
    ReasonCode.NO_CERTIFICATE_PRESENTED: _Facts.no_certificate,
    ReasonCode.CERTIFICATE_EXPIRED: _Facts.expired,
    ReasonCode.CERTIFICATE_NOT_YET_VALID: _Facts.not_yet_valid,
    ReasonCode.CERTIFICATE_SELF_SIGNED: _Facts.self_signed,
    ReasonCode.CERTIFICATE_ISSUER_UNKNOWN: _Facts.issuer,
    ReasonCode.CERTIFICATE_INTERMEDIATE_MISSING: _Facts.alone,
    ReasonCode.CERTIFICATE_PURPOSE: _Facts.purposes,
    ReasonCode.CERTIFICATE_WEAK_KEY: _Facts.strength,
    ReasonCode.CERTIFICATE_INVALID: _Facts.invalid,
    ReasonCode.CERTIFICATE_NAME_MATCHES_NO_CONNECTOR: _Facts.names,
    ReasonCode.WILDCARD_CERTIFICATE_FOR_EXACT_NAME: _Facts.certificate,
    ReasonCode.CERTIFICATE_NAME_NOT_OWNED: _Facts.certificate,
    ReasonCode.ADDRESS_MATCHES_NO_CONNECTOR: _Facts.address,
    ReasonCode.ADDRESS_NEEDS_OWNED_REVERSE_PATH: _Facts.address_and_reverse_path,
    ReasonCode.NULL_REVERSE_PATH_BY_ADDRESS_ONLY: _Facts.address_and_reverse_path,
    ReasonCode.REVERSE_PATH_DOMAIN_NOT_VERIFIED: _Facts.reverse_path,
    ReasonCode.PIN_NEEDS_OWNED_REVERSE_PATH: _Facts.certificate_with_reverse_path,
    ReasonCode.CONNECTOR_DISABLED: _Facts.certificate_or_address,
    ReasonCode.CONFLICTING_TENANTS: _Facts.names,
    ReasonCode.RECIPIENT_NOT_HOSTED: _Facts.recipient,
    ReasonCode.PARTNER_RESTRICTED_TO_CERTIFICATE: _Facts.certificate_as_it_is,
    ReasonCode.PARTNER_RESTRICTED_TO_ADDRESS: _Facts.address,
    ReasonCode.TLS_REQUIRED: _Facts.encryption,
    ReasonCode.DIRECT_SEND_REJECTED: _Facts.address_and_reverse_path,
}
