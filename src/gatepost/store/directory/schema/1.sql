-- Version 1, the directory: tenants and what they own, one file for all workers.
--
-- An object is kept whole (`definition`, JSON). The other columns and tables exist to find it: every look-up a worker
-- makes is a search in one of these indexes, so its cost does not depend on how many tenants there are.

CREATE TABLE directory (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  version INTEGER NOT NULL
) STRICT;
INSERT INTO directory VALUES (1, 0);

CREATE TABLE tenant (
  name TEXT PRIMARY KEY COLLATE NOCASE,
  definition TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE accepted_domain (
  domain TEXT PRIMARY KEY,
  tenant TEXT NOT NULL COLLATE NOCASE REFERENCES tenant,
  top_down TEXT NOT NULL,             -- `com.contoso.mail`: what lies below a domain stands together
  verified INTEGER NOT NULL,
  last_check REAL,                    -- of domains under daily check: when they were last seen verified
  definition TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX accepted_domain_of_tenant ON accepted_domain (tenant, top_down, verified);
CREATE INDEX accepted_domain_to_check ON accepted_domain (last_check) WHERE last_check IS NOT NULL;

CREATE TABLE inbound_connector (
  id INTEGER PRIMARY KEY,
  tenant TEXT NOT NULL COLLATE NOCASE REFERENCES tenant,
  name TEXT NOT NULL COLLATE NOCASE,
  live_partner INTEGER NOT NULL,      -- of type partner and enabled
  definition TEXT NOT NULL,
  UNIQUE (tenant, name)
) STRICT;
CREATE INDEX live_partner_of_tenant ON inbound_connector (tenant, name) WHERE live_partner;

CREATE TABLE certificate_name (
  name TEXT NOT NULL,                 -- as on the connector: a domain key, perhaps with a leading `*.`
  connector INTEGER NOT NULL REFERENCES inbound_connector ON DELETE CASCADE,
  parent TEXT,                        -- of a host name: the domain directly above; NULL for a wildcard
  PRIMARY KEY (name, connector)
) STRICT, WITHOUT ROWID;
CREATE INDEX certificate_name_below ON certificate_name (parent, connector) WHERE parent IS NOT NULL;
CREATE INDEX certificate_name_of_connector ON certificate_name (connector);

CREATE TABLE pin (
  sha256 BLOB NOT NULL,               -- of a certificate or of a public key: nobody can make the two collide
  connector INTEGER NOT NULL REFERENCES inbound_connector ON DELETE CASCADE,
  PRIMARY KEY (sha256, connector)
) STRICT, WITHOUT ROWID;
CREATE INDEX pin_of_connector ON pin (connector);

CREATE TABLE address (
  family INTEGER NOT NULL,            -- 4 or 6
  prefix_length INTEGER NOT NULL,
  network BLOB NOT NULL,              -- the network address, 4 or 16 octets
  connector INTEGER NOT NULL REFERENCES inbound_connector ON DELETE CASCADE,
  PRIMARY KEY (family, prefix_length, network, connector)
) STRICT, WITHOUT ROWID;
CREATE INDEX address_of_connector ON address (connector);

CREATE TABLE send_connector (
  name TEXT PRIMARY KEY COLLATE NOCASE,
  tenant TEXT COLLATE NOCASE REFERENCES tenant,
  enabled INTEGER NOT NULL,
  definition TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX send_connector_of_tenant ON send_connector (tenant) WHERE tenant IS NOT NULL;

CREATE TABLE address_space (
  tenant TEXT NOT NULL COLLATE NOCASE,  -- empty: server-wide
  space TEXT NOT NULL,                  -- `*`, `domain` or `*.domain`
  send_connector TEXT NOT NULL COLLATE NOCASE REFERENCES send_connector ON DELETE CASCADE,
  PRIMARY KEY (tenant, space, send_connector)
) STRICT, WITHOUT ROWID;
CREATE INDEX address_space_of_connector ON address_space (send_connector);

CREATE TABLE audit (
  version INTEGER PRIMARY KEY,
  at REAL NOT NULL,
  who TEXT NOT NULL,
  action TEXT NOT NULL,
  subject TEXT NOT NULL,
  before TEXT,                        -- JSON; NULL: did not exist
  after TEXT                          -- JSON; NULL: exists no more
) STRICT;
CREATE INDEX audit_of_subject ON audit (subject, version);
