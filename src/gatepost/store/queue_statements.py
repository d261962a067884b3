"""Every SQL statement of the worker's queue, named.

A recipient's id is its message's number times 65536 plus its position, so that the recipients of message n are the ids
from `first_recipient(n)` to `last_recipient(n)`.
"""

import sqlite3
from typing import Final, NamedTuple

_RECIPIENTS_PER_MESSAGE: Final = 65536

MESSAGE_COLUMNS: Final = """
  m.id, m.session_id, m.received_at, m.reverse_path, m.reverse_local_part, m.reverse_domain,
  m.size, m.body, m.smtputf8, m.ret, m.envid
"""

RECIPIENT_COLUMNS: Final = """
  r.id, r.state, r.due_at, r.domain, r.tenant, r.connector, r.forward_path,
  r.notify, r.orcpt, r.attempts, r.last_reply, r.delay_notified
"""

MESSAGE_COLUMN_COUNT: Final = 11

# -- Accepting

INSERT_MESSAGE: Final = "INSERT INTO message VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"

INSERT_RECIPIENT: Final = "INSERT INTO recipient VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, NULL, 0)"

READ_RESERVED: Final = "SELECT reserved FROM numbering"

RESERVE: Final = "UPDATE numbering SET reserved = ?"

# -- Claiming

# The first due time of each domain, one index seek a domain however many recipients wait in it.
FIRST_DUE_OF_EACH_DOMAIN: Final = """
WITH RECURSIVE
  each_domain (domain) AS (
    SELECT min(domain) FROM recipient WHERE state IN ('queued', 'bouncing')
    UNION ALL
    SELECT (SELECT min(r.domain) FROM recipient r WHERE r.state IN ('queued', 'bouncing') AND r.domain > d.domain)
    FROM each_domain d WHERE d.domain IS NOT NULL
  )
SELECT d.domain, (
  SELECT min(r.due_at) FROM recipient r WHERE r.state IN ('queued', 'bouncing') AND r.domain = d.domain
)
FROM each_domain d WHERE d.domain IS NOT NULL
"""

# After (due_at, id), so that reading goes on where it stopped.
NEXT_DUE_IN_DOMAIN: Final = """
SELECT due_at, id FROM recipient
WHERE state IN ('queued', 'bouncing') AND domain = ?1 AND due_at <= ?2 AND (due_at, id) > (?3, ?4)
ORDER BY due_at, id LIMIT ?5
"""

FIRST_DUE_AFTER: Final = """
SELECT min(due_at) FROM recipient WHERE state IN ('queued', 'bouncing') AND domain = ? AND due_at > ?
"""

# What one delivery attempt works on: the due recipients of a message that share domain, tenant and state.
CLAIMABLE_TOGETHER: Final = f"""
SELECT {RECIPIENT_COLUMNS} FROM recipient r, recipient chosen
WHERE chosen.id = ?1 AND r.id BETWEEN ?2 AND ?3 AND r.due_at <= ?4
  AND r.domain = chosen.domain AND r.tenant IS chosen.tenant AND r.state = chosen.state
ORDER BY r.id
"""

READ_MESSAGE: Final = f"SELECT {MESSAGE_COLUMNS} FROM message m WHERE m.id = ?"

READ_CONTENT: Final = "SELECT content FROM message WHERE id = ?"

READ_STATE: Final = "SELECT state FROM recipient WHERE id = ?"

MARK_ACTIVE: Final = "UPDATE recipient SET state = 'active' WHERE id = ? AND state = 'queued'"

GIVE_BACK: Final = "UPDATE recipient SET state = 'queued' WHERE id = ? AND state = 'active'"

# Both conditions, here and below: the first one names the index, word by word.
GIVE_BACK_ALL: Final = """
UPDATE recipient SET state = 'queued' WHERE state IN ('active', 'held') AND state = 'active'
"""

# -- Settling

DELETE_RECIPIENT: Final = "DELETE FROM recipient WHERE id = ?"

DELETE_MESSAGE_WITHOUT_RECIPIENTS: Final = """
DELETE FROM message WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM recipient WHERE id BETWEEN ?2 AND ?3)
"""

# What an operator decided meanwhile stays: held is held, and what is to bounce is due at once, unless its bouncing is
# what was attempted (?5).
RESCHEDULE: Final = """
UPDATE recipient SET
  state = CASE state WHEN 'active' THEN 'queued' ELSE state END,
  due_at = CASE WHEN state = 'bouncing' AND NOT ?5 THEN due_at ELSE ?2 END,
  attempts = attempts + 1, last_reply = ?3, delay_notified = ?4
WHERE id = ?1
"""

COUNT_DUE_IN_DOMAIN: Final = """
SELECT count(*) FROM recipient
WHERE state IN ('queued', 'bouncing') AND state = 'queued' AND domain = ? AND due_at <= ?
"""

