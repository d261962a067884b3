"""The fields of each directory object. A new field is a line here and an attribute in `tenant`; all faces follow."""

from collections.abc import Callable, Mapping
from enum import StrEnum
from ipaddress import ip_network

from gatepost.errors import BadRequest
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
    Field,
    Fields,
    Form,
    Way,
)
from gatepost.tenancy.notation import (
    address_space,
    certificate_name,
    comment,
    domain_pattern,
    host_name,
    mailbox,
    network,
    sha256,
    smart_host,
)
from gatepost.tenancy.person import Identity, Role
from gatepost.tenancy.signing_key import Algorithm, KeyState
from gatepost.tenancy.tenant import (
    LIMIT_NAMES,
    NO_LIMITS,
    AddressSpace,
    ConnectorType,
    SmartHost,
    TenantLimits,
    TlsLevel,
)
from gatepost.tenancy.token import Scope

# --- forms of their own -----------------------------------------------------------------------------------------------


def _has(**types: type) -> Callable[[object], bool]:
    def fits(value: object) -> bool:
        return isinstance(value, list) and all(
            isinstance(each, dict)
            and each.keys() == types.keys()
            and all(type(each[name]) is needed for name, needed in types.items())
            for each in value
        )

    return fits


def _choice(kind: type[StrEnum]) -> Form:
    return Form(
        wants="a text",
        fits=TEXT.fits,
        to_json=lambda chosen: chosen.value,
        from_json=kind,
    )


def _limits_record(limits: TenantLimits) -> Mapping[str, int]:
    if limits == NO_LIMITS:
        return {}
    return {name: limit for name in LIMIT_NAMES if (limit := getattr(limits, name)) is not None}


def _are_limits(value: object) -> bool:
    return isinstance(value, dict) and all(
        name in LIMIT_NAMES and type(limit) is int and limit >= 0 for name, limit in value.items()
    )


CONNECTOR_TYPE = _choice(ConnectorType)
TLS_LEVEL = _choice(TlsLevel)
KEY_ALGORITHM = _choice(Algorithm)
KEY_STATE = _choice(KeyState)
LIMITS = Form(
    wants=f'limits such as {{"messages_per_minute":60}}, known: {", ".join(LIMIT_NAMES)}',
    fits=_are_limits,
    to_json=_limits_record,
    from_json=lambda record: TenantLimits(**record),
)
NETWORKS = Form(
    wants="a list of texts",
    fits=TEXTS.fits,
    way=Way.TEXTS,
    to_json=lambda networks: list(map(str, networks)),
    from_json=lambda texts: tuple(map(ip_network, texts)),
)
SCOPES = Form(
    wants="a list of texts",
    fits=TEXTS.fits,
    way=Way.TEXTS,
    to_json=sorted,
    from_json=lambda texts: frozenset(map(Scope, texts)),
)
ADDRESS_SPACES = Form(
    wants='a list such as [{"space":"*","cost":1}]',
    fits=_has(space=str, cost=int),
    way=Way.TEXTS,
    to_json=lambda spaces: [{"space": each.space, "cost": each.cost} for each in spaces],
    from_json=lambda record: tuple(AddressSpace(**each) for each in record),
    as_said=lambda record: [str(AddressSpace(**each)) for each in record],
)
SMART_HOSTS = Form(
    wants='a list such as [{"host":"mx.contoso.com","port":25}]',
    fits=_has(host=str, port=int),
    way=Way.TEXTS,
    to_json=lambda hosts: [{"host": each.host, "port": each.port} for each in hosts],
    from_json=lambda record: tuple(SmartHost(**each) for each in record),
    as_said=lambda record: [str(SmartHost(**each)) for each in record],
)


# --- how some of the texts are read -----------------------------------------------------------------------------------


def _connector_type(text: str) -> ConnectorType:
    try:
        return ConnectorType(text)
    except ValueError:
        raise BadRequest(INBOUND_CONNECTOR["type"], f" {text}: must be on-premises or partner") from None


def _tls_level(text: str) -> TlsLevel:
    tls = SEND_CONNECTOR["tls"]
    try:
        return TlsLevel(text)
    except ValueError:
        raise BadRequest(tls, f" {text}: must be one of {', '.join(TlsLevel)}") from None


def _contact(text: str) -> str:
    return mailbox(text, TENANT["contact"])


def _fqdn(text: str) -> str:
    return host_name(text, SEND_CONNECTOR["fqdn"])


def _tls_domain(text: str) -> str:
    wildcard = "*." if text.startswith("*.") else ""
    return wildcard + host_name(text.removeprefix("*."), SEND_CONNECTOR["tls_domain"])


