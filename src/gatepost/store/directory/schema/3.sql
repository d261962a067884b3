-- Version 3: appointments (rehearsals and enrolments), and what enrolments have proven.

CREATE TABLE appointment (
  id TEXT PRIMARY KEY,
  local_part TEXT NOT NULL UNIQUE,
  tenant TEXT NOT NULL COLLATE NOCASE REFERENCES tenant ON DELETE CASCADE,
  purpose TEXT NOT NULL,
  expires_at REAL NOT NULL,
  seen INTEGER NOT NULL,
  definition TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX appointment_of_tenant ON appointment (tenant, purpose);
CREATE INDEX appointment_to_forget ON appointment (expires_at);

CREATE TABLE proof (
  tenant TEXT NOT NULL COLLATE NOCASE REFERENCES tenant ON DELETE CASCADE,
  sha256 TEXT NOT NULL,               -- of a certificate or of a public key
  definition TEXT NOT NULL,
  PRIMARY KEY (tenant, sha256)
) STRICT, WITHOUT ROWID;
