"""What delivery tells is in the trace: each outcome an event, each message made here a recipient of its own."""

from contracts.queue_messages import RECEIVED_AT
from contracts.trace_store_contract import NOON
from gatepost.app.delivery_trace import DeliveryTrace, place_of
from gatepost.logs.trace_log import Settled
from gatepost.mail.address import NULL_REVERSE_PATH
from gatepost.mail.envelope import NO_DSN_REQUEST, Envelope
from gatepost.mail.reply import RemoteReply
from gatepost.queue.message import Claim, QueuedMessage, QueuedRecipient, RecipientState
from gatepost.queue.outcome import Deferred, Delivered, Failed
from gatepost.trace.story import QueuePlace, Received, What

RECIPIENT = QueuedRecipient(
    id=65536 * 57 + 3,
    forward_path="bob@x.example",
    domain="x.example",
    tenant="contoso",
    connector="mail",
    dsn=NO_DSN_REQUEST,
    state=RecipientState.ACTIVE,
    due_at=0.0,
    attempts=0,
    last_reply=None,
    delay_notified=False,
)
MESSAGE = QueuedMessage(
    id="1-57",
    session_id="08DF0A1B2C3D4E40",
    received_at=RECEIVED_AT,
    envelope=Envelope(reverse_path=NULL_REVERSE_PATH),
    size=100,
)
CLAIM = Claim(message=MESSAGE, domain="x.example", tenant="contoso", recipients=(RECIPIENT,))
REPLY = RemoteReply(250, "2.0.0", ("250 2.0.0 ok",))


class Log(list[object]):
    def add(self, entry: object) -> None:
        self.append(entry)


def told() -> tuple[DeliveryTrace, Log]:
    log = Log()
    return DeliveryTrace(log, lambda: NOON), log  # type: ignore[arg-type]


def test_an_outcome_is_an_event_with_the_next_hops_words() -> None:
    trace, log = told()
    hop = {"host": "mx", "tls": "TLSv1.3", "took_s": 0.5}
    trace.delivered(CLAIM, Delivered(recipient=RECIPIENT, reply=REPLY, dsn_passed_on=False, **hop))  # type: ignore[arg-type]
    trace.deferred(CLAIM, Deferred(recipient=RECIPIENT, why="no answer", status="4.4.1"), NOON + 60)
    trace.failed(CLAIM, Failed(recipient=RECIPIENT, why="never", status="5.0.0"))
    first, second, third = (each for each in log if isinstance(each, Settled))
    assert first.place == QueuePlace("1-57", 3) and first.is_first
    assert first.event == (NOON, What.DELIVERED, "mx", "TLSv1.3", 0.5, "250 2.0.0 ok", None, None, None)
    assert (second.event.what, second.event.why, second.event.due_at) == (What.DEFERRED, "no answer", NOON + 60)
    assert (third.event.what, third.event.reply, third.event.why) == (What.FAILED, None, "never")


def test_a_message_made_here_is_received_without_a_session_of_its_own() -> None:
    trace, log = told()
    trace.made_here([CLAIM])
    (row,) = log
    assert isinstance(row, Received)
    assert (row.id, row.mail_from, row.rcpt_to, row.address) == ("08DF0A1B2C3D4E40.1-57.3", "", "bob@x.example", None)
    assert row.place == place_of("1-57", RECIPIENT)
