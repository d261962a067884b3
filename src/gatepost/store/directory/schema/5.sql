-- Version 5: the indexes that sessions are recognised by hold on-premises connectors only, the disabled ones apart, and
-- know the tenant: what a tenant stores is passed over by sessions that do not concern it.

CREATE TABLE name_index (
  name TEXT NOT NULL,                 -- as on the connector: a domain key, perhaps with a leading `*.`
  off INTEGER NOT NULL,               -- whether the connector is disabled
  tenant TEXT NOT NULL COLLATE NOCASE,
  connector INTEGER NOT NULL REFERENCES inbound_connector ON DELETE CASCADE,
  parent TEXT,                        -- of a host name: the domain directly above; NULL for a wildcard
  PRIMARY KEY (name, off, tenant, connector)
) STRICT, WITHOUT ROWID;
INSERT INTO name_index SELECT indexed.name, json_extract(definition, '$.enabled') = 0, tenant, connector, parent
  FROM certificate_name AS indexed JOIN inbound_connector ON inbound_connector.id = connector
  WHERE json_extract(definition, '$.type') = 'on-premises';
DROP TABLE certificate_name;
ALTER TABLE name_index RENAME TO certificate_name;
CREATE INDEX certificate_name_below ON certificate_name (parent, off, tenant, connector) WHERE parent IS NOT NULL;
CREATE INDEX certificate_name_of_connector ON certificate_name (connector);

CREATE TABLE pin_index (
  sha256 BLOB NOT NULL,               -- of a certificate or of a public key: nobody can make the two collide
  off INTEGER NOT NULL,
  tenant TEXT NOT NULL COLLATE NOCASE,
  connector INTEGER NOT NULL REFERENCES inbound_connector ON DELETE CASCADE,
  PRIMARY KEY (sha256, off, tenant, connector)
) STRICT, WITHOUT ROWID;
INSERT INTO pin_index SELECT sha256, json_extract(definition, '$.enabled') = 0, tenant, connector
  FROM pin JOIN inbound_connector ON inbound_connector.id = connector
  WHERE json_extract(definition, '$.type') = 'on-premises';
DROP TABLE pin;
ALTER TABLE pin_index RENAME TO pin;
CREATE INDEX pin_of_connector ON pin (connector);

CREATE TABLE address_index (
  family INTEGER NOT NULL,            -- 4 or 6
  prefix_length INTEGER NOT NULL,
  network BLOB NOT NULL,              -- the network address, 4 or 16 octets
  off INTEGER NOT NULL,
  tenant TEXT NOT NULL COLLATE NOCASE,
  connector INTEGER NOT NULL REFERENCES inbound_connector ON DELETE CASCADE,
  PRIMARY KEY (family, prefix_length, network, off, tenant, connector)
) STRICT, WITHOUT ROWID;
INSERT INTO address_index SELECT family, prefix_length, network, json_extract(definition, '$.enabled') = 0, tenant,
  connector FROM address JOIN inbound_connector ON inbound_connector.id = connector
  WHERE json_extract(definition, '$.type') = 'on-premises';
DROP TABLE address;
ALTER TABLE address_index RENAME TO address;
CREATE INDEX address_of_connector ON address (connector);

-- What a pin is proven by is asked of the pin, whoever holds it.
CREATE INDEX proof_of_pin ON proof (sha256);
