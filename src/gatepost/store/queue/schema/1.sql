-- Format 1: one worker's queue. What is committed here is what a 250 vouched for.
--
-- A message that goes out at the first attempt costs two inserted rows and two deleted ones, and besides the tables
-- touches only the front of `recipient_not_waiting`, as large as the number of attempts under way.

CREATE TABLE message (
  id INTEGER PRIMARY KEY,          -- the number in `<queue>-<number>`, taken from `numbering`
  session_id TEXT NOT NULL,
  received_at REAL NOT NULL,       -- seconds since the epoch
  reverse_path TEXT,               -- as written; NULL is the null reverse-path
  reverse_local_part TEXT,
  reverse_domain TEXT,
  size INTEGER NOT NULL,           -- octets of the content
  body TEXT NOT NULL,              -- BODY= of RFC 6152 and 3030
  smtputf8 INTEGER NOT NULL,
  ret TEXT,                        -- RET= of RFC 3461
  envid TEXT,                      -- ENVID= of RFC 3461
  content BLOB                     -- last, so that the rest is read without it; NULL: the file `<id>` of the spool folder
) STRICT;

CREATE TABLE recipient (
  id INTEGER PRIMARY KEY,          -- message.id * 65536 + position: one message's recipients are a range, without an index
  state TEXT NOT NULL CHECK (state IN (
    'queued',                      -- waits until due_at
    'active',                      -- claimed by the worker; queued again when the worker starts anew
    'held',                        -- waits until an operator releases it
    'bouncing'                     -- an operator asked for it to fail; the worker notifies at its next turn
  )),
  due_at REAL NOT NULL,
  received_at REAL NOT NULL,       -- the message's, for counting and choosing by age without reading the message
  domain TEXT NOT NULL,            -- key of the forward-path's domain
  tenant TEXT,
  connector TEXT,                  -- the inbound connector that gave the right
  forward_path TEXT NOT NULL,
  notify TEXT,                     -- NOTIFY= of RFC 3461, comma-separated; NULL: not given
  orcpt TEXT,                      -- ORCPT= of RFC 3461
  attempts INTEGER NOT NULL,
  last_reply TEXT,
  delay_notified INTEGER NOT NULL
) STRICT;

-- Two partial indexes, each recipient in one of them. What is due in a domain, oldest due first; and counts:
CREATE INDEX recipient_waiting ON recipient (domain, due_at, id, tenant, state, received_at)
  WHERE state IN ('queued', 'bouncing');
-- Counts of the rest. `active` sorts before `held`, so that a large number of held ones costs the active ones nothing.
CREATE INDEX recipient_not_waiting ON recipient (state, tenant, domain, received_at)
  WHERE state IN ('active', 'held');

-- Every number below `reserved` may have been given to a message, and is never given again.
CREATE TABLE numbering (reserved INTEGER NOT NULL) STRICT;
INSERT INTO numbering VALUES (1);
