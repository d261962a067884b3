"""Exchange Server and Exchange Online for the wizard: exports in, read by the doctor; a plan and two scripts out."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha1
from pathlib import Path

from gatepost.app.hybrid import usable_certificate
from gatepost.app.relay_api import UnusableFile
from gatepost.doctor.evidence import EvidenceBundle
from gatepost.doctor.reading import NothingToRead, read_files
from gatepost.exchange.distinguished_names import issuer_and_subject
from gatepost.exchange.objects import ExportedObject
from gatepost.hybrid.exchange import (
    CREATED,
    ON_PREMISES,
    ONLINE,
    ExchangeWish,
    Exported,
    desired,
    missing_exports,
    observed,
    script,
)
from gatepost.hybrid.merge import Fields
from gatepost.hybrid.observe import relevant
from gatepost.hybrid.plan import Plan, UnusablePlan, Wanted, difference, read_plan
from gatepost.tenancy.evidence import CertificateFacts
from gatepost.tenancy.names import certificate_name_key

PLAN_FILE = "plan.json"
_SCRIPTS = {ON_PREMISES: "exchange-server.ps1", ONLINE: "exchange-online.ps1"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeAsk:
    exports: tuple[Path, ...]
    """Files and folders of both sides; an object tells by its properties whose it is."""
    domains: tuple[str, ...]
    smart_host: str
    certificate: Path
    routing_domain: str | None = None
    centralized: bool = False
    none: tuple[str, ...] = ()
    """Kinds of object of which there is none, as the administrator says; of others, what no export shows is unknown."""
    earlier: Path | None = None
    """The folder of the last plan, which knows what exports have shown to be applied."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    plan: Plan
    scripts: dict[str, str]
    """By file name."""


def plan_exchange(ask: ExchangeAsk, overwrite: Sequence[str]) -> Rendered:
    """Raises `UnusableFile`, `NotPossible`."""
    now = datetime.now(UTC)
    leaf = usable_certificate(ask.certificate, now)
    bundle = _bundle(ask.exports)
    wish = _wish(ask, leaf, bundle)
    last = _earlier(ask.earlier)
    exported = list(_exported(bundle, wish.tls_certificate_name))
    shown = _shown(exported, ask.none)
    there = observed(exported)
    wanted = desired(wish, _accepted(bundle), there, shown)
    found = relevant(wanted, there)
    changes, kept = difference(wanted, found, last, overwrite)
    plan = Plan(
        made_at=now.isoformat(timespec="seconds").replace("+00:00", "Z"),
        wish={"exchange": True, "config_directory": None},
        observed=found,
        wanted=_in_force(wanted, there, last),
        changes=changes,
        kept=kept,
        notes=missing_exports(shown),
    )
    scripts = {name: text for side, name in _SCRIPTS.items() if (text := script(plan, side, wish.thumbprint))}
    return Rendered(plan=plan, scripts=scripts)


def _shown(exported: Iterable[Exported], none: Iterable[str]) -> frozenset[str]:
    """The kinds of which it is known what there is."""
    found = {each.kind for each in exported}
    for kind in none:
        if kind not in CREATED:
            raise UnusableFile(f"--none {kind}: must be one of {', '.join(CREATED)}")
        if kind in found:
            raise UnusableFile(f"--none {kind}: the exports show one; leave the option out")
    return frozenset(found | set(none))


def _in_force(
    wanted: Iterable[Wanted],
    there: Mapping[str, Mapping[str, Fields]],
    last: Mapping[str, Mapping[str, Fields]],
) -> dict[str, dict[str, Fields]]:
    """What counts as applied: nobody here runs the scripts, so only what an export has shown to be so."""
    found = {side: dict(objects) for side, objects in last.items()}
    for each in wanted:
        now = there[each.side].get(each.object, {})
        shown = {field: value for field, value in each.fields.items() if _holds(now.get(field), value)}
        if shown:
            of_side = found.setdefault(each.side, {})
            of_side[each.object] = {**of_side.get(each.object, {}), **shown}
    return found


def _holds(now: object, wanted: object) -> bool:
    if isinstance(now, list) and isinstance(wanted, list):
        return all(each in now for each in wanted)
    return now == wanted


def _bundle(paths: Iterable[Path]) -> EvidenceBundle:
    try:
        return read_files(paths)
    except NothingToRead as error:
        raise UnusableFile(f"exports: {error}") from None


def _wish(ask: ExchangeAsk, leaf: CertificateFacts, bundle: EvidenceBundle) -> ExchangeWish:
    names = tuple(filter(None, map(certificate_name_key, leaf.names)))
    if not names:
        raise UnusableFile(f"certificate {ask.certificate} has no DNS name; name one that a connector can go by")
    return ExchangeWish(
        domains=ask.domains,
        routing_domain=ask.routing_domain or _routing_domain(bundle),
        smart_host=ask.smart_host,
        certificate_names=names,
        tls_certificate_name=f"<I>{leaf.issuer}<S>{leaf.subject}",
        # Exchange names certificates by this digest; nothing rests on its strength.
        thumbprint=sha1(leaf.der, usedforsecurity=False).hexdigest().upper(),
        centralized=ask.centralized,
    )


def _routing_domain(bundle: EvidenceBundle) -> str:
    found = sorted(domain for domain in _accepted(bundle) if domain.endswith(".mail.onmicrosoft.com"))
    if not found:
        raise UnusableFile(
            "no accepted domain of the exports ends in .mail.onmicrosoft.com: name it with --routing-domain, or add "
            "the output of Get-AcceptedDomain"
        )
    return found[0]


def _accepted(bundle: EvidenceBundle) -> list[str]:
    return [each.domain for each in bundle.accepted_domains if each.domain]


def _earlier(folder: Path | None) -> Mapping[str, Mapping[str, Fields]]:
    file = folder / PLAN_FILE if folder else None
    if file is None or not file.exists():
        return {}
    try:
        plan = read_plan(file.read_text("utf-8"), str(file))
    except UnusablePlan as error:
        raise UnusableFile(str(error)) from None
    return plan.wanted


def _exported(bundle: EvidenceBundle, tls_certificate_name: str) -> Iterator[Exported]:
    for kind, objects in (
        ("SendConnector", bundle.send_connectors),
        ("ReceiveConnector", bundle.receive_connectors),
        ("InboundConnector", bundle.inbound_connectors),
        ("OutboundConnector", bundle.outbound_connectors),
    ):
        for each in objects:
            yield _one(kind, each, tls_certificate_name)


def _one(kind: str, found: ExportedObject, tls_certificate_name: str) -> Exported:
    values: dict[str, str | Sequence[str]] = {}
    cut = set()
    for each in found.properties:
        values[each.name] = each.values if len(each.values) != 1 else each.value
        if each.truncated or each.type_name_only:
            cut.add(each.name)
    if _same_certificate(found.text("TlsCertificateName"), tls_certificate_name):
        # However it is spelled there: it is this certificate.
        values["TlsCertificateName"] = tls_certificate_name
    # `EX1\Default Frontend EX1`: a name alone means the server one is on.
    identity = found.text("Identity")
    name = identity if kind == "ReceiveConnector" and "\\" in identity else found.name
    return Exported(kind=kind, name=name, values=values, cut=frozenset(cut))


def _same_certificate(one: str, other: str) -> bool:
    first, second = issuer_and_subject(one), issuer_and_subject(other)
    return first is not None and second is not None and all(a.key == b.key for a, b in zip(first, second, strict=True))
