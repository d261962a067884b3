-- Version 4: several tenants may claim a domain, and one of them at most has it verified.

CREATE TABLE claimed_domain (
  domain TEXT NOT NULL,
  tenant TEXT NOT NULL COLLATE NOCASE REFERENCES tenant,
  top_down TEXT NOT NULL,             -- `com.contoso.mail`: what lies below a domain stands together
  verified INTEGER NOT NULL,
  last_check REAL,                    -- of domains under daily check: when they were last seen verified
  claimed_at REAL,                    -- of the others: since when they wait for their proof
  definition TEXT NOT NULL,
  PRIMARY KEY (domain, tenant)
) STRICT, WITHOUT ROWID;

-- What waits already has as long as what is claimed from now on.
INSERT INTO claimed_domain SELECT domain, tenant, top_down, verified, last_check,
  iif(verified, NULL, CAST(strftime('%s') AS REAL)),
  iif(verified, definition, json_set(definition, '$.claimed_at', strftime('%Y-%m-%dT%H:%M:%SZ')))
  FROM accepted_domain;
DROP TABLE accepted_domain;
ALTER TABLE claimed_domain RENAME TO accepted_domain;
CREATE UNIQUE INDEX accepted_domain_owner ON accepted_domain (domain) WHERE verified;
CREATE INDEX accepted_domain_of_tenant ON accepted_domain (tenant, top_down, verified);
CREATE INDEX accepted_domain_to_check ON accepted_domain (last_check) WHERE last_check IS NOT NULL;
CREATE INDEX accepted_domain_to_lapse ON accepted_domain (claimed_at) WHERE claimed_at IS NOT NULL;
