"""`gatepost queue …`"""

import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from gatepost.admin.queue import waiting_mail
from gatepost.admin.queue.records import order_record, overview_record, shown_record
from gatepost.admin.queue.waiting_mail import MessageView, Overview
from gatepost.cli import context
from gatepost.cli.editing import day_and_time, print_facts, print_table
from gatepost.errors import BadRequest, Refused
from gatepost.queue.message import QueuedMessage, QueuedRecipient, RecipientState
from gatepost.queue.orders import Action, Order
from gatepost.queue.store import QueueFilter

if TYPE_CHECKING:
    from gatepost.admin.queue.commands import QueueCommands

queue_app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    no_args_is_help=True,
    help="List, hold, retry and remove queued mail.",
)

Id = Annotated[str, typer.Argument(metavar="ID", show_default=False, help="Such as 0-4711.")]
MaybeId = Annotated[str | None, typer.Argument(metavar="ID", show_default=False, help="One message.")]
Tenant = Annotated[str | None, typer.Option(metavar="NAME", help="Mail of this tenant.")]
Domain = Annotated[str | None, typer.Option(metavar="DOMAIN", help="Mail to this domain.")]
State = Annotated[str | None, typer.Option(metavar="STATE", help="queued, active, held or bouncing.")]
OlderThan = Annotated[
    str | None, typer.Option(metavar="DURATION", help="Received at least this long ago: 90s, 15m, 4h, 2d.")
]
Sender = Annotated[
    str | None, typer.Option(metavar="ADDRESS|@DOMAIN", help="With this reverse-path; '<>': notifications.")
]
All = Annotated[bool, typer.Option("--all", help="Everything in the queue.")]
Yes = Annotated[bool, typer.Option("--yes", help="Skip the confirmation prompt.")]
Json = Annotated[bool, typer.Option("--json", help="Output JSON.")]

# A terminal's height; a large queue has thousands of destinations.
_COUNTS_SHOWN = 30

_DONE = {
    Action.RETRY: "due now",
    Action.HOLD: "held",
    Action.RELEASE: "released",
    Action.REMOVE: "removed",
    Action.BOUNCE: "about to bounce",
}


@queue_app.command("list", help="Summarise the queue, then list the oldest messages.")
def list_queue(
    tenant: Tenant = None,
    domain: Domain = None,
    state: State = None,
    older_than: OlderThan = None,
    sender: Sender = None,
    limit: Annotated[int, typer.Option(min=0, metavar="COUNT", help="Maximum number of messages.")] = 50,
    json: Json = False,
) -> None:
    with _queue_commands() as admin:
        wanted = waiting_mail.choice(tenant=tenant, domain=domain, state=state, older_than=older_than, sender=sender)
        found = admin.overview(wanted, limit)
        is_whole = not admin.unreadable()
    if json:
        context.print_json(overview_record(found))
    else:
        _print_overview(found, is_everything=wanted == QueueFilter())
    if not is_whole or (not found.counts and wanted != QueueFilter()):
        raise typer.Exit(context.NO)


@queue_app.command(help="Show one message: envelope, recipients, last replies, header.")
def show(id: Id, json: Json = False) -> None:
    with _queue_commands() as admin:
        found = admin.shown(id)
    if json:
        context.print_json(shown_record(found))
        return
    _print_message(found)
    context.suggest(f"gatepost why {found.message.session_id}")


@queue_app.command(help="Attempt delivery now.")
def retry(
    id: MaybeId = None,
    tenant: Tenant = None,
    domain: Domain = None,
    state: State = None,
    older_than: OlderThan = None,
    sender: Sender = None,
    all: All = False,
) -> None:
    with _queue_commands() as admin:
        _carry_out(admin, Action.RETRY, _chosen(id, tenant, domain, state, older_than, sender, all))


@queue_app.command(help="Hold mail until it is released.")
def hold(
    id: MaybeId = None,
    tenant: Tenant = None,
    domain: Domain = None,
    state: State = None,
    older_than: OlderThan = None,
    sender: Sender = None,
    all: All = False,
) -> None:
    with _queue_commands() as admin:
        _carry_out(admin, Action.HOLD, _chosen(id, tenant, domain, state, older_than, sender, all))
    context.suggest("gatepost queue list --state held")


