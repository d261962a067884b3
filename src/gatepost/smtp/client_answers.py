"""What the server said of one mail transaction, recipient by recipient.

Law: a recipient is taken only by a 2xx to its own RCPT, where MAIL was not refused.
"""

from gatepost.mail.reply import RemoteReply
from gatepost.smtp.client_effects import Verdict


class Answers:
    __slots__ = ("_asked", "_verdicts", "accepted", "begun", "taken_nevertheless")

    def __init__(self, recipients: int) -> None:
        self._verdicts: list[Verdict | None] = [None] * recipients
        self._asked = 0
        self.accepted = 0
        """How many RCPT were taken."""
        self.begun = False
        """MAIL was answered."""
        self.taken_nevertheless = False
        """A RCPT was, though MAIL had been refused."""

    def all_refused(self, reply: RemoteReply) -> None:
        """MAIL was."""
        self._verdicts = [verdict(reply)] * len(self._verdicts)

    def recipient(self, reply: RemoteReply) -> None:
        """To the RCPT of the next one."""
        at, self._asked = self._asked, self._asked + 1
        if self._verdicts[at] is None:
            if reply.kind == 2:
                self.accepted += 1
            else:
                self._verdicts[at] = verdict(reply)
        elif reply.kind == 2:
            self.taken_nevertheless = True

    def verdicts(self, of_rest: Verdict) -> tuple[Verdict, ...]:
        """`of_rest`: of those that were taken, and of those that were not asked about."""
        return tuple([own or of_rest for own in self._verdicts])


def verdict(reply: RemoteReply) -> Verdict:
    kind = reply.kind
    if kind == 2:
        return Verdict(2, _status(reply), "", reply)
    return Verdict(5 if kind == 5 else 4, _status(reply), "the next hop refused it", reply)


def _status(reply: RemoteReply) -> str:
    """The enhanced status code where it agrees with the reply code, else the plainest of its class (RFC 3463 3.1)."""
    if reply.enhanced and int(reply.enhanced[0]) == reply.kind:
        return reply.enhanced
    return f"{reply.kind}.0.0"
