-- A text that many rows have; what it is: `Kind` in store/trace/words.py.
CREATE TABLE word (
  number INTEGER PRIMARY KEY,
  kind INTEGER NOT NULL,
  text TEXT NOT NULL
) STRICT;
CREATE INDEX word_by_text ON word (kind, text);

-- One forward-path. Columns without a comment that hold an INTEGER of a text are words.
CREATE TABLE recipient (
  number INTEGER PRIMARY KEY,         -- 16 times the millisecond of the day, and more where several came in one
  session INTEGER NOT NULL,           -- the session id as a number
  within TEXT NOT NULL,
  queue INTEGER,                      -- of the queue's name; null: refused
  place INTEGER,                      -- 65536 times the message's number in its queue, plus the recipient's in it
  outcome INTEGER NOT NULL,           -- when this was written: `OUTCOMES` in store/trace/terms.py
  tenant INTEGER,
  connector INTEGER,
  basis INTEGER,
  address INTEGER,
  listener INTEGER,
  tls INTEGER,
  certificate INTEGER,
  mail_from TEXT NOT NULL,
  rcpt_to TEXT NOT NULL,
  from_domain INTEGER,
  to_domain INTEGER,
  message_id TEXT,
  subject TEXT,
  size INTEGER NOT NULL,
  reason INTEGER,
  reply TEXT,
  first_after INTEGER,                -- ms until the first event; null: none yet. The others are of that event
  first_host INTEGER,
  first_tls INTEGER,
  first_took INTEGER,                 -- ms
  first_reply TEXT,
  first_why INTEGER,
  first_due INTEGER                   -- s since the epoch
) STRICT;

-- The same, of what was accepted within the last minute and not settled yet: the only rows that go again.
CREATE TABLE fresh (
  number INTEGER PRIMARY KEY,
  session INTEGER NOT NULL,
  within TEXT NOT NULL,
  queue INTEGER,
  place INTEGER,
  outcome INTEGER NOT NULL,
  tenant INTEGER,
  connector INTEGER,
  basis INTEGER,
  address INTEGER,
  listener INTEGER,
  tls INTEGER,
  certificate INTEGER,
  mail_from TEXT NOT NULL,
  rcpt_to TEXT NOT NULL,
  from_domain INTEGER,
  to_domain INTEGER,
  message_id TEXT,
  subject TEXT,
  size INTEGER NOT NULL,
  reason INTEGER,
  reply TEXT,
  first_after INTEGER,
  first_host INTEGER,
  first_tls INTEGER,
  first_took INTEGER,
  first_reply TEXT,
  first_why INTEGER,
  first_due INTEGER
) STRICT;

-- What happened later, to recipients of any file.
CREATE TABLE event (
  number INTEGER PRIMARY KEY,         -- as above
  queue INTEGER NOT NULL,
  place INTEGER NOT NULL,
  what INTEGER NOT NULL,
  host INTEGER,
  tls INTEGER,
  took INTEGER,
  reply TEXT,
  why INTEGER,
  due INTEGER,
  by INTEGER
) STRICT;
CREATE INDEX event_by_place ON event (place);

-- By what recipients are found. Rows up to `segment.last` are in it, in segments that are written once, in order.
CREATE TABLE segment (
  number INTEGER PRIMARY KEY,
  last INTEGER NOT NULL               -- of recipient.number
) STRICT;
CREATE TABLE term (
  segment INTEGER NOT NULL,
  value INTEGER NOT NULL,             -- `store/trace/terms.py`
  recipient INTEGER NOT NULL,
  PRIMARY KEY (segment, value, recipient)
) STRICT, WITHOUT ROWID;
