"""The relay recognises the session: asked of attribution, with the edit that turns its verdict."""

# ruff: noqa: E501 - a sentence broken over lines reads worse

from collections.abc import Iterator
from typing import Final

from gatepost.doctor.checks.check import Check, Need
from gatepost.doctor.path.objects import MailPath
from gatepost.doctor.path.told import How, seen
from gatepost.doctor.relay_side import World, turning_edits, world_of
from gatepost.doctor.repairs import Advice, Edited
from gatepost.exchange.powershell import argument

_REFUSALS: Final = frozenset(("not-attributed", "domain-condition", "wrong-region"))
_CONNECTORS: Final = Need("the connectors of the tenant that refuses: Get-InboundConnector | ConvertTo-Json", 1)


def relay_recognises_the_session(path: MailPath) -> Iterator[Check]:
    """Where it was refused, or where a session was shown that nothing accepted: what a tenant's connectors would do with
    mail that nobody sent is no fault."""
    refused = bool(path.symptoms_of(sorted(_REFUSALS)))
    if not refused:
        yield from _only_connector_is_off(path)
    world = world_of(path) if refused or _was_shown(path) else None
    if not refused and world is None:
        return
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
            alone=not refused,
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


def _was_shown(path: MailPath) -> bool:
    """A session out that shows what the relay sees of the sender, and that was not accepted."""
    return any(
        each.way == "out"
        and each.log.log == "send"
        and each.log.accepted is None
        and (each.ours or each.log.hello_address)
        for each in path.sessions
    )


def _only_connector_is_off(path: MailPath) -> Iterator[Check]:
    connectors = path.bundle.inbound_connectors
    off = [each for each in connectors if each.enabled is False and each.connector_type == "onpremises"]
    if not off or len(off) != len(connectors):
        return
    name = off[0].name or "<connector>"
    yield Check(
        cause="connector-disabled",
        standing="broken",
        subject=name,
        says=f"The tenant's only inbound connector, {off[0].label}, is disabled: no session can be recognised as the tenant's own.",
        premises=(seen(False, off[0].attribute("Enabled") or off[0], f"{off[0].label}: Enabled False"),),
        explains=_REFUSALS | {"nothing-goes"},
        way="out",
        edits=(Advice("Exchange Online", f"Set-InboundConnector -Identity {argument(name)} -Enabled $true"),),
        verify="A message to an outside recipient is answered 250; a connector's change takes up to an hour.",
        alone=True,
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