@queue_app.command(help="Release held mail.")
def release(
    id: MaybeId = None,
    tenant: Tenant = None,
    domain: Domain = None,
    state: State = None,
    older_than: OlderThan = None,
    sender: Sender = None,
    all: All = False,
) -> None:
    with _queue_commands() as admin:
        _carry_out(admin, Action.RELEASE, _chosen(id, tenant, domain, state, older_than, sender, all))


@queue_app.command(help="Delete queued mail without notifying the sender. Prompts first.")
def remove(
    id: MaybeId = None,
    tenant: Tenant = None,
    domain: Domain = None,
    state: State = None,
    older_than: OlderThan = None,
    sender: Sender = None,
    all: All = False,
    yes: Yes = False,
) -> None:
    with _queue_commands() as admin:
        wanted = _chosen(id, tenant, domain, state, older_than, sender, all)
        if not yes:
            _ask(admin, wanted)
        _carry_out(admin, Action.REMOVE, wanted)


@queue_app.command(help="Give up delivery now and notify the sender.")
def bounce(
    id: MaybeId = None,
    tenant: Tenant = None,
    domain: Domain = None,
    state: State = None,
    older_than: OlderThan = None,
    sender: Sender = None,
    all: All = False,
) -> None:
    with _queue_commands() as admin:
        _carry_out(admin, Action.BOUNCE, _chosen(id, tenant, domain, state, older_than, sender, all))


@queue_app.command(help="List orders to the queue, newest first, and their state.")
def orders(
    limit: Annotated[int, typer.Option(min=1, metavar="COUNT", help="Maximum number of orders.")] = 50,
    json: Json = False,
) -> None:
    with _queue_commands() as admin:
        found = admin.orders(limit)
    if json:
        context.print_json([order_record(*each) for each in found])
    elif found:
        _print_orders(found)
    else:
        context.say("no orders")


@contextmanager
def _queue_commands() -> "Iterator[QueueCommands]":
    try:
        with context.queue_commands() as admin:
            for line in admin.unreadable():
                context.say(f"gatepost: {line}", err=True)
            yield admin
    except BadRequest as error:
        context.fail(str(error), context.WRONG_USE)
    except Refused as error:
        context.fail(str(error), context.NO)


def _chosen(
    id: str | None,
    tenant: str | None,
    domain: str | None,
    state: str | None,
    older_than: str | None,
    sender: str | None,
    all: bool,
) -> QueueFilter:
    wanted = waiting_mail.choice(
        message_id=id, tenant=tenant, domain=domain, state=state, older_than=older_than, sender=sender
    )
    if wanted == QueueFilter() and not all:
        raise BadRequest("choose the mail: an ID, --tenant, --domain, --state, --older-than, --sender, or --all")
    if wanted != QueueFilter() and all:
        raise BadRequest("--all means everything: leave it out, or leave the rest out")
    return wanted


def _carry_out(admin: "QueueCommands", action: Action, wanted: QueueFilter) -> None:
    changed = admin.carry_out(action, wanted)
    context.say(f"{_recipients(changed)} {_DONE[action]}")


def _ask(admin: "QueueCommands", wanted: QueueFilter) -> None:
    number = admin.affected(Action.REMOVE, wanted)
    if number and not typer.confirm(f"remove {_recipients(number)} for good, without notifying the senders?"):
        context.fail("nothing was removed")


def _recipients(number: int) -> str:
    return f"{number} recipient" if number == 1 else f"{number} recipients"


# -- For people


def _print_overview(found: Overview, *, is_everything: bool) -> None:
    if not found.counts:
        context.say("the queue is empty" if is_everything else "no queued mail matches")
        return
    _print_counts(found)
    if found.first:
        context.say()
        _print_messages(found)
        context.suggest(_next_step(found))


def _print_counts(found: Overview) -> None:
    largest = sorted(found.counts, key=lambda count: -count.recipients)
    print_table(
        "",
        ["tenant", "destination", "state", "recipients", "oldest"],
        [
            [
                count.tenant or "-",
                count.domain,
                count.state.value,
                str(count.recipients),
                _ago(count.oldest_received_at),
            ]
            for count in largest[:_COUNTS_SHOWN]
        ],
    )
    rest = largest[_COUNTS_SHOWN:]
    if rest:
        number = sum(count.recipients for count in rest)
        context.say(f"and {len(rest)} more lines, {_recipients(number)}: choose with --tenant, --domain, or see --json")


