"""By what recipients are found without reading every row: a number of 31 bits for each thing that is looked for.

Law: two things may have the same number, so that a row which a term leads to is looked at once more.
"""

import sqlite3
from collections.abc import Collection
from typing import Final
from zlib import crc32

from gatepost.store.trace.day_file import LAST_NUMBER, NUMBERS_PER_MS
from gatepost.trace.story import OPEN, Outcome, What

_BITS: Final = 0x0FFFFFFF
_SESSION, _MESSAGE, _FROM, _TO, _MESSAGE_ID, _TENANT, _OUTCOME, _TENANT_OUTCOME = range(8)

OUTCOMES: Final = (
    Outcome.REFUSED,
    Outcome.QUEUED,
    Outcome.DELIVERED,
    Outcome.DELAYED,
    Outcome.BOUNCED,
    Outcome.REMOVED,
)
"""Their numbers in a row are their places here."""
_DELIVERED: Final = OUTCOMES.index(Outcome.DELIVERED)

SUMMARISED: Final = (_MESSAGE, _FROM, _TO, _MESSAGE_ID, _OUTCOME)
"""Kinds of terms that mean the same in every file, but for sessions: their time says in which files they are."""

ENDS: Final = 0
"""The segment of outcomes as they are at the end of a finished file: what was delivered after all is not in it."""
_ENDED: Final = 16
_LEFT_OPEN: Final = 31
"""As outcomes: how a row stands at the end of its file; these are no numbers of `OUTCOMES`."""

_FINAL: Final = {
    What.FAILED: Outcome.BOUNCED,
    What.REMOVED: Outcome.REMOVED,
    What.DELIVERED: Outcome.DELIVERED,
}
_NUMBER_OF: Final = {what: number for number, what in enumerate(What)}

_OPEN_NUMBERS: Final = ", ".join(str(OUTCOMES.index(each)) for each in sorted(OPEN))
_FINAL_NUMBERS: Final = ", ".join(str(_NUMBER_OF[what]) for what in _FINAL)
_STANDING: Final = " ".join(f"WHEN {_NUMBER_OF[each]} THEN {_ENDED + OUTCOMES.index(_FINAL[each])}" for each in _FINAL)

# An event a second before the row is another's: a queue that was made anew gives numbers again.
_INDEX_ENDS: Final = f"""
INSERT INTO term SELECT {ENDS}, standing * 8 + {_OUTCOME}, number FROM (
  SELECT number, CASE WHEN outcome NOT IN ({_OPEN_NUMBERS}) THEN {_ENDED} + outcome ELSE ifnull((
      SELECT CASE what {_STANDING} END FROM event
      WHERE event.place = recipient.place AND event.queue = recipient.queue AND what IN ({_FINAL_NUMBERS})
        AND event.number > recipient.number - {1000 * NUMBERS_PER_MS}
      ORDER BY event.number DESC LIMIT 1), {_LEFT_OPEN}) END AS standing
  FROM recipient WHERE outcome <> {_DELIVERED}
) WHERE standing <> {_ENDED + _DELIVERED} ORDER BY standing, number
"""

