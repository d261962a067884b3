"""What is sent and what is shown, as the OpenAPI document has it.

What is shown can be sent back: fields that only the relay sets are taken and not looked at. A field nobody knows is an
error. Bodies of directory objects are made from their definitions.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Generic, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, create_model

from gatepost.tenancy.definitions import (
    ADDRESS_SPACES,
    CONNECTOR_TYPE,
    DOMAIN,
    INBOUND_CONNECTOR,
    KEY_ALGORITHM,
    KEY_STATE,
    LIMITS,
    NETWORKS,
    SEND_CONNECTOR,
    SIGNING_KEY,
    SMART_HOSTS,
    TENANT,
    TLS_LEVEL,
)
from gatepost.tenancy.fields import (
    FLAG,
    NUMBER_OR_NONE,
    ON_OFF,
    ON_OFF_OR_NONE,
    SET_OF_TEXTS,
    TEXT,
    TEXT_OR_NONE,
    TEXTS,
    TIME,
    TIME_OR_NONE,
    Fields,
    Form,
    default_of,
)
from gatepost.tenancy.signing_key import Algorithm, KeyState
from gatepost.tenancy.tenant import AcceptedDomain, InboundConnector, SendConnector, Tenant

_T = TypeVar("_T")

ReadOnly = Annotated[Any, Field(default=None, json_schema_extra={"readOnly": True})]

Line = Annotated[str, Field(max_length=300)]
Lines = Annotated[list[Line], Field(max_length=500)]


def _without_defaults(schema: dict[str, Any]) -> None:
    """Of a change: what is left out stays as it is."""
    for each in schema["properties"].values():
        each.pop("default", None)


class Sent(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Shown(BaseModel):
    model_config = ConfigDict(extra="forbid")


class PageShown(Shown, Generic[_T]):
    items: list[_T]
    next: str | None


# --- tenants and domains ----------------------------------------------------------------------------------------------


class WhoAmI(Shown):
    token: str
    tenant: str | None
    operator: bool
    scopes: list[Literal["read", "renew", "write"]]
    created_at: str | None
    """Or renewed."""
    expires_at: str | None
    hostname: str
    version: str
    directory_version: int
    protocol_log_folder: str | None
    """Of sent mail; the operator's to know."""


class TxtRecord(Shown):
    name: str
    type: Literal["TXT"]
    value: str


class KeyRecord(TxtRecord):
    zone: str
    """The record as a line of a zone file."""


class SigningKeyBody(Sent):
    """A new key."""

    algorithm: Algorithm | None = Field(default=None, strict=False, description="Null: rsa2048, or that of the key.")
    private_key: str | None = Field(default=None, max_length=16384, description="PEM. Null: a new one is made.")
    rotate_days: Annotated[int, Field(ge=7, le=3650)] | None = Field(
        default=None, description="Age at which another takes its place. Null: never."
    )


class SigningKeysStopped(Shown):
    key: "SigningKeyShown"
    stopped: list[str]
    """Selectors of the keys that sign no more."""


class RecordLookedFor(Shown):
    record: str
    published: bool
    why_not: str | None


class SeenCertificateShown(Shown):
    sha256: str
    subject: str
    names: list[str]
    issuer: str
    not_after: str | None


class ConnectorUseShown(Shown):
    tenant: str
    connector: str
    last_session_at: str
    address: str
    certificate: SeenCertificateShown | None
    messages_24h: int
    messages_30d: int


# --- directory objects ------------------------------------------------------------------------------------------------

ConnectorType = Literal["on-premises", "partner"]
TlsLevel = Literal["none", "opportunistic", "encrypt", "verify", "dane", "auto"]


