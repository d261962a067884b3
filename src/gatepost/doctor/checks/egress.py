"""The address that mail leaves from, and what a connector can list."""

# ruff: noqa: E501 - a sentence broken over lines reads worse

from collections.abc import Iterator

from gatepost.doctor.addresses import Egress, egress_addresses, parsed_address, refused_by_attribution
from gatepost.doctor.causes import cause_named
from gatepost.doctor.checks.check import Check
from gatepost.doctor.checks.named import filled, repair_for
from gatepost.doctor.path.objects import MailPath
from gatepost.doctor.path.told import How, Told, seen
from gatepost.doctor.path.values import ENDPOINT
from gatepost.doctor.repairs import Advice


def connector_can_list_the_address(path: MailPath) -> Iterator[Check]:
    """A connector lists IPv4 addresses only; what leaves by IPv6 is nobody's, unless a certificate names it."""
    refused = next(
        (
            each
            for each in (*egress_addresses(path.bundle), *_over_six(path))
            if each.refused and each.address.version == 6
        ),
        None,
    )
    by_address = next(
        (each for each in path.bundle.inbound_connectors if each.addresses and not each.certificate_name), None
    )
    if refused is None or by_address is None:
        return
    passing = next(
        (each for each in egress_addresses(path.bundle) if each.accepted and each.address.version == 4), None
    )
    cause = cause_named("ipv6-egress")
    four = passing.text if passing else by_address.addresses[0].partition("/")[0]
    from_where = f"from {refused.text}" if refused.quote.startswith(("Hello", "sent from")) else f"to {refused.text}"
    yield Check(
        cause=cause.id,
        standing="broken",
        subject=refused.text,
        says=f"The refused mail leaves over IPv6 {from_where}; connector {by_address.label} knows the sender by {', '.join(by_address.addresses)}, and a connector can list IPv4 addresses only.",
        premises=(
            _told(refused),
            seen(
                by_address,
                by_address.attribute("SenderIPAddresses") or by_address,
                f"{by_address.label}: SenderIPAddresses {', '.join(by_address.addresses)}",
            ),
            *((_told(passing),) if passing else ()),
        ),
        explains=frozenset(("not-attributed", "wrong-region", "ipv6-not-accepted")),
        way="out",
        edits=tuple(
            Advice(each.where, filled(each.command, {"address": four}).replace("IPV4-ADDRESS", four))
            for each in repair_for(path, cause)
        ),
        verify=cause.verify,
        alone=True,
        place=48,
    )


def _over_six(path: MailPath) -> Iterator[Egress]:
    """A refusal by a peer that was reached at its IPv6 address: then the own end is IPv6 as well, unless it is seen."""
    if any(each.refused for each in egress_addresses(path.bundle)):
        return
    for each in path.bundle.replies:
        address = parsed_address(each.said_by_address)
        if address is not None and address.version == 6 and refused_by_attribution(each):
            yield Egress(address=address, refused=1, source=each.source, quote=f"said by {address}")
    if not any(map(refused_by_attribution, path.bundle.replies)):
        return
    for session in path.bundle.sessions:
        address = parsed_address(session.remote_endpoint)
        if session.log == "transcript" and session.remote_name.endswith(ENDPOINT) and address is not None:
            yield Egress(address=address, refused=int(session.accepted is not True), source=session.source, quote="")
    for delivery in path.bundle.postfix_deliveries:
        address = parsed_address(delivery.relay_address)
        if address is not None and address.version == 6 and delivery.status not in ("sent", ""):
            yield Egress(address=address, refused=1, source=delivery.source, quote=f"relay {address}")


def _told(egress: Egress) -> Told[object]:
    what = "accepted" if egress.accepted and not egress.refused else "refused"
    return Told(value=egress.address, how=How.SEEN, source=egress.source, says=f"{egress.quote}: {what}")
