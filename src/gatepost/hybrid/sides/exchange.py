"""Exchange Server and Exchange Online for the wizard: exports of both in; a plan and two scripts out."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha1
from pathlib import Path

from gatepost.hybrid.errors import UnusableFile, UnusablePlan
from gatepost.hybrid.exchange import (
    CREATED,
    ON_PREMISES,
    ONLINE,
    DesiredExchange,
    desired_objects,
    missing_exports,
    observed,
    script,
)
from gatepost.hybrid.merge import Fields
from gatepost.hybrid.observe import relevant
from gatepost.hybrid.plan import DesiredObject, Plan, difference, read_plan
from gatepost.hybrid.ports import CertificateFiles, Exported, ReadExports
from gatepost.hybrid.usable import usable_certificate
from gatepost.tenancy.evidence import CertificateFacts
from gatepost.tenancy.names import certificate_name_key

PLAN_FILE = "plan.json"
_SCRIPTS = {ON_PREMISES: "exchange-server.ps1", ONLINE: "exchange-online.ps1"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeRequest:
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


def plan_exchange(
    request: ExchangeRequest,
    overwrite: Sequence[str],
    certificates: CertificateFiles,
    read_exports: ReadExports,
    now: datetime,
) -> Rendered:
    """Raises `UnusableFile`, `NotPossible`."""
    leaf = usable_certificate(certificates, request.certificate, now)
    exports = read_exports(request.exports, certificate_in_exchange(leaf))
    desired = _desired(request, leaf, exports.accepted_domains)
    last = _earlier(request.earlier)
    shown = _shown(exports.objects, request.none)
    there = observed(exports.objects)
    objects = desired_objects(desired, exports.accepted_domains, there, shown)
    found = relevant(objects, there)
    changes, kept = difference(objects, found, last, overwrite)
    plan = Plan(
        made_at=now.isoformat(timespec="seconds").replace("+00:00", "Z"),
        request={"exchange": True, "config_directory": None},
        observed=found,
        desired=_in_force(objects, there, last),
        changes=changes,
        kept=kept,
        notes=missing_exports(shown),
    )
    scripts = {name: text for side, name in _SCRIPTS.items() if (text := script(plan, side, desired.thumbprint))}
    return Rendered(plan=plan, scripts=scripts)


def certificate_in_exchange(leaf: CertificateFacts) -> str:
    """How Exchange names it in a connector."""
    return f"<I>{leaf.issuer}<S>{leaf.subject}"


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
    objects: Iterable[DesiredObject],
    there: Mapping[str, Mapping[str, Fields]],
    last: Mapping[str, Mapping[str, Fields]],
) -> dict[str, dict[str, Fields]]:
    """What counts as applied: nobody here runs the scripts, so only what an export has shown to be so."""
    found = {side: dict(objects) for side, objects in last.items()}
    for each in objects:
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


def _desired(request: ExchangeRequest, leaf: CertificateFacts, accepted_domains: Iterable[str]) -> DesiredExchange:
    names = tuple(filter(None, map(certificate_name_key, leaf.names)))
    if not names:
        raise UnusableFile(f"certificate {request.certificate} has no DNS name; name one that a connector can go by")
    return DesiredExchange(
        domains=request.domains,
        routing_domain=request.routing_domain or _routing_domain(accepted_domains),
        smart_host=request.smart_host,
        certificate_names=names,
        tls_certificate_name=certificate_in_exchange(leaf),
        # Exchange names certificates by this digest; nothing rests on its strength.
        thumbprint=sha1(leaf.der, usedforsecurity=False).hexdigest().upper(),
        centralized=request.centralized,
    )


def _routing_domain(accepted_domains: Iterable[str]) -> str:
    found = sorted(domain for domain in accepted_domains if domain.endswith(".mail.onmicrosoft.com"))
    if not found:
        raise UnusableFile(
            "no accepted domain of the exports ends in .mail.onmicrosoft.com: name it with --routing-domain, or add "
            "the output of Get-AcceptedDomain"
        )
    return found[0]


def _earlier(folder: Path | None) -> Mapping[str, Mapping[str, Fields]]:
    file = folder / PLAN_FILE if folder else None
    if file is None or not file.exists():
        return {}
    try:
        plan = read_plan(file.read_text("utf-8"), str(file))
    except UnusablePlan as error:
        raise UnusableFile(str(error)) from None
    return plan.desired
