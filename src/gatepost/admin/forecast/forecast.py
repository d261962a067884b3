"""What will stop working, before it does: from what was seen of tenants' servers and from what the directory says.

What flows through: servers that were seen, connectors and domains in; prospects out, the nearest first. Laws: a
certificate that its server has replaced is no prospect; a prospect says whose it is, until when there is time, and what
to do.
"""

import tomllib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from functools import cache
from importlib.resources import files
from shlex import quote

from gatepost.admin.directory.editor import DirectoryEditor
from gatepost.admin.directory.limits import is_wide
from gatepost.admin.directory.lookups import tenant_named
from gatepost.admin.enrolment import proofs
from gatepost.admin.enrolment.proofs import ProofState
from gatepost.tenancy.attribution import Basis
from gatepost.tenancy.fields import ReadRecord, Record, time_from, time_text
from gatepost.tenancy.ownership import ownership
from gatepost.tenancy.seen_server import SeenCertificate, SeenServer
from gatepost.tenancy.tenant import ConnectorType, InboundConnector

HORIZON = timedelta(days=30)
"""How far ahead a forecast looks."""
STAGES = tuple(timedelta(days=days) for days in (30, 14, 7, 1))
"""When somebody is told, and told again."""
_LAPSES_SOON = timedelta(days=7)
"""When a claim is told that will lapse."""
_LONG_ENOUGH = timedelta(days=7)
"""Sessions that go back less do not show that a connector is not used."""


class ForecastCode(StrEnum):
    """Stable; each has a row in docs/reference/forecast.md."""

    CERTIFICATE_EXPIRES = "certificate-expires"
    RENEWED_ELSEWHERE = "renewed-elsewhere"
    NAME_ABOUT_TO_BE_LOST = "name-about-to-be-lost"
    ISSUER_DISTRUSTED = "issuer-distrusted"
    CONNECTOR_NEVER_USED = "connector-never-used"
    ADDRESS_ONLY = "address-only"
    PROOF_ENDS = "proof-ends"
    PROOF_DOES_NOT_COUNT = "proof-does-not-count"
    ENROLMENT_REFUSED = "enrolment-refused"
    WIDE_NETWORK = "wide-network"
    CLAIM_LAPSES = "claim-lapses"
    OWN_CERTIFICATE_EXPIRES = "own-certificate-expires"
    TRUST_ANCHOR_EXPIRES = "trust-anchor-expires"
    TOKEN_EXPIRES = "token-expires"
    RENEWAL_STUCK = "renewal-stuck"


@dataclass(frozen=True, slots=True, kw_only=True)
class ForecastItem:
    code: ForecastCode
    tenant: str
    """Empty: it is the server's own."""
    connector: str
    """Empty: it is about no connector."""
    subject: str
    """What it is about, the same at each look: a fingerprint, a name, a network; empty: the connector."""
    due_at: datetime | None
    """When mail stops; None: it does not by itself."""
    says: str
    do: str

    @property
    def about(self) -> str:
        """The tenant's connector or, where it is about none, its domain."""
        return self.connector or self.subject

    def stage(self, at: datetime) -> timedelta | None:
        """The narrowest of `STAGES` that it is in."""
        left = self.due_at - at if self.due_at else None
        return None if left is None else min((each for each in STAGES if left <= each), default=None)


def forecast_item_record(prospect: ForecastItem, at: datetime) -> Record:
    """As `--json` and the Management API show it."""
    stage = prospect.stage(at)
    return {
        "code": prospect.code.value,
        "tenant": prospect.tenant,
        "connector": prospect.connector,
        "subject": prospect.subject,
        "due_at": time_text(prospect.due_at),
        "within_days": stage.days if stage else None,
        "says": prospect.says,
        "do": prospect.do,
    }