# --- the objects ------------------------------------------------------------------------------------------------------

TENANT = Fields(
    Field(name="name", form=TEXT, is_key=True),
    Field(name="created_at", form=TIME, is_found=True),
    Field(name="reject_direct_send", form=FLAG, only_imported=True),
    Field(
        name="contact",
        form=TEXT_OR_NONE,
        option="contact",
        parse=_contact,
        about="The mailbox that receives forecasts.",
    ),
    Field(
        name="trace_subject",
        form=FLAG,
        option="trace-subject",
        about="Whether the trace records the Subject of its mail.",
    ),
    Field(name="limits", form=LIMITS, option="limit"),
)

DOMAIN = Fields(
    Field(name="domain", form=TEXT, is_key=True),
    Field(name="tenant", form=TEXT, option="tenant", is_key=True),
    Field(name="token", form=TEXT, is_found=True),
    Field(name="verified", form=FLAG, option="verified", is_found=True),
    Field(name="match_subdomains", form=FLAG, option="match-subdomains"),
    Field(name="verified_at", form=TIME_OR_NONE, is_found=True),
    Field(name="verified_by_operator", form=FLAG, is_found=True),
    Field(name="checked_at", form=TIME_OR_NONE, is_found=True),
    Field(name="lost_at", form=TIME_OR_NONE, is_found=True),
    Field(name="claimed_at", form=TIME_OR_NONE, is_found=True),
)

_COMMENT = Field(
    name="comment",
    form=TEXT_OR_NONE,
    option="comment",
    parse=comment,
    metavar="TEXT",
    help="A note for people; '': none.",
    label="comment",
    about="A note for people; it decides nothing.",
)

INBOUND_CONNECTOR = Fields(
    Field(name="tenant", form=TEXT, option="tenant", is_key=True),
    Field(name="name", form=TEXT, is_key=True),
    Field(
        name="type",
        form=CONNECTOR_TYPE,
        option="type",
        parse=_connector_type,
        metavar="on-premises|partner",
        help="on-premises (default): the tenant's own server; partner: another organisation's.",
        label="type",
    ),
    Field(
        name="certificate_names",
        form=TEXTS,
        option="certificate-name",
        parse=certificate_name,
        metavar="N",
        help="mail.contoso.com or *.contoso.com; repeatable.",
        label="certificate names",
    ),
    Field(
        name="certificate_sha256",
        form=TEXTS,
        option="certificate-sha256",
        parse=lambda text: sha256(text, "certificate"),
        metavar="HEX",
        help="Pin a certificate; repeatable.",
        label="pinned certificates",
    ),
    Field(
        name="public_key_sha256",
        form=TEXTS,
        option="public-key-sha256",
        parse=lambda text: sha256(text, "public key"),
        metavar="HEX",
        help="Pin a public key; repeatable.",
        label="pinned public keys",
    ),
    Field(name="proven_pins", form=SET_OF_TEXTS, is_found=True),
    Field(
        name="addresses",
        form=NETWORKS,
        option="address",
        parse=network,
        metavar="CIDR",
        help="Where it connects from; repeatable.",
        label="addresses",
    ),
    Field(
        name="sender_domains",
        form=TEXTS,
        option="sender-domain",
        parse=domain_pattern,
        metavar="D",
        help="Partner: *, domain or *.domain; repeatable.",
        label="sender domains",
    ),
    Field(
        name="require_tls", form=FLAG, option="require-tls", help="Refuse its mail without TLS.", label="requires TLS"
    ),
    Field(
        name="restrict_to_certificate",
        form=FLAG,
        option="restrict-to-certificate",
        help="Partner: refuse mail without the certificate.",
        label="only with its certificate",
    ),
    Field(
        name="restrict_to_address",
        form=FLAG,
        option="restrict-to-address",
        help="Partner: refuse mail from other addresses.",
        label="only from its addresses",
    ),
    Field(
        name="trust_anchors",
        form=TEXTS,
        option="trust-anchor",
        metavar="PEM",
        help="The tenant's own CA; repeatable.",
        label="trust anchors",
    ),
    _COMMENT,
    Field(name="enabled", form=FLAG),
)

