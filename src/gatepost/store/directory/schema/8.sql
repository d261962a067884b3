-- Version 8: keys by which mail is signed.

CREATE TABLE signing_key (
  tenant TEXT NOT NULL COLLATE NOCASE,  -- '': the operator's
  domain TEXT NOT NULL,
  selector TEXT NOT NULL,
  signs INTEGER NOT NULL,
  private BLOB NOT NULL,                -- sealed under dkim.key beside this file
  definition TEXT NOT NULL,
  PRIMARY KEY (tenant, domain, selector)
) STRICT, WITHOUT ROWID;
