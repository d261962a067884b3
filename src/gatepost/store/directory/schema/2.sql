-- Version 2: who may use the Management API.

CREATE TABLE token (
  id TEXT PRIMARY KEY,                -- the part of a token that is no secret
  tenant TEXT COLLATE NOCASE REFERENCES tenant,  -- NULL: the operator's
  secret_sha256 TEXT NOT NULL,
  definition TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX token_of_tenant ON token (tenant) WHERE tenant IS NOT NULL;

-- Whose object a change was about, so that a tenant can read its own part of the audit; NULL: the server's.
ALTER TABLE audit ADD COLUMN tenant TEXT COLLATE NOCASE;
UPDATE audit SET tenant = CASE
  WHEN subject LIKE 'tenant %' THEN json_extract(coalesce(after, before), '$.name')
  ELSE json_extract(coalesce(after, before), '$.tenant')
END;
CREATE INDEX audit_of_tenant ON audit (tenant, version) WHERE tenant IS NOT NULL;