def _print_messages(found: Overview) -> None:
    """Each in two lines, or three where something was tried: what a recipient's server said is the reason it waits."""
    if len(found.first) != found.recipients:
        context.say(f"the oldest {len(found.first)} of {found.recipients}")
    for message, recipient in found.first:
        context.say(_cut(f"{message.id}  {_ago(message.received_at)} old, {_attempts(recipient)}"))
        sender = str(message.envelope.reverse_path) or "<>"
        context.say(_cut(f"  {_shortened(sender, _SENDER_SHOWN)} → {recipient.forward_path}"))
        if recipient.last_reply:
            context.say(_cut(f"  {' '.join(recipient.last_reply.split())}"))


_LINE = 80
_SENDER_SHOWN = 36


def _cut(line: str) -> str:
    return _shortened(line, _LINE)


def _shortened(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def _attempts(recipient: QueuedRecipient) -> str:
    tries = "never tried" if not recipient.attempts else f"tried {recipient.attempts} times"
    if recipient.attempts == 1:
        tries = "tried once"
    if recipient.state is not RecipientState.QUEUED:
        return f"{recipient.state}, {tries}"
    ahead = _ahead(recipient.due_at)
    return f"queued, {tries}, next {ahead if ahead == 'now' else f'in {ahead}'}"


def _print_orders(found: Sequence[tuple[str, Order]]) -> None:
    """An order over several queues is one line."""
    together: dict[tuple[object, ...], list[Order]] = defaultdict(list)
    for _, order in found:
        # One command reads the clock once.
        together[order.given_at, order.given_by, order.action, _whom(order)].append(order)
    print_table(
        "",
        ["at", "who", "did", "to", "recipients", "carried out"],
        [
            [
                _when(orders[0].given_at),
                orders[0].given_by,
                orders[0].action.value,
                _whom(orders[0]),
                str(sum(each.recipients for each in orders)),
                _progress(orders),
            ]
            for orders in together.values()
        ],
    )


def _progress(orders: Sequence[Order]) -> str:
    if all(each.carried_out for each in orders):
        return "yes"
    return "it holds" if orders[0].action is Action.HOLD else "under way"


def _whom(order: Order) -> str:
    chosen = {"message": order.message_id, "tenant": order.tenant, "domain": order.domain, "state": order.state}
    if order.sender is not None:
        chosen["sender"] = order.sender or "<>"
    if order.received_until is not None:
        chosen["received until"] = _when(order.received_until)
    return ", ".join([f"{name} {value}" for name, value in chosen.items() if value is not None]) or "all"


def _print_message(found: MessageView) -> None:
    message, envelope = found.message, found.message.envelope
    print_facts(
        f"message {message.id}",
        [
            ("from", str(envelope.reverse_path) or "<> (a notification)"),
            ("received", _when(message.received_at)),
            ("session", message.session_id),
            ("size", f"{message.size} octets, {envelope.body.value}{', SMTPUTF8' if envelope.smtputf8 else ''}"),
            *([("envelope id", envelope.envid)] if envelope.envid else []),
        ],
    )
    for recipient in found.recipients:
        context.say()
        print_facts(
            recipient.forward_path,
            [
                ("tenant", f"{recipient.tenant or '-'}, by connector {recipient.connector or '-'}"),
                ("state", _state_in_words(message, recipient)),
                ("attempts", str(recipient.attempts)),
                ("last reply", recipient.last_reply or "none yet"),
            ],
        )
    context.say()
    context.say(found.headers)


def _state_in_words(message: QueuedMessage, recipient: QueuedRecipient) -> str:
    match recipient.state:
        case RecipientState.QUEUED:
            return f"queued, next attempt {_when(recipient.due_at)}"
        case RecipientState.ACTIVE:
            return "active, an attempt is under way"
        case RecipientState.HELD:
            return f"held, until: gatepost queue release {message.id}"
        case RecipientState.BOUNCING:
            return "bouncing, the sender is about to be notified"


def _next_step(found: Overview) -> str:
    message, _ = next((each for each in found.first if each[1].attempts), found.first[0])
    return f"gatepost queue show {message.id}"


def _when(at: float) -> str:
    return day_and_time(datetime.fromtimestamp(at, UTC))


def _ago(at: float) -> str:
    return _span(time.time() - at)


def _ahead(at: float) -> str:
    return _span(at - time.time()) if at > time.time() else "now"


def _span(seconds: float) -> str:
    """The largest unit says enough."""
    for unit, length in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= length:
            return f"{int(seconds // length)}{unit}"
    return f"{max(0, int(seconds))}s"
