"""What did happen to a session, and why: its record, with the most telling verdict on top."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from gatepost.mail.session_id import find_session_id, time_of

_FIRST_YEAR = 2000
"""An id that speaks of an earlier one was made up, or cut."""


class Sessions(Protocol):
    """Session records, to read."""

    def find(self, session_id: str) -> Mapping[str, Any] | None: ...

    def oldest(self) -> datetime | None:
        """How far back the records go; None where there are none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NoSessionId:
    """What was asked for holds no session id."""

    text: str

    def __str__(self) -> str:
        return (
            f"no session id found in '{self.text}'; it is the 16 hexadecimal digits at the end of a refusal, "
            "or the whole refusal in quotes"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionNotFound:
    """No record, or no row, of that session is stored."""

    session_id: str
    what: str
    oldest: datetime | None

    def __str__(self) -> str:
        return f"{self.message}; {self.next_step}"

    @property
    def message(self) -> str:
        if self._began is None:
            return f"{self.session_id} is not a valid session id"
        said = f"session {self.session_id}, of {self._began}"
        if self.oldest is None:
            return f"{said}: there are no {self.what} here yet"
        return f"{said}, is not in the {self.what}, which go back to {self.oldest:%Y-%m-%d %H:%M} UTC"

    @property
    def next_step(self) -> str:
        if self._began is None:
            return "copy it again from the refusal"
        return "is this the right server?" if self.oldest is None else "check whether it belongs to another server"

    @property
    def _began(self) -> str | None:
        try:
            began = time_of(self.session_id)
        except ValueError:
            return None
        return f"{began:%Y-%m-%d %H:%M:%S} UTC" if began.year >= _FIRST_YEAR else None


def session_id_in(text: str) -> str | NoSessionId:
    """The id, in any case, alone or within a pasted reply."""
    return find_session_id(text) or NoSessionId(text=text if len(text) <= 60 else text[:59] + "…")


def why(sessions: Sessions, session_id: str) -> dict[str, Any] | SessionNotFound:
    """The document of a session; see `document`."""
    record = sessions.find(session_id)
    if record is None:
        return SessionNotFound(session_id=session_id, what="session records", oldest=sessions.oldest())
    return document(record)


def document(record: Mapping[str, Any]) -> dict[str, Any]:
    """Design §7: the first refusal where there is one, else the last acceptance; and all the rest."""
    verdicts = list(_verdicts(record))
    telling = next((each for each in verdicts if each["outcome"] == "refused"), verdicts[-1] if verdicts else {})
    return {
        "outcome": telling.get("outcome"),
        "reason": telling.get("reason"),
        "tenant": telling.get("tenant"),
        "connector": telling.get("connector"),
        "basis": telling.get("basis"),
        "reply": telling.get("reply"),
        "reasons": telling.get("reasons", []),
        "warnings": telling.get("warnings", []),
        "directory_version": telling.get("directory_version"),
        "session_id": record["session_id"],
        "at": record["at"],
        "closed_at": record["closed_at"],
        "closed": record["closed"],
        "evidence": {
            "address": record["address"],
            "listener": record["listener"],
            "ehlo": record["ehlo"],
            "tls": record["tls"],
            "mail_from": telling.get("mail_from"),
            "rcpt_to": telling.get("rcpt_to"),
        },
        "transactions": record["transactions"],
    }


def _verdicts(record: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """One per forward-path, in order. A refusal after the content refuses every recipient accepted before."""
    for transaction in record["transactions"]:
        final = transaction["reply"]
        for recipient in transaction["recipients"]:
            verdict = {**recipient, "mail_from": transaction["mail_from"]}
            if final and recipient["outcome"] != "refused":
                verdict["reply"] = final
                verdict["outcome"] = "refused" if final[:1] in "45" else recipient["outcome"]
            yield verdict
