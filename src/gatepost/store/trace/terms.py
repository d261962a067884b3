"""By what recipients are found without reading every row: a number of 31 bits for each thing that is looked for.

Law: two things may have the same number, so that a row which a term leads to is looked at once more.
"""

import sqlite3
from typing import Final
from zlib import crc32

from gatepost.trace.story import Outcome

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
