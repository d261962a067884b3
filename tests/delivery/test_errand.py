"""One claim over one session: each recipient has one outcome, in as many transactions as the next hop wants."""

from dataclasses import replace

from delivery.test_connection import claim
from gatepost.delivery.errand import Errand, Hop
from gatepost.mail.reply import RemoteReply
from gatepost.queue.message import MemoryContent
from gatepost.queue.outcome import Deferred, Delivered, Failed
from gatepost.smtp.client_effects import Verdict

TAKEN = Verdict(2, "2.0.0", "", RemoteReply(250, "2.0.0", ("250 2.0.0 ok",)))
REFUSED = Verdict(5, "5.1.1", "the next hop refused it", RemoteReply(550, "5.1.1", ("550 5.1.1 no",)))
TOO_MANY = Verdict(4, "4.5.3", "the next hop refused it", RemoteReply(452, "4.5.3", ("452 4.5.3 too many",)))


def errand(*to: str, content: bytes = b"Subject: x\r\n\r\n") -> Errand:
    return Errand(claim(*to), MemoryContent(content), 0.0)


def test_recipients_go_in_batches_and_what_was_too_many_goes_again() -> None:
    found = errand("a@x.example", "b@x.example", "c@x.example")
    assert len(found.transaction(2).recipients) == 2
    found.ended((TAKEN, TOO_MANY), False, Hop("mx", True, None), 0.0)
    assert not found.is_done
    assert [each.forward_path for each in found.transaction(2).recipients] == ["c@x.example", "b@x.example"]
    found.ended((REFUSED, TAKEN), False, Hop("mx", True, None), 0.0)
    assert found.is_done
    assert [type(outcome) for outcome in found.outcomes] == [Delivered, Failed, Delivered]


def test_where_nobody_was_taken_too_many_is_an_outcome() -> None:
    found = errand()
    found.transaction(100)
    found.ended((TOO_MANY,), False, Hop("mx", False, None), 0.0)
    assert found.is_done and isinstance(found.outcomes[0], Deferred)


def test_what_is_left_when_the_session_ends_is_deferred() -> None:
    found = errand("a@x.example", "b@x.example")
    found.transaction(1)
    found.ended((TAKEN,), False, Hop("mx", False, None), 0.0)
    found.break_off()
    assert found.is_done
    assert isinstance(found.outcomes[1], Deferred) and found.outcomes[1].host is None


def test_the_message_id_of_the_row_is_that_of_the_header() -> None:
    def row(content: bytes) -> str:
        memory = MemoryContent(content)
        return Errand(replace(claim("a@x.example"), content=memory), memory, 0.0).row

    assert row(b"Message-ID: <1@x>\r\n\r\nhello").endswith("and InternetMessageId <1@x>")
    assert "InternetMessageId" not in row(b"Subject: x\r\n\r\nMessage-ID: <of-another@x>\r\n")