def forecast_item_from(record: ReadRecord) -> ForecastItem:
    return ForecastItem(
        code=ForecastCode(record["code"]),
        tenant=record["tenant"],
        connector=record["connector"],
        subject=record["subject"],
        due_at=time_from(record["due_at"]),
        says=record["says"],
        do=record["do"],
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """The server's settings that a forecast goes by."""

    grace: timedelta
    """How long a domain counts after its record was lost."""
    claim: timedelta
    """How long a domain stays with its tenant unverified."""


def forecast(
    editor: DirectoryEditor, seen_servers: Sequence[SeenServer], at: datetime, terms: Terms, tenant: str | None = None
) -> list[ForecastItem]:
    """For one tenant, or all."""
    owner = tenant_named(editor, tenant).name if tenant else None
    by_connector: dict[tuple[str, str], list[SeenServer]] = defaultdict(list)
    for server in seen_servers:
        if _is_of_an_earlier_tenant(editor, server):
            continue
        by_connector[server.tenant, server.connector].append(server)
    began = min((each.first_at for each in seen_servers), default=at)
    found: list[ForecastItem] = []
    for connector in editor.all_inbound_connectors(owner):
        if connector.enabled:
            seen = by_connector.get((connector.tenant, connector.name), [])
            found += _of_certificates(connector, seen, at)
            found += _of_names(editor, connector, at, terms.grace)
            found += _of_use(connector, seen, began, at)
            found += _of_networks(editor, connector)
    found += _of_claims(editor, at, terms.claim, owner)
    found += _of_proofs(editor, at, owner)
    found += _of_refused_enrolments(editor, owner)
    return sorted(
        found, key=lambda each: (each.due_at or datetime.max.replace(tzinfo=UTC), each.tenant, each.connector)
    )


def _is_of_an_earlier_tenant(editor: DirectoryEditor, server: SeenServer) -> bool:
    """Of one that was removed, whose name another has now."""
    tenant = editor.tenant(server.tenant)
    return tenant is not None and server.last_at < tenant.created_at


# --- certificates ------------------------------------------------------------------------------------------------


def _of_certificates(connector: InboundConnector, seen: Sequence[SeenServer], at: datetime) -> Iterator[ForecastItem]:
    current = list(_current(seen))
    addresses: dict[SeenCertificate, list[str]] = defaultdict(list)
    for server in current:
        if server.certificate and server.basis in (Basis.CERTIFICATE, Basis.PIN):
            addresses[server.certificate].append(server.address)
    for certificate, used_from in addresses.items():
        if certificate.not_after and certificate.not_after - at <= HORIZON:
            yield _expiring(connector, certificate, used_from, _successor(certificate, addresses))
        if distrust := _distrust_of(certificate):
            yield _distrusted(connector, certificate, distrust, at)


def _current(seen: Iterable[SeenServer]) -> Iterator[SeenServer]:
    """The last one of each address: what its server presents now."""
    last: dict[str, SeenServer] = {}
    for server in sorted(seen, key=lambda each: each.last_at):
        last[server.address] = server
    yield from last.values()


def _successor(certificate: SeenCertificate, others: Iterable[SeenCertificate]) -> SeenCertificate | None:
    """A later certificate with one of the same names, presented by another server."""
    later = [
        each
        for each in others
        if set(each.names) & set(certificate.names) and _end(each) > _end(certificate) and each != certificate
    ]
    return max(later, key=_end, default=None)


def _end(certificate: SeenCertificate) -> datetime:
    return certificate.not_after or datetime.min.replace(tzinfo=UTC)


def _expiring(
    connector: InboundConnector, certificate: SeenCertificate, used_from: list[str], successor: SeenCertificate | None
) -> ForecastItem:
    servers = ", ".join(sorted(used_from)[:5]) + (" and others" if len(used_from) > 5 else "")
    name, end = _name_of(certificate), f"{_end(certificate):%Y-%m-%d %H:%M} UTC"
    if successor:
        code = ForecastCode.RENEWED_ELSEWHERE
        says = (
            f"{servers} still presents {name} that expires {end}; another server presents one until {_day(successor)}"
        )
        do = f"copy the renewed certificate to {servers} and reload its mail server"
    else:
        code = ForecastCode.CERTIFICATE_EXPIRES
        says = f"the certificate {name} presented by {servers} expires {end}"
        do = "renew it; try the new one before it goes in: gatepost hybrid rehearse --certificate PEM --key PEM"
    return ForecastItem(
        code=code,
        tenant=connector.tenant,
        connector=connector.name,
        subject=certificate.sha256,
        due_at=certificate.not_after,
        says=says,
        do=do,
    )


def _name_of(certificate: SeenCertificate) -> str:
    return certificate.names[0] if certificate.names else certificate.subject or certificate.sha256[:16]


def _day(certificate: SeenCertificate) -> str:
    return f"{_end(certificate):%Y-%m-%d}"


# --- authorities -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Distrust:
    """One entry of distrusted_authorities.toml, which explains the fields."""

    anchor: str
    issued_after: date | None = None
    at: date | None = None
    source: str

    def due_at(self, certificate: SeenCertificate, at: datetime) -> datetime | None:
        """The day it is distrusted; None: it is already, and any update of a bundle of roots may end its trust."""
        if self.at:
            due = _midnight(self.at)
        else:
            assert self.issued_after, "an entry has one date or the other"
            cut_off = _midnight(self.issued_after)
            due = cut_off if (certificate.not_before or at) > cut_off else _end(certificate)
        return due if due > at else None


@cache
def _distrusts() -> tuple[_Distrust, ...]:
    text = files("gatepost.admin.forecast").joinpath("distrusted_authorities.toml").read_text("utf-8")
    return tuple(_Distrust(**each) for each in tomllib.loads(text)["distrust"])


def _distrust_of(certificate: SeenCertificate) -> _Distrust | None:
    anchor = certificate.anchor.casefold()
    return next((each for each in _distrusts() if each.anchor.casefold() in anchor), None)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _distrusted(
    connector: InboundConnector, certificate: SeenCertificate, distrust: _Distrust, at: datetime
) -> ForecastItem:
    return ForecastItem(
        code=ForecastCode.ISSUER_DISTRUSTED,
        tenant=connector.tenant,
        connector=connector.name,
        subject=certificate.sha256,
        due_at=distrust.due_at(certificate, at),
        says=f"{_name_of(certificate)} leads to {certificate.anchor}, which is distrusted: {distrust.source}",
        do="take the next certificate from another authority",
    )


# --- proofs ------------------------------------------------------------------------------------------------------


def _of_proofs(editor: DirectoryEditor, at: datetime, tenant: str | None) -> Iterator[ForecastItem]:
    for listed in proofs.every(editor, tenant, at):
        owner, ends_at = listed.proof.tenant, listed.proof.ends_at
        again = f"enrol the server again: gatepost enroll {quote(owner)}"
        if listed.state is not ProofState.COUNTS:
            yield _of_tenant(
                ForecastCode.PROOF_DOES_NOT_COUNT,
                owner,
                listed.pin,
                f"the pin is proven, but {_WHY_NOT[listed.state]}; it counts like an address",
                f"{again}, or revoke the proof: gatepost proof remove {quote(owner)} {listed.pin}",
            )
        elif ends_at and ends_at - at <= HORIZON:
            says = f"the proof of this pin ends with its certificate, on {ends_at:%Y-%m-%d %H:%M} UTC"
            yield _of_tenant(ForecastCode.PROOF_ENDS, owner, listed.pin, says, again, ends_at)


_WHY_NOT = {
    ProofState.ENDED: "the certificate it was proven with has ended",
    ProofState.MADE_BY_MESSAGE: "by a message alone, which a forwarder or a shared provider sends too",
    ProofState.NO_VERIFIED_DOMAIN: "the tenant has no verified domain",
    ProofState.PROVEN_BEFORE: "another tenant proved it before",
}


def _of_refused_enrolments(editor: DirectoryEditor, tenant: str | None) -> Iterator[ForecastItem]:
    for one_time_address in editor.unseen_enrolments(tenant):
        if refused := one_time_address.refused:
            yield _of_tenant(
                ForecastCode.ENROLMENT_REFUSED,
                one_time_address.tenant,
                str(refused["session_id"]),
                f"an enrolment was refused: {refused['code']}: {refused['says']}",
                f"see the session: gatepost enroll {quote(one_time_address.tenant)} --show",
            )


def _of_tenant(
    code: ForecastCode, tenant: str, subject: str, says: str, do: str, due_at: datetime | None = None
) -> ForecastItem:
    return ForecastItem(code=code, tenant=tenant, connector="", subject=subject, due_at=due_at, says=says, do=do)


# --- names and use -----------------------------------------------------------------------------------------------


def _of_names(
    editor: DirectoryEditor, connector: InboundConnector, at: datetime, grace: timedelta
) -> Iterator[ForecastItem]:
    if connector.type is ConnectorType.PARTNER:
        return
    for name in connector.certificate_names:
        owner = ownership(editor, name, connector.tenant).nearest
        if owner and owner.tenant == connector.tenant and owner.lost_at:
            yield ForecastItem(
                code=ForecastCode.NAME_ABOUT_TO_BE_LOST,
                tenant=connector.tenant,
                connector=connector.name,
                subject=name,
                due_at=owner.lost_at + grace,
                says=f"the TXT record of {owner.domain} is gone since {owner.lost_at:%Y-%m-%d}; with it goes {name}",
                do=f"publish the TXT record again (gatepost domain show {owner.domain}), then: "
                f"gatepost domain verify {owner.domain}",
            )


def _of_use(
    connector: InboundConnector, seen: Sequence[SeenServer], began: datetime, at: datetime
) -> Iterator[ForecastItem]:
    if connector.type is ConnectorType.PARTNER:
        return
    if not seen and at - began >= _LONG_ENOUGH:
        yield _without_date(
            ForecastCode.CONNECTOR_NEVER_USED,
            connector,
            f"no session has used it since {began:%Y-%m-%d}",
            "check what its server presents: gatepost hybrid rehearse; or remove it: "
            f"gatepost inbound-connector remove {_arguments(connector)}",
        )
    by_address = [each for each in seen if each.basis is Basis.ADDRESS]
    if by_address and len(by_address) == len(seen):
        why = "though it lists names" if connector.certificate_names else "and lists no certificate name"
        yield _without_date(
            ForecastCode.ADDRESS_ONLY,
            connector,
            f"it is recognised by address alone, {why}: bounces are refused, and a new address stops its mail",
            "have the server present a certificate, and add its name: "
            f"gatepost inbound-connector set {_arguments(connector)} --add-certificate-name NAME",
        )


def _of_networks(editor: DirectoryEditor, connector: InboundConnector) -> Iterator[ForecastItem]:
    """Wider than a tenant may list: from before there was a limit, or by the operator's word."""
    if connector.type is ConnectorType.PARTNER or not connector.addresses:
        return
    limits = editor.allowance.of(tenant_named(editor, connector.tenant))
    for network in connector.addresses:
        if is_wide(network, limits):
            yield ForecastItem(
                code=ForecastCode.WIDE_NETWORK,
                tenant=connector.tenant,
                connector=connector.name,
                subject=str(network),
                due_at=None,
                says=f"it lists {network}: any host in it that knows a domain of {connector.tenant} can relay",
                do="list the addresses of its servers, or have them present a certificate: "
                f"gatepost inbound-connector set {_arguments(connector)} --address CIDR",
            )


def _of_claims(editor: DirectoryEditor, at: datetime, claim: timedelta, tenant: str | None) -> Iterator[ForecastItem]:
    """No mail stops when they lapse: none was taken for them."""
    lapses_soon = at + _LAPSES_SOON - claim
    for domain in editor.all_domains(tenant) if tenant else editor.claims_made_before(lapses_soon):
        if not domain.verified and domain.claimed_at and domain.claimed_at < lapses_soon:
            yield ForecastItem(
                code=ForecastCode.CLAIM_LAPSES,
                tenant=domain.tenant,
                connector="",
                subject=domain.domain,
                due_at=None,
                says=f"{domain.domain} is not verified, and on {domain.claimed_at + claim:%Y-%m-%d} it is removed from "
                f"{domain.tenant}",
                do=f"publish its TXT record (gatepost domain show {domain.domain} --tenant {quote(domain.tenant)}), "
                f"then: gatepost domain verify {domain.domain} --tenant {quote(domain.tenant)}",
            )


def _without_date(code: ForecastCode, connector: InboundConnector, says: str, do: str) -> ForecastItem:
    return ForecastItem(
        code=code, tenant=connector.tenant, connector=connector.name, subject="", due_at=None, says=says, do=do
    )


def _arguments(connector: InboundConnector) -> str:
    return f"{quote(connector.tenant)} {quote(connector.name)}"
