"""What was handed in, as typed facts: the words every reader writes and every rule reads.

Laws: a fact says where it stands (`source`) and keeps the text it was taken from (`quote`); what the text does not tell
is None or empty, never guessed; values are immutable, so that a rule is a pure function of the bundle.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Literal, NamedTuple

from gatepost.exchange.distinguished_names import DistinguishedName
from gatepost.exchange.objects import (
    AcceptedDomain,
    Exports,
    InboundConnector,
    OutboundConnector,
    ReceiveConnector,
    SendConnector,
    TransportService,
)
from gatepost.exchange.source import Fact, Source

Side = Literal["sender", "tenant", "network", "pki", "none"]


Certainty = Literal["exact", "zone-unknown", "year-unknown", "day"]


class Moment(NamedTuple):
    """A time as it was written. `at` is seconds since the epoch, read as UTC where the zone is unknown."""

    text: str
    at: float | None = None
    certainty: Certainty = "exact"


# --- replies -----------------------------------------------------------------------------------------------------

Stage = Literal["connect", "ehlo", "starttls", "tls", "auth", "mail", "rcpt", "data", "end-of-data", "quit", "unknown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplySeen(Fact):
    """One SMTP reply (4xx or 5xx, and successes where a log has them), wherever it was quoted.

    `said_by` is who refused, where the evidence tells: a host name or address (trailer, Remote-MTA, `host H[IP] said`,
    remote endpoint). `quoted_by` is the local machine that tells of it (Generating server, queue, log owner).
    `kind` is the reader's kind it came from (`ndr`, `pasted`, `exchange-send-log`, `postfix-log`, `queue`, ...).
    """

    code: int
    enhanced: str = ""
    """`5.7.64`, or empty."""
    text: str = ""
    """The reply without code and enhanced code, on one line."""
    attr: str = ""
    """`ATTR36` and the like; empty without."""
    trailer_host: str = ""
    trailer_at: Moment | None = None
    trailer_id: str = ""
    stage: Stage = "unknown"
    said_by: str = ""
    said_by_address: str = ""
    quoted_by: str = ""
    reverse_path: str | None = None
    """None: not told; empty: the null reverse-path."""
    forward_path: str | None = None
    connector: str = ""
    session_id: str = ""
    queue_id: str = ""
    at: Moment | None = None
    kind: str = "pasted"
    inner: bool = False
    """True when another reply wraps it (`outer -> inner`, `responded with "inner"`): the inner one is the peer's."""
    count: int = 1
    """How many equal ones (same code, text, connector) a large log held; the first is quoted."""


# --- certificates ------------------------------------------------------------------------------------------------


