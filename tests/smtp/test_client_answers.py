"""Every recipient of a transaction has one verdict, whatever the server says in which order."""

from gatepost.mail.reply import RemoteReply
from gatepost.smtp.client_answers import Answers, verdict
from gatepost.smtp.client_effects import Verdict

OK = RemoteReply(250, "2.1.5", ("250 2.1.5 ok",))
NO = RemoteReply(550, "5.1.1", ("550 5.1.1 no",))
LATER = Verdict(4, "4.4.2", "the connection was lost", None)


def test_who_was_refused_keeps_that_and_the_rest_has_what_became_of_the_content() -> None:
    answers = Answers(3)
    for reply in (OK, NO):
        answers.recipient(reply)
    assert answers.accepted == 1
    assert [each.kind for each in answers.verdicts(LATER)] == [4, 5, 4]


def test_a_recipient_that_is_taken_after_mail_was_refused_is_refused_all_the_same() -> None:
    answers = Answers(2)
    answers.all_refused(NO)
    answers.recipient(OK)
    assert answers.taken_nevertheless and not answers.accepted
    assert [each.status for each in answers.verdicts(LATER)] == ["5.1.1", "5.1.1"]


def test_a_status_that_contradicts_its_code_does_not_count() -> None:
    assert verdict(RemoteReply(451, "5.1.1", ("451 5.1.1 odd",))).status == "4.0.0"
