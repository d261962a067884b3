"""Every SQL statement of the worker's queue, named.

A recipient's id is its message's number times 65536 plus its position, so that the recipients of message n are the ids
from `first_recipient(n)` to `last_recipient(n)`.
"""

import sqlite3
from typing import Final

from gatepost.queue.message import RECIPIENTS_PER_MESSAGE

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

# The first due time of each domain and tenant, some index seeks each however many recipients wait there.
FIRST_DUE_OF_EACH_KEY: Final = """
WITH RECURSIVE waiting (domain, tenant) AS (
  SELECT * FROM (
    SELECT domain, tenant FROM recipient WHERE state IN ('queued', 'bouncing') ORDER BY domain, tenant LIMIT 1
  )
  UNION ALL
  SELECT following.domain, following.tenant FROM waiting JOIN recipient following ON following.id = coalesce(
    (
      SELECT r.id FROM recipient r
      WHERE r.state IN ('queued', 'bouncing') AND r.domain = waiting.domain AND r.tenant > ifnull(waiting.tenant, '')
      ORDER BY r.domain, r.tenant LIMIT 1
    ), (
      SELECT r.id FROM recipient r WHERE r.state IN ('queued', 'bouncing') AND r.domain > waiting.domain
      ORDER BY r.domain, r.tenant LIMIT 1
    )
  )
)
SELECT waiting.tenant, waiting.domain, (
  SELECT min(r.due_at) FROM recipient r
  WHERE r.state IN ('queued', 'bouncing') AND r.domain = waiting.domain AND r.tenant IS waiting.tenant
)
FROM waiting
"""

# As above where orders wait, without what those of `{reached}` are about to change: that is left to them.
FIRST_DUE_OF_EACH_KEY_BESIDE_ORDERS: Final = """
SELECT r.tenant, r.domain, min(r.due_at) FROM recipient r
WHERE r.state IN ('queued', 'bouncing') AND NOT ({reached}) GROUP BY r.domain, r.tenant
"""

# After (due_at, id), so that reading goes on where it stopped. `{reached}`: which orders reach it.
NEXT_DUE_OF_KEY: Final = """
SELECT r.due_at, r.id, r.state, {reached} FROM recipient r
WHERE r.state IN ('queued', 'bouncing') AND r.domain = :domain AND r.tenant IS :tenant AND r.due_at <= :now
  AND (r.due_at, r.id) > (:after_due_at, :after_id)
ORDER BY r.due_at, r.id LIMIT :most
"""

FIRST_DUE_AFTER: Final = """
SELECT min(due_at) FROM recipient
WHERE state IN ('queued', 'bouncing') AND domain = ?1 AND tenant IS ?2 AND due_at > ?3
"""

# What is old enough for the sender to be told, or to be given up, though its next hop is left alone for now.
LATE_OF_KEY: Final = """
SELECT r.due_at, r.id, r.state, {reached} FROM recipient r
WHERE r.state IN ('queued', 'bouncing') AND r.domain = :domain AND r.tenant IS :tenant AND r.due_at <= :now
  AND (r.received_at <= :given_up_before OR r.received_at <= :told_before AND NOT r.delay_notified)
LIMIT :most
"""

# What one delivery attempt works on: the due recipients of a message that share domain, tenant and state.
CLAIMABLE_TOGETHER: Final = f"""
SELECT {RECIPIENT_COLUMNS}, {{reached}} FROM recipient r, recipient chosen
WHERE chosen.id = :chosen AND r.id BETWEEN :first AND :last AND r.due_at <= :now
  AND r.domain = chosen.domain AND r.tenant IS chosen.tenant AND r.state = chosen.state
ORDER BY r.id
"""

READ_MESSAGE: Final = f"SELECT {MESSAGE_COLUMNS} FROM message m WHERE m.id = ?"

READ_CONTENT: Final = "SELECT content FROM message WHERE id = ?"

HASTEN_SOME: Final = """
UPDATE recipient SET due_at = ?2 WHERE id IN (
  SELECT id FROM recipient WHERE state IN ('queued', 'bouncing') AND state = 'queued' AND due_at > ?1 LIMIT ?3
)
"""

ANY_MESSAGE: Final = "SELECT 1 FROM message LIMIT 1"

READ_STATE: Final = "SELECT r.state, {reached} FROM recipient r WHERE r.id = :id"

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

SPOOLED: Final = "SELECT id FROM message WHERE content IS NULL OR length(content) < size"

# -- The operator's: `{chosen}` is a condition on `recipient r`; each half is answered by one of the partial indexes.
# `{reached}` is a number: which orders reach it.

COUNTS: Final = """
SELECT r.tenant, r.domain, r.state, {reached}, count(*), min(r.received_at)
FROM recipient r WHERE r.state IN ('queued', 'bouncing') AND {chosen} GROUP BY r.domain, r.tenant, r.state, 4
UNION ALL
SELECT r.tenant, r.domain, r.state, {reached}, count(*), min(r.received_at)
FROM recipient r WHERE r.state IN ('active', 'held') AND {chosen} GROUP BY r.state, r.tenant, r.domain, 4
"""

RECIPIENTS_BY_TENANT: Final = """
SELECT tenant, count(*) FROM recipient WHERE state IN ('queued', 'bouncing') GROUP BY tenant
UNION ALL
SELECT tenant, count(*) FROM recipient WHERE state IN ('active', 'held') GROUP BY tenant
"""

