"""What a tenant may read of verdicts and sessions, which are written for the operator.

Law: no word of it comes from another tenant's configuration. A reason about the tenant's own connector is told as it
is; any other by its general meaning; one about another's connector not at all.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any, Final

from gatepost.admin.directory.editor import DirectoryEditor
from gatepost.mail.domain import pattern_covers
from gatepost.queue.message import QueuedMessage, QueuedRecipient
from gatepost.tenancy.reasons import MEANINGS, ReasonCode
from gatepost.tenancy.tenant import AcceptedDomain

_SMTP_REPLY: Final = re.compile(r"[245][0-9]{2}[ -]")
_DISCREET: Final = "the recipient's mail server did not accept it"

_NAMES_RIVALS = frozenset({ReasonCode.LESS_SPECIFIC_THAN_ANOTHER})


def own_verdict(verdict: Mapping[str, Any], tenant: str) -> dict[str, Any]:
    is_own = verdict.get("tenant") == tenant
    return {
        **verdict,
        "tenant": tenant if is_own else None,
        "connector": verdict.get("connector") if is_own else None,
        "reasons": [_told(each, tenant) for each in verdict.get("reasons", ()) if _may_know(each, tenant)],
        "warnings": [],
    }


_SENT: Final = ("relay", "deliver")
"""Outcomes of mail that comes from a tenant's own servers."""


def own_record(record: Mapping[str, Any], tenant: str, is_own_sender: Callable[[str], bool]) -> dict[str, Any] | None:
    """A session record, with what concerns the tenant: mail attributed to it, and refused mail that bears its domains.
    None: nothing does."""
    transactions = [_own_transaction(each, tenant, is_own_sender) for each in record["transactions"]]
    concerning = [each for each in transactions if each["recipients"]]
    return {**record, "transactions": concerning} if concerning else None


def _own_transaction(
    transaction: Mapping[str, Any], tenant: str, is_own_sender: Callable[[str], bool]
) -> dict[str, Any]:
    sent_by_own = is_own_sender(transaction["mail_from"])
    recipients = [
        own_verdict(each, tenant)
        for each in transaction["recipients"]
        if each.get("tenant") == tenant or (sent_by_own and each.get("outcome") == "refused")
    ]
    more_refused = transaction.get("more_refused", 0) if sent_by_own else 0
    own = {**transaction, "recipients": recipients, "more_refused": more_refused}
    if not any(each.get("tenant") == tenant and each.get("outcome") in _SENT for each in recipients):
        own.pop("dkim", None)
    return own


def _may_know(reason: Mapping[str, Any], tenant: str) -> bool:
    connector = reason["connector"]
    return connector is None or connector.startswith(f"{tenant}/")


def _told(reason: Mapping[str, Any], tenant: str) -> dict[str, Any]:
    code = ReasonCode(reason["code"])
    if reason["connector"] is not None and code not in _NAMES_RIVALS:
        return dict(reason)
    return {**reason, "says": MEANINGS[code].sentence}


def own_recipients(
    editor: DirectoryEditor, tenant: str, found: Sequence[tuple[QueuedMessage, QueuedRecipient]]
) -> list[tuple[QueuedMessage, QueuedRecipient]]:
    """As their tenant may read them: of another tenant's next hop the SMTP reply alone, neither host nor port."""
    connectors = cache(lambda owner: tuple(editor.all_send_connectors(owner)))

    def told(message: QueuedMessage, recipient: QueuedRecipient) -> QueuedRecipient:
        if recipient.last_reply is None or _SMTP_REPLY.match(recipient.last_reply):
            return recipient
        owner = editor.covering_domain(recipient.domain)
        if owner is None or _was_own(owner, tenant, message):
            return recipient
        leads_to_own_servers = any(
            pattern_covers(space.space, recipient.domain)
            for each in connectors(owner.tenant)
            if each.smart_hosts
            for space in each.address_spaces
        )
        return replace(recipient, last_reply=_DISCREET) if leads_to_own_servers else recipient

    return [(message, told(message, recipient)) for message, recipient in found]


def _was_own(owner: AcceptedDomain, tenant: str, message: QueuedMessage) -> bool:
    """Whether the domain was the tenant's already when the message was accepted."""
    later = owner.verified_at is not None and message.received_at < owner.verified_at.timestamp()
    return owner.tenant == tenant and not later