def _whole(value: Any) -> Any:
    """JSON knows one kind of number: 25.0 is 25."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


Port = Annotated[int, Field(ge=1, le=65535), BeforeValidator(_whole)]
Count = Annotated[int, Field(ge=0), BeforeValidator(_whole)]
Cost = Annotated[int, Field(ge=1, le=100), BeforeValidator(_whole)]


class AddressSpaceBody(Sent):
    space: Line
    cost: Cost = 1


class SmartHostBody(Sent):
    host: Line
    port: Port = 25


class AddressSpaceShown(Shown):
    space: str
    cost: int


class SmartHostShown(Shown):
    host: str
    port: int


_SENT: dict[Form, Any] = {
    TEXT_OR_NONE: Line | None,
    TEXTS: Lines,
    NETWORKS: Lines,
    FLAG: bool,
    ON_OFF: bool,
    ON_OFF_OR_NONE: bool | None,
    CONNECTOR_TYPE: ConnectorType,
    TLS_LEVEL: TlsLevel,
    ADDRESS_SPACES: Annotated[list[AddressSpaceBody], Field(max_length=500)],
    SMART_HOSTS: Annotated[list[SmartHostBody], Field(max_length=500)],
}
_SENT_AS: dict[str, Any] = {
    "contact": str | None,
    "trust_anchors": Annotated[list[Annotated[str, Field(max_length=16384)]], Field(max_length=100)],
}
"""Fields whose texts are longer than a line."""

_SHOWN: dict[Form, Any] = {
    NUMBER_OR_NONE: int | None,
    KEY_ALGORITHM: Algorithm,
    KEY_STATE: KeyState,
    TEXT: str,
    TEXT_OR_NONE: str | None,
    TEXTS: list[str],
    SET_OF_TEXTS: list[str],
    NETWORKS: list[str],
    FLAG: bool,
    ON_OFF: bool,
    ON_OFF_OR_NONE: bool | None,
    TIME: str,
    TIME_OR_NONE: str | None,
    LIMITS: dict[str, int],
    CONNECTOR_TYPE: ConnectorType,
    TLS_LEVEL: TlsLevel,
    ADDRESS_SPACES: list[AddressSpaceShown],
    SMART_HOSTS: list[SmartHostShown],
}


def _body(name: str, base: type[Sent], kind: type, definition: Fields, *read_only: str) -> Any:
    """What is taken, unless the base has it already: what can be set, with its default; the rest as it was shown."""
    sent: dict[str, Any] = dict.fromkeys(read_only, ReadOnly)
    for each in definition.values():
        if each.name in base.model_fields:
            continue
        if each.is_key or each.is_found or each.only_imported:
            sent[each.name] = ReadOnly
        else:
            value = Field(default=default_of(kind, each), description=each.about or None)
            sent[each.name] = (_SENT_AS.get(each.name) or _SENT[each.form], value)
    return create_model(name, __base__=base, **sent)


def _shown(name: str, definition: Fields, more: Mapping[str, Any] | None = None) -> Any:
    kinds = {**{each.name: _SHOWN[each.form] for each in definition.values()}, **(more or {})}
    shown: dict[str, Any] = {each: (kind, ...) for each, kind in kinds.items()}
    return create_model(name, __base__=Shown, **shown)


class _TenantBody(Sent):
    contact: str | None = Field(default=None, description=TENANT["contact"].about)
    trace_subject: bool | None = Field(default=None, description=f"{TENANT['trace_subject'].about} Null: as it is.")
    limits: dict[Line, Count] | None = Field(
        default=None, description="Limits of its own; the server's apply to the rest. Null: as they are. 0: unlimited."
    )


class _DomainBody(Sent):
    match_subdomains: bool = False
    verified: bool | None = Field(
        default=None, description="Mark as verified without a DNS check, or revoke verification (operator)."
    )


class ConnectorBody(Sent):
    enabled: bool = True


_WARNINGS = {"warnings": list[str]}

if TYPE_CHECKING:
    # Classes that are made are none for mypy.
    TenantBody = _TenantBody
    DomainBody = _DomainBody
    InboundConnectorBody = ConnectorBody
    InboundConnectorChange = ConnectorBody
    SendConnectorBody = ConnectorBody
    SendConnectorChange = ConnectorBody
    TenantShown = Shown
    DomainShown = Shown
    SigningKeyShown = Shown
    InboundConnectorShown = Shown
    SendConnectorShown = Shown
else:
    TenantBody = _body("TenantBody", _TenantBody, Tenant, TENANT)
    TenantShown = _shown("TenantShown", TENANT)
    DomainBody = _body("DomainBody", _DomainBody, AcceptedDomain, DOMAIN, "record", "warnings")
    DomainShown = _shown("DomainShown", DOMAIN, {"record": TxtRecord, **_WARNINGS})
    SigningKeyShown = _shown("SigningKeyShown", SIGNING_KEY, {"record": KeyRecord})
    SigningKeysStopped.model_rebuild()
    InboundConnectorBody = _body(
        "InboundConnectorBody", ConnectorBody, InboundConnector, INBOUND_CONNECTOR, "missing", "warnings"
    )
    InboundConnectorShown = _shown("InboundConnectorShown", INBOUND_CONNECTOR, {"missing": str | None, **_WARNINGS})
    SendConnectorBody = _body("SendConnectorBody", ConnectorBody, SendConnector, SEND_CONNECTOR, "warnings")
    SendConnectorShown = _shown("SendConnectorShown", SEND_CONNECTOR, _WARNINGS)

    class InboundConnectorChange(InboundConnectorBody):
        model_config = ConfigDict(json_schema_extra=_without_defaults)

    class SendConnectorChange(SendConnectorBody):
        model_config = ConfigDict(json_schema_extra=_without_defaults)


# --- what happened ----------------------------------------------------------------------------------------------------


class ReasonShown(Shown):
    code: str
    connector: str | None
    says: str


class SessionShown(Shown):
    outcome: Literal["relay", "deliver", "incoming", "refused"] | None
    reason: str | None
    tenant: str | None
    connector: str | None
    basis: Literal["certificate", "pin", "address", "recipient"] | None
    reply: str | None
    reasons: list[ReasonShown]
    warnings: list[str]
    directory_version: int | None
    session_id: str
    at: str
    closed_at: str | None
    closed: str | None
    evidence: dict[str, Any]
    transactions: list[dict[str, Any]]


TraceOutcome = Literal["accepted", "refused", "queued", "delivered", "delayed", "bounced", "removed"]


class TraceCertificateShown(Shown):
    sha256: str
    verified: bool
    names: list[str]


class TraceItemShown(Shown):
    id: str
    session_id: str
    queue_id: str | None
    message_id: str | None
    at: str
    tenant: str | None
    connector: str | None
    basis: Literal["certificate", "pin", "address", "recipient"] | None
    address: str | None
    listener: str | None
    mail_from: str
    rcpt_to: str
    subject: str | None
    size: int
    outcome: Literal["refused", "queued", "delivered", "delayed", "bounced", "removed"]
    reason: str | None
    reply: str | None
    next_hop: str | None
    tls: str | None
    certificate: TraceCertificateShown | None


class TracePageShown(Shown):
    items: list[TraceItemShown]
    next: str | None
    problems: list[str] = Field(description="Parts of the trace that cannot be read.")


class TraceStoryShown(TraceItemShown):
    recipients: list[TraceItemShown]
    events: list[dict[str, Any]]


QueueState = Literal["queued", "active", "held", "bouncing"]


class QueueChoice(Sent):
    """Which recipients: those of which all that is said holds."""

    message_id: Line | None = None
    tenant: Line | None = Field(default=None, description="Only the operator may set it.")
    domain: Line | None = None
    state: QueueState | None = None
    older_than: Annotated[str, Field(max_length=20)] | None = Field(
        default=None, description="Such as 90s, 15m, 4h, 2d."
    )
    sender: Line | None = Field(default=None, description="ann@contoso.com, @contoso.com or <>.")
    all: bool = Field(default=False, description="Everything; excludes the other filters.")


class QueueChanged(Shown):
    recipients: int


class QueueCountShown(Shown):
    tenant: str | None
    domain: str
    state: QueueState
    recipients: int
    oldest_received_at: str


class QueuedRecipientShown(Shown):
    forward_path: str
    domain: str
    tenant: str | None
    connector: str | None
    state: QueueState
    due_at: str
    attempts: int
    last_reply: str | None


class QueuedMessageShown(Shown):
    id: str
    session_id: str
    received_at: str
    reverse_path: str
    size: int
    body: Literal["7BIT", "8BITMIME", "BINARYMIME"]
    smtputf8: bool
    envid: str | None


class QueuedOneShown(QueuedMessageShown):
    recipient: QueuedRecipientShown


class QueueMessageShown(QueuedMessageShown):
    recipients: list[QueuedRecipientShown]
    headers: str


class QueueShown(Shown):
    recipients: int
    counts: list[QueueCountShown]
    messages: list[QueuedOneShown]


class AuditShown(Shown):
    version: int
    at: str
    who: str
    address: str | None = Field(description="Address of the client; null: on the relay itself, or not visible to you.")
    action: str
    subject: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None


# --- the forecast -----------------------------------------------------------------------------------------------------


class ProspectShown(Shown):
    code: str
    tenant: str
    connector: str
    subject: str
    due_at: str | None
    within_days: Literal[30, 14, 7, 1] | None
    says: str
    do: str


class ForecastShown(Shown):
    at: str
    prospects: list[ProspectShown]


# --- rehearsals and enrolments ----------------------------------------------------------------------------------------

OneTimeAddressState = Literal["waiting", "seen", "expired"]


class EnvelopeBody(Sent):
    mail_from: Line = Field(description="Empty: the null reverse-path.")
    rcpt_to: Line


class RehearsalBody(Sent):
    envelopes: Annotated[list[EnvelopeBody], Field(max_length=50)] = []


class ChainLink(BaseModel):
    """One certificate as it was presented; `der` is base64."""

    sha256: str
    public_key_sha256: str
    subject: str
    issuer: str
    serial: str
    not_before: str | None
    not_after: str | None
    names: list[str]
    purposes: list[str] | None
    key: str
    signature_algorithm: str
    parse_errors: list[str]
    der: str


class VerificationErrorShown(Shown):
    code: int
    depth: int
    text: str


class CertificateShown(BaseModel):
    """The leaf, the judgement on it, and the chain as it arrived, leaf first."""

    sha256: str
    public_key_sha256: str
    subject: str
    issuer: str
    serial: str
    not_before: str | None
    not_after: str | None
    names: list[str]
    purposes: list[str] | None
    key: str
    signature_algorithm: str
    parse_errors: list[str]
    verified: bool
    anchor: str | None
    errors: list[VerificationErrorShown]
    chain: list[ChainLink]


class TlsShown(Shown):
    protocol: str
    cipher: str
    cipher_bits: int
    server_name: str | None
    certificate: CertificateShown | None


class SeenSessionShown(Shown):
    at: str
    session_id: str
    listener: str
    address: str
    ehlo: str
    mail_from: str
    tls: TlsShown | None


class AttributionShown(Shown):
    outcome: Literal["relay", "deliver", "incoming", "refused"]
    reason: str | None
    tenant: str | None
    connector: str | None
    basis: Literal["certificate", "pin", "address", "recipient"] | None
    reply: str
    reasons: list[ReasonShown]
    warnings: list[str]
    directory_version: int


class VerdictShown(AttributionShown):
    mail_from: str
    rcpt_to: str


class QuestionBody(Sent):
    mail_from: Line = Field(description="Empty: the null reverse-path.")
    rcpt_to: Annotated[list[Line], Field(min_length=1, max_length=50)]
    address: Line | None = Field(default=None, description="Null: one that no connector lists.")
    ehlo: Line = ""
    tls: bool = Field(default=False, description="TLS without a client certificate.")
    certificate: Annotated[str, Field(max_length=32768)] | None = Field(
        default=None, description="Certificate chain the server would present, PEM, leaf first."
    )
    listener: Line | None = Field(default=None, description="Null: the first. Only the operator may set it.")


class RecipientExplained(AttributionShown):
    rcpt_to: str


class ConnectorNotConsidered(Shown):
    connector: str
    code: str
    says: str


class ExplanationShown(AttributionShown):
    recipients: list[RecipientExplained]
    not_considered: list[ConnectorNotConsidered]


class RehearsalShown(Shown):
    id: str
    address: str
    expires_at: str
    state: OneTimeAddressState
    seen: SeenSessionShown | None
    verdicts: list[VerdictShown]


class ProposalShown(Shown):
    name: str
    connector: dict[str, list[str]]
    command: str


class WaysToSend(Shown):
    """Commands that have a mail server say the EHLO name; swaks sends the message too."""

    postfix: str
    exchange: str
    swaks: str


class RefusedSessionShown(SeenSessionShown):
    code: str
    says: str
    claimed_by: list[str] | None = Field(default=None, description="Tenants; shown to operators only.")


class EnrolmentShown(Shown):
    id: str
    address: str
    expires_at: str
    state: OneTimeAddressState
    ehlo: str = Field(
        description="EHLO name the server must use for this message; any name may follow the first label."
    )
    how: WaysToSend
    seen: SeenSessionShown | None
    refused: RefusedSessionShown | None = Field(description="The last session that proved nothing, and why.")
    proved: list[str]
    proposal: ProposalShown | None


class ProofShown(Shown):
    pin: str
    state: Literal["counts", "ended", "made-by-message", "no-verified-domain", "proven-before"]
    tenant: str
    certificate_sha256: str
    public_key_sha256: str
    at: str
    session_id: str
    address: str
    by: Literal["message", "ehlo", "operator"]
    ehlo: str
    ends_at: str | None
