"""What a tenant sees of its queued mail, and what may be decided about it."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from contracts.queue_messages import RECEIVED_AT, message
from gatepost.admin.queue.tenants_mail import MailOf
from gatepost.errors import BadRequest, NotAllowed, NotFound
from gatepost.queue.orders import Action
from gatepost.queue.store import QueueFilter
from gatepost.store.directory.editor import SqliteDirectoryEditor
from gatepost.store.queue.admin import SqliteQueueAdmin
from gatepost.store.queue.sqlite_queue import SqliteQueueStore

ALL = QueueFilter()


@pytest.fixture
def mail_of(tmp_path: Path, editor: SqliteDirectoryEditor):
    """0-1 is contoso's, 0-2 fabrikam's, 0-3 of an earlier contoso."""

    async def fill() -> None:
        store = SqliteQueueStore(tmp_path, 0)
        for number, tenant in enumerate(("contoso", "fabrikam")):
            await store.accept(message(f"{number}@a.example", tenant=tenant), claim=False)
        early = message("early@a.example", tenant="contoso", received_at=RECEIVED_AT - 10)
        await store.accept(early, claim=False)
        await store.close()

    asyncio.run(fill())
    created_at = datetime.fromtimestamp(RECEIVED_AT - 5, UTC)

    def of(tenant: str | None, *, to_tenant: bool = False) -> MailOf:
        owner = editor.tenant(tenant) if tenant else None
        owner = replace(owner, created_at=created_at) if owner else None
        return MailOf(queue=SqliteQueueAdmin(tmp_path), directory=editor, owner=owner, to_tenant=to_tenant)

    return of


def waiting(mail: MailOf, said: QueueFilter = ALL) -> list[str]:
    return sorted(recipient.forward_path for _, recipient in mail.overview(said, 10).first)


def test_everything_is_the_operators_and_a_tenant_has_its_own_since_it_was_created(mail_of) -> None:
    assert waiting(mail_of(None)) == ["0@a.example", "1@a.example", "early@a.example"]
    assert waiting(mail_of("contoso")) == ["0@a.example"]
    assert waiting(mail_of("fabrikam", to_tenant=True)) == ["1@a.example"]


def test_a_filter_does_not_lead_to_another_tenant(mail_of) -> None:
    other = QueueFilter(tenant="fabrikam")
    assert waiting(mail_of("contoso", to_tenant=True), other) == ["0@a.example"]
    assert mail_of("contoso").affected(Action.HOLD, other) == 1


def test_another_tenants_message_is_answered_as_one_that_is_not_there(mail_of) -> None:
    assert mail_of("contoso", to_tenant=True).shown("0-1").message.id == "0-1"
    said = set()
    for number in ("0-2", "0-3", "0-9"):
        with pytest.raises(NotFound) as missing:
            mail_of("contoso", to_tenant=True).shown(number)
        said.add(str(missing.value).replace(number, "ID"))
    assert len(said) == 1
    assert mail_of(None).shown("0-3").message.id == "0-3"


def test_a_decision_says_which_mail_it_means(mail_of) -> None:
    contoso = mail_of("contoso", to_tenant=True)
    with pytest.raises(BadRequest):
        contoso.carry_out(Action.HOLD, ALL)
    with pytest.raises(BadRequest):
        contoso.carry_out(Action.HOLD, QueueFilter(domain="a.example"), meant=True)
    assert contoso.carry_out(Action.HOLD, ALL, meant=True) == 1
    with pytest.raises(NotAllowed, match="held"):
        contoso.carry_out(Action.HOLD, QueueFilter(message_id="0-1"))
    assert mail_of("fabrikam").affected(Action.HOLD, ALL) == 1, "the other tenant's mail was left alone"