CertificateRole = Literal["sent", "remote", "stored", "file", "old", "new", "bounce", "intermediate", "root", "unknown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateSeen(Fact):
    """A certificate as some text or file tells of it. `sent`: the log owner presented it; `remote`: its peer did;
    `stored`: Get-ExchangeCertificate and the like; `old`, `new`: words beside it say so, `file`: just a file."""

    role: CertificateRole = "unknown"
    subject: DistinguishedName | None = None
    """None: not told; an empty name: told, and empty."""
    issuer: DistinguishedName | None = None
    names: tuple[str, ...] = ()
    """Alternate names (DNS), lower-case; empty where none is told."""
    names_told: bool = False
    names_truncated: bool = False
    serial: str = ""
    thumbprint: str = ""
    """SHA-1, upper-case hex, no blanks."""
    sha256: str = ""
    public_key_sha256: str = ""
    """Of the SubjectPublicKeyInfo, as a TLSA record 3 1 1 has it; empty where only text tells of the certificate."""
    not_before: Moment | None = None
    not_after: Moment | None = None
    purposes: tuple[str, ...] | None = None
    """Extended key usage as `serverAuth`, `clientAuth`, or the text; None: not told."""
    key_usage: tuple[str, ...] | None = None
    """`digitalSignature`, `keyEncipherment`, ...; None: not told."""
    is_authority: bool | None = None
    self_signed: bool | None = None
    signature_algorithm: str = ""
    key_bits: int | None = None
    root_type: str = ""
    """Exchange's RootCAType."""
    services: str | None = None
    """Exchange's services: `SMTP, IIS` or the mask `IP.WS.`; None: not told."""
    has_private_key: bool | None = None
    status: str = ""
    """`Valid`, `RevocationCheckFailure`, `UntrustedRoot`, ..."""
    provider: str = ""
    server: str = ""
    connector: str = ""
    session_id: str = ""
    at: Moment | None = None
    presented_by: str = ""
    """`host:port` of the listener from which a tool fetched it."""
    depth: int | None = None
    """Position in a chain shown: 0 is the leaf."""
    count: int = 1

    @property
    def all_names(self) -> tuple[str, ...]:
        """Alternate names, else the common name: lower-case."""
        if self.names:
            return self.names
        common = self.subject.common_name.casefold() if self.subject else ""
        return (common,) if common else ()

    @property
    def smtp_bound(self) -> bool | None:
        """Whether Exchange has it enabled for SMTP; None where services are not told."""
        if self.services is None:
            return None
        mask = self.services.strip()
        if re.fullmatch(r"(?=.*\.)[IPUWSF.]{2,9}|I?PU?WSF?", mask):
            return "S" in mask
        return "smtp" in mask.casefold()


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsSeen(Fact):
    """A handshake, or that there was none."""

    established: bool | None = None
    protocol: str = ""
    """`TLSv1.2`, ... where told."""
    client_certificate_sent: bool | None = None
    failure: str = ""
    """`NoCredentials`, `UnknownCredentials`, `SocketError`, `TimedOut`, the OpenSSL alert's text, ..."""
    alert: int | None = None
    peer_trust: str = ""
    """Postfix's word for the server's certificate: Untrusted, Trusted, Verified, Anonymous."""
    chain_status: str = ""
    """Receive side: `Client certificate chain validation status`."""
    log_owner_is: Literal["client", "server", ""] = ""
    peer: str = ""
    peer_address: str = ""
    session_id: str = ""
    connector: str = ""
    at: Moment | None = None
    kind: str = ""


# --- sessions ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class SmtpSession(Fact):
    """The rows of one session joined, from any log; `source` is its first row.

    Large logs keep every session that was refused or that showed something new; `SmtpPopulation` counts all.
    """

    session_id: str = ""
    connector: str = ""
    log: Literal["send", "receive", "postfix", "transcript", ""] = "send"
    server: str = ""
    local_endpoint: str = ""
    remote_endpoint: str = ""
    remote_name: str = ""
    """The peer's own name: banner or EHLO reply."""
    hello_address: str = ""
    """`Hello [203.0.113.7]`: the client's address as the server sees it."""
    banner: str = ""
    ehlo_name: str = ""
    """What the client greeted with."""
    keywords: tuple[str, ...] = ()
    """EHLO keywords, upper-case, of the first EHLO reply (before TLS)."""
    keywords_after_tls: tuple[str, ...] = ()
    ehlo_seen: bool = False
    starttls_offered: bool | None = None
    starttls_sent: bool | None = None
    tls: TlsSeen | None = None
    reverse_path: str | None = None
    reverse_path_at: Source | None = None
    """Where MAIL FROM stands."""
    forward_paths: tuple[str, ...] = ()
    replies: tuple[ReplySeen, ...] = ()
    """Refusals and every final success, in order."""
    certificates: tuple[CertificateSeen, ...] = ()
    at: Moment | None = None
    ended_at: Moment | None = None
    accepted: bool | None = None
    """True: a recipient or the content was accepted and nothing refused; False: refused; None: not told."""
    ended: str = ""
    """How it was cut: `TimedOut`, `SocketError`, `Remote`, `Local`, ..."""

    @property
    def sent_certificate(self) -> CertificateSeen | None:
        return next((each for each in self.certificates if each.role == "sent"), None)

    @property
    def refusal(self) -> ReplySeen | None:
        return next((each for each in self.replies if each.code >= 400), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class SmtpPopulation(Fact):
    """How often a combination occurred in all the sessions read."""

    connector: str = ""
    hello_address: str = ""
    thumbprint: str = ""
    outcome: str = ""
    """`accepted`, `550 5.7.64`, `cut`, `unknown`."""
    sessions: int = 0
    first: Moment | None = None
    last: Moment | None = None


# --- other evidence of Exchange ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueError(Fact):
    """`LastError` of a queue or of message tracking; the replies in it are in `replies` of the bundle as well."""

    last_error: str = ""
    outer: str = ""
    """LED before the arrow, or the whole."""
    inner: str = ""
    """LED after the last arrow."""
    message: str = ""
    fqdn: str = ""
    address: str = ""
    at: Moment | None = None
    queue: str = ""
    next_hop: str = ""
    connector: str = ""
    status: str = ""
    message_count: int | None = None
    details: tuple[tuple[str, str], ...] = ()
    """`[Message=..]`, `[LastAttemptedServerName=..]` and the like of Exchange Online."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceEvent(Fact):
    """A row of Exchange Online's message trace; the replies in it are in `replies` and `queue_errors` as well."""

    event: str = ""
    """`Delivered`, `Pending`, `Defer`, `Fail`, ... as written."""
    detail: str = ""
    sender: str = ""
    recipient: str = ""
    message_id: str = ""
    from_address: str = ""
    to_address: str = ""
    at: Moment | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EventLogEntry(Fact):
    event_id: int
    provider: str = ""
    level: str = ""
    message: str = ""
    server: str = ""
    at: Moment | None = None
    result: str = ""
    """CAPI2's result, `800B0109`."""
    connector: str = ""
    """What its message names, in whatever language that is."""
    fqdn: str = ""
    certificate_name: str = ""
    """`<I>...<S>...`"""
    thumbprint: str = ""
    alert: int | None = None
    """Schannel's: the number of the TLS alert."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthCheckerFinding(Fact):
    """One `label: value` of HealthChecker; `section` is the connector or certificate above it."""

    label: str
    value: str = ""
    section: str = ""
    server: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class HcwComparison(Fact):
    """A row of the Hybrid Configuration Wizard's comparison table."""

    object_name: str = ""
    property_name: str = ""
    expected: str = ""
    actual: str = ""
    equals: bool | None = None
    at: Moment | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WizardLine(Fact):
    """A line of the Hybrid Configuration Wizard's log that is neither a table nor a command."""

    text: str
    level: str = ""
    """`WARNING`, `ERROR`; empty: neither."""
    context: str = ""
    """What stands in its brackets: `Client=UX, Page=TransportCertificate`."""
    at: Moment | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PowershellError(Fact):
    """A cmdlet's error message."""

    cmdlet: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandSeen(Fact):
    """A command somebody ran or pasted (`Set-InboundConnector ...`, `openssl ...`)."""

    command: str
    at: Moment | None = None


# --- other mail software -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class PostfixDelivery(Fact):
    """A `to=<>, relay=..., status=` line."""

    queue_id: str = ""
    process: int | None = None
    service: str = ""
    """`postfix/smtp`, `postfix-out/smtp`, `postfix/eop/smtp` ..."""
    host: str = ""
    reverse_path: str | None = None
    forward_path: str = ""
    original_forward_path: str = ""
    relay: str = ""
    relay_address: str = ""
    relay_port: int | None = None
    enhanced: str = ""
    status: str = ""
    """sent, deferred, bounced, expired ..."""
    response: str = ""
    at: Moment | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PostfixSetting(Fact):
    """A parameter of main.cf or `postconf -n`, or a service's `-o` in master.cf."""

    name: str
    value: str = ""
    service: str = ""
    """Empty for main.cf; `eop/unix` or `relay/unix` for master.cf, of which `chroot` and `command` are settings too."""
    server: str = ""
    assumed: bool = False
    """Not written: the default of the version that the evidence names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PostfixTlsLine(Fact):
    """A line of smtp(8) or smtpd(8) about TLS, connections, PIX, SSL errors."""

    process: int | None = None
    service: str = ""
    host: str = ""
    kind: Literal[
        "established",
        "ssl-error",
        "library-problem",
        "cannot-start-tls",
        "not-offered",
        "pix-workaround",
        "verify-problem",
        "lost-connection",
        "connect-failed",
        "no-certificate",
        "other",
    ] = "other"
    trust: str = ""
    protocol: str = ""
    client_certificate_sent: bool | None = None
    alert: int | None = None
    alert_text: str = ""
    peer: str = ""
    peer_address: str = ""
    text: str = ""
    at: Moment | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayPolicyReject(Fact):
    """A server's own refusal in its log: smtpd `NOQUEUE: reject:`, Exim's `rejected RCPT`, OpenSMTPD's, IIS's."""

    software: str = ""
    host: str = ""
    client_name: str = ""
    client_address: str = ""
    code: int | None = None
    enhanced: str = ""
    text: str = ""
    reverse_path: str | None = None
    forward_path: str = ""
    helo: str = ""
    stage: Stage = "unknown"
    at: Moment | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EximLine(Fact):
    """A delivery line of Exim's mainlog (`=>`, `**`, `==`, `<=`) or one about TLS."""

    message_id: str = ""
    mark: str = ""
    address: str = ""
    host: str = ""
    host_address: str = ""
    transport: str = ""
    router: str = ""
    tls: str = ""
    """The `X=` item."""
    client_certificate_sent: bool | None = None
    text: str = ""
    at: Moment | None = None


# --- tools -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class DnsAnswer(Fact):
    name: str
    kind: str
    """`MX`, `A`, `AAAA`, `TXT`, `PTR`, `CNAME`, ..."""
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class OpensslVerify(Fact):
    """A verdict on a chain: `openssl verify`, s_client's `Verify return code`, Test-Certificate."""

    code: int | None = None
    text: str = ""
    depth: int | None = None
    subject: str = ""
    tool: str = "openssl"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyStoreEntry(Fact):
    """An entry of a Java key store or a PKCS#12 file, as keytool and openssl list them."""

    alias: str = ""
    has_private_key: bool | None = None
    kind: str = ""
    """`PrivateKeyEntry`, `trustedCertEntry`, `Certificate bag`, ... as printed."""
    sha256: str = ""
    store: str = ""
    """The file, where the command says it."""
    at: Moment | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CertbotRun(Fact):
    """A line of certbot's, win-acme's, acme.sh's log."""

    tool: str = ""
    succeeded: bool | None = None
    names: tuple[str, ...] = ()
    path: str = ""
    text: str = ""
    at: Moment | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GatepostVerdict(Fact):
    """`gatepost why` or `explain`, its reason codes, or those of a reply of Gatepost's."""

    outcome: str = ""
    tenant: str = ""
    connector: str = ""
    basis: str = ""
    reply: str = ""
    reasons: tuple[tuple[str, str, str], ...] = ()
    """(code, connector, says)."""
    address: str = ""
    session_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeaderSeen(Fact):
    """A telling header field of a message: Received, X-MS-Exchange-*, Authentication-Results."""

    name: str
    value: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingSeen(Fact):
    """A setting that has no type of its own: an environment, php.ini, a registry value, a proxy's or relay's line."""

    software: str = ""
    """`environment`, `php`, `windows-registry`, `winhttp`, `haproxy`, `opensmtpd`, `exim`, `sendmail`, `resolver`,
    `device`, `exchange-online` (the section is the mailbox)."""
    name: str
    value: str = ""
    section: str = ""
    server: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PacketSeen(Fact):
    """A message of TLS or a segment of TCP in a decoded capture."""

    kind: Literal["client-hello", "server-hello", "alert", "certificate-request", "certificate", "segment"]
    version: str = ""
    ciphers: tuple[str, ...] = ()
    extensions: tuple[str, ...] = ()
    alert: int | None = None
    description: str = ""
    sender: str = ""
    receiver: str = ""
    length: int | None = None
    repeated: bool = False
    """A segment sent again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramError(Fact):
    """An error of a program that sends mail, as its language prints it; `cause` is the innermost one."""

    language: Literal["java", "python", "dotnet", "php", "node", "go", "openssl"]
    error: str = ""
    message: str = ""
    cause: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShellCommand(Fact):
    """A command at a prompt with what it printed; `server` is the prompt's host."""

    command: str
    server: str = ""
    output: str = ""
    """The first lines."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockSeen(Fact):
    """What a clock showed when somebody asked: `date -u`, `Get-Date`."""

    at: Moment


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnAddress(Fact):
    """The public address that a service outside told a host it comes from: `curl ifconfig.me`."""

    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SignSeen(Fact):
    """A line whose words mean one thing in whatever log they stand; signs.toml holds them."""

    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmissionSettings(Fact):
    """How a program hands its mail over, from its dialog, its configuration, or somebody's account of it."""

    host: str = ""
    port: int | None = None
    login: bool | None = None
    """Whether it logs in; None: not told."""
    tls: Literal["starttls", "implicit", "none", ""] = ""


# --- words of people ---------------------------------------------------------------------------------------------

Topic = Literal[
    "since",  # a beginning: detail is the time or the phrase
    "renewed-certificate",
    "changed-network",  # ISP, firewall, line, NAT, router, proxy
    "changed-connector",
    "ran-hcw",
    "migrated",  # servers, cloud, tenants merged
    "removed-domain",
    "changed-mail-software",
    "only-external",
    "internal-works",
    "only-internal",
    "only-null-sender",  # NDR, OOF, read receipts, journal
    "only-forwarded",
    "only-one-domain",
    "only-one-server",
    "only-one-destination",
    "one-application",
    "intermittent",
    "everything",
    "queues",
    "retry-works",
    "never-worked",
    "worked-before",
    "no-change",
    "other-tenant",
    "recipient-unknown",
    "telnet-works",
    "blocklisted",
    "cloud-to-on-premises",
    "on-premises-to-cloud",
    "marked-external",
    "imported-without-key",
    "restarted",
    "not-restarted",
    "waiting-for-change",
    "upgraded-tls",
    "reported-cause",  # "our colleague says it is IPv6": an opinion, never proof
    "clock",
    "other",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProseFact(Fact):
    """What an administrator's own words say. Weak: people report guesses as facts. `quote` is the sentence."""

    topic: Topic
    detail: str = ""
    at: Moment | None = None
    negated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class NameSeen(Fact):
    """A domain name, mail address or IP address in free text."""

    kind: Literal["domain", "mailbox", "address"]
    value: str


# --- the bundle --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadItem:
    """What was read as what."""

    source: str
    kind: str
    items: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Unread:
    """What could not be used, and why, in one line."""

    source: Source
    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceBundle:
    """Everything handed in. Tuples keep the order of reading."""

    replies: tuple[ReplySeen, ...] = ()
    """Every refusal, those in `sessions` included; accepted replies stand in `sessions` only."""
    certificates: tuple[CertificateSeen, ...] = ()
    """Every certificate, those in `sessions` included."""
    tls: tuple[TlsSeen, ...] = ()
    """Every handshake, those in `sessions` included."""
    sessions: tuple[SmtpSession, ...] = ()
    populations: tuple[SmtpPopulation, ...] = ()
    inbound_connectors: tuple[InboundConnector, ...] = ()
    outbound_connectors: tuple[OutboundConnector, ...] = ()
    send_connectors: tuple[SendConnector, ...] = ()
    receive_connectors: tuple[ReceiveConnector, ...] = ()
    accepted_domains: tuple[AcceptedDomain, ...] = ()
    transport_services: tuple[TransportService, ...] = ()
    queue_errors: tuple[QueueError, ...] = ()
    traced: tuple[TraceEvent, ...] = ()
    events: tuple[EventLogEntry, ...] = ()
    health: tuple[HealthCheckerFinding, ...] = ()
    hcw: tuple[HcwComparison, ...] = ()
    wizard: tuple[WizardLine, ...] = ()
    powershell_errors: tuple[PowershellError, ...] = ()
    commands: tuple[CommandSeen, ...] = ()
    postfix_deliveries: tuple[PostfixDelivery, ...] = ()
    postfix_settings: tuple[PostfixSetting, ...] = ()
    postfix_defaults: tuple[PostfixSetting, ...] = ()
    """What is in force though nothing says so; apart from what is written."""
    postfix_tls: tuple[PostfixTlsLine, ...] = ()
    relay_rejects: tuple[RelayPolicyReject, ...] = ()
    exim: tuple[EximLine, ...] = ()
    dns: tuple[DnsAnswer, ...] = ()
    verifications: tuple[OpensslVerify, ...] = ()
    key_stores: tuple[KeyStoreEntry, ...] = ()
    certbot: tuple[CertbotRun, ...] = ()
    verdicts: tuple[GatepostVerdict, ...] = ()
    headers: tuple[HeaderSeen, ...] = ()
    clocks: tuple[ClockSeen, ...] = ()
    own_addresses: tuple[OwnAddress, ...] = ()
    settings: tuple[SettingSeen, ...] = ()
    packets: tuple[PacketSeen, ...] = ()
    program_errors: tuple[ProgramError, ...] = ()
    shell: tuple[ShellCommand, ...] = ()
    submissions: tuple[SubmissionSettings, ...] = ()
    signs: tuple[SignSeen, ...] = ()
    prose: tuple[ProseFact, ...] = ()
    names: tuple[NameSeen, ...] = ()
    cmdlets_empty: tuple[CommandSeen, ...] = ()
    """Commands whose output was shown and empty: `Get-InboundConnector` that lists nothing."""
    read: tuple[ReadItem, ...] = ()
    unread: tuple[Unread, ...] = ()

    @property
    def exports(self) -> Exports:
        return Exports(
            accepted_domains=self.accepted_domains,
            inbound_connectors=self.inbound_connectors,
            outbound_connectors=self.outbound_connectors,
            transport_services=self.transport_services,
            empty=tuple(each.command for each in self.cmdlets_empty),
        )

    def postfix_setting(self, name: str, service: str = "") -> PostfixSetting | None:
        """The value in force in one file: the last one counts."""
        return next(
            (each for each in reversed(self.postfix_settings) if each.name == name and each.service == service), None
        )

    def joined(self, other: "EvidenceBundle") -> "EvidenceBundle":
        """Both bundles' evidence, this one's first."""
        return EvidenceBundle(
            **{each.name: getattr(self, each.name) + getattr(other, each.name) for each in fields(EvidenceBundle)}
        )

    def prose_of(self, *topics: Topic) -> Iterator[ProseFact]:
        return (each for each in self.prose if each.topic in topics and not each.negated)


def one_line(text: str | Sequence[str]) -> str:
    """For quoting: white space of any kind and length as one blank."""
    return " ".join((text if isinstance(text, str) else " ".join(text)).split())
