-- Version 7: people who come in by an identity provider or by a passkey.

ALTER TABLE person ADD COLUMN issuer TEXT;    -- with `subject`: who they are at a provider, exactly as it says
ALTER TABLE person ADD COLUMN subject TEXT;
CREATE UNIQUE INDEX person_of_identity ON person (issuer, subject);

CREATE TABLE passkey (
  id TEXT PRIMARY KEY,                -- as the authenticator chose it, base64url
  person TEXT NOT NULL COLLATE NOCASE REFERENCES person ON DELETE CASCADE,
  public_key BLOB NOT NULL,           -- COSE
  sign_count INTEGER NOT NULL,
  label TEXT NOT NULL,
  created_at REAL NOT NULL,
  used_at REAL
) STRICT, WITHOUT ROWID;
CREATE INDEX passkey_of_person ON passkey (person);

-- What tickets are signed with, by every console of this directory, before and after a restart.
CREATE TABLE console_key (
  only INTEGER PRIMARY KEY CHECK (only = 1),
  secret BLOB NOT NULL
) STRICT;

-- Tickets that were used: each opens once.
CREATE TABLE console_ticket (
  id TEXT PRIMARY KEY,
  used_at REAL NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX console_ticket_to_forget ON console_ticket (used_at);

ALTER TABLE activity ADD COLUMN tenant TEXT COLLATE NOCASE;    -- of the person, then; NULL: of the operators
UPDATE activity SET tenant = (SELECT tenant FROM person WHERE name = activity.person);
CREATE INDEX activity_of_tenant ON activity (tenant, id);
