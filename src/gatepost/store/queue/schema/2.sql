-- Format 2: orders instead of rewritten rows, and what waits is found by domain and tenant.

DROP INDEX recipient_waiting;
-- What a tenant has due in a domain, oldest due first; and counts.
CREATE INDEX recipient_waiting ON recipient (domain, tenant, due_at, id, state, received_at, delay_notified)
  WHERE state IN ('queued', 'bouncing');

-- What operators decided, carried out or not: whom it reaches, and of whom it has still to be carried out.
CREATE TABLE operator_order (
  number INTEGER PRIMARY KEY,
  given_at REAL NOT NULL,
  given_by TEXT NOT NULL,
  action TEXT NOT NULL CHECK (action IN ('retry', 'hold', 'release', 'remove', 'bounce')),
  message INTEGER,                 -- its number; NULL, here and below: any
  tenant TEXT,
  domain TEXT,
  state TEXT,
  received_until REAL,
  recipients INTEGER NOT NULL,     -- how many it was to change when it was given
  next_id INTEGER NOT NULL,        -- recipients from this id
  last_id INTEGER NOT NULL         -- to this one are still to be seen to
) STRICT;
CREATE INDEX operator_order_pending ON operator_order (number) WHERE next_id <= last_id;
