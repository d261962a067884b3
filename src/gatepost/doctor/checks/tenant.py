"""The relay recognises the session: asked of attribution, with the edit that turns its verdict."""

from collections.abc import Iterator
from typing import Final

from gatepost.doctor.checks.check import Check, Need
from gatepost.doctor.path.objects import MailPath
from gatepost.doctor.path.told import How
from gatepost.doctor.relay_side import World, turning_edits, world_of
from gatepost.doctor.repairs import Edited

_REFUSALS: Final = frozenset(("not-attributed", "domain-condition", "wrong-region"))
_CONNECTORS: Final = Need("the connectors of the tenant that refuses: Get-InboundConnector | ConvertTo-Json", 1)


def relay_recognises_the_session(path: MailPath) -> Iterator[Check]:
    """Only where it was refused: what a tenant's connectors would do with mail that nobody sent is no fault."""
    if not path.symptoms_of(sorted(_REFUSALS)):
        return
    world = world_of(path)
    if world is None:
        yield Check(
            cause="no-inbound-connector", standing="unknown", subject="tenant", says="", needs=(_CONNECTORS,), place=60
        )
        return
    for turned in dict.fromkeys(turning_edits(world)):
        yield Check(
            cause=turned.cause,
            standing="broken",
            subject=turned.subject,
            says=turned.says,
            premises=turned.premises,
            explains=_REFUSALS,
            way="out",
            edits=(Edited(turned.fixes),),
            verify="A message to an outside recipient is answered 250; a connector's change takes up to an hour.",
            place=60,
        )
    if world.relays:
        yield Check(
            cause="tenant-attribution-failed-cause-unknown",
            standing="unknown",
            subject="tenant",
            says="",
            needs=tuple(_not_seen(world)),
            place=60,
        )


def _not_seen(world: World) -> Iterator[Need]:
    """What was taken for normal, and is not: one of these must be otherwise."""
    if world.address.how is How.ASSUMED and any(each.addresses for each in world.connectors):
        yield Need("the address your mail leaves from, as the relay sees it: 'Hello [address]' in the EHLO answer", 3)
    if world.leaf.how is How.ASSUMED and any(each.certificate_names for each in world.connectors):
        yield Need("the sending server's protocol log of one refused session, with the row 'Sending certificate'", 3)
    if world.reverse_path.how is How.ASSUMED:
        yield Need("the envelope sender (MAIL FROM) of one refused message, and whether it was empty", 3)
    if not world.domains_seen:
        yield Need("the tenant's accepted domains: Get-AcceptedDomain | ConvertTo-Json", 1)