SEND_CONNECTOR = Fields(
    Field(name="name", form=TEXT, is_key=True),
    Field(
        name="tenant",
        form=TEXT_OR_NONE,
        option="tenant",
        metavar="T",
        help="Only for this tenant's mail; default: all tenants.",
        label="for",
        is_key=True,
    ),
    Field(
        name="address_spaces",
        form=ADDRESS_SPACES,
        option="address-space",
        parse=address_space,
        metavar="SPACE[;COST]",
        help="*, domain or *.domain; cost 1-100; repeatable.",
        label="address spaces",
    ),
    Field(
        name="smart_hosts",
        form=SMART_HOSTS,
        option="smart-host",
        parse=smart_host,
        metavar="HOST[:PORT]",
        help="Next hop; repeatable; default: by MX.",
        label="next hop",
    ),
    Field(
        name="certificate",
        form=TEXT_OR_NONE,
        option="certificate",
        metavar="PEM",
        help="Certificate chain to present, leaf first.",
        label="presents",
        about="A path on the relay; only the operator may set it.",
    ),
    Field(
        name="key",
        form=TEXT_OR_NONE,
        option="key",
        metavar="PEM",
        help="Its private key.",
        about="A path on the relay; only the operator may set it.",
    ),
    Field(
        name="tls",
        form=TLS_LEVEL,
        option="tls",
        parse=_tls_level,
        metavar="none|opportunistic|encrypt|verify|dane|auto",
        help="Default: auto.",
        label="TLS",
    ),
    Field(
        name="tls_domain",
        form=TEXT_OR_NONE,
        option="tls-domain",
        parse=_tls_domain,
        metavar="D",
        help="--tls verify: the name its certificate must carry.",
        label="certificate must say",
    ),
    Field(
        name="fqdn",
        form=TEXT_OR_NONE,
        option="fqdn",
        parse=_fqdn,
        metavar="NAME",
        help="EHLO name; default: this server's host name.",
        label="EHLO name",
    ),
    Field(name="protocol_log", form=ON_OFF, option="protocol-log", metavar="on|off", help="Default: on.", label="logs"),
    Field(
        name="allow_internal",
        form=ON_OFF_OR_NONE,
        option="allow-internal",
        metavar="on|off",
        help="Allow internal addresses and any port; default: decided by --smart-host.",
        label="internal addresses",
        about="Whether it may reach internal addresses and other ports; only the operator may set it.",
    ),
    _COMMENT,
    Field(name="enabled", form=FLAG),
)

TOKEN = Fields(
    Field(name="id", form=TEXT, is_key=True),
    Field(name="tenant", form=TEXT_OR_NONE, is_key=True),
    Field(name="scopes", form=SCOPES, option="scope"),
    Field(name="created_at", form=TIME, is_found=True),
    Field(name="expires_at", form=TIME_OR_NONE, option="expires"),
    Field(name="revoked_at", form=TIME_OR_NONE, is_found=True),
    Field(name="used_at", form=TIME_OR_NONE, is_found=True),
)
"""Everything but the secret's hash: whoever may list tokens need not hold what one could guess against."""

_IDENTITY = Form(
    wants="an issuer and a subject, or null",
    fits=lambda value: value is None or set(value) == {"issuer", "subject"},
    to_json=lambda value: value and {"issuer": value.issuer, "subject": value.subject},
    from_json=lambda value: value and Identity(**value),
)

_ROLE = Form(wants=f"one of {', '.join(Role)}", fits=lambda value: value in set(Role), to_json=str, from_json=Role)

PERSON = Fields(
    Field(name="name", form=TEXT, is_key=True),
    Field(name="tenant", form=TEXT_OR_NONE, option="tenant", is_key=True),
    Field(name="role", form=_ROLE, option="role"),
    Field(name="created_at", form=TIME, is_found=True),
    Field(name="password_set_at", form=TIME_OR_NONE, is_found=True),
    Field(name="link_expires_at", form=TIME_OR_NONE, is_found=True),
    Field(name="disabled_at", form=TIME_OR_NONE, is_found=True),
    Field(name="identity", form=_IDENTITY, option="oidc"),
    Field(name="role_by_groups", form=FLAG, is_found=True),
)
"""Everything but the hashes of the password and of the link."""

SIGNING_KEY = Fields(
    Field(name="tenant", form=TEXT_OR_NONE, is_key=True),
    Field(name="domain", form=TEXT, is_key=True),
    Field(name="selector", form=TEXT, option="selector", is_key=True),
    Field(name="algorithm", form=KEY_ALGORITHM, option="algorithm"),
    Field(name="public_key", form=TEXT, is_found=True),
    Field(name="state", form=KEY_STATE, is_found=True),
    Field(name="created_at", form=TIME, is_found=True),
    Field(name="activated_at", form=TIME_OR_NONE, is_found=True),
    Field(name="retired_at", form=TIME_OR_NONE, is_found=True),
    Field(name="seen_at", form=TIME_OR_NONE, is_found=True),
    Field(name="missing_since", form=TIME_OR_NONE, is_found=True),
    Field(name="rotate_days", form=NUMBER_OR_NONE, option="rotate"),
)
"""Everything but what is private."""
