"""The objects of a mail path. A value that was not shown is None, never guessed; every object keeps its fact."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from gatepost.doctor.certificates_told import at, names_of, same_certificate
from gatepost.doctor.evidence import CertificateSeen, EvidenceBundle, Moment, SmtpSession
from gatepost.doctor.path.told import How, Told
from gatepost.exchange.distinguished_names import DistinguishedName
from gatepost.exchange.source import Fact, Source

Way = Literal["out", "in"]
"""Seen from the on-premises server: to the relay, or from it."""
When = Literal["before", "now"]
Speaker = Literal["relay", "here", "peer", "unknown"]
"""`here`: the server whose log or queue it is; `relay`: the service that relays; `peer`: the recipient's or another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Symptom:
    kind: str
    """As the checks' `explains` names them; of replies, the `means` of replies.toml."""
    how: How
    fact: Fact
    says: str
    speaker: Speaker = "unknown"
    way: Literal["out", "in", ""] = ""
    server: str = ""
    at: Moment | None = None
    cause: str = ""
    """The cause that the reply names itself; empty: it names none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """How Exchange names a certificate: by issuer and subject, `<I>...<S>...`."""

    issuer: DistinguishedName
    subject: DistinguishedName
    text: str

    def names(self, certificate: CertificateSeen) -> bool | None:
        """None where too little of the certificate is told."""
        if certificate.subject is None or not certificate.subject.attributes:
            return False if certificate.subject is not None else None
        if certificate.subject.key != self.subject.key:
            if self.text.rstrip().endswith(",") and self.subject.key <= certificate.subject.key:
                return None  # the rest of the pasted name was lost
            return None if _cut(certificate, self.subject) else False
        if not self.issuer.attributes:
            return True  # made of a listing without issuers, for the certificate with that subject
        if certificate.issuer is None:
            return None
        return certificate.issuer.key == self.issuer.key

    @property
    def host(self) -> str:
        return self.subject.common_name.casefold()


def _cut(certificate: CertificateSeen, wanted: DistinguishedName) -> bool:
    """Whether the console cut the subject so that it may be the one wanted."""
    shown = certificate.subject.common_name.casefold() if certificate.subject else ""
    return is_cut(certificate) and len(shown) > 3 and wanted.common_name.casefold().startswith(shown)


_CUT = re.compile(r"[a-z0-9](?:\.\.\.|…)(?:\s|$)")


def is_cut(certificate: CertificateSeen) -> bool:
    """Whether the console cut a name in the row; the dots of a services mask cut nothing."""
    return bool(_CUT.search(certificate.quote))


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """The certificates of one server, as a listing showed them."""

    server: str
    """Empty: not told, the only one."""
    held: tuple[CertificateSeen, ...]
    when: When
    whole: bool
    """Whether the listing was of everything: a certificate that is not in it is not there."""
    source: Source

    def find(self, pin: Pin) -> CertificateSeen | None:
        return next((each for each in self.held if pin.names(each)), None)

    def may_hold(self, pin: Pin) -> bool:
        return any(pin.names(each) is not False for each in self.held)

    def bound(self, host: str) -> CertificateSeen | None:
        """The certificate with that name that is enabled for SMTP, of longest life."""
        return next((each for each in self.covering(host) if each.smtp_bound), None)

    def covering(self, host: str) -> tuple[CertificateSeen, ...]:
        """Certificates with that name, those of longest life first."""
        found = [each for each in self.held if host and carries(each, host) is not False]
        return tuple(sorted(found, key=lambda each: -(at(each.not_after) or 0.0)))

    def holding(self, certificate: CertificateSeen) -> CertificateSeen | None:
        return next((each for each in self.held if same_certificate(each, certificate)), None)

    def without(self, certificate: CertificateSeen) -> "Store":
        return replace(self, held=tuple(each for each in self.held if each is not certificate))

    def with_services(self, certificate: CertificateSeen, services: str) -> "Store":
        changed = [replace(each, services=services) if each is certificate else each for each in self.held]
        return replace(self, held=tuple(changed))


def carries(certificate: CertificateSeen, host: str) -> bool | None:
    """Whether a certificate is for `host`; None where the console cut its name. RFC 6125 6.4.3: a wildcard stands for
    one label."""
    parent = host.partition(".")[2]
    names = names_of(certificate)
    if any(each == host or (each.startswith("*.") and each[2:] == parent) for each in names):
        return True
    if is_cut(certificate) and any(
        len(each) > len(parent) // 2 and host.startswith(each.rstrip(".")) for each in names
    ):
        return None
    return None if certificate.subject is None and not names else False


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """A send or receive connector of an Exchange server: who speaks, by which name, with which certificate."""

    name: str
    """As a cmdlet's -Identity takes it; empty: not told."""
    way: Way
    servers: tuple[str, ...]
    """Those it runs on; empty: not told."""
    fqdn: str | None
    pin: Pin | None
    pin_is_empty: bool
    """It was shown that no certificate is named."""
    when: When
    fact: Fact
    enabled: bool = True
    to_cloud: bool = False

    @property
    def label(self) -> str:
        return f"'{self.name}'" if self.name else f"the {'send' if self.way == 'out' else 'receive'} connector"

    def with_pin(self, pin: Pin | None) -> "End":
        return replace(self, pin=pin, pin_is_empty=pin is None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A dialogue with its direction: `ours` is what our side presented, `theirs` the peer's."""

    way: Way
    log: SmtpSession
    ours: CertificateSeen | None
    theirs: CertificateSeen | None
    verdict_on_theirs: str
    """Our side's word about the peer's certificate: `Valid`, `UntrustedRoot`; empty: not told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Presented:
    """A certificate that a listener was seen to present, from outside."""

    certificate: CertificateSeen
    host: str
    fact: Fact


@dataclass(frozen=True, slots=True, kw_only=True)
class MailPath:
    """Everything joined. `bundle` is what it was joined from, for what has no object yet."""

    bundle: EvidenceBundle
    stores: tuple[Store, ...]
    ends: tuple[End, ...]
    sessions: tuple[Session, ...]
    presented: tuple[Presented, ...]
    symptoms: tuple[Symptom, ...]
    now: Told[Moment] | None

    def store_of(self, server: str, when: When = "now") -> Store | None:
        """That server's store; the only one, where one server is all there is."""
        fitting = [each for each in self.stores if each.when == when]
        named = next((each for each in fitting if each.server and same_server(each.server, server)), None)
        if named is not None:
            return named
        return fitting[0] if len(fitting) == 1 and len(self.servers) < 2 else None

    def stores_of(self, end: End) -> tuple[tuple[str, Store | None], ...]:
        """Each server that the end runs on, with its store; one unnamed server, where none is told."""
        return tuple((each, self.store_of(each, end.when)) for each in end.servers or ("",))

    @property
    def servers(self) -> tuple[str, ...]:
        """Names of the on-premises servers that the evidence tells of."""
        names = [name for each in self.ends for name in each.servers] + [
            each.server for each in self.stores if each.server
        ]
        return tuple(dict.fromkeys(each.split(".")[0].casefold() for each in names))

    def ends_now(self, way: Way | None = None) -> tuple[End, ...]:
        return tuple(each for each in self.ends if each.when == "now" and way in (None, each.way))

    def symptoms_of(self, kinds: Sequence[str]) -> tuple[Symptom, ...]:
        return tuple(each for each in self.symptoms if each.kind in kinds)


def same_server(one: str, other: str) -> bool:
    """A host name and its fully qualified form are one server."""
    return bool(one) and bool(other) and one.split(".")[0].casefold() == other.split(".")[0].casefold()
