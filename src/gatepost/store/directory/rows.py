"""Objects of the directory as rows of its tables, and of the indexes that sessions are recognised by."""

import json
from collections.abc import Iterator

from gatepost.store.directory.queries import network_key, top_down
from gatepost.tenancy.fields import Record
from gatepost.tenancy.record import domain_record, inbound_connector_record
from gatepost.tenancy.tenant import AcceptedDomain, ConnectorType, InboundConnector

_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))

PUT_TENANT = "INSERT INTO tenant VALUES (?, ?) ON CONFLICT DO UPDATE SET definition = excluded.definition"
PUT_DOMAIN = (
    "INSERT INTO accepted_domain VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (domain, tenant) DO UPDATE SET"
    " verified = excluded.verified, last_check = excluded.last_check, claimed_at = excluded.claimed_at,"
    " definition = excluded.definition"
)


def domain_row(domain: AcceptedDomain) -> tuple[object, ...]:
    """Of table `accepted_domain`."""
    under_check = domain.verified and not domain.verified_by_operator and domain.checked_at
    waits_since = not domain.verified and domain.claimed_at
    return (
        domain.domain,
        domain.tenant,
        top_down(domain.domain),
        domain.verified,
        under_check.timestamp() if under_check else None,
        waits_since.timestamp() if waits_since else None,
        text_of(domain_record(domain)),
    )


def is_live_partner(connector: InboundConnector) -> bool:
    return connector.enabled and connector.type is ConnectorType.PARTNER


INDEXES = {"certificate_name": 5, "pin": 4, "address": 6}
"""The tables that sessions are recognised by, and how many columns each has."""


def insert_into(index: str) -> str:
    return f"INSERT INTO {index} VALUES ({','.join('?' * INDEXES[index])})"


def index_rows(connector: InboundConnector, row_id: int) -> Iterator[tuple[str, list[tuple[object, ...]]]]:
    """What is written of a connector into each of `INDEXES`. Partner connectors are found by their tenant."""
    if connector.type is ConnectorType.PARTNER:
        return
    whose = (not connector.enabled, connector.tenant, row_id)
    yield "certificate_name", [(name, *whose, _parent(name)) for name in connector.certificate_names]
    yield "pin", [(bytes.fromhex(pin), *whose) for pin in sorted(set(connector.pins))]
    yield "address", [(*network_key(network), *whose) for network in connector.addresses]


def _parent(name: str) -> str | None:
    return None if name.startswith("*.") else name.partition(".")[2] or None


def stored_connector_record(connector: InboundConnector) -> Record:
    """Without the lists that are empty, which are most: the directory has many connectors. Proofs are kept apart."""
    record = inbound_connector_record(connector)
    return {key: value for key, value in record.items() if value != [] and key != "proven_pins"}


def text_of(record: Record) -> str:
    return _ENCODER.encode(record)
