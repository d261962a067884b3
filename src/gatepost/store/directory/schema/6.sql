-- Version 6: people of the console, their sessions, and what they looked at.

CREATE TABLE person (
  name TEXT PRIMARY KEY COLLATE NOCASE,
  tenant TEXT COLLATE NOCASE REFERENCES tenant,   -- NULL: of the operators
  password TEXT,                      -- an argon2 hash
  link_sha256 TEXT UNIQUE,            -- of the one-time link that is open
  definition TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX person_of_tenant ON person (tenant);

CREATE TABLE console_session (
  secret_sha256 TEXT PRIMARY KEY,
  person TEXT NOT NULL COLLATE NOCASE REFERENCES person ON DELETE CASCADE,
  address TEXT NOT NULL,
  begun_at REAL NOT NULL,
  used_at REAL NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX console_session_of_person ON console_session (person);
CREATE INDEX console_session_to_forget ON console_session (used_at);

CREATE TABLE activity (
  id INTEGER PRIMARY KEY,
  at REAL NOT NULL,
  person TEXT NOT NULL COLLATE NOCASE,
  address TEXT NOT NULL,
  what TEXT NOT NULL,
  about TEXT NOT NULL
) STRICT;
CREATE INDEX activity_of_person ON activity (person, id);
CREATE INDEX activity_to_forget ON activity (at);