# `ORDER BY`: in the order of the table, so that its pages are filled one after the other and never touched again.
_INDEX: Final = f"""
INSERT INTO term SELECT :segment, value, number FROM (
  SELECT number, (session & {_BITS}) * 8 + {_SESSION} AS value FROM recipient WHERE number BETWEEN :first AND :last
  UNION ALL
  SELECT number, (place >> 16 & {_BITS}) * 8 + {_MESSAGE} FROM recipient
  WHERE number BETWEEN :first AND :last AND place IS NOT NULL
  UNION ALL
  SELECT number, text_term(mail_from) * 8 + {_FROM} FROM recipient WHERE number BETWEEN :first AND :last
  UNION ALL
  SELECT number, text_term(rcpt_to) * 8 + {_TO} FROM recipient WHERE number BETWEEN :first AND :last
  UNION ALL
  SELECT number, text_term(message_id) * 8 + {_MESSAGE_ID} FROM recipient
  WHERE number BETWEEN :first AND :last AND message_id IS NOT NULL
  UNION ALL
  SELECT number, (tenant & {_BITS}) * 8 + {_TENANT} FROM recipient
  WHERE number BETWEEN :first AND :last AND tenant IS NOT NULL
  UNION ALL
  SELECT number, outcome * 8 + {_OUTCOME} FROM recipient
  WHERE number BETWEEN :first AND :last AND outcome <> {_DELIVERED}
  UNION ALL
  SELECT number, (tenant * 8 + outcome & {_BITS}) * 8 + {_TENANT_OUTCOME} FROM recipient
  WHERE number BETWEEN :first AND :last AND outcome <> {_DELIVERED} AND tenant IS NOT NULL
) ORDER BY value, number
"""


def index(connection: sqlite3.Connection, segment: int, first: int, last: int) -> None:
    """Make a segment of the rows from `first` to `last`, in the caller's transaction."""
    connection.create_function("text_term", 1, text_term, deterministic=True)
    connection.execute(_INDEX, {"segment": segment, "first": first, "last": last})
    connection.execute("INSERT INTO segment VALUES (?, ?)", (segment, last))


def index_ends(connection: sqlite3.Connection) -> None:
    """Of a file in which every row is indexed, in the caller's transaction; once, until it is reopened."""
    if not connection.execute("SELECT 1 FROM segment WHERE number = ?", (ENDS,)).fetchone():
        connection.execute(_INDEX_ENDS)
        connection.execute("INSERT INTO segment VALUES (?, -1)", (ENDS,))


def reopen(connection: sqlite3.Connection) -> None:
    """More may be written to a file that was finished: behind the rows that are there, which has to be a number that is
    looked at."""
    connection.executescript(
        f"""
        BEGIN IMMEDIATE;
        DELETE FROM term WHERE segment = {ENDS} AND EXISTS (SELECT 1 FROM segment WHERE number = {ENDS});
        DELETE FROM segment WHERE number = {ENDS};
        UPDATE segment SET last = (SELECT ifnull(max(number), -1) FROM recipient) WHERE last = {LAST_NUMBER};
        COMMIT;
        """
    )


def of_ends(outcomes: Collection[Outcome]) -> list[int]:
    """In segment `ENDS`: what ended so, and what was open and may have ended so in a later file. Not of `delivered`."""
    ended = [_ENDED + OUTCOMES.index(outcome) for outcome in outcomes if outcome not in OPEN]
    left = [_LEFT_OPEN] if any(outcome is not Outcome.REFUSED for outcome in outcomes) else []
    return [each * 8 + _OUTCOME for each in (*ended, *left)]


def text_term(text: str) -> int:
    return crc32(text.lower().encode("utf-8", "surrogatepass")) & _BITS


def of_session(session: int) -> int:
    return (session & _BITS) * 8 + _SESSION


def of_message(number: int) -> int:
    return (number & _BITS) * 8 + _MESSAGE


def of_sender(address: str) -> int:
    return text_term(address) * 8 + _FROM


def of_recipient(address: str) -> int:
    return text_term(address) * 8 + _TO


def of_message_id(message_id: str) -> int:
    return text_term(message_id) * 8 + _MESSAGE_ID


def of_tenant(word: int) -> int:
    return (word & _BITS) * 8 + _TENANT


def of_outcome(outcome: Outcome) -> int:
    """Of any but `delivered`, which most rows have."""
    return OUTCOMES.index(outcome) * 8 + _OUTCOME


def of_tenant_and_outcome(word: int, outcome: Outcome) -> int:
    return (word * 8 + OUTCOMES.index(outcome) & _BITS) * 8 + _TENANT_OUTCOME