POSTPONE_SOME: Final = """
UPDATE recipient SET due_at = ?3, last_reply = ?4
WHERE id IN (
  SELECT id FROM recipient
  WHERE state IN ('queued', 'bouncing') AND state = 'queued' AND domain = ?1 AND due_at <= ?2
  ORDER BY due_at LIMIT ?5
)
"""

SPOOLED: Final = "SELECT id FROM message WHERE content IS NULL"

# -- The operator's: `{chosen}` is a condition on `recipient r`; each half is answered by one of the partial indexes.

COUNTS: Final = """
SELECT r.tenant, r.domain, r.state, count(*), min(r.received_at)
FROM recipient r WHERE r.state IN ('queued', 'bouncing') AND {chosen} GROUP BY r.domain, r.tenant, r.state
UNION ALL
SELECT r.tenant, r.domain, r.state, count(*), min(r.received_at)
FROM recipient r WHERE r.state IN ('active', 'held') AND {chosen} GROUP BY r.state, r.tenant, r.domain
"""

CHOSEN_IDS: Final = """
SELECT r.id FROM recipient r WHERE r.state IN ('queued', 'bouncing') AND {chosen}
UNION ALL
SELECT r.id FROM recipient r WHERE r.state IN ('active', 'held') AND {chosen}
"""

LISTED: Final = f"""
SELECT {MESSAGE_COLUMNS}, {RECIPIENT_COLUMNS}
FROM (
  SELECT r.id, r.received_at FROM recipient r WHERE r.state IN ('queued', 'bouncing') AND {{chosen}}
  UNION ALL
  SELECT r.id, r.received_at FROM recipient r WHERE r.state IN ('active', 'held') AND {{chosen}}
  ORDER BY 2, 1 LIMIT :limit
) listed
JOIN recipient r ON r.id = listed.id
JOIN message m ON m.id = listed.id / {_RECIPIENTS_PER_MESSAGE}
ORDER BY listed.received_at, listed.id
"""

RECIPIENTS_IN_RANGE: Final = f"SELECT {RECIPIENT_COLUMNS} FROM recipient r WHERE r.id BETWEEN ? AND ? ORDER BY r.id"

READ_SIZE_AND_CONTENT: Final = "SELECT size, content FROM message WHERE id = ?"


class OfficeChange(NamedTuple):
    """What an operator does to recipients, and to which it can be done."""

    statement: str
    applies: str


HOLD: Final = OfficeChange(
    "UPDATE recipient AS r SET state = 'held' WHERE r.id IN (SELECT value FROM json_each(:ids)) AND {chosen}",
    "r.state <> 'held'",
)

RELEASE: Final = OfficeChange(
    "UPDATE recipient AS r SET state = 'queued', due_at = :now "
    "WHERE r.id IN (SELECT value FROM json_each(:ids)) AND {chosen}",
    "r.state = 'held'",
)

RETRY: Final = OfficeChange(
    "UPDATE recipient AS r SET due_at = :now WHERE r.id IN (SELECT value FROM json_each(:ids)) AND {chosen}",
    "r.state = 'queued'",
)

BOUNCE: Final = OfficeChange(
    "UPDATE recipient AS r SET state = 'bouncing', due_at = :now "
    "WHERE r.id IN (SELECT value FROM json_each(:ids)) AND {chosen}",
    "r.state <> 'bouncing'",
)

REMOVE: Final = OfficeChange(
    "DELETE FROM recipient AS r WHERE r.id IN (SELECT value FROM json_each(:ids)) AND {chosen}",
    "true",
)

DELETE_MESSAGES_WITHOUT_RECIPIENTS: Final = f"""
DELETE FROM message
WHERE id IN (SELECT value FROM json_each(:numbers)) AND NOT EXISTS (
  SELECT 1 FROM recipient r
  WHERE r.id >= message.id * {_RECIPIENTS_PER_MESSAGE} AND r.id < (message.id + 1) * {_RECIPIENTS_PER_MESSAGE}
)
RETURNING id, content IS NULL
"""


def first_recipient(message: int) -> int:
    return message * _RECIPIENTS_PER_MESSAGE


def last_recipient(message: int) -> int:
    return message * _RECIPIENTS_PER_MESSAGE + _RECIPIENTS_PER_MESSAGE - 1


def message_of(recipient: int) -> int:
    """The number of the message a recipient belongs to."""
    return recipient // _RECIPIENTS_PER_MESSAGE


def delete_message_without_recipients(connection: sqlite3.Connection, message: int) -> bool:
    """Whether the message had none left, and is gone."""
    cursor = connection.execute(
        DELETE_MESSAGE_WITHOUT_RECIPIENTS, (message, first_recipient(message), last_recipient(message))
    )
    return cursor.rowcount == 1