CHOSEN_IDS: Final = """
SELECT r.id FROM recipient r WHERE r.state IN ('queued', 'bouncing') AND {chosen}
UNION ALL
SELECT r.id FROM recipient r WHERE r.state IN ('active', 'held') AND {chosen}
LIMIT :limit
"""

FIRST_CHOSEN: Final = "SELECT min(r.id) FROM recipient r WHERE {chosen}"

LISTED: Final = f"""
SELECT {MESSAGE_COLUMNS}, {RECIPIENT_COLUMNS}, 0
FROM (
  SELECT r.id, r.received_at FROM recipient r WHERE r.state IN ('queued', 'bouncing') AND {{chosen}}
  UNION ALL
  SELECT r.id, r.received_at FROM recipient r WHERE r.state IN ('active', 'held') AND {{chosen}}
  ORDER BY 2, 1 LIMIT :limit
) listed
JOIN recipient r ON r.id = listed.id
JOIN message m ON m.id = listed.id / {RECIPIENTS_PER_MESSAGE}
ORDER BY listed.received_at, listed.id
"""

# While orders wait to be carried out: by id, which is nearly the order of reception, so that it ends with the last one
# that is shown. `standing`: the state that the orders make of it.
LISTED_AS_ORDERED: Final = f"""
SELECT {MESSAGE_COLUMNS}, {RECIPIENT_COLUMNS}, listed.reached
FROM (
  SELECT r.id, {{reached}} reached FROM recipient r
  WHERE {{chosen}} AND standing(r.state, {{reached}}) IN (SELECT value FROM json_each(:states))
  ORDER BY r.id LIMIT :limit
) listed
JOIN recipient r ON r.id = listed.id
JOIN message m ON m.id = listed.id / {RECIPIENTS_PER_MESSAGE}
ORDER BY m.received_at, listed.id
"""

RECIPIENTS_IN_RANGE: Final = f"""
SELECT {RECIPIENT_COLUMNS}, {{reached}} FROM recipient r WHERE r.id BETWEEN :first AND :last ORDER BY r.id
"""

READ_SIZE_AND_CONTENT: Final = "SELECT size, content FROM message WHERE id = ?"


# -- Orders

ORDERS_GIVEN: Final = "SELECT * FROM operator_order ORDER BY number DESC LIMIT ?"

ORDERS_PENDING: Final = "SELECT * FROM operator_order WHERE next_id <= last_id ORDER BY number"

INSERT_ORDER: Final = "INSERT INTO operator_order VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"

FORGET_OLD_ORDERS: Final = """
DELETE FROM operator_order WHERE next_id > last_id AND (
    given_at < :since OR given_by = :by AND tenant IS :tenant AND number <= (
        SELECT number FROM operator_order WHERE given_by = :by AND tenant IS :tenant
        ORDER BY number DESC LIMIT 1 OFFSET :kept
    )
)
"""

LAST_RECIPIENT: Final = "SELECT ifnull(max(id), 0) FROM recipient"

FIRST_RECIPIENT_FROM: Final = "SELECT min(id) FROM recipient WHERE id BETWEEN ? AND ?"

REACHED_BY_ORDERS: Final = """
SELECT r.id, r.state, r.due_at, {reached}, r.tenant, r.domain FROM recipient r
WHERE r.id BETWEEN :first AND :last AND {reached} ORDER BY r.id LIMIT :most
"""

REACHED_BY_ORDERS_AMONG: Final = """
SELECT r.id, r.state, r.due_at, {reached}, r.tenant, r.domain FROM recipient r
WHERE r.id IN (SELECT value FROM json_each(:ids)) AND {reached}
"""

ORDERS_ARE_CARRIED_OUT: Final = """
UPDATE operator_order SET next_id = ?1 + 1 WHERE next_id <= ?1 AND next_id <= last_id
"""

CHANGE_RECIPIENTS: Final = """
UPDATE recipient SET state = ?2, due_at = min(due_at, ifnull(?3, due_at)) WHERE id IN (SELECT value FROM json_each(?1))
"""

DELETE_RECIPIENTS: Final = "DELETE FROM recipient WHERE id IN (SELECT value FROM json_each(?))"

DELETE_MESSAGES_WITHOUT_RECIPIENTS: Final = f"""
DELETE FROM message
WHERE id IN (SELECT value FROM json_each(:numbers)) AND NOT EXISTS (
  SELECT 1 FROM recipient r
  WHERE r.id >= message.id * {RECIPIENTS_PER_MESSAGE} AND r.id < (message.id + 1) * {RECIPIENTS_PER_MESSAGE}
)
RETURNING id, content IS NULL OR length(content) < size
"""


def first_recipient(message: int) -> int:
    return message * RECIPIENTS_PER_MESSAGE


def last_recipient(message: int) -> int:
    return message * RECIPIENTS_PER_MESSAGE + RECIPIENTS_PER_MESSAGE - 1


def message_of(recipient: int) -> int:
    """The number of the message a recipient belongs to."""
    return recipient // RECIPIENTS_PER_MESSAGE


def delete_message_without_recipients(connection: sqlite3.Connection, message: int) -> bool:
    """Whether the message had none left, and is gone."""
    cursor = connection.execute(
        DELETE_MESSAGE_WITHOUT_RECIPIENTS, (message, first_recipient(message), last_recipient(message))
    )
    return cursor.rowcount == 1
